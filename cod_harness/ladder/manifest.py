"""The ladder: the models a forecast is made from and the models it is made for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cod_harness.errors import InputError, did_you_mean
from cod_harness.ladder.model_args import (
    argument,
    located,
    pretrained,
    same_model,
    with_pretrained,
)

Role = Literal["rung", "anchor", "target"]


@dataclass(frozen=True)
class Model:
    """One model of a ladder.

    Attributes:
        name: what the model is called in the ladder file and in tables of pass rates.
        role: "rung" (forecast from), "anchor" (a finished model of another family, a point of
            the subset-to-full map) or "target" (forecast for).
        compute: training compute in FLOP; None only for anchors.
        params: number of parameters, or None.
        active_params: of a mixture of experts, the parameters that one token meets; or None.
        tokens: training tokens, or None.
        loss: final training or validation loss, or None.
        task_losses: losses on the right answers of single tasks, by task; often empty.
        model: lm-eval's `--model`, or None.
        model_args: lm-eval's `--model_args` as text (see `model_args`), or None.
        checkpoints: neighbouring checkpoints, as written, whose pass rates are averaged
            (appendix A.2); empty if there is only the model itself.
        results: the harness's results files of this model, where there are no samples.
        gpus: GPUs that one run of it needs; None for what the executor gives.
        shards: parts that its questions are run in; None for what the command line says.
        sbatch: options for SLURM, over those of the ladder (see `Cluster`).
        folder: folder of the ladder file, against which local paths are looked up first.
    """

    name: str
    role: Role
    compute: float | None = None
    params: float | None = None
    active_params: float | None = None
    tokens: float | None = None
    loss: float | None = None
    task_losses: Mapping[str, float] = field(default_factory=dict, hash=False)
    model: str | None = None
    model_args: str | None = None
    checkpoints: tuple[str, ...] = ()
    results: tuple[Path, ...] = ()
    gpus: int | None = None
    shards: int | None = None
    sbatch: Mapping[str, str] = field(default_factory=dict, hash=False)
    folder: Path | None = None

    def loss_on(self, task: str) -> float | None:
        """The loss on a task, else the model's own; None if neither is known."""
        return self.task_losses.get(task, self.loss)

    def runs(self) -> list[tuple[str, str]]:
        """The evaluations this model needs: pairs (checkpoint, model_args).

        Without `checkpoints` that is one pair with the checkpoint "". With them it is one pair
        per checkpoint, `model_args` with `pretrained=` replaced by (or begun with) the
        checkpoint; the model itself is then not run again.

        A path is taken relative to the ladder file's folder if it exists there, else as written.
        """
        written = self.model_args or ""
        if not self.checkpoints:
            return [("", located(written, self.folder))]
        return [
            (name, located(with_pretrained(written, name), self.folder))
            for name in self.checkpoints
        ]


@dataclass(frozen=True)
class Cluster:
    """Where the runs of a ladder are executed, unless the command line says otherwise.

    Attributes:
        executor: name of the executor; None for the one of this machine.
        setup: shell lines that make the environment of a job, in order.
        sbatch: options for SLURM without their dashes; "" for one that takes no value.
        ray: options for Ray, as `address`.
    """

    executor: str | None = None
    setup: tuple[str, ...] = ()
    sbatch: Mapping[str, str] = field(default_factory=dict, hash=False)
    ray: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Ladder:
    """The models of one forecast.

    Attributes:
        name: name of the family.
        rungs: the small models, by rising compute.
        anchors: finished models of other families; they need no compute.
        targets: the models to forecast.
        cluster: where its runs are executed.
        path: the file it was read from, or None.
    """

    name: str
    rungs: tuple[Model, ...]
    anchors: tuple[Model, ...] = ()
    targets: tuple[Model, ...] = ()
    cluster: Cluster = Cluster()
    path: Path | None = None

    @property
    def models(self) -> tuple[Model, ...]:
        """Rungs, anchors and targets."""
        return self.rungs + self.anchors + self.targets

    def find(self, name: str) -> Model:
        """The model called `name`.

        Raises:
            InputError: no model has that name; the message lists those that exist.
        """
        for model in self.models:
            if model.name == name:
                return model
        where = f"{self.path}: " if self.path else ""
        names = ", ".join(model.name for model in self.models)
        raise InputError(
            f"{where}no model {name!r} in the ladder; it has {names}"
            f"{did_you_mean(name, (model.name for model in self.models))}"
        )

    def locate(self, model_args: str) -> tuple[Model, str] | None:
        """The model and checkpoint that an lm-eval `model_args` string runs.

        The `pretrained=` value is compared with those of the ladder, local paths by the place
        they point to; where an entry says `revision=`, that has to agree too. Returns None when no
        model, or more than one, has it; a neighbouring checkpoint that is also the model's own
        counts as the checkpoint.
        """
        wanted, revision = pretrained(model_args), argument(model_args, "revision")
        if wanted is None:
            return None
        runs = [
            (model, checkpoint, argument(args, "revision"))
            for model, checkpoint, args in self._all_runs()
            if same_model(pretrained(args), wanted)
        ]
        exact = [run for run in runs if run[2] is not None and run[2] == revision]
        found = exact or [run for run in runs if run[2] is None]
        return found[0][:2] if len({model.name for model, *_ in found}) == 1 else None

    def _all_runs(self) -> Iterator[tuple[Model, str, str]]:
        for model in self.models:
            for checkpoint, args in model.runs():
                yield model, checkpoint, args
            if model.checkpoints and model.model_args:
                yield model, "", located(model.model_args, model.folder)

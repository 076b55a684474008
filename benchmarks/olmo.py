"""The loss route on OLMo's ladder: do we come near what its authors report?

    python benchmarks/olmo.py final.parquet

The file holds the end points of 25 ladder runs (190M to 3B parameters, 0.5 to 10 times Chinchilla's
tokens) and of the targets of 7B on 4T and 13B on 5T tokens: validation losses, bits per byte of
the right answers, and accuracies per task (allenai/OLMo-ladder, Apache-2.0).  Two steps, as in
arXiv 2412.04403: task loss from the size of model and data, then accuracy from task loss by a
sigmoid with the point (0, 1).  The authors report errors within 2 points on MMLU, HellaSwag, PIQA
and Social IQa, and 6.9 on average on the other four tasks (v1 of their paper).

Besides, the same with loss as a function of compute alone, which is what `two-step` of this package
does with a ladder file, and what the methods without losses make of the accuracies.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cod_harness.engine import METHODS, settings
from cod_harness.engine.arrays import Floats
from cod_harness.engine.baselines.laws import POWER
from cod_harness.engine.baselines.losses import FALLING_TO_FLOOR, LossScale
from cod_harness.engine.fitting import fit

TARGETS = {"7B-4T": "peteish7_eval_anneal", "13B-5T": "peteish13_eval_final"}
# Questions in each part of MMLU's test set, which the average weighs them by.
MMLU = {"stem": 3018, "humanities": 4705, "social_sciences": 3077, "other": 3242}
CLOSE = ("mmlu_test", "hellaswag_val", "piqa_val", "socialiqa_val")  # where the authors are
FAR = ("arc_challenge_test", "arc_easy_test", "csqa_val", "openbookqa_test")
NOISE = 0.01  # accuracy; what end points scatter by
DIRECT = ("powerlaw", "exp", "logistic", "bnsl", "last")


@dataclass(frozen=True)
class SizeLaw:
    """``L(N, D) = A N^-alpha + B D^-beta + e``, with x (m, 2) the logs about their means."""

    name: str = "size"
    parameters: tuple[str, ...] = ("log A", "alpha", "log B", "beta", "e")

    @property
    def lower(self) -> Floats:
        return np.array([-15.0, 0.0, -15.0, 0.0, 0.0])

    @property
    def upper(self) -> Floats:
        return np.array([5.0, 2.0, 5.0, 2.0, 10.0])

    def starts(self, x: Floats, y: Floats) -> Floats:
        """One group per floor; in it both exponents, and the rest shared between model and data."""
        groups = []
        for share in (0.1, 0.5, 0.8):
            floor = share * y.min(axis=1)
            rest = np.log(0.5 * (y.mean(axis=1) - floor))
            groups.append(
                [
                    np.stack([rest, 0 * rest + alpha, rest, 0 * rest + beta, floor], axis=-1)
                    for alpha in (0.1, 0.3, 0.6)
                    for beta in (0.1, 0.3, 0.6)
                ]
            )
        return np.moveaxis(np.array(groups), 2, 0)

    def curve(self, theta: Floats, x: Floats) -> Floats:
        model, data = self._terms(theta, x)
        return np.asarray(model + data + theta[..., [4]])

    def jacobian(self, theta: Floats, x: Floats) -> Floats:
        model, data = self._terms(theta, x)
        columns = [model, -model * x[:, 0], data, -data * x[:, 1], np.ones_like(model)]
        return np.stack(columns, axis=-1)

    def _terms(self, theta: Floats, x: Floats) -> tuple[Floats, Floats]:
        a, alpha, b, beta = (theta[..., [place]] for place in range(4))
        return np.exp(a - alpha * x[:, 0]), np.exp(b - beta * x[:, 1])


def columns(table: pd.DataFrame, task: str) -> tuple[pd.Series, pd.Series]:
    """Bits per byte and accuracy of all runs on one task; MMLU as its questions' mean."""
    if task == "mmlu_test":
        parts = {f"mmlu_{part}_test": size for part, size in MMLU.items()}
        each = {part: columns(table, part) for part in parts}
        total = sum(parts.values())
        loss, accuracy = (
            sum(each[part][place] * size for part, size in parts.items()) / total
            for place in (0, 1)
        )
        return loss, accuracy
    return (
        table[f"downstream_bpb/{task}_rc_5shot_bpb"],
        table[f"downstream/{task}_rc_5shot_len_norm"],
    )


def two_step(law, x: Floats, x_target: Floats, loss: Floats, accuracy: Floats):
    """Losses and accuracies of the targets by a law of loss and a sigmoid."""
    found = fit(law, x, loss[None], (settings.LOSS_NOISE * loss)[None])
    losses = law.curve(found.theta, x_target)[0]
    scale = LossScale(FALLING_TO_FLOOR, ideal=True)
    scale.learn(loss, accuracy, np.full(len(loss), NOISE))
    return losses, scale.accuracy(losses), scale


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", help="final.parquet of olmo-aggregates")
    parser.add_argument("--largest", default="3B", help="largest ladder model to use (3B)")
    asked = parser.parse_args()
    long = pd.read_parquet(asked.file)
    table = long.pivot(index="run", columns="metric", values="value")
    about = long.drop_duplicates("run").set_index("run").loc[table.index]
    targets = list(TARGETS.values())
    sizes = about["params"].to_numpy(dtype=float)
    ladder = ~table.index.isin(targets)
    largest = max(size for run, size in about["params"].items() if run.startswith(asked.largest))
    ladder &= sizes <= largest
    goal = np.array([table.index.get_loc(run) for run in targets])
    logs = np.log(about[["params", "tokens"]].to_numpy(dtype=float))
    logs -= logs[ladder].mean(axis=0)
    flop = 6.0 * sizes * about["tokens"].to_numpy(dtype=float)
    x = np.log(flop) - np.log(flop[ladder]).mean()

    rows = []
    for task in (*CLOSE, *FAR):
        loss, accuracy = (part.to_numpy(dtype=float) for part in columns(table, task))
        size_loss, by_size, scale = two_step(
            SizeLaw(), logs[ladder], logs[goal], loss[ladder], accuracy[ladder]
        )
        _, by_compute, _ = two_step(POWER, x[ladder], x[goal], loss[ladder], accuracy[ladder])
        # Of the measured loss: what the second step alone is off by.
        second = scale.accuracy(loss[goal])
        # One question stands for the task: these methods need its mean alone.
        direct = {
            name: METHODS[name]().fit(accuracy[ladder][None], flop[ladder], 0) for name in DIRECT
        }
        for place, name in enumerate(TARGETS):
            run = goal[place]
            row = {
                "task": task,
                "target": name,
                "loss": loss[run],
                "loss error %": 100 * (size_loss[place] / loss[run] - 1),
                "actual": 100 * accuracy[run],
                "two-step (N, D)": 100 * by_size[place],
                "second step alone": 100 * second[place],
                "two-step (C)": 100 * by_compute[place],
            }
            row |= {
                method: 100 * model.forecast(float(flop[run])).mean
                for method, model in direct.items()
            }
            rows.append(row)
    found = pd.DataFrame(rows)
    print(found.round(1).to_string(index=False))
    methods = list(found.columns[5:])
    errors = found[["task", "target"]].join(found[methods].sub(found["actual"], axis=0).abs())
    errors["tasks"] = np.where(errors["task"].isin(CLOSE), "the four close", "the other four")
    print("\nMean absolute error, points")
    print(errors.groupby(["tasks", "target"])[methods].mean().round(1).to_string())
    print(errors.groupby("tasks")[methods].mean().round(1).to_string())


if __name__ == "__main__":
    main()

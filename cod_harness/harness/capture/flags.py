"""The ``--cod*`` flags, taken off a command line that otherwise belongs to the harness."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cod_harness.arguments import ArgumentParser, flags_of
from cod_harness.errors import InputError, did_you_mean
from cod_harness.harness.capture.shards import Share, share
from cod_harness.harness.sampling.grouped_api import N_MAX
from cod_harness.ladder.metrics import metric_choice

_MODEL = frozenset({"--model", "-M", "--model_args", "-a"})
# Harness flags that change where or how fast a run happens, never what it measures. They are left
# out when two runs are compared.
_WHERE_NOT_WHAT = frozenset(
    {
        "--output_path",
        "-o",
        "--batch_size",
        "-b",
        "--max_batch_size",
        "--device",
        "--log_samples",
        "-s",
        "--verbosity",
        "-v",
        "--write_out",
        "-w",
        "--show_config",
        "--wandb_args",
        "--wandb_config_args",
        "--trackio_args",
        "--hf_hub_log_args",
        "--use_cache",
        "-c",
        "--include_path",
        "--trust_remote_code",
        "--confirm_run_unsafe_code",
    }
)


@dataclass(frozen=True)
class CaptureOptions:
    """What the user asked of the capture.

    ladder: the ladder file. rung: name of the ladder entry this run measures; None means it is
    inferred from the model's name. checkpoint: name of a neighbouring checkpoint of that rung, ''
    for the rung itself. repeats: samples per question for every generating task; None leaves the
    task's own. most: samples that some questions get in the end, after `repeats` for all; further:
    whether this is the run that asks for those; further_tasks: of these tasks only, of all if none
    are named. n_max: most samples in one request, 1 for one by one. journal: whether samples are
    kept as they arrive. metrics: task -> (filter, metric) that counts as correct. request: what the
    run measures, as typed (see `request_of`). shard: the share of the questions that this run
    answers and keeps unscored; merge: the number of shards that it scores, asking no model.
    """

    ladder: Path
    rung: str | None = None
    checkpoint: str = ""
    repeats: int | None = None
    most: int | None = None
    further: bool = False
    further_tasks: tuple[str, ...] = ()
    metrics: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    allow_fractional: bool = False
    allow_mismatch: bool = False
    forecast: bool = True
    include_only: bool = False
    n_max: int = N_MAX
    journal: bool = True
    shard: Share | None = None
    merge: int = 0
    request: Mapping[str, list[str]] = field(default_factory=dict)


def parser() -> argparse.ArgumentParser:
    """The parser of our flags alone; everything it does not know is the harness's."""
    # allow_abbrev=False: otherwise `--co` of some future harness flag would be taken for ours.
    flags = ArgumentParser(
        prog="cod-harness run",
        examples=(
            "cod-harness run --cod ladder.yaml --model hf --model_args pretrained=ckpt/122m \\",
            "    --tasks gsm8k_cot --output_path out --cod-repeats 16 \\",
            "    --gen_kwargs do_sample=True,temperature=1.0",
            "cod-harness run --cod ladder.yaml --cod-rung 122m --model local-completions \\",
            "    --model_args model=122m,base_url=http://host/v1/completions \\",
            "    --tasks mmlu --output_path out",
        ),
        add_help=False,
        allow_abbrev=False,
    )
    group = flags.add_argument_group("capture of pass rates: of which model")
    group.add_argument("--cod", metavar="LADDER.yaml", help="ladder file this run belongs to")
    group.add_argument("--cod-rung", metavar="NAME", help="ladder entry that is being measured")
    group.add_argument(
        "--cod-checkpoint", metavar="NAME", default="", help="neighbouring checkpoint of the rung"
    )
    group = flags.add_argument_group("how often each question is asked")
    group.add_argument(
        "--cod-repeats",
        metavar="K[:MOST]",
        help="samples per question for every generating task; with MOST, that many in the end for "
        "questions in doubt on the largest rungs (see --cod-further)",
    )
    group.add_argument(
        "--cod-further",
        metavar="TASK,...",
        nargs="?",
        const="",
        help="the second stage of --cod-repeats K:MOST, once every rung has its K samples; "
        "of these tasks only (default: all)",
    )
    group.add_argument(
        "--cod-n-max",
        metavar="N",
        default=str(N_MAX),
        help="most samples asked for in one request; 1: one by one (default: %(default)s)",
    )
    group.add_argument(
        "--cod-no-journal",
        action="store_true",
        help="do not keep samples on disk as they arrive, for a killed run to go on from",
    )
    group = flags.add_argument_group("what counts as correct, and beside what")
    group.add_argument(
        "--cod-metric",
        metavar="TASK=FILTER/METRIC",
        action="append",
        default=[],
        help="which filter and metric count as correct (repeatable)",
    )
    group.add_argument(
        "--cod-allow-fractional",
        action="store_true",
        help="accept a metric with values between 0 and 1",
    )
    group.add_argument(
        "--cod-allow-mismatch",
        action="store_true",
        help="go on where task version, prompts or settings differ from other rungs'",
    )
    group = flags.add_argument_group("how it runs")
    group.add_argument(
        "--cod-no-forecast", action="store_true", help="capture only, no forecast at the end"
    )
    group.add_argument(
        "--cod-include-only",
        action="store_true",
        help="know the tasks of --include_path alone; saves reading the harness's own, 10 s a run",
    )
    group.add_argument(
        "--cod-shard",
        metavar="I/N",
        help="answer shard I of N only and keep that beside OUT's models",
    )
    group.add_argument(
        "--cod-merge", metavar="N", help="ask no model: score the N shards that runs have kept"
    )
    return flags


def take(argv: Sequence[str]) -> tuple[CaptureOptions, list[str]]:
    """Split a command line into our options and the harness's arguments, those in their order.

    Raises InputError for a flag of ours that is missing or malformed.
    """
    ours, rest = parser().parse_known_args(list(argv))
    unknown = [word for word in rest if word == "--cod" or word.startswith("--cod-")]
    if unknown:
        raise InputError(
            f"{unknown[0]}: no such flag; `cod-harness run --help` lists those there are"
            f"{did_you_mean(unknown[0].partition('=')[0], flags_of(parser()))}"
        )
    if not ours.cod:
        raise InputError("--cod LADDER.yaml is missing: it names the ladder this run belongs to")
    metrics = dict(metric_choice(text) for text in ours.cod_metric)
    repeats, most = stages_of(ours.cod_repeats, "--cod-repeats")
    if ours.cod_further is not None and most is None:
        raise InputError("--cod-further: say in which stages, as in --cod-repeats 16:100")
    if ours.cod_shard and ours.cod_merge:
        raise InputError("--cod-shard and --cod-merge: a run does one or the other")
    if most and (ours.cod_shard or ours.cod_merge):
        raise InputError(
            f"--cod-repeats {ours.cod_repeats}: draws in stages are not made in shards; leave one "
            "out"
        )
    options = CaptureOptions(
        ladder=Path(ours.cod),
        rung=ours.cod_rung,
        checkpoint=ours.cod_checkpoint,
        repeats=repeats,
        most=most,
        further=ours.cod_further is not None,
        further_tasks=tuple(task for task in (ours.cod_further or "").split(",") if task),
        metrics=metrics,
        allow_fractional=ours.cod_allow_fractional,
        allow_mismatch=ours.cod_allow_mismatch,
        forecast=not ours.cod_no_forecast,
        include_only=ours.cod_include_only,
        n_max=repeats_of(ours.cod_n_max, "--cod-n-max"),
        journal=not ours.cod_no_journal,
        shard=share(ours.cod_shard) if ours.cod_shard else None,
        merge=repeats_of(ours.cod_merge, "--cod-merge", "shards") if ours.cod_merge else 0,
        request=request_of(rest, ours.cod_repeats, metrics),
    )
    return options, rest


def from_environment(environ: Mapping[str, str]) -> CaptureOptions:
    """Options for the plug-in form: COD_LADDER, COD_RUNG, COD_CHECKPOINT, COD_REPEATS, COD_N_MAX.

    COD_METRIC holds choices separated by commas; COD_FURTHER, COD_ALLOW_FRACTIONAL and
    COD_ALLOW_MISMATCH are set to 1. Raises InputError where COD_LADDER is missing or a value is
    malformed.
    """
    if not environ.get("COD_LADDER"):
        raise InputError("COD_LADDER is not set: it names the ladder file this run belongs to")
    repeats, most = stages_of(environ.get("COD_REPEATS"), "COD_REPEATS")
    choices = [text for text in environ.get("COD_METRIC", "").split(",") if text]
    return CaptureOptions(
        ladder=Path(environ["COD_LADDER"]),
        rung=environ.get("COD_RUNG") or None,
        checkpoint=environ.get("COD_CHECKPOINT", ""),
        repeats=repeats,
        most=most,
        further=environ.get("COD_FURTHER") == "1",
        metrics=dict(metric_choice(text) for text in choices),
        n_max=repeats_of(environ["COD_N_MAX"], "COD_N_MAX") if "COD_N_MAX" in environ else N_MAX,
        allow_fractional=environ.get("COD_ALLOW_FRACTIONAL") == "1",
        allow_mismatch=environ.get("COD_ALLOW_MISMATCH") == "1",
    )


def repeats_of(text: str, where: str, what: str = "samples") -> int:
    """A number of samples per question, or of something else: 1 or more."""
    if not text.isdigit() or int(text) < 1:
        raise InputError(f"{where} {text}: a whole number of {what}, 1 or more, is needed")
    return int(text)


def stages_of(text: str | None, where: str) -> tuple[int | None, int | None]:
    """``16:100`` -> (16, 100); ``16`` -> (16, None)."""
    if not text:
        return None, None
    first, colon, most = text.partition(":")
    repeats = repeats_of(first, where)
    if not colon:
        return repeats, None
    if repeats_of(most, where) <= repeats:
        raise InputError(f"{where} {text}: the second number must be above the first")
    return repeats, int(most)


def request_of(
    rest: Sequence[str], repeats: str | None, metrics: Mapping[str, tuple[str, str]]
) -> dict[str, list[str]]:
    """What a run measures, apart from the place: its tasks, its settings, and by what model.

    Two runs of one rung with equal settings, one's tasks among the other's, need not both be made.
    """
    tasks: list[str] = []
    settings: list[str] = []
    model: list[str] = []
    words = [word for word in rest if word != "run"]
    at = 0
    while at < len(words):
        flag, equals, value = words[at].partition("=")
        at += 1
        values = [value] if equals and flag.startswith("-") else []
        while not (equals and flag.startswith("-")) and at < len(words):
            if words[at].startswith("-") and not words[at][1:2].isdigit():
                break
            values.append(words[at])
            at += 1
        if flag in ("--tasks", "-t"):
            tasks += [task for text in values for task in text.split(",") if task]
        elif flag in _MODEL:
            model.append(" ".join(values))
        elif flag not in _WHERE_NOT_WHAT:
            settings.append(" ".join([flag, *values]))
    settings += [f"repeats {repeats}"] if repeats else []
    settings += [f"metric {t}={f}/{m}" for t, (f, m) in sorted(metrics.items())]
    return {"tasks": sorted(set(tasks)), "settings": sorted(settings), "model": model}

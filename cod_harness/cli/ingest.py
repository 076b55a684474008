"""`cod-harness ingest`: pass rates out of runs that exist."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cod_harness.arguments import ArgumentParser, add_allow_mismatch, add_match, whole
from cod_harness.errors import InputError


def parser() -> ArgumentParser:
    """The command's arguments."""
    made = ArgumentParser(
        prog="cod-harness ingest",
        examples=(
            "cod-harness ingest old-runs --ladder ladder.yaml -o rates.parquet",
            "cod-harness ingest table.csv --ladder ladder.yaml --constant task=gsm8k",
        ),
        allow_abbrev=False,
        description="Pass rates out of earlier runs' samples_*.jsonl (runs with --log_samples), "
        "out of Inspect's logs (*.eval), or out of tables; of results_*.json alone the accuracy of "
        "each task. Where several responses a question were logged, all of them are scored again "
        "through the task; no data set is downloaded.",
    )
    made.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="output folder, samples file, log, results file, or table",
    )
    made.add_argument("--ladder", required=True, metavar="LADDER.yaml")
    made.add_argument(
        "-o", "--output", metavar="FILE", help="default: cod_passrates_<date>.parquet here"
    )
    made.add_argument(
        "--rung",
        "--cod-rung",
        metavar="NAME",
        help="the ladder entry all samples are of; else told by the model",
    )
    made.add_argument(
        "--metric",
        "--cod-metric",
        metavar="TASK=FILTER/METRIC",
        action="append",
        default=[],
        help="which filter and metric count as correct (repeatable)",
    )
    made.add_argument(
        "--allow-fractional",
        "--cod-allow-fractional",
        action="store_true",
        help="accept values between 0 and 1",
    )
    add_match(made)
    add_allow_mismatch(made)
    made.add_argument(
        "--include_path",
        metavar="DIR",
        action="append",
        default=[],
        help="folder with task definitions of your own (repeatable)",
    )
    made.add_argument(
        "--confirm_run_unsafe_code",
        action="store_true",
        help="score tasks that run programs; HF_ALLOW_CODE_EVAL=1 is needed as well",
    )
    made.add_argument(
        "--confirm_run_task_code",
        action="store_true",
        help="score with Python functions of task definitions too, yours and the harness's, that "
        "nobody vetted against texts of somebody else",
    )
    made.add_argument("--jobs", metavar="N", help="processes at a time; default: all cores")
    made.add_argument(
        "--column",
        metavar="OURS=THEIRS",
        action="append",
        default=[],
        help="what a table calls a column: task, question, model, n_correct, n_samples, rate, "
        "or correct, where each row is one answer; accuracy, stderr and n of whole tasks "
        "(repeatable)",
    )
    made.add_argument(
        "--constant",
        metavar="OURS=VALUE",
        action="append",
        default=[],
        help="a column that a table lacks, as in task=gsm8k (repeatable)",
    )
    return made


def main(words: Sequence[str]) -> int:
    """Run the command. Returns the exit status; raises InputError."""
    asked = parser().parse_args(words)

    from cod_harness.harness.ingest.ingest import ingest
    from cod_harness.harness.scoring import programs, sandbox
    from cod_harness.ladder.files import check_file, check_folder
    from cod_harness.ladder.foreign_table import TableColumns
    from cod_harness.ladder.metrics import metric_choice
    from cod_harness.ladder.read_ladder import read_ladder
    from cod_harness.messages import say

    ladder = read_ladder(asked.ladder)
    if asked.output:  # what cannot be written is said before an hour of reading, not after it
        check_file(asked.output)
    else:
        check_folder(Path())
    folders = [Path(folder) for folder in asked.include_path]
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"--include_path {folder}: no such folder; check the path")
    if asked.confirm_run_unsafe_code and programs.allowed():
        sandbox.found()  # said here, once, and not by every process
    rates = ingest(
        asked.paths,
        ladder,
        dict(metric_choice(text) for text in asked.metric),
        asked.allow_fractional,
        rung=asked.rung,
        match=asked.match,
        columns=TableColumns.parsed(asked.column, asked.constant),
        include_paths=folders,
        run_code=asked.confirm_run_unsafe_code,
        task_code=asked.confirm_run_task_code,
        allow_mismatch=asked.allow_mismatch,
        processes=whole("--jobs", asked.jobs) if asked.jobs else None,
    )
    if asked.output:
        path = rates.write(asked.output, ladder=ladder.name)
    else:
        path = rates.write_dated(Path(), ladder=ladder.name)
    for note in rates.notes:
        say(note)
    print(
        f"{len(rates.frame)} pass rates of {len(rates.models())} models on "
        f"{len(rates.tasks)} tasks written to {path}"
    )
    return 0

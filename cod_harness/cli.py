"""The command line. Each command's work stands in its own room; here is what users type."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cod_harness import __version__
from cod_harness.arguments import ArgumentParser
from cod_harness.errors import InputError

_ABOUT = """\
Forecast what a big model will score on benchmarks, from a ladder of small ones.

  cod-harness run ARGS --cod LADDER.yaml     an lm_eval run that also captures pass rates
  cod-harness ladder LADDER.yaml --tasks T --output_path OUT
                                             that for every model of a ladder, then the forecast
  cod-harness forecast OUT --ladder LADDER.yaml
                                             forecasts from pass rates captured before
  cod-harness backtest OUT --ladder LADDER.yaml
                                             every method on results that are known by now
  cod-harness ingest DIR --ladder LADDER.yaml
                                             pass rates out of earlier runs or tables
  cod-harness ablate OUT --ladder LADDER.yaml
                                             the paper's ablation tables on your own ladder
  cod-harness tasks                          the benchmark configurations that ship
  cod-harness demo                           the whole job on the ladder that ships

`cod-harness COMMAND --help` explains each."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. Returns the exit status: 0 done, 1 a fault of ours, 2 wrong input."""
    words = list(sys.argv[1:] if argv is None else argv)
    command = words[0] if words else "--help"
    try:
        if command in ("-h", "--help"):
            print(_ABOUT)
            return 0
        if command == "--version":
            print(f"cod-harness {__version__}")
            return 0
        if command not in _COMMANDS:
            known = ", ".join(_COMMANDS)
            raise InputError(f"there is no command {command!r}; there are {known}")
        return _COMMANDS[command](words[1:])
    except InputError as refusal:
        print(f"cod-harness: {refusal}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `cod-harness forecast ... | head`
        sys.stderr.close()
        return 0


def _run(words: Sequence[str]) -> int:
    from cod_harness.harness.run import main

    return main(words)


def _ladder(words: Sequence[str]) -> int:
    from cod_harness.harness.campaign import main

    return main(words)


def _demo(words: Sequence[str]) -> int:
    from cod_harness.demo.command import main

    return main(words)


def _ablate(words: Sequence[str]) -> int:
    from cod_harness.commands.ablate import main

    return main(words)


def _backtest(words: Sequence[str]) -> int:
    from cod_harness.commands.backtest import main

    return main(words)


def _forecast(words: Sequence[str]) -> int:
    parser = ArgumentParser(
        prog="cod-harness forecast",
        allow_abbrev=False,
        description="Forecast the ladder's targets from pass rates. With one output folder as "
        "PATH the JSON goes into it as cod_forecast_<date>.json.",
    )
    _add_sources(parser)
    parser.add_argument("--target", metavar="NAME", action="append", help="default: all targets")
    parser.add_argument("--compute", metavar="FLOP", help="forecast for this training compute")
    parser.add_argument("--method", metavar="M,...", default="cod", help="default: cod")
    parser.add_argument("--level", metavar="P", default="0.9", help="of the interval (0.9)")
    parser.add_argument(
        "--json", metavar="FILE", help="where the JSON goes; - is standard output, then no table"
    )
    parser.add_argument(
        "--allow-mismatch", action="store_true", help="go on where rungs were run differently"
    )
    parser.add_argument(
        "--clusters", metavar="FILE", help="use the clusters of another ladder, saved before"
    )
    parser.add_argument(
        "--save-clusters", metavar="FILE", help="save the clusters (.parquet) for another ladder"
    )
    asked = parser.parse_args(words)

    from cod_harness.ladder.files import write_whole
    from cod_harness.ladder.ladder_file import number
    from cod_harness.ladder.manifest import Ladder
    from cod_harness.ladder.passrates import read_passrates
    from cod_harness.report.document import document_text, forecast_document, write_document
    from cod_harness.report.saved_clusters import Fit, SavedClusters
    from cod_harness.report.table import forecast_table

    ladder = Ladder.read(asked.ladder)
    rates = read_passrates(asked.paths, ladder)
    fits: list[Fit] = []
    document = forecast_document(
        rates,
        ladder,
        methods=[name for name in asked.method.split(",") if name],
        targets=asked.target,
        compute=_parsed("--compute", asked.compute, number) if asked.compute else None,
        level=_level(asked.level),
        allow_mismatch=asked.allow_mismatch,
        clusters=SavedClusters.read(asked.clusters) if asked.clusters else None,
        on_clusters=lambda evidence, model: fits.append((evidence, model)),
    )
    if asked.save_clusters:
        method = document["settings"]["clusters_of"]
        SavedClusters.of(rates, ladder, method, fits).write(asked.save_clusters)
    if asked.json == "-":
        sys.stdout.write(document_text(document))
        return 0
    print(forecast_table(document))
    written = None
    if asked.json:
        written = write_whole(Path(asked.json), document_text(document))
    elif len(asked.paths) == 1 and Path(asked.paths[0]).is_dir():
        written = write_document(document, Path(asked.paths[0]))
    for note in document["settings"].get("notes", []):
        print(f"cod-harness: {note}", file=sys.stderr)
    if written:
        print(f"cod-harness: forecast written to {written}", file=sys.stderr)
    return 0


def _ingest(words: Sequence[str]) -> int:
    parser = ArgumentParser(
        prog="cod-harness ingest",
        allow_abbrev=False,
        description="Pass rates out of earlier runs' samples_*.jsonl (runs with --log_samples), "
        "or out of tables.",
    )
    _add_sources(parser)
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="default: cod_passrates_<date>.parquet here"
    )
    parser.add_argument(
        "--metric",
        metavar="TASK=FILTER/METRIC",
        action="append",
        default=[],
        help="which filter and metric count as correct (repeatable)",
    )
    parser.add_argument(
        "--allow-fractional", action="store_true", help="accept values between 0 and 1"
    )
    asked = parser.parse_args(words)

    from cod_harness.harness.flags import metric_choice
    from cod_harness.harness.samples import ingest
    from cod_harness.ladder.files import date_stamp
    from cod_harness.ladder.manifest import Ladder

    ladder = Ladder.read(asked.ladder)
    metrics = dict(metric_choice(text) for text in asked.metric)
    rates = ingest(asked.paths, ladder, metrics, asked.allow_fractional)
    path = Path(asked.output or f"cod_passrates_{date_stamp()}.parquet")
    rates.write(path, ladder=ladder.name)
    for note in rates.notes:
        print(f"cod-harness: {note}", file=sys.stderr)
    print(
        f"{len(rates.frame)} pass rates of {len(rates.models())} models on "
        f"{len(rates.tasks)} tasks written to {path}"
    )
    return 0


def _tasks(words: Sequence[str]) -> int:
    parser = ArgumentParser(prog="cod-harness tasks", allow_abbrev=False)
    parser.add_argument(
        "--path", action="store_true", help="print the folder to give lm_eval --include_path"
    )
    asked = parser.parse_args(words)

    from cod_harness.task_folder import listed, task_folder

    print(task_folder() if asked.path else listed())
    return 0


def _add_sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="output folder, pass-rate file or table"
    )
    parser.add_argument("--ladder", required=True, metavar="LADDER.yaml")


def _parsed(flag: str, text: str, parse: Callable[[str], float]) -> float:
    try:
        return parse(text)
    except ValueError as error:
        raise InputError(f"{flag} {text}: {error}") from None


def _level(text: str) -> float:
    level = _parsed("--level", text, float)
    if not 0 < level < 1:
        raise InputError(f"--level {text}: a share between 0 and 1 is needed, as in 0.9")
    return level


_COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "run": _run,
    "ladder": _ladder,
    "forecast": _forecast,
    "backtest": _backtest,
    "ingest": _ingest,
    "ablate": _ablate,
    "tasks": _tasks,
    "demo": _demo,
}

"""The command line. Each command's work stands in its own room; here is what users type."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cod_harness import __version__
from cod_harness.arguments import ArgumentParser
from cod_harness.errors import InputError
from cod_harness.messages import QUIET, VERBOSE, detail, messages, say

_ABOUT = """\
Forecast what a big model will score on benchmarks, from a ladder of small ones.

  cod-harness run ARGS --cod LADDER.yaml     an lm_eval run that also captures pass rates
  cod-harness ladder LADDER.yaml --tasks T --output_path OUT
                                             that for every model of a ladder, then the forecast
  cod-harness forecast OUT --ladder LADDER.yaml
                                             forecasts from pass rates captured before
  cod-harness backtest OUT --ladder LADDER.yaml
                                             every method on results that are known by now
  cod-harness report FORECAST.json           the page of a forecast or a backtest
  cod-harness register FORECAST.json         forecasts pre-registered in an append-only file
  cod-harness score REGISTER RESULTS...      registered forecasts against what was measured
  cod-harness ingest DIR --ladder LADDER.yaml
                                             pass rates out of earlier runs or tables
  cod-harness ablate OUT --ladder LADDER.yaml
                                             the paper's ablation tables on your own ladder
  cod-harness tasks                          the benchmark configurations that ship
  cod-harness demo                           the whole job on the ladder that ships
  cod-harness completion bash                commands completed by the shell

`cod-harness COMMAND --help` explains each. Before COMMAND: --quiet for results and faults only,
--verbose for details. Colour heeds NO_COLOR."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. Returns the exit status: 0 done, 1 a fault of ours, 2 wrong input."""
    words = list(sys.argv[1:] if argv is None else argv)
    loudness = ""
    while words and words[0] in _LOUDNESS:
        loudness = _LOUDNESS[words.pop(0)]
    # After the command too, where all flags are ours.
    for flag in ("--quiet", "--verbose"):
        if flag in words and words[0] not in _OTHERS_FLAGS:
            words.remove(flag)
            loudness = _LOUDNESS[flag]
    with messages(loudness):
        return _done(words)


def _done(words: Sequence[str]) -> int:
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


def _report(words: Sequence[str]) -> int:
    from cod_harness.commands.report import main

    return main(words)


def _register(words: Sequence[str]) -> int:
    from cod_harness.commands.register import main

    return main(words)


def _completion(words: Sequence[str]) -> int:
    from cod_harness.commands.completion import main

    return main(words, list(_COMMANDS))


def _score(words: Sequence[str]) -> int:
    from cod_harness.commands.score import main

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
    parser.add_argument(
        "--compute",
        metavar="FLOP",
        help="forecast for this training compute, or as 1e22:1e25 for a range of it (1e22:1e25:20 "
        "for 20 amounts)",
    )
    parser.add_argument(
        "--observed",
        metavar="FILE",
        help="hold checkpoints of a running job against the band: a CSV file with task, compute, "
        "accuracy and, if wanted, name",
    )
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
    from cod_harness.ladder.manifest import Ladder
    from cod_harness.ladder.passrates import read_passrates
    from cod_harness.progress import progress_bar
    from cod_harness.report.checkpoints import read_checkpoints
    from cod_harness.report.curve_table import curve_table
    from cod_harness.report.document import document_text, forecast_document, write_document
    from cod_harness.report.page_beside import page_beside
    from cod_harness.report.saved_clusters import Fit, SavedClusters
    from cod_harness.report.terminal import print_forecast

    ladder = Ladder.read(asked.ladder)
    rates = read_passrates(asked.paths, ladder)
    fits: list[Fit] = []
    begun = time.monotonic()
    with progress_bar("forecast", "task") as progress:
        document = forecast_document(
            rates,
            ladder,
            methods=[name for name in asked.method.split(",") if name],
            targets=asked.target,
            compute=_amounts(asked.compute) if asked.compute else None,
            level=_level(asked.level),
            allow_mismatch=asked.allow_mismatch,
            clusters=SavedClusters.read(asked.clusters) if asked.clusters else None,
            checkpoints=read_checkpoints(asked.observed, rates.tasks) if asked.observed else (),
            on_clusters=lambda evidence, model: fits.append((evidence, model)),
            command=["cod-harness", "forecast", *words],
            progress=progress,
        )
    detail(f"forecasts made in {time.monotonic() - begun:.1f} s")
    if asked.save_clusters:
        method = document["settings"]["clusters_of"]
        SavedClusters.of(rates, ladder, method, fits).write(asked.save_clusters)
    if asked.json == "-":
        sys.stdout.write(document_text(document))
        return 0
    ranged = asked.observed or ":" in (asked.compute or "")
    if ranged:
        print(curve_table(document))
    else:
        print_forecast(document)
    written = drawn = None
    if asked.json:
        written = write_whole(Path(asked.json), document_text(document))
    elif len(asked.paths) == 1 and Path(asked.paths[0]).is_dir():
        written = write_document(document, Path(asked.paths[0]))
        drawn = page_beside(document, Path(asked.paths[0]))
    for note in document["settings"].get("notes", []):
        say(note)
    if written:
        say(f"forecast written to {written}")
    if drawn:
        say(f"report written to {drawn}")
    return 0


def _ingest(words: Sequence[str]) -> int:
    from cod_harness.commands.ingest import main

    return main(words)


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


def _amounts(text: str) -> list[float]:
    """The compute that `--compute` asks for, FLOP: one amount, or A:B or A:B:N by equal factors."""
    from cod_harness.ladder.ladder_file import number

    parts = text.split(":")
    if len(parts) > 3:
        raise InputError(f"--compute {text}: give one amount of FLOP, or a range as in 1e22:1e25")
    ends = [_parsed("--compute", part, number) for part in parts[:2]]
    if len(ends) == 1:
        return ends
    count = _parsed("--compute", parts[2], int) if len(parts) == 3 else _RANGE
    if not 0 < ends[0] < ends[1] or count < 2:
        raise InputError(
            f"--compute {text}: a range goes up, from an amount above 0, in 2 steps or more"
        )
    factor = (ends[1] / ends[0]) ** (1 / (count - 1))
    return [ends[0] * factor**step for step in range(int(count))]


def _level(text: str) -> float:
    level = _parsed("--level", text, float)
    if not 0 < level < 1:
        raise InputError(f"--level {text}: a share between 0 and 1 is needed, as in 0.9")
    return level


_RANGE = 10  # amounts in a range of compute, unless told

_OTHERS_FLAGS = ("run", "ladder")  # commands whose other flags go to lm_eval
_LOUDNESS = {"--quiet": QUIET, "-q": QUIET, "--verbose": VERBOSE}
_COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "run": _run,
    "ladder": _ladder,
    "forecast": _forecast,
    "backtest": _backtest,
    "report": _report,
    "register": _register,
    "score": _score,
    "ingest": _ingest,
    "ablate": _ablate,
    "tasks": _tasks,
    "demo": _demo,
    "completion": _completion,
}

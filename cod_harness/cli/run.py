"""`cod-harness run`: the harness's own command line, watched."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from cod_harness.arguments import flags_of
from cod_harness.cli.outlook import Outlook
from cod_harness.errors import InputError, did_you_mean
from cod_harness.faults import told
from cod_harness.harness.capture import flags
from cod_harness.harness.capture.capture import Capture
from cod_harness.harness.capture.hooks import installed
from cod_harness.ladder.files import check_folder


def main(argv: Sequence[str]) -> int:
    """Run `lm_eval run` with everything it knows, and capture pass rates.

    argv: the arguments after the word `run` (a second `run` does no harm). Returns the exit
    status: 0 done, 1 a fault of ours or of the run, 2 wrong input, said in one line.
    """
    argv = [word for at, word in enumerate(argv) if at or word != "run"]
    if not argv or argv[0] in ("-h", "--help"):
        return _help()
    capture = None
    try:
        options, rest = flags.take(argv)
        _check_output(rest)
        capture = Capture(options, Outlook(options.allow_mismatch))
        with _ended_in_order(capture):
            _run_harness(rest, capture)
    except _AskedToEnd:
        print(
            "cod-harness: asked to end (time limit, preemption or cancelling) before it was "
            "through; run it again",
            file=sys.stderr,
        )
        return 128 + signal.SIGTERM
    except InputError as refusal:
        print(f"cod-harness: {refusal}", file=sys.stderr)
        return 2
    except SystemExit as stop:  # --help among its flags
        return stop.code if isinstance(stop.code, int) else 2
    except Exception as error:
        # Before anything is asked of a model: an unknown task, a path that is not there.
        early = isinstance(error, (ValueError, KeyError, OSError, ImportError))
        if capture is None or capture.started or not early:
            return told(error, "cod-harness run")
        what = " ".join(str(error).split()) or type(error).__name__
        remedy = _remedy(error, rest)
        hints = (did_you_mean(task, capture.known_tasks) for task in options.request["tasks"])
        hint = next(filter(None, hints), "") if "not found" in what else ""
        print(f"cod-harness: lm_eval refuses the run: {what}{remedy}{hint}", file=sys.stderr)
        return 2
    if capture.store is not None and capture.tasks_captured:
        print("\n".join(_beside_the_harness(capture.tasks_captured)))
    return capture.finish()


def _beside_the_harness(tasks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The pass rate of each task beside the score in the harness's table, which is of one answer a
    question: the more is drawn, the nearer the rate is to what another draw would score."""
    from cod_harness.report.text.grid import UNKNOWN, grid, terminal_width

    def share(value: float | None) -> str:
        return UNKNOWN if value is None else f"{value:.4f}"

    header = ("Tasks", "Filter", "Metric", "Harness", "Pass rate", "Samples", "Questions")
    rows = [
        (
            name,
            str(about.get("filter", UNKNOWN)),
            str(about.get("metric", UNKNOWN)),
            share(about.get("harness_score")),
            share(about.get("rate")),
            # A rate that the model's probabilities give needs no samples.
            str(about.get("repeats") or "exact"),
            str(about.get("questions", UNKNOWN)),
        )
        for name, about in sorted(tasks.items())
    ]
    return ["Captured pass rates", "", *grid(header, rows, terminal_width(), header[:3]), ""]


# What a model of the harness needs beyond the harness itself, by the beginning of its name.
_EXTRAS = {
    "hf": "cod-harness[hf]",
    "local-": "cod-harness[api]",
    "openai-": "cod-harness[api]",
    "anthropic": "cod-harness[api]",
    "vllm": "lm_eval[vllm]",
    "sglang": "sglang",
    "gguf": "cod-harness[api]",
}


def _remedy(error: Exception, rest: Sequence[str]) -> str:
    """The line that installs what a model lacks; empty where that is not what is wrong."""
    missing = isinstance(error, ImportError) or "pip install" in str(error)
    if not missing:
        return ""
    model = flags.request_of(rest, None, {})["model"]
    name = next((word for word in model if "=" not in word), "hf")
    extra = next((extra for start, extra in _EXTRAS.items() if name.startswith(start)), None)
    return f"; pip install '{extra}'" if extra else ""


def _check_output(rest: Sequence[str]) -> None:
    """Said before the harness reads its tasks; what a `--config` says is known later."""
    given = {word.partition("=")[0] for word in rest}
    if not given & {"--output_path", "-o", "--config", "-C"}:
        raise InputError("--output_path is missing: name the folder that pass rates go to")
    for word, following in zip(rest, [*rest[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        place = Path(value if equals else following)
        if name in ("--output_path", "-o") and str(place) != ".":
            check_folder(place.parent if place.suffix == ".json" else place)


class _AskedToEnd(BaseException):
    """SIGTERM: not an Exception, which the harness catches in places."""


@contextlib.contextmanager
def _ended_in_order(capture: Capture) -> Iterator[None]:
    """Let SIGTERM unwind what runs inside, so that files and child processes are seen to.

    A run whose pass rates are written is through: the moment it still takes is not worth a
    second run.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def asked(*_: object) -> None:
        if capture.store is None:
            signal.signal(
                signal.SIGTERM, signal.SIG_IGN
            )  # once is enough: unwinding takes a moment
            raise _AskedToEnd

    before = signal.signal(signal.SIGTERM, asked)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run_harness(rest: Sequence[str], capture: Capture) -> None:
    try:
        from lm_eval.__main__ import cli_evaluate
    except ModuleNotFoundError as error:
        if error.name != "lm_eval":
            raise
        raise InputError(
            "lm-evaluation-harness is not installed here; pip install 'lm_eval>=0.4.10'"
        ) from None

    import cod_harness.demo.model  # noqa: F401 - registers the model `cod-tiny`

    before = sys.argv
    # The harness inserts `run` into the flat form itself, but not before a single argument.
    sys.argv = ["lm_eval", "run", *rest]
    try:
        with installed(capture), _complaints_in_a_line(rest):
            cli_evaluate()
    finally:
        sys.argv = before


@contextlib.contextmanager
def _complaints_in_a_line(words: Sequence[str]) -> Iterator[None]:
    """What the harness's parser has against its arguments is raised as InputError, where it would
    print its usage and end."""

    def error(_: argparse.ArgumentParser, message: str) -> NoReturn:
        raise InputError(f"lm_eval: {message}{_suggested(words)} (see `cod-harness run --help`)")

    before = argparse.ArgumentParser.error
    argparse.ArgumentParser.error = error  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        argparse.ArgumentParser.error = before  # type: ignore[method-assign]


def _help() -> int:
    print(flags.parser().format_help())
    print("and every flag of lm_eval run:\n")
    return _harness_help()


def _harness_help() -> int:
    try:
        from lm_eval.__main__ import cli_evaluate
    except ImportError:
        return 0
    before = sys.argv
    sys.argv = ["lm_eval", "run", "--help"]
    try:
        cli_evaluate()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    finally:
        sys.argv = before
    return 0


def _suggested(words: Sequence[str]) -> str:
    """The flags that unknown ones are most like."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        _harness_help()
    known = set(re.findall(r"--[a-z]\w+", said.getvalue())) | set(flags_of(flags.parser()))
    unknown = [flag for word in words if (flag := word.partition("=")[0]).startswith("--")]
    return "".join(did_you_mean(flag, known) for flag in unknown if flag not in known)

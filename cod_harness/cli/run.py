"""`cod-harness run`: the harness's own command line, watched."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

from cod_harness.cli.outlook import Outlook
from cod_harness.errors import InputError
from cod_harness.harness.capture import flags
from cod_harness.harness.capture.capture import Capture
from cod_harness.harness.capture.hooks import installed


def main(argv: Sequence[str]) -> int:
    """Run `lm_eval run` with everything it knows, and capture pass rates.

    argv: the arguments after the word `run` (a second `run` does no harm). Returns the exit
    status: 0 done, 1 a fault of ours or of the run, 2 wrong input, said in one line.
    """
    argv = [word for at, word in enumerate(argv) if at or word != "run"]
    if not argv or argv[0] in ("-h", "--help"):
        return _help()
    try:
        options, rest = flags.take(argv)
        capture = Capture(options, Outlook(options.allow_mismatch))
        _run_harness(rest, capture)
    except InputError as refusal:
        print(f"cod-harness: {refusal}", file=sys.stderr)
        return 2
    except SystemExit as stop:  # the harness's own argument errors
        return stop.code if isinstance(stop.code, int) else 2
    except Exception as error:
        # Before anything is asked of a model: an unknown task, a path that is not there.
        if capture.started or not isinstance(error, (ValueError, KeyError, OSError, ImportError)):
            traceback.print_exc()
            return 1
        what = " ".join(str(error).split()) or type(error).__name__
        print(f"cod-harness: lm_eval refuses the run: {what}", file=sys.stderr)
        return 2
    return capture.finish()


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
        with installed(capture):
            cli_evaluate()
    finally:
        sys.argv = before


def _help() -> int:
    print(flags.parser().format_help())
    print("and every flag of lm_eval run:\n")
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

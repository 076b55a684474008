"""The command line. Each command's work stands in its own room; here is what users type."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence

from cod_harness import __version__
from cod_harness.errors import InputError, did_you_mean
from cod_harness.faults import told
from cod_harness.messages import QUIET, VERBOSE, messages
from cod_harness.parent import Ended, end_with_parent_named, ended_like_interrupted
from cod_harness.streams import patient_streams

_ABOUT = """\
Forecast what a big model will score on benchmarks, from a ladder of small ones.

  cod-harness init PATH...                   a ladder file out of what is there
  cod-harness check LADDER.yaml [PATH...]    what is ready, what is missing, the next command
  cod-harness run ARGS --cod LADDER.yaml     an lm_eval run that also captures pass rates
  cod-harness ladder LADDER.yaml --tasks T --output_path OUT
                                             that for every model of a ladder, then the forecast
  cod-harness status OUT                     where a ladder's jobs are
  cod-harness cancel OUT                     end them
  cod-harness plan LADDER.yaml --tasks T     what that costs, before anything is spent
  cod-harness plan OUT --ladder LADDER.yaml  what to measure next to narrow the forecasts
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
    end_with_parent_named()
    with patient_streams() as out, messages(loudness), ended_like_interrupted():
        status = _done(words)
        if out is None:
            return status
        out.flush()
        # Files are written by now. A reader that has gone (`... | head`) is no fault.
        if out.trouble is None or isinstance(out.trouble, BrokenPipeError):
            return status
        print(f"cod-harness: standard output: {out.trouble}", file=sys.stderr)
        return status or 1


def _done(words: Sequence[str]) -> int:
    """The one boundary of all commands: whatever happens inside ends in a line and a status."""
    command = words[0] if words else "--help"
    try:
        if command in ("-h", "--help"):
            print(_ABOUT)
            return 0
        if command == "--version":
            print(f"cod-harness {__version__}")
            return 0
        if command not in COMMANDS:
            known = ", ".join(COMMANDS)
            raise InputError(
                f"there is no command {command!r}; there are {known}"
                f"{did_you_mean(command, COMMANDS)}"
            )
        return _main_of(command)(words[1:])
    except InputError as refusal:
        print(f"cod-harness: {refusal}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print("\ncod-harness: stopped", file=sys.stderr)
        return 128 + (stop.number if isinstance(stop, Ended) else signal.SIGINT)
    except OSError as error:
        if error.errno not in _OF_PATHS or not error.filename:
            return told(error, f"cod-harness {command}")
        what = f"{os.fsdecode(error.filename)}: {error.strerror}; name another path"
        print(f"cod-harness: {InputError(what)}", file=sys.stderr)
        return 2
    except Exception as error:
        return told(error, f"cod-harness {command}")


# A path that cannot be reached or used, wherever that was found out, is the user's to mend.
_OF_PATHS = {
    *(errno.ENAMETOOLONG, errno.ELOOP, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
    *(errno.EACCES, errno.EPERM, errno.EROFS),
}


def _main_of(command: str) -> Callable[[Sequence[str]], int]:
    """The command's own `main`; its module is imported only when it is asked for."""
    module = importlib.import_module(module_of(command))
    found: Callable[[Sequence[str]], int] = module.main
    return found


def module_of(command: str) -> str:
    """The module of a command, which has its `main` and, but for `run`, its `parser`."""
    return f"cod_harness.cli.{_PLACES.get(command, command)}"


_OTHERS_FLAGS = ("run", "ladder")  # commands whose other flags go to lm_eval
_LOUDNESS = {"--quiet": QUIET, "-q": QUIET, "--verbose": VERBOSE}
_PLACES = {name: f"setup.{name}" for name in ("init", "check", "completion")}
# Each is a module of this package with a `main`; some stand in a folder of it.
COMMANDS = (
    "init",
    "check",
    "run",
    "ladder",
    "status",
    "cancel",
    "plan",
    "forecast",
    "backtest",
    "report",
    "register",
    "score",
    "ingest",
    "ablate",
    "tasks",
    "demo",
    "completion",
)

"""Command-line arguments, whose mistakes are told like every other mistake of the user's."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from cod_harness.errors import InputError, did_you_mean

# Flags of ours by what they are about; those of one command alone that fit nowhere stay "options".
_GROUPS = {
    "what goes in": (
        "--ladder", "--rung", "--metric", "--column", "--constant", "--include_path",
        "--allow-fractional", "--allow-mismatch", "--clusters", "--observed",
        "--with-questions", "--plan",
    ),
    "what is asked": (
        "--tasks", "--target", "--compute", "--method", "--level", "--holdout", "--what", "--base",
        "--full", "--tokens-per-second", "--expect", "--as-is", "--again",
    ),
    "what comes out": (
        "--output_path", "--output", "-o", "--json", "--by", "--by-task", "--save-clusters",
        "--png", "--svg", "--markdown", "--register", "--path",
    ),
    "how it runs": ("--jobs", "--confirm_run_unsafe_code", "--confirm_run_task_code"),
}  # fmt: skip
_GROUP_OF = {flag: title for title, flags in _GROUPS.items() for flag in flags}


class _Layout(argparse.HelpFormatter):
    """Text that is laid out already, examples for one, stays as it is."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n  " in text:
            return text
        return super()._fill_text(text, width, indent)


class ArgumentParser(argparse.ArgumentParser):
    """An `argparse` parser that raises InputError: one line and exit 2, no usage text.

    Its help has flags in groups, and ends with examples.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), **how: Any) -> None:
        self._titled: dict[str, Any] = {}
        self.examples = tuple(examples)
        if examples:
            how["epilog"] = "\n  ".join(["examples:", *examples])
        super().__init__(*args, **{"formatter_class": _Layout, **how})

    def add_argument(self, *names: Any, **how: Any) -> argparse.Action:
        """An argument, in the group that its flag belongs to."""
        title = _GROUP_OF.get(names[0]) if names else None
        if title is None:
            return super().add_argument(*names, **how)
        if title not in self._titled:
            self._titled[title] = self.add_argument_group(title)
        added: argparse.Action = self._titled[title].add_argument(*names, **how)
        return added

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As ever; a flag that is unknown gets the one most like it."""
        try:
            known, rest = self.parse_known_args(args, namespace)
        except InputError:
            # What is missing may be what was misspelt.
            words = [word.partition("=")[0] for word in args or ()]
            flags = flags_of(self)
            for word in words:
                if word.startswith("--") and word not in flags and did_you_mean(word, flags):
                    self.error(f"unrecognized arguments: {word}{did_you_mean(word, flags)}")
            raise
        if rest:
            hints = (did_you_mean(word.partition("=")[0], flags_of(self)) for word in rest)
            hint = next(filter(None, hints), "") if rest[0].startswith("-") else ""
            self.error(f"unrecognized arguments: {' '.join(rest)}{hint}")
        return known

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """`--flag=--` is no value; some versions of Python make an empty list of it."""
        if action.nargs is None and arg_strings == ["--"]:
            raise argparse.ArgumentError(action, "expected one argument")
        return super()._get_values(action, arg_strings)

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see `{self.prog} --help`)")


def flags_of(parser: argparse.ArgumentParser) -> list[str]:
    """The long flags that a parser knows."""
    return [flag for flag in parser._option_string_actions if flag.startswith("--")]


def add_sources(parser: argparse.ArgumentParser) -> None:
    """PATH..., --ladder, --match and --metric: pass rates, and what the models in them are."""
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="output folder, pass-rate file, table, or the harness's results (folder or .json); "
        "none where the ladder names results",
    )
    parser.add_argument("--ladder", required=True, metavar="LADDER.yaml")
    add_match(parser)
    parser.add_argument(
        "--metric",
        metavar="TASK=FILTER/METRIC",
        action="append",
        default=[],
        help="which of several metrics in results without samples counts (repeatable; * in TASK "
        "is anything)",
    )


def add_match(parser: argparse.ArgumentParser) -> None:
    """--match"""
    parser.add_argument(
        "--match",
        metavar="PATTERN",
        help="how results without samples call the ladder's models: {rung} is the name in the "
        "ladder, * anything; held against model names, model@revision and ends of paths, as in "
        "'EleutherAI/pythia-{rung}' or '{rung}/zero-shot/*.json' (default: found out)",
    )


def output_folder(paths: Sequence[str]) -> Path | None:
    """Where results go unless told: the one output folder that was named, if it was one."""
    return Path(paths[0]) if len(paths) == 1 and Path(paths[0]).is_dir() else None


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json FILE"""
    parser.add_argument(
        "--json", metavar="FILE", help="where the JSON goes; - is standard output, then no table"
    )


def add_allow_mismatch(parser: argparse._ActionsContainer) -> None:
    """--allow-mismatch"""
    parser.add_argument(
        "--allow-mismatch", action="store_true", help="go on where rungs were run differently"
    )


def names(text: str) -> list[str]:
    """The names in a list like `cod,exp`."""
    return [name for name in text.split(",") if name]


def parsed(flag: str, text: str, parse: Callable[[str], float]) -> float:
    """A flag's number; raises InputError where ``parse`` raises ValueError."""
    try:
        return parse(text)
    except ValueError as error:
        raise InputError(f"{flag} {text}: {error}") from None


def share(flag: str, text: str) -> float:
    """A flag's number between 0 and 1, ends apart. Raises InputError."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise InputError(f"{flag} {text}: a share between 0 and 1 is needed, as in 0.9")
    return value


def whole(flag: str, text: str) -> int:
    """A flag's whole number, 0 or more. Raises InputError."""
    if not text.isdecimal():
        raise InputError(f"{flag} {text}: a whole number is needed, as in 2")
    return int(text)

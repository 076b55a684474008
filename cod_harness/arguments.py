"""Command-line arguments, whose mistakes are told like every other mistake of the user's."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from cod_harness.errors import InputError


class ArgumentParser(argparse.ArgumentParser):
    """An `argparse` parser that raises InputError: one line and exit 2, no usage text."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see `{self.prog} --help`)")


def add_sources(parser: argparse.ArgumentParser) -> None:
    """PATH... and --ladder: pass rates, and what the models in them are."""
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="output folder, pass-rate file or table"
    )
    parser.add_argument("--ladder", required=True, metavar="LADDER.yaml")


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

"""Command-line arguments, whose mistakes are told like every other mistake of the user's."""

from __future__ import annotations

import argparse
from typing import NoReturn

from cod_harness.errors import InputError


class ArgumentParser(argparse.ArgumentParser):
    """An `argparse` parser that raises InputError: one line and exit 2, no usage text."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see `{self.prog} --help`)")

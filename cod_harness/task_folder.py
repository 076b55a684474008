"""The benchmark configurations that ship."""

from __future__ import annotations

from pathlib import Path

from cod_harness.errors import InputError


def task_folder() -> Path:
    """The folder to give `lm_eval --include_path`: inside the package, or beside it in a checkout.

    Raises InputError if neither is there.
    """
    package = Path(__file__).parent
    for folder in (package / "task_configs", package.parent / "task_configs"):
        if folder.is_dir():
            return folder
    raise InputError(f"{package}: its task_configs folder is missing; install cod-harness again")

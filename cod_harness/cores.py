"""How many processes are worth starting."""

from __future__ import annotations

import os


def cores() -> int:
    """Cores this process may use: those of the machine, less where it was given fewer."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

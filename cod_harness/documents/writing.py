"""What every JSON document of ours shares: plain values, and what made it."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib import metadata
from typing import Any

import numpy as np

_VERSIONS_OF = ("cod-harness", "numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "lm_eval")


def provenance() -> dict[str, Any]:
    """`versions` of the packages that had a part, and when the document was `created`."""
    versions = {"python": platform.python_version()}
    for name in _VERSIONS_OF:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    created = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return {"versions": versions, "created": created}


def plain(value: Any) -> Any:
    """`value` in JSON's own types; NaN and infinities become None."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (str, int)):
        return value
    return str(value)

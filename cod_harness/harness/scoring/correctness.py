"""What one score says of a response: right, wrong, or no pass rate at all."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import Any

from cod_harness.errors import InputError
from cod_harness.ladder.metrics import Correct


def passed(value: Any, task: str, metric: str, allow_fractional: bool) -> float:
    """One score as a number in [0, 1]; 0 or 1 unless fractions are allowed.

    Raises InputError naming task, metric and value otherwise: f1, perplexity and their like are no
    pass rates, and a forecast made from them would mean nothing.
    """
    number = math.nan
    if not isinstance(value, (str, bytes, tuple, list, dict)):
        with contextlib.suppress(TypeError, ValueError):
            number = float(value)
    if number in (0.0, 1.0):
        return number
    if 0.0 < number < 1.0:
        if allow_fractional:
            return number
        advice = "choose a 0/1 metric with --cod-metric, or say --cod-allow-fractional"
    else:
        advice = "choose a 0/1 metric with --cod-metric"
    raise InputError(f"task {task}: metric {metric} has the value {value!r}, not 0 or 1; {advice}")


def metric_of(scores: Mapping[str, Any], correct: Correct, task: str) -> Any:
    """The chosen metric's value out of one `process_results`."""
    try:
        return scores[correct.metric]
    except KeyError:
        raise InputError(
            f"task {task}: metric {correct.metric} is only there for several responses at once, or "
            f"not at all (one response gives {', '.join(map(str, scores))}); "
            "choose with --cod-metric"
        ) from None

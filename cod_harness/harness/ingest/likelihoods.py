"""Analytic pass rates out of logged log-likelihoods."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Any

from cod_harness.harness.scoring.analytic import choice_rate, text_rate
from cod_harness.ladder.logs.samples_log import Sample


def is_analytic(first: Sample, choice: tuple[str, str] | None) -> bool:
    """Whether a file's first sample holds log-likelihoods and the accuracy that goes with them.

    choice: the user's (filter, metric).
    """
    if "acc" not in first or (choice is not None and choice[1] != "acc"):
        return False
    return all(_loglikelihood(responses) is not None for responses in first["resps"])


def analytic_rate(sample: Sample) -> float | None:
    """Softmax rate of one question; None if the gold cannot be told.

    It is told right when the likeliest choice is right exactly where the harness logged `acc` 1: a
    task may state its gold elsewhere than in the target.
    """
    known = [_loglikelihood(responses) for responses in sample["resps"]]
    lls = [value for value in known if value is not None]
    if len(lls) != len(known):
        return None
    if len(lls) == 1:
        return text_rate(lls[0])
    gold = _gold(sample, len(lls))
    if (lls.index(max(lls)) in gold) != sample.get("acc"):
        return None
    return choice_rate(lls, gold)


def _loglikelihood(responses: Any) -> float | None:
    """The log-likelihood in one request's responses: `[["-1.98", "False"]]`, or None."""
    try:
        value, greedy = responses[0]
        number = float(value)
    except (TypeError, ValueError, IndexError, KeyError):
        return None
    told = math.isfinite(number) and str(greedy) in ("True", "False")
    return number if told else None


def _gold(sample: Mapping[str, Any], choices: int) -> list[int]:
    try:
        target = ast.literal_eval(str(sample.get("target")))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        target = sample.get("target")
    if isinstance(target, str):
        given = sample.get("arguments")
        continuations = [
            str(arguments.get("arg_1", "")).strip() if isinstance(arguments, Mapping) else ""
            for arguments in (given.values() if isinstance(given, Mapping) else ())
        ]
        target = continuations.index(target.strip()) if target.strip() in continuations else -1
    indices = target if isinstance(target, (list, tuple)) else [target]
    return sorted({at for at in indices if isinstance(at, int) and 0 <= at < choices})

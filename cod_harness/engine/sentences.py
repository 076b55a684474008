"""What each reason says, the one place where it becomes text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cod_harness.engine import settings

if TYPE_CHECKING:
    from cod_harness.engine.verdicts import Reason

Values = Mapping[str, Any]


def sentence(reason: Reason) -> str:
    """A reason as one sentence without a full stop; rounded for reading, exact in `values`."""
    return SENTENCES[reason.code](reason.values)


def _too_far(v: Values) -> str:
    return (
        f"the ladder is short for the distance: the target has {v['beyond']:.3g} times the "
        f"compute of the largest rung, the ladder spans a factor of {v['span']:.3g}"
    )


def _no_losses(v: Values) -> str:
    if v["unknown"] < v["rungs"]:
        said = f"{v['unknown']} of {v['rungs']} rungs have no loss"
    else:
        said = "none of the rungs has a loss"
    return f"{said}: give `loss:` in the ladder file"


# By code: a text without values, or what makes one of them.
SENTENCES: Mapping[str, Callable[[Values], str]] = {
    # Nothing to fit.
    "too_few_rungs": lambda v: (
        f"{v['rungs']} rung{'s' * (v['rungs'] != 1)} with data ({v['names'] or 'none'}); a "
        f"forecast needs {settings.MIN_RUNGS}"
    ),
    "too_few_amounts": lambda v: (
        f"{v['amounts']} different amounts of compute among {v['rungs']} rungs; a forecast needs "
        f"{settings.MIN_RUNGS}"
    ),
    "no_common_question": lambda v: "no question was asked of every rung and anchor",
    # No forecast at all.
    "below_ladder": lambda v: (
        f"the target ({v['compute']:.3g} FLOP) is below the smallest rung "
        f"({v['smallest']:.3g} FLOP)"
    ),
    "one_question": lambda v: "one question only: there is nothing to cluster",
    "never_answered": lambda v: (
        "no model of the ladder ever answered a question: nothing shows when it will"
    ),
    "always_answered": lambda v: "every question was always answered: nothing is left to forecast",
    "standstill": lambda v: (
        f"the largest rungs do not rise ({100 * v['before']:.1f} %, then {100 * v['upper']:.1f} "
        "%): at chance or at a standstill, nothing shows when it will go on"
    ),
    "blind_interval": lambda v: (
        f"anything from {100 * v['low']:.0f} to {100 * v['high']:.0f} % fits what the rungs show"
    ),
    "no_losses": _no_losses,
    # The clusters are silent.
    "no_predictable_cluster": lambda v: (
        f"no predictable cluster: {v['clusters']} found, none passes the thresholds"
    ),
    "few_predictable": lambda v: (
        f"only {100 * v['share']:.0f} % of the questions are predictable: nothing shows how the "
        f"other {100 - 100 * v['share']:.0f} % go on"
    ),
    # A weak forecast.
    "interpolation": lambda v: "the target is inside the ladder's range: this is an interpolation",
    "far": _too_far,
    "short_span": lambda v: (
        f"the ladder spans little compute, a factor of {v['span']:.3g}: below {v['least']:g} it "
        "shows little of where it goes"
    ),
    "few_rungs": lambda v: (
        f"{v['amounts']} different amounts of compute: with {v['least']} or more the ladder can "
        "be checked against itself"
    ),
    "may_emerge": lambda v: (
        f"the best rung scores {100 * v['best']:.1f} %: the rungs do not show when the benchmark "
        f"emerges, it may reach {100 * v['high']:.0f} %"
    ),
    "below_last_rung": lambda v: (
        f"the forecast ({100 * v['mean']:.1f} %) is below the largest rung "
        f"({100 * v['last']:.1f} %)"
    ),
    "missed_rungs": lambda v: (
        f"forecast from the rungs below them, the last {v['rungs']} rungs were missed by up to "
        f"{100 * v['worst']:.1f} points"
    ),
    "jumpy_ladder": lambda v: (
        "forecast from the rungs below them, the last rungs of the ladder's benchmarks were missed "
        "by much"
    ),
    "few_draws": lambda v: (
        f"few samples a question ({v['draws']:g}): clusters gather questions of like luck; "
        f"{settings.FEW_DRAWS} or more let them speak"
    ),
    "out_of_order": lambda v: (
        f"rungs out of order: {v['rungs']} of {v['of']} fall below a smaller one, the worst by "
        f"{100 * v['fall']:.1f} points"
    ),
    "small_subset": lambda v: (
        f"only {100 * v['share']:.0f} % of the questions are predictable; the rest of "
        "the forecast is the map's"
    ),
    "laws_on_bounds": lambda v: (
        "most predictable questions are in clusters whose law sits on a bound: the rungs "
        "do not show how fast they emerge"
    ),
    "beyond_map": lambda v: (
        f"the map is used beyond its points: subset accuracy {v['subset']:.2f}, points "
        f"end at {v['last']:.2f}; an anchor would help"
    ),
    "wide_interval": lambda v: f"the interval is {100 * v['width']:.0f} points wide",
    "more_parameters": lambda v: (
        f"{v['amounts']} different amounts of compute for a law of {v['parameters']} parameters: "
        "it passes through the rungs whatever they are"
    ),
    "no_rise": lambda v: "the ladder does not rise: the law sits on the bound of no trend",
    "steepest": lambda v: (
        "the law sits on the bound of its steepness: the rungs do not show how fast it is"
    ),
    # Why a cluster is not extrapolated.
    "not_converged": lambda v: "the fit did not converge",
    "b_too_small": lambda v: (
        f"b = {v['b']:.3g}, not above {v['least']:g}: it does not rise with compute"
    ),
    "a_too_small": lambda v: (
        f"a = {v['a']:.3g} with the smallest rung at "
        f"{settings.SMALLEST_RUNG / settings.UNIT:g}e18 FLOP, not above {v['least']:g}: already "
        "near its ceiling at the smallest rung"
    ),
    "c_too_large": lambda v: f"c = {v['c']:.3g}, not below {v['most']:g}: it levels off low",
    # What a cluster's fit, or the map, is like.
    "on_bound": lambda v: f"{v['parameter']} is on its {v['side']} bound",
    "singular": lambda v: "the rungs do not determine all parameters (singular Jacobian)",
    "map_misses": lambda v: (
        f"no rising curve passes within {v['threshold']:g} of the (subset, full) points: "
        f"RMSE {v['rmse']:.4f}"
    ),
}

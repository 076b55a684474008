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


def _said(meaning: str, figures: str = "", change: str = "") -> str:
    """What it means for the reader, then what would change it, then the figures.

    change: only what is known to lift the reason itself; what merely might help is advice, and
    `plan` works out whether it does.
    """
    return meaning + (f"; {change}" if change else "") + (f" ({figures})" if figures else "")


def _no_losses(v: Values) -> str:
    if v["unknown"] < v["rungs"]:
        figures = f"{v['unknown']} of {v['rungs']} rungs have no loss"
    else:
        figures = "none of the rungs has a loss"
    change = "give `loss:` in the ladder file"
    return _said("this method forecasts from the models' losses", figures, change)


# By code: a text without values, or what makes one of them.
SENTENCES: Mapping[str, Callable[[Values], str]] = {
    # Nothing to fit.
    "too_few_rungs": lambda v: _said(
        "too few rungs have been evaluated to forecast from",
        f"{v['rungs']} with data: {v['names'] or 'none'}",
        f"{settings.MIN_RUNGS} are needed",
    ),
    "too_few_amounts": lambda v: _said(
        "the rungs are of too few sizes to show a trend",
        f"{v['amounts']} among {v['rungs']} rungs",
        f"{settings.MIN_RUNGS} different amounts of compute are needed",
    ),
    "no_common_question": lambda v: _said(
        "no question was asked of every rung and anchor, so nothing can be compared",
        change="ask all of them the same questions",
    ),
    # No forecast at all.
    "below_ladder": lambda v: _said(
        "the target is smaller than the smallest rung, and no law goes backwards",
        f"{v['compute']:.3g} FLOP, the smallest rung {v['smallest']:.3g}",
        "a smaller rung is needed",
    ),
    "no_questions": lambda v: "one rate a rung, no questions: there is nothing to cluster",
    "never_answered": lambda v: (
        "no model of the ladder ever answered a question: nothing shows when a larger one will"
    ),
    "always_answered": lambda v: "every question was always answered: nothing is left to forecast",
    "standstill": lambda v: _said(
        "the largest rungs do not rise, and nothing shows whether or when a larger model will",
        f"{100 * v['before']:.1f} %, then {100 * v['upper']:.1f} %",
    ),
    "blind_interval": lambda v: _said(
        "nearly any score fits what the rungs show, so a number would say nothing",
        f"from {100 * v['low']:.0f} to {100 * v['high']:.0f} %",
    ),
    "no_losses": _no_losses,
    # The clusters are silent.
    "results_alone": lambda v: (
        "made from results without samples: the trend of the accuracies alone, nothing to cluster"
    ),
    "no_predictable_cluster": lambda v: _said(
        "no group of questions rises steadily enough to be followed to a larger model",
        f"of {v['clusters']} clusters none passes the thresholds",
    ),
    "few_predictable": lambda v: _said(
        "too few questions rise steadily to speak for all others",
        f"{100 * v['share']:.0f} % are predictable",
    ),
    # A weak forecast.
    "interpolation": lambda v: (
        "the target has no more compute than the largest rung: this fills a gap between rungs and "
        "forecasts nothing"
    ),
    "far": lambda v: _said(
        "the target is farther from the ladder than the ladder is long",
        f"{v['beyond']:.3g} times the compute of the largest rung, the ladder spans a factor of "
        f"{v['span']:.3g}",
        "a rung nearer to it is needed",
    ),
    "short_span": lambda v: _said(
        "the rungs are too close in size to show where the ladder goes",
        f"they span a factor of {v['span']:.3g} in compute",
        f"a factor of {v['least']:g} is needed",
    ),
    "few_rungs": lambda v: _said(
        "the ladder is too short to be checked against itself",
        f"{v['amounts']} different amounts of compute",
        f"rungs of {v['least']} sizes are needed",
    ),
    "may_emerge": lambda v: _said(
        "the rungs hardly solve this benchmark yet, and do not show when a larger model will",
        f"the best rung scores {100 * v['best']:.1f} %, the target may reach "
        f"{100 * v['high']:.0f} %",
    ),
    "below_last_rung": lambda v: _said(
        "the target would score less than the largest rung does: trend and last rungs disagree",
        f"{100 * v['mean']:.1f} %, the largest rung {100 * v['last']:.1f} %",
    ),
    "missed_rungs": lambda v: _said(
        "the ladder's own last rungs would have been forecast badly from those below them",
        f"the last {v['rungs']} missed by up to {100 * v['worst']:.1f} points",
    ),
    "jumpy_ladder": lambda v: (
        "on this ladder's benchmarks the last rungs would have been forecast badly from those "
        "below them"
    ),
    "few_draws": lambda v: _said(
        "with so few samples a question, luck looks like skill",
        f"{v['draws']:g} samples a question",
        f"{settings.FEW_DRAWS} are needed",
    ),
    "out_of_order": lambda v: _said(
        "larger rungs score below smaller ones, which size alone does not explain",
        f"{v['rungs']} of {v['of']}, the worst by {100 * v['fall']:.1f} points",
    ),
    "small_subset": lambda v: _said(
        "few questions rise steadily, and the others are guessed from them",
        f"{100 * v['share']:.0f} % are predictable",
    ),
    "laws_on_bounds": lambda v: (
        "the rungs do not show how fast most of the predictable questions will be solved"
    ),
    "beyond_map": lambda v: _said(
        "the target would be better than every model measured, and how the remaining questions go "
        "on from there is a guess",
        f"accuracy on the predictable questions {100 * v['subset']:.0f} %, measured up to "
        f"{100 * v['last']:.0f} %",
    ),
    "wide_interval": lambda v: _said(
        "the interval is too wide to plan with", f"{100 * v['width']:.0f} points"
    ),
    "more_parameters": lambda v: _said(
        "the method's curve passes through the rungs whatever they are, so its fit proves nothing",
        f"{v['parameters']} parameters, {v['amounts']} different amounts of compute",
        f"{v['parameters'] + 1} amounts are needed",
    ),
    "no_rise": lambda v: "the ladder does not rise, so the method carries its level on",
    "steepest": lambda v: (
        "the rungs do not show how fast the rise is, so the method takes the steepest it may"
    ),
    # Why a cluster is not extrapolated.
    "not_converged": lambda v: "no curve could be fitted to these questions",
    "b_too_small": lambda v: _said(
        "these questions do not rise with compute", f"b = {v['b']:.3g}, not above {v['least']:g}"
    ),
    "a_too_small": lambda v: _said(
        "these questions are near their ceiling at the smallest rung already",
        f"a = {v['a']:.3g} with the smallest rung at "
        f"{settings.SMALLEST_RUNG / settings.UNIT:g}e18 FLOP, not above {v['least']:g}",
    ),
    "c_too_large": lambda v: _said(
        "these questions level off low", f"c = {v['c']:.3g}, not below {v['most']:g}"
    ),
    # What a cluster's fit, or the map, is like.
    "on_bound": lambda v: f"{v['parameter']} is on its {v['side']} bound",
    "singular": lambda v: "the rungs do not determine all parameters (singular Jacobian)",
    "map_misses": lambda v: _said(
        "no rising curve leads from the predictable questions to all of them through the models "
        "measured",
        f"RMSE {v['rmse']:.4f}, above {v['threshold']:g}",
    ),
    # Why nothing that could be measured narrows a forecast.
    "plan_may_emerge": lambda v: _said(
        "how far it jumps once it emerges is unknown until a rung shows it",
        f"no rung is above {100 * settings.EMERGED:g} %, the best at {100 * v['best']:.1f} %",
    ),
    "plan_noise": lambda v: _said(
        "any one model of this family may miss the trend, the target too, and no rung takes that "
        "away",
        f"{100 * v['share']:.0f} % of the spread",
    ),
    "plan_way": lambda v: _said(
        "the way from the largest rung to the target is most of the spread, and no rung on offer "
        "goes far enough",
        f"a model's own noise is {100 * v['share']:.0f} % of it",
    ),
}

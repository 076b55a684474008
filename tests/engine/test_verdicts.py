"""Every reason at the edge where it begins, and what it says."""

import pickle

import numpy as np
import pytest

from cod_harness.engine import settings
from cod_harness.engine.forecast import Subset, abstention
from cod_harness.engine.mapping import MonotoneMap
from cod_harness.engine.measurements import measurements
from cod_harness.engine.selection import Cluster
from cod_harness.engine.sentences import SENTENCES, sentence
from cod_harness.engine.verdicts import (
    Reason,
    because,
    below_ladder,
    blind_interval,
    cluster_doubts,
    draw_doubts,
    level_doubts,
    map_doubts,
    measured_decline,
    measured_rise,
    miss_doubts,
    nothing_to_go_on,
    order_doubts,
    range_doubts,
    silent_clusters,
    standstill_doubts,
    verdict,
    weighed,
    width_doubts,
)

LADDER = np.array([1e18, 1e19, 1e20, 1e21])

# One of each code, with what it says in full.
SAID = [
    (
        because("too_few_rungs", rungs=3, names="a, b, c"),
        "too few rungs have been evaluated to forecast from; 4 are needed (3 with data: a, b, c)",
    ),
    (
        because("too_few_rungs", rungs=1, names=""),
        "too few rungs have been evaluated to forecast from; 4 are needed (1 with data: none)",
    ),
    (
        because("too_few_amounts", amounts=3, rungs=5),
        "the rungs are of too few sizes to show a trend; 4 different amounts of compute are "
        "needed (3 among 5 rungs)",
    ),
    (
        because("no_common_question"),
        "no question was asked of every rung and anchor, so nothing can be compared; ask all "
        "of them the same questions",
    ),
    (
        because("below_ladder", compute=1.234e17, smallest=1e18),
        "the target is smaller than the smallest rung, and no law goes backwards; a smaller "
        "rung is needed (1.23e+17 FLOP, the smallest rung 1e+18)",
    ),
    (because("no_questions"), "one rate a rung, no questions: there is nothing to cluster"),
    (
        because("results_alone"),
        "made from results without samples: the trend of the accuracies alone, nothing to cluster",
    ),
    (
        because("never_answered"),
        "no model of the ladder ever answered a question: nothing shows when a larger one will",
    ),
    (
        because("always_answered"),
        "every question was always answered: nothing is left to forecast",
    ),
    (
        because("standstill", before=0.2512, upper=0.255),
        "the largest rungs do not rise, and nothing shows whether or when a larger model will "
        "(25.1 %, then 25.5 %)",
    ),
    (
        because("blind_interval", low=0.102, high=0.896),
        "nearly any score fits what the rungs show, so a number would say nothing (from 10 to "
        "90 %)",
    ),
    (
        because("no_losses", unknown=2, rungs=8),
        "this method forecasts from the models' losses; give `loss:` in the ladder file (2 of "
        "8 rungs have no loss)",
    ),
    (
        because("no_losses", unknown=8, rungs=8),
        "this method forecasts from the models' losses; give `loss:` in the ladder file (none "
        "of the rungs has a loss)",
    ),
    (
        because("no_predictable_cluster", clusters=3),
        "no group of questions rises steadily enough to be followed to a larger model (of 3 "
        "clusters none passes the thresholds)",
    ),
    (
        because("few_predictable", share=0.06),
        "too few questions rise steadily to speak for all others (6 % are predictable)",
    ),
    (
        because("interpolation"),
        "the target has no more compute than the largest rung: this fills a gap between rungs "
        "and forecasts nothing",
    ),
    (
        because("far", beyond=123.4, span=1000.0),
        "the target is farther from the ladder than the ladder is long; a rung nearer to it is"
        " needed (123 times the compute of the largest rung, the ladder spans a factor of "
        "1e+03)",
    ),
    (
        because("short_span", span=4.3, least=8.0),
        "the rungs are too close in size to show where the ladder goes; a factor of 8 is "
        "needed (they span a factor of 4.3 in compute)",
    ),
    (
        because("few_rungs", amounts=4, least=5),
        "the ladder is too short to be checked against itself; rungs of 5 sizes are needed (4 "
        "different amounts of compute)",
    ),
    (
        because("may_emerge", best=0.0312, high=0.3049),
        "the rungs hardly solve this benchmark yet, and do not show when a larger model will "
        "(the best rung scores 3.1 %, the target may reach 30 %)",
    ),
    (
        because("below_last_rung", mean=0.01, last=0.0875),
        "the target would score less than the largest rung does: trend and last rungs disagree"
        " (1.0 %, the largest rung 8.8 %)",
    ),
    (
        because("missed_rungs", worst=0.123, rungs=3),
        "the ladder's own last rungs would have been forecast badly from those below them (the"
        " last 3 missed by up to 12.3 points)",
    ),
    (
        because("jumpy_ladder"),
        "on this ladder's benchmarks the last rungs would have been forecast badly from those "
        "below them",
    ),
    (
        because("few_draws", draws=4.0),
        "with so few samples a question, luck looks like skill; 8 are needed (4 samples a "
        "question)",
    ),
    (
        because("out_of_order", rungs=2, of=8, fall=0.0456),
        "larger rungs score below smaller ones, which size alone does not explain (2 of 8, the"
        " worst by 4.6 points)",
    ),
    (
        because("small_subset", share=0.15),
        "few questions rise steadily, and the others are guessed from them (15 % are predictable)",
    ),
    (
        because("laws_on_bounds"),
        "the rungs do not show how fast most of the predictable questions will be solved",
    ),
    (
        because("beyond_map", subset=0.876, last=0.432),
        "the target would be better than every model measured, and how the remaining questions"
        " go on from there is a guess (accuracy on the predictable questions 88 %, measured up"
        " to 43 %)",
    ),
    (
        because("wide_interval", width=0.346),
        "the interval is too wide to plan with (35 points)",
    ),
    (
        because("more_parameters", amounts=4, parameters=6),
        "the method's curve passes through the rungs whatever they are, so its fit proves "
        "nothing; 7 amounts are needed (6 parameters, 4 different amounts of compute)",
    ),
    (
        because("no_rise"),
        "the ladder does not rise, so the method carries its level on",
    ),
    (
        because("steepest"),
        "the rungs do not show how fast the rise is, so the method takes the steepest it may",
    ),
    (
        because("not_converged"),
        "no curve could be fitted to these questions",
    ),
    (
        because("b_too_small", b=0.01234, least=0.1),
        "these questions do not rise with compute (b = 0.0123, not above 0.1)",
    ),
    (
        because("a_too_small", a=0.5, least=1.0),
        "these questions are near their ceiling at the smallest rung already (a = 0.5 with the"
        " smallest rung at 39.9e18 FLOP, not above 1)",
    ),
    (
        because("c_too_large", c=1.5, most=1.0),
        "these questions level off low (c = 1.5, not below 1)",
    ),
    (
        because("on_bound", parameter="b", side="upper"),
        "b is on its upper bound",
    ),
    (
        because("singular"),
        "the rungs do not determine all parameters (singular Jacobian)",
    ),
    (
        because("map_misses", threshold=0.005, rmse=0.01234),
        "no rising curve leads from the predictable questions to all of them through the "
        "models measured (RMSE 0.0123, above 0.005)",
    ),
    (
        because("plan_may_emerge", best=0.032),
        "how far it jumps once it emerges is unknown until a rung shows it (no rung is above 10 %,"
        " the best at 3.2 %)",
    ),
    (
        because("plan_noise", share=0.62),
        "any one model of this family may miss the trend, the target too, and no rung takes that "
        "away (62 % of the spread)",
    ),
    (
        because("plan_way", share=0.21),
        "the way from the largest rung to the target is most of the spread, and no rung on offer "
        "goes far enough (a model's own noise is 21 % of it)",
    ),
]


@pytest.mark.parametrize(("reason", "text"), SAID, ids=lambda value: getattr(value, "code", ""))
def test_sentences(reason, text):
    assert sentence(reason) == str(reason) == text


def test_every_code_is_said_here():
    assert {reason.code for reason, _ in SAID} == SENTENCES.keys()


def test_reasons_are_values():
    one, same = because("far", beyond=2.0, span=3.0), Reason("far", {"span": 3.0, "beyond": 2.0})
    assert one == same and hash(one) == hash(same) and len({one, same}) == 1
    assert one != because("far", beyond=2.0, span=4.0)
    assert pickle.loads(pickle.dumps(one)) == one
    given = {"share": 0.1}
    kept = Reason("small_subset", given)
    given["share"] = 0.9
    assert kept.values == {"share": 0.1}
    with pytest.raises(AttributeError):
        kept.code = "far"


def test_verdict_of_reasons():
    assert verdict(()) == "ok" and verdict((because("no_rise"),)) == "weak"


def test_more_is_said_only_where_something_decides():
    decides, more = because("wide_interval", width=0.5), because("few_draws", draws=1.0)
    assert weighed([decides], [more]) == (decides, more)
    assert weighed([], [more]) == ()


def test_an_abstention_has_no_number():
    said = because("never_answered")
    found = abstention(said, Subset(0.4, 0.5), 1e22, 0.8)
    assert np.isnan([found.mean, found.low, found.high]).all()
    assert (found.verdict, found.reasons, found.level) == ("abstain", (said,), 0.8)
    assert (found.subset, found.compute, found.parts) == (Subset(0.4, 0.5), 1e22, {})


def test_below_the_ladder():
    assert below_ladder(1e18, 1e18) is None
    assert below_ladder(0.9e18, 1e18) == because("below_ladder", compute=0.9e18, smallest=1e18)


def test_nothing_to_go_on():
    def found(rates):
        reason = nothing_to_go_on(measurements(rates, LADDER, 10, None))
        return reason and reason.code

    assert found(np.full((2, 4), 0.5)) is None
    assert found(np.full((1, 4), 0.5)) == "no_questions"
    assert found(np.zeros((2, 4))) == "never_answered"
    assert found(np.zeros((1, 4))) == "no_questions"


def cluster(size=10, predictable=True, notes=()):
    reason = None if predictable else because("not_converged")
    return Cluster(0, size, np.zeros(4), 0.0, 1.0, 1.0, 0.0, reason, notes)


def test_silent_clusters():
    assert silent_clusters([cluster()], 0.1, 0.1) is None
    assert silent_clusters([cluster()], 0.09, 0.1) == because("few_predictable", share=0.09)
    none = silent_clusters([cluster(predictable=False)] * 2, 0.0, 0.1)
    assert none == because("no_predictable_cluster", clusters=2)
    assert silent_clusters([], 0.0, 0.0).code == "no_predictable_cluster"


def test_standstill():
    # Four rungs: the upper two against the two before.
    (still,) = standstill_doubts(np.array([0.3, 0.3, 0.3, 0.319]))
    assert still.code == "standstill"
    assert still.values == {"before": pytest.approx(0.3), "upper": pytest.approx(0.3095)}
    assert standstill_doubts(np.array([0.3, 0.3, 0.3, 0.321])) == ()
    # What is solved may stand still.
    assert standstill_doubts(np.full(4, 0.81)) == ()
    assert standstill_doubts(np.full(4, 0.79)) != ()
    # Twelve rungs: three against three.
    twelve = np.array([0.1] * 6 + [0.3, 0.3, 0.3] + [0.3, 0.3, 0.32])
    assert standstill_doubts(twelve) != ()
    twelve[-1] = 0.34
    assert standstill_doubts(twelve) == ()


def test_a_decline_and_a_rise_are_measured():
    exact = np.zeros(5)
    assert measured_decline(np.array([0.9, 0.2, 0.6, 0.5, 0.4]), exact)
    assert not measured_decline(np.array([0.9, 0.6, 0.7, 0.5, 0.5]), exact)
    falling = np.array([0.8, 0.7, 0.6, 0.55, 0.5])  # by 0.1, three errors of a difference
    assert measured_decline(falling, np.full(5, 0.1 / 3 / np.sqrt(2) * 0.99))
    assert not measured_decline(falling, np.full(5, 0.1 / 3 / np.sqrt(2) * 1.01))
    rising = np.array([0.1, 0.1, 0.9, 0.2, 0.2])  # the ends, 0.1 apart
    assert measured_rise(rising, np.full(5, 0.1 / 3 * 0.99))
    assert not measured_rise(rising, np.full(5, 0.1 / 3 * 1.01))


def test_level_doubts():
    exact, low, high = (
        np.zeros(4),
        np.array([0.0, 0.0, 0.0, 0.0875]),
        np.array([0.1, 0.2, 0.3, 0.4]),
    )
    told = level_doubts(low, exact, True, 0.003, 0.4)
    assert [reason.code for reason in told] == ["may_emerge", "below_last_rung"]
    assert told[0].values == {"best": 0.0875, "high": 0.4}
    assert (
        level_doubts(low, exact, False, 0.003, 0.4) == () == level_doubts(high, exact, True, 0.4, 1)
    )
    assert level_doubts(high, exact, True, 0.399, 0.5)[0].code == "below_last_rung"
    assert level_doubts(high[::-1], exact, True, 0.05, 0.2) == ()  # it falls, as measured


def test_miss_doubts():
    assert miss_doubts(np.array([0.01, 0.05])) == () == miss_doubts(np.array([]))
    (told,) = miss_doubts(np.array([0.01, 0.051]))
    assert told == because("missed_rungs", worst=0.051, rungs=2)
    calm, wild = np.full(20, 0.1), np.append(np.full(16, 0.1), np.full(4, 0.9))
    assert miss_doubts(np.array([0.01]), calm) == ()
    assert miss_doubts(np.array([0.01]), wild) == (because("jumpy_ladder"),)


def test_blind_interval():
    assert blind_interval(0.1, 0.79) is None
    assert blind_interval(0.1, 0.81) == because("blind_interval", low=0.1, high=0.81)


def test_range_doubts():
    five = np.geomspace(1e18, 1e21, 5)
    assert range_doubts(1e21, five) == (because("interpolation"),)
    assert range_doubts(1.01e21, five) == ()
    assert range_doubts(1e24, five) == ()  # the ladder's own span beyond it
    (far,) = range_doubts(1.01e24, five)
    assert far.code == "far"
    assert far.values == {"beyond": pytest.approx(1010.0), "span": pytest.approx(1000.0)}
    assert range_doubts(1.01e21, LADDER) == (because("few_rungs", amounts=4, least=5),)
    # Rungs 1.44 times apart: a factor of 4.3 in all.
    (short,) = range_doubts(5e18, 1e18 * 1.44 ** np.arange(5))
    assert short.code == "short_span" and short.values["span"] == pytest.approx(1.44**4)


def test_draw_doubts():
    assert draw_doubts(np.full((3, 4), 8)) == () == draw_doubts(np.zeros((3, 4)))
    assert draw_doubts(np.array([1, 7, 100])) == (because("few_draws", draws=7.0),)


def test_order_doubts():
    none = np.zeros(4)
    assert order_doubts(np.array([0.1, 0.2, 0.171, 0.3]), none) == ()
    (told,) = order_doubts(np.array([0.1, 0.3, 0.25, 0.2]), none)
    assert told.values == {"rungs": 2, "of": 4, "fall": pytest.approx(0.1)}
    # Three standard errors are needed where they are above three points.
    assert order_doubts(np.array([0.1, 0.3, 0.3, 0.21]), np.full(4, 0.031)) == ()
    assert order_doubts(np.array([0.1, 0.3, 0.3, 0.21]), np.full(4, 0.029)) != ()


def test_cluster_doubts():
    whole = Subset(0.5, 0.2)
    assert cluster_doubts([cluster()], whole) == ()
    assert cluster_doubts([cluster()], Subset(0.5, 0.19)) == (because("small_subset", share=0.19),)

    def on(parameter, side):
        return (because("on_bound", parameter=parameter, side=side),)

    for notes, told in [
        (on("b", "upper"), True),
        (on("a", "lower"), True),
        (on("c", "lower"), False),
        ((because("singular"),), False),
    ]:
        assert bool(cluster_doubts([cluster(11, True, notes), cluster(10)], whole)) == told
        # Half of the questions are not most of them, and refused clusters do not count.
        assert cluster_doubts([cluster(10, True, notes), cluster(10)], whole) == ()
        assert cluster_doubts([cluster(50, False, notes), cluster(10)], whole) == ()


def test_map_doubts():
    points = np.array([[0.1, 0.1], [0.5, 0.4], [0.3, 0.2]])
    mapping = MonotoneMap(np.array([0.0, 1.0]), np.zeros((1, 4)), 0.0, points)
    assert map_doubts(mapping, Subset(0.59, 0.5)) == ()  # 0.5 x 0.09 = 0.045
    (told,) = map_doubts(mapping, Subset(0.61, 0.5))  # 0.055
    assert told == because("beyond_map", subset=0.61, last=0.5)
    assert map_doubts(mapping, Subset(0.61, 0.9)) == ()


def test_width_doubts():
    assert width_doubts(0.2) == ()
    assert width_doubts(0.21) == (because("wide_interval", width=0.21),)


def test_judgements():
    assert (settings.LEVEL, settings.MIN_RUNGS, settings.NOISE_FLOOR) == (0.9, 4, 0.02)


def test_at_the_edge_itself_nothing_is_told():
    """Every judgement begins beyond its number."""
    none = np.zeros(4)
    assert blind_interval(0.0, settings.BLIND_INTERVAL) is None
    assert standstill_doubts(np.full(4, settings.SOLVED)) == ()
    assert standstill_doubts(np.array([0.0, 0.0, 0.01, 0.01])) == ()
    assert order_doubts(np.array([settings.DISORDER, 0.0, 0.0, 0.0]), none) == ()
    assert cluster_doubts([cluster()], Subset(0.5, settings.SMALL_SUBSET)) == ()
    assert width_doubts(settings.OK_WIDTH) == ()
    assert miss_doubts(np.zeros(1), np.full(4, settings.OK_JUMP)) == ()
    assert level_doubts(np.full(4, settings.EMERGED), none, True, 0.5, 0.5) == ()
    line = MonotoneMap(np.array([0.0, 1.0]), np.zeros((1, 4)), 0.0, np.zeros((1, 2)))
    assert map_doubts(line, Subset(settings.MAP_LEAP, 0.0)) == ()
    assert silent_clusters([cluster()], 0.5, 0.5) is None


def test_a_ladder_that_spans_little():
    for span, codes in ((8.1, []), (8.0, []), (7.9, ["short_span"])):
        told = range_doubts(9e18, 1e18 * np.geomspace(1.0, span, 5))
        assert [reason.code for reason in told] == codes
        assert not told or told[0].values == {"span": pytest.approx(7.9), "least": 8.0}


def test_errors_of_the_rungs_that_are_compared_count():
    falling = np.array([0.8, 0.6, 0.55, 0.5])  # by 0.1
    # Of the last and the third from it: sqrt(0.02^2 + 0.03^2) x 3 = 0.108.
    assert not measured_decline(falling, np.array([9.0, 0.02, 9.0, 0.03]))
    assert measured_decline(falling, np.array([9.0, 0.02, 9.0, 0.02]))
    rising = np.array([0.1, 0.1, 0.5, 0.2, 0.2])  # by 0.1
    # Of the first two and the last two: half of sqrt(4 x 0.034^2) x 3 = 0.102.
    assert not measured_rise(rising, np.array([0.034, 0.034, 0.0, 0.034, 0.034]))
    for place in (0, 1, 3, 4):
        error = np.zeros(5)
        error[place] = 0.067  # half of it x 3 = 0.1005
        assert not measured_rise(rising, error)
        assert measured_rise(rising, 0.99 * error)
    assert measured_rise(rising, np.array([0.0, 0.0, 9.0, 0.0, 0.0]))


def test_a_question_never_answered_beside_others():
    rates = np.array([[0.0, 0.0, 0.0, 0.0], [0.1, 0.2, 0.3, 0.4]])
    assert nothing_to_go_on(measurements(rates, LADDER, 10, None)) is None


def test_a_benchmark_has_emerged_at_its_best_rung():
    told = level_doubts(np.array([0.0, 0.2, 0.05, 0.05]), np.zeros(4), True, 0.5, 0.6)
    assert told == ()


@pytest.mark.parametrize(
    ("code", "values", "words"),
    [
        ("blind_interval", {"low": 0.6, "high": 0.7}, "from 60 to 70 %"),
        ("few_predictable", {"share": 0.6}, "60 % are predictable"),
        ("small_subset", {"share": 0.6}, "60 % are predictable"),
        ("may_emerge", {"best": 0.5, "high": 0.6}, "50.0 %, the target may reach 60 %"),
        ("below_last_rung", {"mean": 0.5, "last": 0.6}, "50.0 %, the largest rung 60.0 %"),
        ("missed_rungs", {"worst": 0.5, "rungs": 3}, "up to 50.0 points"),
        ("out_of_order", {"rungs": 2, "of": 8, "fall": 0.5}, "by 50.0 points"),
        ("beyond_map", {"subset": 0.8, "last": 0.7}, "80 %, measured up to 70 %"),
        ("wide_interval", {"width": 0.6}, "60 points"),
        ("plan_may_emerge", {"best": 0.5}, "the best at 50.0 %"),
        ("plan_noise", {"share": 0.6}, "60 % of the spread"),
        ("plan_way", {"share": 0.6}, "noise is 60 % of it"),
    ],
)
def test_percent_are_hundredths(code, values, words):
    assert words in sentence(because(code, **values))

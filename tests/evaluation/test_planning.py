"""What to measure next: costs, widths as expected, and their scale."""

from __future__ import annotations

import msgspec
import numpy as np
import pandas as pd
import pytest

from cod_harness.errors import InputError
from cod_harness.evaluation import planning
from cod_harness.evaluation.forecasts import FittedForecasts, forecast_ladder
from cod_harness.evaluation.planning import (
    Benches,
    Budget,
    Change,
    hopeless,
    next_measurements,
    runs_of,
    settled,
    sizes,
)
from cod_harness.evaluation.records.plan import Option, Width
from cod_harness.evaluation.targets import Target
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.rate_table import checked

COMPUTE = np.array([1e18, 4e18, 1.6e19, 6.4e19, 2.56e20, 1.024e21])
QUESTIONS, DRAWS = 120, 20


def world(
    tasks: tuple[str, ...] = ("s", "t"), draws: int = DRAWS, noise: float = 0.15
) -> tuple[PassRates, Ladder]:
    """Tasks whose questions emerge along the ladder, with rungs that miss their trend."""
    random = np.random.default_rng(1)
    rungs = tuple(
        Model(f"r{place}", "rung", compute=compute, params=1e6 * 2**place, tokens=1e9)
        for place, compute in enumerate(COMPUTE)
    )
    parts = []
    for task in tasks:
        difficulty = random.normal(1.0, 1.0, QUESTIONS)
        for place, rung in enumerate(rungs):
            ability = 0.45 * place + noise * random.normal()
            rate = np.exp(-np.exp(difficulty - ability))
            parts.append(
                pd.DataFrame(
                    {
                        "task": task,
                        "question": [f"q{number}" for number in range(QUESTIONS)],
                        "model": rung.name,
                        "n_correct": random.binomial(draws, rate),
                        "n_samples": draws,
                    }
                )
            )
    table = checked(pd.concat(parts, ignore_index=True), "made")
    return PassRates.of_checked(table), Ladder(
        "made", rungs, targets=(Model("big", "target", compute=4e22),)
    )


@pytest.fixture(scope="module")
def made() -> FittedForecasts:
    return forecast_ladder(*world())


@pytest.fixture(scope="module")
def benches(made: FittedForecasts) -> Benches:
    return Benches(made.fits.values(), runs_of(made.rates), [Target("big", 4e22)], 0.9)


def test_widths_now_are_the_forecasts(made: FittedForecasts, benches: Benches) -> None:
    assert benches.now == {
        (one.task, one.target): pytest.approx((one.high or 0) - (one.low or 0))
        for one in made.record.forecasts
    }
    assert benches.after(Change("nothing", "nothing")) == benches.now
    # Supposing what is there already changes nothing either.
    for task in benches.tasks:
        model = task.fit.model
        again = task.trend.supposing(task.trend.x, task.trend.values, task.trend.variance)
        assert model.supposing(again).interval(4e22) == pytest.approx(model.interval(4e22))


def test_nearer_rungs_narrow_more(benches: Benches) -> None:
    now, low, top = (
        np.mean(list(benches.after(change).values()))
        for change in (
            Change("nothing", "nothing"),
            Change("rung", "inside", compute=2e18),
            Change("rung", "near the target", compute=1e22),
        )
    )
    assert top < 0.8 * now and top < low


def test_the_bill_of_each_option(made: FittedForecasts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "DRAWN", 3)  # to be quick
    plan = next_measurements(made, answer_tokens={"s": 3.0, "t": 5.0})
    by = {one.what: one for one in plan.options}
    rung = by["a rung as large as the largest"]
    assert rung.flop == pytest.approx(COMPUTE[-1]) and rung.params == pytest.approx(32e6, rel=0.01)
    assert rung.answers == 2 * QUESTIONS * DRAWS
    assert rung.tokens == QUESTIONS * DRAWS * (3.0 + 5.0)
    more = by["100 draws of s"]
    assert (more.flop, more.answers) == (0.0, 6 * QUESTIONS * (100 - DRAWS))
    two = by["2 more checkpoints of r5"]
    assert (two.flop, two.answers) == (0.0, 2 * 2 * QUESTIONS * DRAWS)
    assert by["an anchor"].widths == by["nothing more"].widths == plan.now
    widths = [one.mean_width for one in plan.options]
    assert widths == sorted(widths) and plan.best[0] == 0


def test_only_what_the_budgets_hold_is_advised(
    made: FittedForecasts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "DRAWN", 3)  # to be quick
    lengths = {"s": 3.0, "t": 5.0}
    plan = next_measurements(made, Budget(flop=2e21, tokens=1e6), lengths)
    assert not plan.options[0].affordable
    for place in plan.best:
        one = plan.options[place]
        assert one.flop <= 2e21 and one.tokens is not None and one.tokens <= 1e6
    with pytest.raises(InputError, match="answers of unknown length on t; give --answer-tokens"):
        next_measurements(made, Budget(tokens=1e6), {"s": 3.0})


def test_sizes_stand_in_gaps_at_the_top_and_below_the_target() -> None:
    compute = [1e18, 2e18, 4e18, 32e18, 64e18]
    found = dict((where, size) for size, where in sizes(compute, [Target("big", 1e21)]))
    assert found["in the widest gap"] == pytest.approx(np.sqrt(4e18 * 32e18))
    assert found["below the largest"] == pytest.approx(np.sqrt(32e18 * 64e18))
    assert found["as large as the largest"] == pytest.approx(64e18)
    assert max(found.values()) < 1e21
    # Nothing is offered beyond a target that stands on the ladder itself.
    assert max(size for size, _ in sizes(compute, [Target("t", 5e18)])) == pytest.approx(64e18)


def test_a_forecast_that_nothing_narrows_says_why(benches: Benches) -> None:
    same = [
        Option(kind="nothing", what="nothing", flop=0.0, answers=0, tokens=0.0, affordable=True,
               widths=(Width(task="t", target="big", width=0.4),), mean_width=0.4)
    ]  # fmt: skip
    [found] = hopeless(same, same[0], benches)
    assert (found.task, found.best) == ("t", 0.4)
    assert found.code in ("plan_noise", "plan_way")
    narrower = msgspec.structs.replace(same[0], widths=(Width(task="t", target="big", width=0.3),))
    assert not list(hopeless([*same, narrower], same[0], benches))


def test_draws_are_worth_something_where_they_are_the_noise() -> None:
    """One draw a question, rungs in line: more narrow t. Many draws: the rungs' noise is left."""
    few, ladder = world(draws=1, noise=0.0)
    many, _ = world(draws=200)
    assert "t" not in settled(forecast_ladder(few, ladder), 400)
    assert settled(forecast_ladder(many, ladder), 400) == ["s", "t"]

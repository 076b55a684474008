"""The trend of ability over compute, alone and among the ladder's other benchmarks."""

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from cod_harness.engine import settings
from cod_harness.engine.views.trend import (
    LadderTrend,
    Misses,
    Siblings,
    Spread,
    _as_ability,
    _common_fit,
    _log_prior,
    _Nodes,
    _units,
    benchmark_trend,
)

X = np.linspace(40.0, 50.0, 8)
NONE = np.zeros(8)
MIDDLE = np.array([0.5])


def alone(x, values, variance, x_target):
    trend, place = benchmark_trend(x, values, variance)
    return trend.spread(place, x_target)


def middle(spread):
    return float(spread.quantiles(MIDDLE)[0])


def width(spread):
    low, high = spread.quantiles(np.array([0.05, 0.95]))
    return float(high - low)


def test_a_line_goes_on():
    assert middle(alone(X, 0.3 * (X - 45.0), NONE, 53.0)) == pytest.approx(0.3 * 8.0, abs=0.1)


def test_after_a_bend_the_upper_rungs_count():
    bent = np.where(X < 46.0, 0.0, 0.8 * (X - 46.0))
    assert middle(alone(X, bent, NONE, 52.0)) == pytest.approx(0.8 * 6.0, abs=0.3)
    # Scattered about a line instead, all rungs count, and the spread is wider.
    noisy = 0.3 * (X - 45.0) + 0.6 * np.array([1, -1, 1, -1, 1, -1, 1, -1])
    rough, smooth = (alone(X, y, NONE, 53.0) for y in (noisy, 0.3 * (X - 45.0)))
    assert middle(rough) == pytest.approx(middle(smooth), abs=0.7)
    assert width(rough) > 2.0 * width(smooth)


def test_spread_grows_with_distance_and_with_sampling():
    line = 0.3 * (X - 45.0)
    spreads = [width(alone(X, line, NONE, at)) for at in (50.5, 52.0, 55.0)]
    assert spreads[0] < spreads[1] < spreads[2]
    assert width(alone(X, line, np.full(8, 0.5), 52.0)) > spreads[1]


def test_only_differences_of_log_compute_count():
    values = np.array([0.0, 0.2, 0.1, 0.5, 0.9, 1.0, 1.6, 1.7])
    here, there = (alone(X + by, values, NONE, 53.0 + by) for by in (0.0, -30.0))
    assert middle(here) == pytest.approx(middle(there)) and width(here) == pytest.approx(
        width(there)
    )


def ladder_of(noise, common, seed=0, tasks=12):
    """Lines of different height and slope, with noise of each and of all."""
    random = np.random.default_rng(seed)
    slopes = random.normal(0.35, 0.1, (tasks, 1))
    lines = slopes * (X - 45.0) + random.normal(0.0, 1.0, (tasks, 1))
    shared = common * random.normal(size=8)
    return lines + shared + noise * random.normal(size=(tasks, 8))


def test_a_smooth_ladder_is_narrow_and_a_rough_one_wide():
    smooth, rough = (LadderTrend(X, ladder_of(by, 0.0), np.zeros((12, 8))) for by in (0.02, 0.5))
    one = width(alone(X, ladder_of(0.02, 0.0)[0], NONE, 52.0))
    assert width(smooth.spread(0, 52.0)) < 0.75 * one
    assert width(rough.spread(0, 52.0)) > 3.0 * width(smooth.spread(0, 52.0))


def test_a_rung_that_is_off_in_all_benchmarks_is_seen_as_off():
    values = ladder_of(0.01, 0.0)
    straight = LadderTrend(X, values.copy(), np.zeros((12, 8))).spread(0, 52.0)
    values[:, -3] -= 0.4
    among, place = benchmark_trend(X, values[0], NONE, Siblings(values[1:], np.zeros((11, 8))))
    together = among.spread(place, 52.0)
    assert middle(together) == pytest.approx(middle(straight), abs=0.05)
    # One benchmark alone takes the rung for a trend that bends, or for noise of its own.
    assert width(together) < 0.85 * width(alone(X, values[0], NONE, 52.0))
    assert among._nodes.common_noise[0] >= 0.16 > among._nodes.noise[0]


def test_what_was_not_measured_is_not_missed():
    values = ladder_of(0.05, 0.0, tasks=3)
    variance = np.zeros_like(values)
    values[1, 2] = variance[1, 2] = np.nan
    trend = LadderTrend(X, values, variance)
    assert np.isfinite(middle(trend.spread(1, 52.0)))
    missed = trend.misses
    assert not np.any((missed.task == 1) & (missed.rung == 2))
    assert np.isfinite(missed.sds).all()


def test_the_order_of_benchmarks_changes_nothing():
    values = ladder_of(0.1, 0.05, tasks=4)
    none = np.zeros((3, 8))
    first, place = benchmark_trend(X, values[0], NONE, Siblings(values[1:], none))
    other, there = benchmark_trend(X, values[0], NONE, Siblings(values[[3, 1, 2]], none))
    assert first.spread(place, 52.0).means.tolist() == other.spread(there, 52.0).means.tolist()


def test_losses_join_where_there_are_siblings():
    values = ladder_of(0.05, 0.0, tasks=3)
    siblings = Siblings(values[1:], np.zeros((2, 8)))
    losses = 5.0 * np.exp(-0.1 * (X - X[0]))
    plain, place = benchmark_trend(X, values[0], NONE, siblings)
    told, there = benchmark_trend(X, values[0], NONE, siblings, losses)
    assert middle(told.spread(there, 52.0)) != middle(plain.spread(place, 52.0))
    assert told.tasks == 3 and told.misses.task.max() == 2
    one, _ = benchmark_trend(X, values[0], NONE, Siblings(values[1:2], np.zeros((1, 8))), losses)
    assert (one.tasks, len(one.values)) == (2, 3)  # one sibling will do, but none will not
    assert len(benchmark_trend(X, values[0], NONE, None, losses)[0].values) == 1
    unknown = np.append(losses[:-1], np.nan)
    same, here = benchmark_trend(X, values[0], NONE, siblings, unknown)
    assert middle(same.spread(here, 52.0)) == middle(plain.spread(place, 52.0))


def test_misses_are_of_later_rungs_alone():
    trend, _place = benchmark_trend(X, 0.3 * (X - 45.0), NONE)
    missed = trend.misses
    assert set(missed.rung) == set(range(2, 8)) and (missed.distance > 0).all()
    assert np.abs(missed.error[missed.nearest]).max() < 0.2
    jumped = 0.3 * (X - 45.0)
    jumped[5:] += 2.0
    found = benchmark_trend(X, jumped, NONE)[0].misses
    at_jump = found.nearest & (found.rung == 5)
    assert found.sds[at_jump].max() > 2.0 and found.error[at_jump].max() > 1.5
    assert found.jumps(3).max() > 1.5 and missed.jumps(3).max() < 0.2


def test_what_chance_alone_explains_is_no_jump():
    values = np.vstack([0.3 * (X - 45.0), 0.3 * (X - 45.0)])
    values[1, 5:] += 2.0
    noises = np.zeros((2, 8))
    both = LadderTrend(X, values, noises).misses
    assert both.jumps(3).max() > 1.5
    noises[1] = 0.126**2  # a standard deviation of half of `settings.OK_JUMP`, and a bit
    told = LadderTrend(X, values, noises).misses
    assert told.jumps(3).max() < 1.0 and set(told.task[told.nearest]) == {0, 1}
    assert len(told.jumps(3)) == len(both.jumps(3)) // 2


def by_hand(x, values, variance, x_target):
    """Mean and sd of the first benchmark at x_target, from the covariance of all measurements."""
    tasks, m = values.shape
    at = np.append(x, x_target) - min(x)
    about = at - at[m - 1]

    def wandering(s, t):
        return quad(lambda u: (s - u) * (t - u), 0.0, min(s, t))[0]

    wander = np.array([[wandering(s, t) for t in at] for s in at])
    each, line, expected = np.eye(m + 1), np.outer(about, about), 0.35 * about
    weights, means, variances = [], [], []

    def prior(size, middle, least=0.0):
        return np.exp(-0.5 * np.log(max(size, least) / middle) ** 2)

    for noise, bend, slope, shared, common in itertools.product(
        (0.015, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0),
        (0.0, 0.02, 0.05, 0.1, 0.2, 0.4),
        (0.05, 0.1, 0.2, 0.4),
        (0.0, 0.02, 0.04, 0.08, 0.16, 0.32),
        (0.0, 0.02, 0.05, 0.1, 0.2),
    ):
        weight = prior(noise, 0.12) * prior(bend, 0.1, 0.01) * prior(slope, 0.2)
        weight *= prior(shared, 0.05, 0.01) * prior(common, 0.04, 0.01)
        own = 100.0 + slope**2 * line + bend**2 * wander + noise**2 * each
        among = 0.25 * line + common**2 * wander + shared**2 * each
        blocks = np.kron(np.ones((tasks, tasks)), among[:m, :m])
        blocks += np.kron(np.eye(tasks), own[:m, :m]) + np.diag(variance.ravel())
        ahead = np.concatenate([among[:m, m] + own[:m, m], *[among[:m, m]] * (tasks - 1)])
        residual = (values - expected[:m]).ravel()
        gain = np.linalg.solve(blocks, ahead)
        weights.append(weight * multivariate_normal(np.zeros(tasks * m), blocks).pdf(residual))
        means.append(expected[m] + gain @ residual)
        variances.append(among[m, m] + own[m, m] - gain @ ahead)
    weights = np.array(weights) / sum(weights)
    mean = weights @ means
    return mean, np.sqrt(weights @ (np.array(variances) + (np.array(means) - mean) ** 2))


def test_two_benchmarks_by_hand():
    x = np.array([40.0, 41.5, 42.0, 44.0])
    values = np.array([[-1.0, -0.3, -0.5, 0.4], [0.2, 0.3, 0.6, 0.7]])
    variance = np.array([[0.01, 0.0, 0.02, 0.005], [0.0, 0.03, 0.01, 0.02]])
    spread = LadderTrend(x, values, variance).spread(0, 46.0)
    # Each in units of its own: the root of how far apart its models are, their middle being 1.
    apart = [np.sqrt(np.var(row) + 0.2**2) for row in values]
    own, other = np.sqrt(apart / np.sqrt(apart[0] * apart[1]))
    units = np.array([[own], [other]])
    mean, sd = by_hand(x, values / units, variance / units**2, 46.0)
    mean, sd = own * mean, own * sd
    found = spread.weights @ spread.means
    second = spread.weights @ (spread.variances + (spread.means - found) ** 2)
    # All but a thousandth of the grid's weight is kept.
    assert found == pytest.approx(mean, abs=2e-3)
    assert np.sqrt(second) == pytest.approx(sd, rel=5e-3)


def test_quantiles_of_a_mixture():
    spread = Spread(np.array([1.0]), np.array([2.0]), np.array([9.0]))
    shares = np.array([0.05, 0.5, 0.975])
    np.testing.assert_allclose(spread.quantiles(shares), 2.0 + 3.0 * norm.ppf(shares), atol=0.01)
    two = Spread(np.array([0.25, 0.75]), np.array([0.0, 4.0]), np.array([1e-6, 1e-6]))
    assert two.quantiles(np.array([0.2, 0.3])) == pytest.approx([0.0, 4.0], abs=0.01)
    # The grid is as wide as the spread.
    wide, ends = Spread(np.array([1.0]), np.array([2.0]), np.array([900.0])), np.array([0.01, 0.99])
    np.testing.assert_allclose(wide.quantiles(ends), 2.0 + 30.0 * norm.ppf(ends), atol=0.1)


def test_misses_are_in_the_units_of_their_benchmark():
    x = np.array([40.0, 41.5, 42.0, 44.0, 45.0])
    values = np.array([[-1.0, -0.3, -0.5, 0.4, 0.9], [0.2, 0.3, 0.6, 0.7, 0.8]])
    misses = LadderTrend(x, values, np.full(values.shape, 0.01)).misses
    actual = values[misses.task, misses.rung]
    assert misses.forecast + misses.error == pytest.approx(actual)


def test_questions_of_like_difficulty_do_not_widen_other_benchmarks():
    # One benchmark whose ability runs eight times as fast and scatters eight times as much.
    random = np.random.default_rng(3)
    x = np.linspace(40.0, 50.0, 8)
    calm = 0.3 * (x - 45.0) + 0.03 * random.normal(size=(3, len(x)))
    wild = 8.0 * (0.3 * (x - 45.0) + 0.03 * random.normal(size=len(x)))
    variance = np.zeros((4, len(x)))

    def sd(rows):
        spread = LadderTrend(x, rows, variance[: len(rows)]).spread(0, 52.0)
        mean = spread.weights @ spread.means
        return np.sqrt(spread.weights @ (spread.variances + (spread.means - mean) ** 2))

    assert sd(np.vstack([calm, wild])) < 1.8 * sd(calm)


def test_a_benchmark_that_no_model_was_measured_on_says_nothing():
    x = np.linspace(40.0, 46.0, 5)
    values = np.array([[-1.0, -0.3, -0.5, 0.4, 0.9], [0.2, 0.3, 0.6, 0.7, 0.8]])
    gap = np.full((1, len(x)), np.nan)
    without = LadderTrend(x, values, np.zeros((2, 5))).spread(0, 47.0)
    beside = LadderTrend(x, np.vstack([values, gap]), np.zeros((3, 5))).spread(0, 47.0)
    means = [one.weights @ one.means for one in (without, beside)]
    assert means[1] == pytest.approx(means[0], abs=2e-3)


def test_models_that_may_be_trained_spread_as_forecast():
    ladder = LadderTrend(X, ladder_of(0.1, 0.1), np.full((12, 8), 0.01))
    models = ladder.models(51.0, 4000, 0)
    drawn = models.signal + models.noise
    for task in (0, 5):
        spread = ladder.spread(task, 51.0)
        mean = spread.weights @ spread.means
        sd = np.sqrt(spread.weights @ (spread.variances + (spread.means - mean) ** 2))
        assert drawn[:, task].mean() == pytest.approx(mean, abs=0.1 * sd)
        assert drawn[:, task].std() == pytest.approx(sd, rel=0.06)
        share = (models.noise[:, task].std() / drawn[:, task].std()) ** 2
        assert ladder.noise_share(task, 51.0) == pytest.approx(share, abs=0.05)
    # A model that is off is off in all benchmarks, by the common part of the noise.
    assert np.corrcoef(models.noise[:, 0], models.noise[:, 5])[0, 1] > 0.1


def test_supposing_is_measuring():
    values, variance = ladder_of(0.1, 0.1), np.full((12, 8), 0.01)
    short = LadderTrend(X[:7], values[:, :7], variance[:, :7])
    order = [7, *range(7)]  # whatever order a new rung stands in
    long = short.supposing(X[order], values[:, order], variance[:, order])
    whole = LadderTrend(X, values, variance)
    assert width(long.spread(3, 52.0)) == pytest.approx(width(whole.spread(3, 52.0)))
    np.testing.assert_allclose(long.misses.sds, whole.misses.sds)


def covariance(x, bend, noise, last):
    """Of one benchmark alone: height, slope about the last rung, wandering slope, noise."""

    def wandering(s, t):
        return quad(lambda u: (s - u) * (t - u), 0.0, min(s, t))[0]

    since, about = x - x[0], x - last
    wander = np.array([[wandering(s, t) for t in since] for s in since])
    return 100.0 + 0.25 * np.outer(about, about) + bend**2 * wander + noise**2 * np.eye(len(x))


def conditional(x, values, variance, at, bend, noise, last):
    """Mean and variance at ``at`` given the rungs x."""
    every = np.append(x, at)
    whole, m = covariance(every, bend, noise, last), len(x)
    gain = np.linalg.solve(whole[:m, :m] + np.diag(variance), whole[:m, m])
    mean = 0.35 * (at - last) + gain @ (values - 0.35 * (x - last))
    return mean, whole[m, m] - gain @ whole[:m, m]


FIVE = np.array([40.0, 41.5, 42.0, 44.0, 44.0])
ONE = np.array([-1.0, -0.3, -0.5, 0.4, 0.9])
ITS = np.array([0.01, 0.0, 0.02, 0.005, 0.03])


def test_one_benchmark_by_hand():
    """No common part, no spread of slopes of its own: noise and bend on their grids."""
    weights, means, variances = [], [], []
    for noise, bend in itertools.product(
        (0.015, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0), (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
    ):
        prior = -0.5 * np.log(noise / 0.12) ** 2 - 0.5 * np.log(max(bend, 0.01) / 0.1) ** 2
        whole = covariance(FIVE, bend, noise, 44.0) + np.diag(ITS)
        fits = multivariate_normal(0.35 * (FIVE - 44.0), whole).logpdf(ONE)
        weights.append(np.exp(prior + fits))
        mean, variance = conditional(FIVE, ONE, ITS, 46.0, bend, noise, 44.0)
        means.append(mean)
        variances.append(variance)
    weights, means = np.array(weights) / sum(weights), np.array(means)
    spread = alone(FIVE, ONE, ITS, 46.0)
    found = spread.weights @ spread.means
    assert found == pytest.approx(weights @ means, abs=2e-3)
    second = spread.weights @ (spread.variances + (spread.means - found) ** 2)
    expected = weights @ (np.array(variances) + (means - weights @ means) ** 2)
    assert second == pytest.approx(expected, rel=0.01)
    assert spread.weights.sum() == pytest.approx(1.0)
    assert (np.diff(spread.weights) <= 0).all()  # heaviest first


def test_covariances_by_hand():
    """Own and common part: line about the last rung, slope that wanders, noise."""
    x = np.array([40.0, 41.5, 42.0, 44.0, 45.5])
    line, each = np.outer(x - 45.5, x - 45.5), np.eye(5)
    wander = covariance(x, 1.0, 0.0, 45.5) - 100.0 - 0.25 * line
    sizes = (np.array([size]) for size in (0.2, 0.3, 0.4, 0.5, 0.6, 1.0))
    nodes = _Nodes(**dict(zip(
        ("noise", "bend", "slope", "common_noise", "common_bend", "weights"), sizes, strict=True
    )))  # fmt: skip
    trend = LadderTrend(x, np.vstack([ONE, ONE + 0.1]), np.vstack([ITS, ITS]))
    (own,), (common,) = trend._covariances(nodes, x)
    expected = 100.0 + 0.4**2 * line + 0.3**2 * wander + 0.2**2 * each
    np.testing.assert_allclose(own, expected, rtol=1e-10)
    expected = 0.5**2 * line + 0.6**2 * wander + 0.5**2 * each
    np.testing.assert_allclose(common, expected, atol=1e-7)


def test_misses_by_hand():
    """Every rung from those below it, by the eight heaviest nodes; equal compute is one origin."""
    trend = LadderTrend(FIVE, ONE[None], ITS[None])
    nodes, found = trend._nodes.kept(slice(8)), trend.misses
    assert len(nodes.weights) == 8 and nodes.weights.sum() == pytest.approx(1.0)
    assert len(set(zip(nodes.bend, nodes.noise, strict=True))) == 8  # none of them twice
    told = zip(
        found.task, found.rung, found.pair, found.sds, found.distance, found.nearest,
        found.forecast, found.error, strict=True,
    )  # fmt: skip
    for start, i in enumerate((2, 3)):
        for j in range(i, 5):
            each = [
                conditional(FIVE[:i], ONE[:i], ITS[:i], FIVE[j], bend, noise, 44.0)
                for bend, noise in zip(nodes.bend, nodes.noise, strict=True)
            ]
            means, variances = np.array(each).T
            share = nodes.weights @ norm.cdf((ONE[j] - means) / np.sqrt(variances + ITS[j]))
            mean = nodes.weights @ means
            expected = [0, j, start * 5 + j, norm.ppf(share), FIVE[j] - FIVE[i - 1]]
            expected += [FIVE[j] == FIVE[i], mean, ONE[j] - mean]
            assert next(told) == pytest.approx(expected, abs=1e-5)
    assert next(told, None) is None and found.tasks == 1


def test_a_miss_beyond_all_bounds_is_seven_deviations():
    """Of both signs: a share of 1e-12 is the last that is told from 0."""
    for by in (-1e4, 1e4):
        values = 0.3 * (X[None] - 45.0)
        values[0, -1] += by
        found = LadderTrend(X, values, np.zeros((1, 8))).misses
        assert found.sds[found.rung == 7] == pytest.approx(np.sign(by) * -norm.ppf(1e-12))


def test_the_eight_largest_rungs_are_looked_back_at():
    x = np.linspace(40.0, 50.0, 12)
    missed = LadderTrend(x, 0.3 * (x[None] - 45.0), np.zeros((1, 12))).misses
    assert set(missed.rung) == set(range(4, 12))


def test_jumps_by_hand():
    """Of the last two rungs that were forecast from all below them, on any benchmark that tells."""
    rung = np.array([2, 3, 3, 4, 4, 4, 4])
    nearest = np.array([True, True, False, True, True, False, True])
    error = np.array([9.0, -0.2, 5.0, 0.3, -0.4, 7.0, 6.0])
    noise = np.array([0.0, 0.0, 0.0, 0.125, 0.0, 0.0, 0.126])  # half a jump can be told, not more
    empty = np.zeros(7)
    found = Misses(rung, rung, rung, empty, empty, nearest, empty, error, noise, tasks=2)
    assert found.jumps(2) == pytest.approx([0.2, 0.3, 0.4])
    assert found.jumps(1) == pytest.approx([0.3, 0.4])


def test_losses_as_abilities_by_hand():
    """-log loss about its mean, stretched to the middle slope of the benchmarks."""
    centred = X - X.mean()
    values = np.array([[0.2], [0.3], [0.9]]) * centred + 5.0
    values = np.vstack([values, np.where(X > 45, np.nan, 40 * X)])  # not measured everywhere
    found = _as_ability(X, np.exp(-0.1 * X), values)
    np.testing.assert_allclose(found, 0.3 * centred, atol=1e-9)
    # Losses that rise, and benchmarks of which none is whole, are left as they are.
    np.testing.assert_allclose(_as_ability(X, np.exp(0.1 * X), values), -0.1 * centred, atol=1e-9)
    unknown = _as_ability(X, np.exp(-0.1 * X), values[3:])
    np.testing.assert_allclose(unknown, 0.1 * centred, atol=1e-9)


def test_priors_by_hand():
    found = _log_prior(np.array([0.0, 0.01, 0.1, 0.1 * np.e]), 0.1, 0.01)
    one = -0.5 * np.log(10.0) ** 2
    np.testing.assert_allclose(found, [one, one, 0.0, -0.5], atol=1e-12)


def test_what_a_common_part_adds_is_the_likelihood_ratio():
    """Of two benchmarks with the part against two without it."""
    random = np.random.default_rng(0)
    own = [np.diag(random.uniform(0.5, 2.0, 3)) for _ in range(2)]
    y = random.normal(size=(2, 3))
    root = np.tril(random.uniform(0.2, 1.0, (3, 3)))
    inverse = np.array([np.linalg.inv(one) for one in own])
    precision, pull = inverse.sum(axis=0)[None], sum(i @ v for i, v in zip(inverse, y, strict=True))
    blocks = np.zeros((6, 6))
    blocks[:3, :3], blocks[3:, 3:] = own
    without = multivariate_normal(np.zeros(6), blocks).logpdf(y.ravel())
    whole = blocks + np.tile(root @ root.T, (2, 2))
    with_part = multivariate_normal(np.zeros(6), whole).logpdf(y.ravel())
    found = _common_fit(root, precision, pull[None])
    assert found[0] == pytest.approx(with_part - without, rel=1e-9)


def test_siblings_in_the_order_of_the_rungs():
    given = Siblings(np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(2, 3) / 10)
    found = given.ordered(np.array([2, 0, 1]))
    np.testing.assert_array_equal(found.values, [[2, 0, 1], [5, 3, 4]])
    np.testing.assert_allclose(found.variance, found.values / 10)


def test_units_by_hand():
    """The spread of a benchmark's models, floored, to a power, about the middle of all."""
    values = np.array([[0.0, 2.0, np.nan], [0.0, 8.0, 4.0], [np.nan] * 3, [1.0, 1.0, 1.0]])
    floor = settings.LEAST_APART**2
    sizes = 0.5 * np.log(np.array([1.0, 32 / 3, 0.0]) + floor)
    expected = np.exp(settings.UNIT_POWER * (sizes - sizes.mean()))
    assert _units(values) == pytest.approx([*expected[:2], 1.0, expected[2]], rel=1e-12)
    assert _units(values[:1]) == pytest.approx([1.0])


def test_a_benchmark_in_another_unit_is_forecast_in_it():
    """Alone its unit is one; beside others a forecast comes back in abilities."""
    values = ladder_of(0.05, 0.0, tasks=3)
    trend = LadderTrend(X, values, np.zeros((3, 8)))
    units = _units(values)
    means, variances = trend._forecasts(trend._nodes, 8, np.array([52.0]))
    for task in range(3):
        spread = trend.spread(task, 52.0)
        np.testing.assert_allclose(spread.means, units[task] * means[:, task, 0])
        np.testing.assert_allclose(spread.variances, units[task] ** 2 * variances[:, task, 0])


def test_sizes_are_drawn_evenly_over_their_weights():
    """Of forty models thirty have the noise of the node that weighs three quarters."""
    trend = LadderTrend(X, np.linspace(-1.0, 1.0, 8)[None], np.full((1, 8), 0.01))
    none = np.zeros(2)
    weights = np.array([0.75, 0.25])
    trend._nodes = _Nodes(np.array([0.0, 1.0]), none, none, none, none, weights)
    noise = trend.models(51.0, 40, 0).noise[:, 0]
    assert (noise == 0.0).sum() == 30

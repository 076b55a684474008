"""The batched fit against scipy's, one curve at a time."""

import numpy as np
import pytest
from ladders import LADDER
from scipy.optimize import approx_fprime, least_squares

from cod_harness.engine import fitting
from cod_harness.engine.fitting import _best_of_groups, _covariance, _damped, _solve, fit
from cod_harness.engine.laws import LAWS

X = np.log(LADDER) - 0.5 * np.log(LADDER[0] * LADDER[-1])


def _parameters(law, number, random):
    drawn = {
        "d": random.uniform(-3, 3, number),
        "b": random.uniform(0.1, 1.3, number),
        "c": random.uniform(-0.3, 0.6, number).clip(0),
        "g": random.uniform(-0.2, 0.3, number).clip(0),
    }
    return np.stack([drawn[name] for name in law.parameters], axis=-1)


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_jacobian_is_the_curves(law):
    for theta in _parameters(law, 5, np.random.default_rng(0)) + 0.01:
        for j, x in enumerate(X):
            numeric = approx_fprime(theta, lambda t, x=x: law.curve(t, np.array([x]))[0], 1e-7)
            np.testing.assert_allclose(law.jacobian(theta, X)[j], numeric, atol=1e-5)


@pytest.mark.parametrize("noise", [0.0, 0.02])
@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_as_good_as_scipy(law, noise):
    random = np.random.default_rng(1)
    truth = _parameters(law, 25, random)
    y = np.clip(law.curve(truth, X) + noise * random.normal(size=(25, len(X))), 0, 1)
    sigma = 0.01 * random.uniform(0.5, 2, y.shape)
    fits = fit(law, X, y, sigma)
    starts = law.starts(X, y)
    for i in range(len(y)):

        def miss(theta, i=i):
            return (law.curve(theta, X) - y[i]) / sigma[i]

        grid = starts[i].reshape(-1, len(law.parameters))
        nearest = np.argsort([(miss(theta) ** 2).sum() for theta in grid])[:4]
        best = min(
            least_squares(
                miss,
                np.clip(grid[k], law.lower + 1e-9, law.upper - 1e-9),
                bounds=(law.lower, law.upper),
                xtol=1e-12,
                ftol=1e-12,
            ).cost
            for k in nearest
        )
        assert fits.cost[i] <= 1.02 * best + 1e-4
        assert (fits.theta[i] >= law.lower).all() and (fits.theta[i] <= law.upper).all()
    if noise == 0:
        np.testing.assert_allclose(law.curve(fits.theta, X), y, atol=1e-5)


def test_covariance_matches_the_spread_of_refits():
    law, random = LAWS["f3"], np.random.default_rng(2)
    truth = np.array([[0.5, 0.6]])
    exact = law.curve(truth, X)
    y = exact + 0.01 * random.normal(size=(2000, len(X)))
    spread = np.cov(fit(law, X, y, np.full(y.shape, 0.01)).theta.T)
    stated = fit(law, X, exact, np.full(exact.shape, 0.01)).covariance[0]
    np.testing.assert_allclose(stated, spread, rtol=0.15)


def test_a_ridge_penalty_is_a_point_more():
    law, random = LAWS["eq4"], np.random.default_rng(3)
    y = np.clip(
        law.curve(_parameters(law, 10, random), X) + 0.1 * random.normal(size=(10, 8)), 0, 1
    )
    fits = fit(law, X, y, np.full(y.shape, 0.1), penalty=law.ridge_penalty(0.5))
    for i in range(len(y)):

        def miss(theta, i=i):
            return np.append((law.curve(theta, X) - y[i]) / 0.1, theta[1] / 0.5)

        grid = law.starts(X, y)[i].reshape(-1, 4)
        nearest = np.argsort([(miss(theta) ** 2).sum() for theta in grid])[:4]
        inside = np.clip(grid[nearest], law.lower + 1e-9, law.upper - 1e-9)
        best = min(least_squares(miss, t, bounds=(law.lower, law.upper)).cost for t in inside)
        assert fits.cost[i] <= 1.02 * best + 1e-4
        assert fits.cost[i] == pytest.approx(0.5 * (miss(fits.theta[i]) ** 2).sum())


def test_flags():
    law = LAWS["eq4"]
    flat, jump = np.full(len(X), 0.3), np.where(X > 0, 0.9, 0.0)
    fits = fit(law, X, np.stack([flat, jump]), np.full((2, len(X)), 0.01))
    assert fits.singular[0] or fits.at_lower[0].any()
    assert fits.at_upper[1, law.parameters.index("b")]
    assert np.isfinite(fits.covariance).all()


def test_no_curves_is_no_error():
    assert fit(LAWS["eq4"], X, np.empty((0, 8)), np.empty((0, 8))).theta.shape == (0, 4)


class Line:
    """y = p + q x, whose least squares are known in closed form."""

    name, parameters = "line", ("p", "q")
    lower, upper = np.array([-9.0, -9.0]), np.array([9.0, 9.0])

    def starts(self, x, y):
        return np.zeros((len(y), 1, 1, 2))

    def curve(self, theta, x):
        return theta[..., [0]] + theta[..., [1]] * x

    def jacobian(self, theta, x):
        slope = np.broadcast_to(x, (*theta.shape[:-1], len(x)))
        return np.stack([np.ones_like(slope), slope], axis=-1)


class Held(Line):
    """The same, its slope bounded."""

    upper = np.array([9.0, 0.5])


PLACES = np.array([0.0, 1.0, 2.0, 4.0])
VALUES = np.array([[0.1, 1.4, 1.7, 4.3]])
SIGMA = np.array([[0.1, 0.2, 0.1, 0.4]])
DESIGN = np.column_stack([np.ones(4), PLACES])


def test_weighted_least_squares_by_hand():
    """theta = (X'WX + R)^-1 X'Wy; cost = half of chi-square and penalty."""
    penalty = np.array([0.0, 30.0])
    weight = np.diag(SIGMA[0] ** -2)
    for ridge in (np.zeros(2), penalty):
        normal = DESIGN.T @ weight @ DESIGN + np.diag(ridge)
        theta = np.linalg.solve(normal, DESIGN.T @ weight @ VALUES[0])
        miss = (DESIGN @ theta - VALUES[0]) / SIGMA[0]
        cost = 0.5 * (miss @ miss + ridge @ theta**2)
        found = fit(Line(), PLACES, VALUES, SIGMA, penalty=ridge)
        assert found.theta[0] == pytest.approx(theta, abs=1e-6)
        assert found.cost[0] == pytest.approx(cost, rel=1e-9)
        # Scaled up by what the cost is above its two degrees of freedom.
        excess = max(2 * cost / 2, 1.0)
        assert excess > 1
        np.testing.assert_allclose(found.covariance[0], excess * np.linalg.inv(normal), rtol=1e-9)
        assert found.converged[0] and not found.singular[0]
        assert not found.at_lower.any() and not found.at_upper.any()


def test_covariance_of_a_good_fit_is_that_of_the_weights():
    exact = 0.3 + 0.7 * PLACES[None]
    found = fit(Line(), PLACES, exact, SIGMA)
    normal = DESIGN.T @ np.diag(SIGMA[0] ** -2) @ DESIGN
    np.testing.assert_allclose(found.covariance[0], np.linalg.inv(normal), rtol=1e-9)


def test_a_parameter_on_its_bound_is_left_out():
    found = fit(Held(), PLACES, VALUES, SIGMA)
    weight = SIGMA[0] ** -2
    p = weight @ (VALUES[0] - 0.5 * PLACES) / weight.sum()
    assert found.theta[0] == pytest.approx([p, 0.5], abs=1e-6)
    np.testing.assert_array_equal(found.at_upper, [[False, True]])
    np.testing.assert_array_equal(found.at_lower, [[False, False]])
    miss = (p + 0.5 * PLACES - VALUES[0]) / SIGMA[0]
    expected = miss @ miss / 3 / weight.sum()  # three degrees of freedom left
    np.testing.assert_allclose(found.covariance[0], [[expected, 0], [0, 0]], rtol=1e-6, atol=1e-12)
    assert not found.singular[0] and found.converged[0]
    below = fit(Held(), PLACES, -20 * VALUES, SIGMA)
    np.testing.assert_array_equal(below.at_lower[0, 1], True)


def test_places_that_do_not_differ_are_singular():
    found = fit(Line(), np.ones(4), VALUES, SIGMA)
    assert found.singular[0]
    assert found.theta[0].sum() == pytest.approx(
        (VALUES / SIGMA**2).sum() / (SIGMA**-2).sum(), abs=1e-6
    )


def test_every_start_is_followed_and_the_best_kept():
    law = LAWS["eq4"]
    theta = np.array([[-1.0, 2.0, 0.1, 0.1]])
    y = law.curve(theta, X)
    bad = np.array([30.0, 0.0, 15.0, 0.9])
    for starts in ([[bad, theta[0] + 0.05]], [[theta[0] + 0.05, bad]]):
        found = fit(law, X, y, np.full(y.shape, 0.01), np.array(starts))
        assert found.theta[0] == pytest.approx(theta[0], abs=1e-3)


def test_problems_do_not_touch_each_other():
    law, random = LAWS["eq4"], np.random.default_rng(5)
    y = np.clip(law.curve(_parameters(law, 6, random), X) + 0.05 * random.normal(size=(6, 8)), 0, 1)
    sigma = random.uniform(0.01, 0.05, y.shape)
    together = fit(law, X, y, sigma, penalty=law.ridge_penalty(1.0))
    for i in range(6):
        alone = fit(law, X, y[[i]], sigma[[i]], penalty=law.ridge_penalty(1.0))
        np.testing.assert_allclose(alone.theta[0], together.theta[i], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(alone.covariance[0], together.covariance[i], rtol=1e-7)


class Idle(Line):
    """The same with a second parameter that moves nothing."""

    def curve(self, theta, x):
        return theta[..., [0]] + 0.0 * x

    def jacobian(self, theta, x):
        return super().jacobian(theta, x) * [1.0, 0.0]


def test_a_parameter_without_any_pull_is_undetermined():
    found = fit(Idle(), PLACES, VALUES, SIGMA)
    weight = (SIGMA**-2).sum()
    mean = (VALUES * SIGMA**-2).sum() / weight
    assert found.theta[0] == pytest.approx([mean, 0.0], abs=1e-7)
    assert found.singular[0] and found.converged[0]
    excess = (((VALUES - mean) / SIGMA) ** 2).sum() / 2
    np.testing.assert_allclose(found.covariance[0], [[excess / weight, 0], [0, 0]], rtol=1e-6)
    # A penalty on it is a pull.
    told = fit(Idle(), PLACES, VALUES, SIGMA, penalty=np.array([0.0, 4.0]))
    assert not told.singular[0]
    assert told.covariance[0, 1, 1] == pytest.approx(excess / 4, rel=1e-6)


def test_as_many_parameters_as_points_leave_one_degree():
    found = fit(Line(), PLACES[:2], VALUES[:, :2] + 1.0, SIGMA[:, :2], penalty=np.array([90.0, 0]))
    assert found.cost[0] > 1
    design = np.column_stack([np.ones(2), PLACES[:2]])
    normal = design.T @ np.diag(SIGMA[0, :2] ** -2) @ design + np.diag([90.0, 0])
    expected = 2 * found.cost[0] * np.linalg.inv(normal)
    np.testing.assert_allclose(found.covariance[0], expected, rtol=1e-6)


@pytest.mark.parametrize("size", range(1, 7))
def test_systems_of_equations(size):
    random = np.random.default_rng(size)
    root = random.normal(size=(5, size, size + 2))
    matrix, right = root @ root.transpose(0, 2, 1), random.normal(size=(5, size))
    expected = np.linalg.solve(matrix, right[..., None])[..., 0]
    np.testing.assert_allclose(_solve(matrix, right), expected, rtol=1e-6, atol=1e-9)
    assert np.isfinite(_solve(np.zeros((1, size, size)), np.ones((1, size)))).all()


def test_damping_by_hand():
    """Marquardt's: of the diagonal, at least 1e-10 of its largest; 1 where there is nothing."""
    normal = np.array([[[4.0, 1.0], [1.0, 0.0]], np.zeros((2, 2))])
    found = _damped(normal, np.array([0.5, 0.5]))
    expected = [[[6.0 + 4e-12, 1.0], [1.0, 0.5 * 4e-10 + 4e-12]], np.eye(2)]
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    np.testing.assert_array_equal(normal[0], [[4.0, 1.0], [1.0, 0.0]])


class Groups(Line):
    """With starts of two groups."""

    def starts(self, x, y):
        groups = [[[0.0, 0.0], [0.2, 0.9], [3.0, 3.0]], [[1.0, 0.6], [-1.0, 1.3], [0.0, 2.0]]]
        return np.tile(np.array(groups), (len(y), 1, 1, 1))


def test_of_each_group_the_start_nearest_to_the_points():
    y, sigma = np.vstack([VALUES, 5 - VALUES]), np.vstack([SIGMA, SIGMA[:, ::-1]])
    law = Groups()
    for penalty in (np.zeros(2), np.array([0.0, 400.0])):
        found = _best_of_groups(law, PLACES, y, sigma, penalty)
        assert found.shape == (2, 2, 2)
        for problem in range(2):
            for group, starts in enumerate(law.starts(PLACES, y)[problem]):
                costs = [
                    (((law.curve(one, PLACES) - y[problem]) / sigma[problem]) ** 2).sum()
                    + penalty @ one**2
                    for one in starts
                ]
                np.testing.assert_array_equal(found[problem, group], starts[np.argmin(costs)])


class InUnits(Line):
    """The same with a slope in units of this size."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def jacobian(self, theta, x):
        return super().jacobian(theta, x) * [1.0, self.size]


def covariance(law):
    """Of a line's two parameters, and whether they cannot be told apart."""
    theta, free = np.array([[0.5, 0.0]]), np.ones((1, 2), dtype=bool)
    return _covariance(law, PLACES, SIGMA, theta, np.zeros(1), free, np.zeros(2))


def test_a_pull_too_weak_to_tell_is_none():
    """It is there, and lost beside that of the first parameter."""
    found, singular = covariance(InUnits(1e-12))
    weight = (SIGMA**-2).sum()
    np.testing.assert_allclose(found[0], [[1 / weight, 0], [0, 0]], rtol=1e-12)
    assert singular[0]


def test_a_millionth_of_the_range_is_on_the_bound():
    """Of two, from bound to bound: the slope's optimum lies so far below, or above, its end."""
    weight = np.diag(SIGMA[0] ** -2)
    slope = np.linalg.solve(DESIGN.T @ weight @ DESIGN, DESIGN.T @ weight @ VALUES[0])[1]
    for short, on_bound in ((1e-6, True), (4e-6, False)):
        law = Line()
        law.lower, law.upper = np.array([-9.0, slope - 2.0]), np.array([9.0, slope + short])
        found = fit(law, PLACES, VALUES, SIGMA)
        assert found.theta[0, 1] == pytest.approx(slope, abs=1e-7)
        assert found.at_upper[0, 1] == on_bound and not found.at_lower.any()
        law.lower, law.upper = np.array([-9.0, slope - short]), np.array([9.0, slope + 2.0])
        found = fit(law, PLACES, VALUES, SIGMA)
        assert found.at_lower[0, 1] == on_bound and not found.at_upper.any()


@pytest.mark.parametrize("slope", [0.5, 1.5])
def test_a_bound_that_pulls_weakly_holds_as_well(slope):
    """Errors so large that no gradient reaches 1: the height is still fitted for the bound."""
    law, sigma = Line(), 40 * SIGMA
    ends = law.lower.copy(), law.upper.copy()
    ends[1 if slope < 1 else 0][1] = slope
    law.lower, law.upper = ends
    found = fit(law, PLACES, VALUES, sigma)
    height = sigma[0] ** -2 @ (VALUES[0] - slope * PLACES) / (sigma**-2).sum()
    assert found.theta[0] == pytest.approx([height, slope], abs=1e-5)


def test_a_fit_that_is_broken_off_says_so(monkeypatch):
    assert fit(Line(), PLACES, VALUES, SIGMA).converged.all()
    monkeypatch.setattr(fitting, "_ITERATIONS", 1)
    assert not fit(Line(), PLACES, VALUES, SIGMA).converged.any()


def test_the_unit_of_a_parameter_is_no_matter():
    plain, _ = covariance(Line())
    found, singular = covariance(InUnits(1e-7))
    unit = np.array([1.0, 1e7])
    np.testing.assert_allclose(found[0], plain[0] * np.outer(unit, unit), rtol=1e-9)
    assert not singular[0]

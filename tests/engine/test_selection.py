"""Which clusters extrapolate (C.1), and what is said of the others."""

import numpy as np
import pytest

from cod_harness.engine import settings
from cod_harness.engine.fitting import Fits
from cod_harness.engine.laws import EQ4
from cod_harness.engine.selection import (
    Cluster,
    Thresholds,
    cluster_chart,
    cluster_frame,
    judged_clusters,
)

BB = 1e18
REFERENCE = np.log(1000 * BB)  # where theta is written about
PAPER_SMALLEST = np.log(39.9 * BB)


def theta_of(a, b, c, g):
    """theta about the reference of a law with a for C in BB."""
    return [np.log(a) - b * np.log(1000.0), b, c, g]


def fits_of(*thetas, converged=None, singular=None, at_lower=None, at_upper=None):
    theta = np.array(thetas, dtype=float)
    q, p = theta.shape
    no = np.zeros((q, p), dtype=bool)
    return Fits(
        theta,
        np.zeros(q),
        np.zeros((q, p, p)),
        no if at_lower is None else np.array(at_lower),
        no if at_upper is None else np.array(at_upper),
        np.ones(q, dtype=bool) if converged is None else np.array(converged),
        np.zeros(q, dtype=bool) if singular is None else np.array(singular),
    )


def judged(fits, smallest=PAPER_SMALLEST, thresholds=None):
    q = len(fits.theta)
    rates, sizes = np.arange(q * 4.0).reshape(q, 4) / 100, np.arange(q) + 10
    thresholds = thresholds or Thresholds()
    return judged_clusters(EQ4, fits, rates, sizes, smallest, REFERENCE, thresholds)


def code(cluster):
    return cluster.reason and cluster.reason.code


def test_published_parameters_come_back():
    (one,) = judged(fits_of(theta_of(16.0, 0.5, 0.05, 0.1)))
    assert (one.a, one.b, one.c, one.g) == pytest.approx((16.0, 0.5, 0.05, 0.1), rel=1e-12)
    assert one.predictable and one.reason is None and one.notes == ()
    assert (one.id, one.size) == (0, 10)
    np.testing.assert_array_equal(one.rates, [0.0, 0.01, 0.02, 0.03])
    # Eq. 4 by hand at 400 BB: sqrt(400) = 20, 16 / 20 = 0.8.
    assert one.curve(400 * BB) == pytest.approx(0.1 + 0.9 * np.exp(-0.8 - 0.05), rel=1e-12)
    assert one.curve([1e-90, 100 * BB]) == pytest.approx(
        [0.1, 0.1 + 0.9 * np.exp(-1.65)], rel=1e-12
    )


def test_thresholds_are_those_of_the_paper():
    assert (Thresholds().min_a, Thresholds().min_b, Thresholds().max_c) == (1.0, 0.1, 1.0)
    assert pytest.approx(39.9e18) == settings.SMALLEST_RUNG


@pytest.mark.parametrize(
    ("law", "expected"),
    [
        ((1.01, 0.5, 0.0, 0.0), None),
        ((0.99, 0.5, 0.0, 0.0), "a_too_small"),
        ((5.0, 0.11, 0.0, 0.0), None),
        ((5.0, 0.09, 0.0, 0.0), "b_too_small"),
        ((5.0, 0.5, 0.99, 0.0), None),
        ((5.0, 0.5, 1.01, 0.0), "c_too_large"),
        ((0.5, 0.05, 2.0, 0.0), "b_too_small"),  # the first that holds
        ((0.5, 0.5, 2.0, 0.0), "a_too_small"),
    ],
)
def test_each_threshold(law, expected):
    (one,) = judged(fits_of(theta_of(*law)))
    assert code(one) == expected and one.predictable == (expected is None)


def test_a_threshold_itself_is_not_enough():
    at = Thresholds(min_a=-1.0, min_b=0.5, max_c=0.25)
    assert code(judged(fits_of(theta_of(5, 0.5, 0.0, 0)), thresholds=at)[0]) == "b_too_small"
    assert code(judged(fits_of(theta_of(5, 0.75, 0.25, 0)), thresholds=at)[0]) == "c_too_large"
    (one,) = judged(fits_of(theta_of(5, 0.5, 0, 0)))
    exactly = Thresholds(min_a=one.a, min_b=0.1, max_c=1.0)
    again = judged(fits_of(theta_of(5, 0.5, 0, 0)), thresholds=exactly)
    assert code(again[0]) == "a_too_small"


def test_a_is_judged_with_the_smallest_rung_at_the_papers():
    """A ladder 100 times smaller: a for C in BB is 100^-b of what the threshold is meant for."""
    smaller = PAPER_SMALLEST - np.log(100.0)
    b = 0.5
    below, above = (theta_of(factor / 100**b, b, 0.0, 0.0) for factor in (0.99, 1.01))
    refused, kept = judged(fits_of(below, above), smallest=smaller)
    assert kept.predictable and kept.a == pytest.approx(0.101)
    assert refused.reason.values == {"a": pytest.approx(0.99), "least": 1.0}
    assert "39.9e18 FLOP" in str(refused.reason)


def test_a_fit_that_did_not_converge_is_refused_first():
    fits = fits_of(theta_of(0.5, 0.05, 2.0, 0.0), converged=[False])
    assert code(judged(fits)[0]) == "not_converged"


def test_notes():
    no = [False] * 4
    fits = fits_of(
        theta_of(5, 0.5, 0, 0),
        theta_of(5, 0.5, 0, 0),
        at_lower=[[True, False, False, True], no],
        at_upper=[[False, True, False, False], no],
        singular=[False, True],
    )
    bounds, singular = judged(fits)
    assert [note.values for note in bounds.notes] == [
        {"parameter": "a", "side": "lower"},
        {"parameter": "b", "side": "upper"},
        {"parameter": "g", "side": "lower"},
    ]
    assert {note.code for note in bounds.notes} == {"on_bound"}
    assert [note.code for note in singular.notes] == ["singular"]
    assert (singular.id, singular.size) == (1, 11)


def test_a_curve_from_nothing():
    never = Cluster(0, 10, np.zeros(4), g=0.2, a=np.inf, b=0.5, c=0.0)
    assert never.curve(1e30) == pytest.approx(0.2)
    always = Cluster(0, 10, np.zeros(4), g=0.0, a=0.0, b=0.5, c=0.5)
    assert always.curve(1e20) == pytest.approx(np.exp(-0.5))


def test_clusters_as_a_table():
    kept, refused = judged(
        fits_of(theta_of(5, 0.5, 0, 0), theta_of(5, 0.05, 0, 0), singular=[True, False])
    )
    table = cluster_frame([kept, refused])
    assert table.index.tolist() == [0, 1] and table["size"].tolist() == [10, 11]
    assert table["predictable"].tolist() == [True, False]
    assert table["reason"].tolist() == ["", str(refused.reason)]
    assert table["notes"].tolist() == [str(kept.notes[0]), ""]
    np.testing.assert_allclose(table[["g", "a", "b", "c"]].to_numpy()[0], [0, 5, 0.5, 0])
    assert len(cluster_frame([])) == 0


def test_clusters_as_a_chart():
    kept, refused = judged(fits_of(theta_of(5, 0.5, 0, 0), theta_of(5, 0.05, 0, 0)))
    nothing = Cluster(2, 7, np.zeros(4), np.nan, 1.0, 1.0, 0.0)
    compute = np.array([4e20, 1e20, 2e20, 3e20])
    curves, points = cluster_chart([kept, refused, nothing], compute, 1e21).layer
    lines = curves.data
    assert sorted(set(lines["cluster"])) == [0, 1]  # what has no number has no line
    mine = lines[lines["cluster"] == 1]
    np.testing.assert_allclose(mine["compute"], np.geomspace(1e20, 1e21, 50))
    np.testing.assert_allclose(mine["rate"], refused.curve(mine["compute"]))
    assert set(mine["extrapolated"]) == {False} and set(mine["questions"]) == {11}
    table = points.data
    assert len(table) == 12
    first = table[table["cluster"] == 1]
    np.testing.assert_allclose(first["compute"], compute)
    np.testing.assert_allclose(first["rate"], refused.rates)
    drawn = cluster_chart([kept], compute, 1e21).to_dict()["layer"][0]["encoding"]
    assert drawn["x"]["scale"] == {"type": "log"} and drawn["y"]["scale"] == {"domain": [0, 1]}

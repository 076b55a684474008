"""The order of what is given, and what is refused in which words."""

import numpy as np
import pytest

from cod_harness.engine import settings
from cod_harness.engine.measurements import (
    answers,
    check_question,
    features,
    given_labels,
    measurements,
    rung_losses,
)
from cod_harness.errors import InputError

COMPUTE = np.array([4e20, 1e20, 3e20, 2e20])
RATES = np.array([[0.9, 0.1, 0.5, 0.3], [0.2, 0.0, 0.1, 0.1], [0.9, 0.1, 0.5, 0.2]])


def test_rungs_by_compute_and_questions_by_rates():
    ladder = measurements(RATES, COMPUTE, 10, RATES[:, 0])
    np.testing.assert_array_equal(ladder.compute, [1e20, 2e20, 3e20, 4e20])
    np.testing.assert_array_equal(ladder.rung_order, [1, 3, 2, 0])
    np.testing.assert_array_equal(ladder.question_order, [1, 2, 0])
    np.testing.assert_array_equal(
        ladder.rates, [[0.0, 0.1, 0.1, 0.2], [0.1, 0.2, 0.5, 0.9], [0.1, 0.3, 0.5, 0.9]]
    )
    np.testing.assert_array_equal(ladder.anchors, [[0.2], [0.9], [0.9]])
    np.testing.assert_array_equal(ladder.as_given(ladder.compute), COMPUTE)
    np.testing.assert_array_equal(ladder.as_given(ladder.rates.T), RATES[[1, 2, 0]].T)
    assert ladder.n_samples.shape == (3, 4)


def test_draws_and_anchors_go_with_their_questions():
    draws = np.arange(12).reshape(3, 4)
    ladder = measurements(RATES, COMPUTE, draws, np.arange(6).reshape(3, 2) / 10)
    np.testing.assert_array_equal(ladder.n_samples, draws[:, [1, 3, 2, 0]])
    np.testing.assert_array_equal(ladder.anchors, [[0.0, 0.1], [0.2, 0.3], [0.4, 0.5]])
    np.testing.assert_array_equal(ladder.rates[0], [0.1, 0.3, 0.5, 0.9])
    # Anchors decide first, then draws, then rates.
    same = measurements(np.full((3, 4), 0.5), COMPUTE, np.array([[3], [1], [1]]) * [1, 1, 1, 1],
                        np.array([0.0, 0.9, 0.1]))  # fmt: skip
    np.testing.assert_array_equal(same.question_order, [0, 2, 1])


def test_rungs_of_equal_compute_stand_by_accuracy():
    compute = [1e20, 2e20, 3e20, 4e20, 4e20]
    rates = np.array([[0.1, 0.2, 0.3, 0.8, 0.4], [0.1, 0.2, 0.3, 0.3, 0.6]])
    np.testing.assert_array_equal(measurements(rates, compute, 1, None).rung_order, [0, 1, 2, 4, 3])


def test_features_set_zero_rows_aside():
    rates = np.array([[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.1], [0.5, 0.0, 0.0, 0.0]])
    ladder = measurements(rates, [1, 2, 3, 4], 10, None)
    rows, zero = features(ladder)
    np.testing.assert_array_equal(zero, [True, False, False])
    np.testing.assert_array_equal(rows, ladder.rates[1:])


def test_labels_are_closed_up_and_ordered():
    ladder = measurements(RATES, COMPUTE, 10, None)
    np.testing.assert_array_equal(given_labels([7, -1, 3], ladder), [-1, 0, 1])
    np.testing.assert_array_equal(given_labels([2, 2, 5], ladder), [0, 1, 0])
    for wrong in ([0.5, 1, 2], [0, 1], [[0, 1, 2]]):
        with pytest.raises(InputError, match="labels are"):
            given_labels(wrong, ladder)
    with pytest.raises(InputError, match="labels hold -2: give clusters from 0, -1 for outliers"):
        given_labels([0, -2, 1], ladder)


REFUSED = [
    ((RATES[:0], COMPUTE), "rates have shape (0, 4): give one row per question, one column per "
     "model"),
    ((RATES[0], COMPUTE), "rates have shape (4,): give one row per question, one column per model"),
    ((RATES, COMPUTE[:2]), "compute has shape (2,) for 4 models: give one number of FLOP for each"),
    ((RATES[:, :3], COMPUTE[:3]), "3 rungs: a forecast needs at least 4, the law has four "
     "parameters"),
    ((RATES, [1, 0, 2, 3]), "compute of model 1 is 0: give its training FLOP, above 0"),
    ((RATES, [1, 2, np.nan, 3]), "compute of model 2 is nan: give its training FLOP, above 0"),
    ((RATES, [1, 2, 2, 3]), "3 different amounts of compute among 4 rungs: a forecast needs at "
     "least 4"),
    ((RATES, COMPUTE, [[1]]), "n_samples has shape (1, 1), rates have (3, 4): give one number or "
     "an array like rates"),
    ((RATES, COMPUTE, [1] * 4), "n_samples has shape (4,), rates have (3, 4): give one number or "
     "an array like rates"),
    ((RATES, COMPUTE, np.where(RATES == 0.5, -3, 1)), "n_samples of question 0, model 2 is -3: "
     "give the number of draws, or 0 for an analytic rate"),
    ((RATES, COMPUTE, np.inf), "n_samples of question 0, model 0 is inf: give the number of draws, "
     "or 0 for an analytic rate"),
    ((RATES, COMPUTE, 1, [[0.1, 0.2]]), "anchors have shape (1, 2) for 3 questions: give one row "
     "per question, one column per finished model"),
    ((RATES, COMPUTE, 1, [0.1, 0.2, 1.5]), "anchors of question 2, model 0 is 1.5, not in [0, 1]: "
     "give shares (1 such values)"),
    ((np.where(RATES == 0.9, np.nan, RATES), COMPUTE), "rates of question 0, model 0 is missing "
     "(NaN), not in [0, 1]: drop the question or the model (2 such values)"),
    ((RATES - 0.15, COMPUTE), "rates of question 0, model 1 is -0.05, not in [0, 1]: give shares "
     "(5 such values)"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "words"), REFUSED)
def test_refusals(arguments, words):
    rates, compute, *rest = arguments
    with pytest.raises(InputError) as error:
        measurements(rates, compute, *(rest or [1]), *([None] if len(rest) < 2 else []))
    assert str(error.value) == words


def test_the_edges_of_rates_are_allowed():
    edges = np.array([[0.0, 0.0, 1.0, 1.0]])
    np.testing.assert_array_equal(measurements(edges, [1, 2, 3, 4], 0, [1.0]).rates, edges)


def test_questions_about_targets():
    check_question(1e20, 0.9)
    for compute in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InputError, match="compute of the target is"):
            check_question(compute, 0.9)
    for level in (0.0, 1.0, 90.0):
        with pytest.raises(InputError, match=r"level is .*: give a probability between 0 and 1"):
            check_question(1e20, level)


def test_losses_in_the_order_of_the_rungs():
    ladder = measurements(RATES, COMPUTE, 1, None)
    np.testing.assert_array_equal(rung_losses([1.0, 4.0, 2.0, 3.0], ladder), [4, 3, 2, 1])
    unknown = rung_losses(None, ladder)
    assert unknown.shape == (4,) and np.isnan(unknown).all()
    with pytest.raises(InputError, match=r"losses have shape \(2,\) for 4 models"):
        rung_losses([1.0, 2.0], ladder)


def test_answers_behind_an_accuracy():
    """The draws, at least one a question; of one analytic rate nothing is told."""
    draws = np.array([[0, 4, 2, 0], [3, 0, 2, 0], [1, 1, 1, 1]])
    ladder = measurements(np.full((3, 4), 0.5), [1, 2, 3, 4], draws, None)
    np.testing.assert_array_equal(answers(ladder), [5, 6, 5, 3])
    one = measurements(np.full((1, 4), 0.5), [1, 2, 3, 4], [[0, 4, 2, 0]], None)
    untold = settings.UNTOLD_ANSWERS
    np.testing.assert_array_equal(answers(one), [untold, 4, 2, untold])


def test_the_first_number_of_draws_that_is_none_is_named():
    """0 is one: an analytic rate."""
    draws = np.array([[4.0, 0.0, 4.0, 4.0], [4.0, 4.0, -3.0, 4.0], [np.inf, 4.0, 4.0, 4.0]])
    with pytest.raises(InputError, match="n_samples of question 1, model 2 is -3: give"):
        measurements(np.full((3, 4), 0.5), [1.0, 2.0, 3.0, 4.0], draws, None)

"""The sizes of the shipped ladder follow one rule."""

from __future__ import annotations

import pytest

from cod_harness.demo.train.shapes import RUNGS, TARGET, name_of, shape_of


def test_rungs_grow_evenly_and_the_target_is_ten_times_as_costly() -> None:
    shapes = [shape_of(nominal) for nominal in RUNGS]
    assert len(shapes) >= 8
    for nominal, shape in zip(RUNGS, shapes, strict=True):
        assert shape.parameters == pytest.approx(nominal, rel=0.02)
        assert shape.tokens >= 20 * shape.parameters
    for small, large in zip(shapes, shapes[1:], strict=False):
        assert large.compute / small.compute == pytest.approx(2.6, abs=0.1)
    assert shape_of(TARGET).compute >= 10 * shapes[-1].compute


def test_width_rate_and_batch_move_one_way() -> None:
    shapes = [shape_of(nominal) for nominal in (*RUNGS, TARGET)]
    for small, large in zip(shapes, shapes[1:], strict=False):
        assert small.width < large.width
        assert small.learning_rate > large.learning_rate
        assert small.batch < large.batch


def test_the_feed_forward_is_two_to_five_times_as_wide() -> None:
    for nominal in (*RUNGS, TARGET):
        shape = shape_of(nominal)
        assert 2 <= shape.hidden / shape.width < 5
        assert shape.head % 2 == 0  # rotary positions turn pairs


def test_names() -> None:
    assert [name_of(n) for n in (6_300, 18_000, 935_000, 1_266_000)] == [
        "6.3k",
        "18k",
        "935k",
        "1.266m",
    ]

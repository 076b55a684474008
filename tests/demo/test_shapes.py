"""The sizes of the shipped ladder follow one rule."""

from __future__ import annotations

import pytest

from cod_harness.demo.shapes import RUNGS, TARGET, name_of, shape_of


def test_rungs_double_and_the_target_is_ten_times_as_costly() -> None:
    shapes = [shape_of(nominal) for nominal in RUNGS]
    assert len(shapes) >= 8
    for nominal, shape in zip(RUNGS, shapes, strict=True):
        assert shape.parameters == pytest.approx(nominal, rel=0.02)
        assert shape.tokens >= 16 * shape.parameters
    assert shape_of(TARGET).compute >= 10 * shapes[-1].compute


def test_depth_width_rate_and_batch_move_one_way() -> None:
    shapes = [shape_of(nominal) for nominal in (*RUNGS, TARGET)]
    for small, large in zip(shapes, shapes[1:], strict=False):
        assert small.layers <= large.layers
        assert small.width < large.width
        assert small.learning_rate > large.learning_rate
        assert small.batch < large.batch


def test_names() -> None:
    assert [name_of(n) for n in (4_000, 512_000, 1_660_000)] == ["4k", "512k", "1.66m"]

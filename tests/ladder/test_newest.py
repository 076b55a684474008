from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cod_harness.ladder.newest import newest


def test_the_latest_counts_and_the_others_name_it() -> None:
    kept, replaced = newest(
        [("a", (2, "x")), ("b", (1, "y")), ("a", (1, "z")), ("a", (3, "w")), ("b", (0, "v"))],
        date=lambda one: one[0],
    )
    assert kept == {"a": (3, "w"), "b": (1, "y")}
    assert list(kept) == ["a", "b"]  # in order of appearance
    assert [(one.key, one.stale[1], one.newer[1]) for one in replaced] == [
        ("a", "x", "w"),
        ("a", "z", "w"),
        ("b", "v", "y"),
    ]


def test_of_two_of_one_date_the_later_in_order_counts() -> None:
    kept, replaced = newest([("a", (1, "x")), ("a", (1, "y"))], date=lambda one: one[0])
    assert kept["a"] == (1, "y") and replaced[0].stale == (1, "x")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5))))
def test_every_measurement_is_kept_or_replaced(found: list[tuple[str, int]]) -> None:
    ones = [(key, [date]) for key, date in found]  # lists, so that each is one of its own
    kept, replaced = newest(ones, date=lambda one: one[0])
    assert len(kept) + len(replaced) == len(found)
    for key, date in found:
        assert kept[key][0] >= date
    assert all(one.newer is kept[one.key] for one in replaced)

"""The parts of the cheap MeanShift, each against its definition on a few rows."""

from contextlib import nullcontext

import numpy as np
import pytest
from sklearn.cluster import MeanShift, estimate_bandwidth

from cod_harness.engine.meanshift import bandwidth, blocks, exact, sampled
from cod_harness.engine.meanshift.blocks import Points, Windows, differences, distinct, threads


def some(number, features=3, seed=0, steps=None):
    random = np.random.default_rng(seed)
    if steps:
        return random.integers(0, steps + 1, (number, features)) / steps
    return random.uniform(size=(number, features))


def weighted(number, seed=0):
    """Points and how many rows each stands for."""
    return some(number, seed=seed), np.random.default_rng(seed + 1).integers(1, 5, number)


def distances(left, right):
    return np.sqrt(((left[:, None] - right) ** 2).sum(axis=2))


# Blocks.


def test_squared_differences_by_hand():
    left, right = np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([[3.0, 5.0]])
    np.testing.assert_array_equal(differences(left, right), [25.0, 5.0])
    np.testing.assert_array_equal(differences(right, left), [25.0, 5.0])


def test_distinct_rows_by_hand():
    rows = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    points, index, counts = distinct(rows)
    np.testing.assert_array_equal(points, [[0, 1], [0, 2], [1, 0]])
    np.testing.assert_array_equal(index, [2, 1, 2, 0, 2])
    np.testing.assert_array_equal(counts, [1, 1, 3])


@pytest.mark.parametrize(
    ("number", "points", "most"),
    [(200, 0, 96), (200, 39_999, 96), (200, 200_000, 20), (200, 10**7, 8), (40, 0, 40)],
)
def test_blocks_are_groups_of_neighbours(number, points, most):
    """At most twice 48 centres, or the points' 10,000s-th part of them, or 4."""
    centers = some(number)
    found = blocks.blocks(centers, points)
    members = np.concatenate([block.members for block in found])
    np.testing.assert_array_equal(np.sort(members), np.arange(number))
    sizes = [len(block.members) for block in found]
    assert most / 2 - 1 <= min(sizes) and max(sizes) <= most
    fewer = blocks.blocks(centers, points, 8)
    assert max(len(block.members) for block in fewer) <= min(most, 16)
    for block in found:
        mine = centers[block.members]
        np.testing.assert_allclose(block.middle, (mine.min(axis=0) + mine.max(axis=0)) / 2)
        away = np.linalg.norm(mine - block.middle, axis=1)
        np.testing.assert_allclose(block.offsets, away)
        assert block.reach == block.offsets.max()


def test_products_and_what_they_can_be_wrong_by():
    points, counts = weighted(30)
    made = Points(points, counts)
    centers = some(7, seed=5)
    truth = distances(centers, points) ** 2
    np.testing.assert_allclose(made.squared(centers), truth, atol=1e-12)
    # `rough` leaves nothing out, and is wrong by no more than it says.
    assert np.abs(made.rough(centers) - truth).max() < made.rough_doubt < 1e-4
    about = points - points.mean(axis=0)
    reach, largest = np.linalg.norm(about, axis=1).max(), points.max()
    doubt = np.finfo(float).eps * (16 * 3 + counts.sum()) * reach * (reach + largest)
    assert made.doubt == pytest.approx(doubt, rel=1e-12, abs=0.0)  # some 1e-14
    assert made.rough_doubt == pytest.approx((3 + 5) * 2.0**-24 * 3 * reach**2, rel=1e-12)


def test_a_payload_is_sums_counts_and_a_name():
    points, counts = weighted(30)
    payload = Points(points, counts).payload
    np.testing.assert_allclose(payload[:, :3], points * counts[:, None])
    np.testing.assert_array_equal(payload[:, 3], counts)
    names = payload[:, 4]
    assert (names >= 1).all() and names.sum() < 2**53 and len(set(names)) == 30
    assert names.max() > 2**52 / 30 / 2


@pytest.mark.parametrize(("number", "step"), [(100, 8), (200_000, 5), (2_000_000, 1)])
def test_portions_of_blocks(number, step):
    made = Points(np.zeros((1, 1)), np.ones(1, dtype=int))
    made.points = np.empty((number, 1))
    portions = made.portions(list(range(17)))
    assert [one for portion in portions for one in portion] == list(range(17))
    assert {len(portion) for portion in portions[:-1]} <= {step} and len(portions[0]) == step


def held(points, counts, centers, radius):
    """Mean and number of rows in each ball, and which points it holds."""
    inside = distances(centers, points) <= radius
    number = inside @ counts
    return (inside * counts) @ points / number[:, None], number, inside


def assert_held(sums, points, counts, centers, radius):
    mean, number, inside = held(points, counts, centers, radius)
    np.testing.assert_allclose(sums.mean, mean, rtol=1e-12)
    np.testing.assert_array_equal(sums.height, number)
    np.testing.assert_array_equal(
        sums.name[:, None] == sums.name, (inside[:, None] == inside).all(axis=2)
    )
    assert not sums.tied.any()


@pytest.mark.parametrize("region", [1, 3])
@pytest.mark.parametrize("entries", [150_000, 50])
def test_windows_hold_what_is_near(monkeypatch, region, entries):
    """Also where blocks look at what one look for all of a region left over."""
    monkeypatch.setattr(blocks, "_REGION", region)
    monkeypatch.setattr(blocks, "_SHELL_ENTRIES", entries)
    points, counts = weighted(900)
    windows = Windows(Points(points, counts), 0.25)
    centers = points[:700]
    assert len(blocks.blocks(centers, 900)) == 8
    assert_held(windows.at(centers, map), points, counts, centers, 0.25)
    moved = centers + 0.05 * np.random.default_rng(3).normal(size=centers.shape)
    assert_held(windows.at(moved, map), points, counts, moved, 0.25)


def test_a_look_within_a_look():
    """What is in all balls is summed, what is in none forgotten, and the rest is asked again."""
    points = np.linspace(0.0, 1.0, 101)[:, None]
    made = Points(points, np.ones(101, dtype=int))
    windows = Windows(made, 0.2005)
    (wide,) = windows._looks(np.array([[0.5]]), np.array([0.1]), windows.first)
    np.testing.assert_array_equal(wide.shell, [*range(20, 40), *range(61, 81)])
    np.testing.assert_allclose(wide.held, made.payload[40:61].sum(axis=0))
    left, right = windows._looks(np.array([[0.45], [0.55]]), np.array([0.05, 0.0]), wide)
    np.testing.assert_array_equal(left.shell, [*range(20, 30), *range(61, 71)])
    np.testing.assert_allclose(left.held, made.payload[30:61].sum(axis=0))
    np.testing.assert_array_equal(right.shell, [])
    np.testing.assert_allclose(right.held, made.payload[35:76].sum(axis=0))
    for look in (wide, left):
        np.testing.assert_array_equal(look.dual, made.rough_dual[look.shell])
        np.testing.assert_array_equal(look.payload, made.payload[look.shell])


def test_a_point_on_the_edge_is_a_tie():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.25]])
    windows = Windows(Points(points, np.array([1, 2, 1])), 0.5)
    sums = windows.at(np.array([[0.5, 0.0], [0.4, 0.0], [0.5, 0.1]]), map)
    np.testing.assert_array_equal(sums.tied, [True, False, False])
    np.testing.assert_array_equal(sums.height, [4, 2, 1])
    sums.replace(0, np.array([2, 0, 2]))
    assert sums.height[0] == 2 and sums.mean[0] == pytest.approx([0.25, 0.125])
    assert sums.name[0] == sums.name[1]


class Pools:
    """As threadpoolctl's, for libraries of so many threads."""

    def __init__(self, *numbers):
        self.numbers = numbers

    def select(self, user_api):
        assert user_api == "blas"
        return self

    def info(self):
        return [{"num_threads": number} for number in self.numbers]

    def limit(self, limits):
        assert limits == 1
        return nullcontext()


def test_threads_only_where_they_pay(monkeypatch):
    for numbers, rows, several in [
        ((1, 4), 25_000, True), ((1, 4), 24_999, False), ((1, 1), 25_000, False),
        ((), 25_000, False),
    ]:  # fmt: skip
        monkeypatch.setattr(blocks, "ThreadpoolController", lambda numbers=numbers: Pools(*numbers))
        with threads(rows) as each:
            assert (each is not map) == several
            assert list(each(str, [1, 2])) == ["1", "2"]


# The bandwidth.


@pytest.mark.parametrize("pairs", [1_000_000, 0])
@pytest.mark.parametrize("quantile", [0.0, 0.02, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("steps", [None, 3])
def test_the_radius_is_scikit_learns(monkeypatch, quantile, steps, pairs):
    """Also where a block is taken in parts."""
    monkeypatch.setattr(bandwidth, "_PAIRS_IN_CACHE", pairs)
    rows = some(150, steps=steps)
    found = bandwidth.neighbourhood_radius(rows, quantile, np.inf, map)
    assert found == pytest.approx(estimate_bandwidth(rows, quantile=quantile), rel=1e-12, abs=1e-15)


def test_the_radius_is_at_most_the_largest():
    rows = some(150)
    whole = estimate_bandwidth(rows, quantile=0.1)
    for largest in (0.5 * whole, 0.999 * whole, 1.001 * whole):
        found = bandwidth.neighbourhood_radius(rows, 0.1, largest, map)
        assert found == pytest.approx(min(largest, whole), rel=1e-12)


def test_a_radius_far_above_the_largest_is_seen_from_the_middles():
    """The rows themselves are then not looked at."""
    rows, looked = some(3000, features=2), []

    def each(function, places):
        looked.append(function.__name__)
        return map(function, places)

    assert bandwidth.neighbourhood_radius(rows, 0.3, 1e-3, each) == 1e-3
    assert looked == ["<lambda>"]


def test_the_reach_of_middles_by_hand():
    """Distance to the so-manieth nearest row, rows that are equal counted each."""
    points, counts = weighted(40)
    middles = some(2, seed=8)
    portion = [blocks.Block(np.arange(1), middle, np.zeros(1)) for middle in middles]
    found = bandwidth._of_middles(Points(points, counts), portion, 7)
    away = np.sort(np.repeat(distances(middles, points), counts, axis=1), axis=1)[:, 7]
    np.testing.assert_allclose(found, away, rtol=1e-5)


def test_a_reach_may_be_weighed_and_taken_among_others():
    """Of rows that are not among the points, each with its weight."""
    points, counts = weighted(60)
    rows, weights = some(25, seed=9), np.arange(1, 26)
    found = bandwidth.mean_reach(rows, weights, Points(points, counts), 0.1, np.inf, map)
    rank = int(counts.sum() * 0.1)
    away = np.sort(np.repeat(distances(rows, points), counts, axis=1), axis=1)[:, rank - 1]
    assert found == pytest.approx(weights @ away / weights.sum(), rel=1e-12)


# The exact partition.


def assert_scikit_learns(rows, radius):
    centers, labels = exact.mean_shift(rows, radius, map)
    theirs = MeanShift(bandwidth=radius).fit(rows)
    np.testing.assert_allclose(centers, theirs.cluster_centers_, rtol=1e-13)
    np.testing.assert_array_equal(labels, theirs.labels_)


@pytest.mark.parametrize("number", [3, 11, 12, 60])
@pytest.mark.parametrize("radius", [0.1, 0.3])
def test_mean_shift_is_scikit_learns(number, radius):
    assert_scikit_learns(some(number, seed=number), radius)
    assert_scikit_learns(some(number, seed=number, steps=4), radius)


def test_ties_in_the_last_bit_are_scikit_learns():
    assert_scikit_learns(some(60, features=2, seed=1, steps=10), 0.2)


def test_no_radius_makes_equal_rows_clusters():
    rows = np.array([[1.0], [0.0], [1.0]])
    centers, labels = exact.mean_shift(rows, 0.0, map)
    np.testing.assert_array_equal(centers, [[0], [1]])
    np.testing.assert_array_equal(labels, [1, 0, 1])


def climbed(rows, radius, starts=None, **more):
    points, _, counts = distinct(rows)
    starts = points if starts is None else starts
    windows = Windows(Points(points, counts), radius)
    return exact.climbed(windows, starts, np.arange(len(starts)), map, **more)


def test_a_climb_by_hand():
    """Two groups on a line, each within one ball."""
    rows = np.array([[0.0], [0.1], [0.1], [0.9], [1.0]])
    found = climbed(rows, 0.3)
    order = np.argsort(found.mean[:, 0])
    np.testing.assert_allclose(found.mean[order, 0], [0.2 / 3, 0.95])
    np.testing.assert_array_equal(found.height[order], [3, 2])
    # Four distinct points started; the last of each group is told.
    np.testing.assert_array_equal(found.seed[order], [1, 3])
    np.testing.assert_allclose(found.before[order, 0], [0.2 / 3, 0.95])


def test_a_start_far_from_all_points_is_dropped():
    found = climbed(np.array([[0.0], [0.1]]), 0.3, np.array([[0.0], [7.0]]))
    np.testing.assert_allclose(found.mean, [[0.05]])


def test_a_climb_ends_after_three_hundred_steps(monkeypatch):
    monkeypatch.setattr(exact, "_MAX_ITERATIONS", 1)
    line = np.linspace(0.0, 1.0, 21)[:, None] ** 2
    found = climbed(line, 0.2, np.array([[0.9]]))
    first = line[np.abs(line - 0.9) <= 0.2].mean()
    second = line[np.abs(line - first) <= 0.2].mean()
    assert found.before == pytest.approx(first) and found.mean == pytest.approx(second)
    monkeypatch.undo()
    assert exact._MAX_ITERATIONS == 300


def test_a_climb_stops_at_a_thousandth_of_the_radius(monkeypatch):
    """At a shift of just so much, and not before."""
    rows = np.array([[0.0], [0.0004]])  # from 0 the mean is 0.0002
    for radius, stops in ((0.2, True), (0.19, False)):
        monkeypatch.setattr(exact, "_MAX_ITERATIONS", 300)
        found = climbed(rows, radius, np.array([[0.0]]))
        assert found.before[0, 0] == pytest.approx(0.0 if stops else 0.0002, abs=1e-12)


def test_trajectories_in_one_cell_go_on_as_one():
    """The highest leads on; the last seed is told."""
    rows = np.sqrt(np.linspace(0.0, 1.0, 60))[:, None]  # the higher, the denser
    starts = np.array([[0.30], [0.34]])
    seen = []

    class Seen(Windows):
        def at(self, centers, each):
            seen.append(centers.ravel())
            return super().at(centers, each)

    points, _, counts = distinct(rows)
    means = [rows[np.abs(rows - start) <= 0.1].mean() for start in (0.30, 0.34)]
    for grain, second in ((0.0, means), (1.0, means[1:])):
        seen.clear()
        windows = Seen(Points(points, counts), 0.1)
        found = exact.climbed(windows, starts, np.array([5, 2]), map, grain=grain)
        assert sorted(seen[1]) == pytest.approx(second) and found.seed.tolist() == [5]


def test_no_window_is_gone_on_from_twice():
    """Who comes to where others have been, earlier or with it, is followed no further."""
    points = np.linspace(0.0, 1.0, 200)[:, None] ** 2
    seen = []

    class Seen(Windows):
        def at(self, centers, each):
            seen.append(centers.ravel())
            return super().at(centers, each)

    windows = Seen(Points(points, np.ones(200, dtype=int)), 0.05)
    exact.climbed(windows, points, np.arange(200), map)
    means = np.sort(np.concatenate(seen[1:]))
    assert len(seen) > 4 and np.diff(means).min() > 1e-9


@pytest.mark.parametrize("most", [1, 2, 3, 5, 9])
def test_paths_that_join_late_are_no_longer_than_others(monkeypatch, most):
    """A seed's steps count from its own start, whoever came the same way before it."""
    monkeypatch.setattr(exact, "_MAX_ITERATIONS", most)
    rows = np.linspace(0.0, 1.0, 200)[:, None] ** 2
    theirs = MeanShift(bandwidth=0.05, max_iter=most).fit(rows)
    assert theirs.n_iter_ == most
    centers, labels = exact.mean_shift(rows, 0.05, map)
    np.testing.assert_allclose(centers, theirs.cluster_centers_, rtol=1e-13)
    np.testing.assert_array_equal(labels, theirs.labels_)


def test_merged_by_hand():
    first, last = exact._merged(np.array([5, 3, 5, 3, 9]), np.array([7, 1, 2, 4, 0]))
    np.testing.assert_array_equal(first, [1, 0, 4])
    np.testing.assert_array_equal(last, [4, 7, 0])


def test_near_duplicates_by_hand():
    """The highest keeps its place; of equal heights the one with the larger coordinates."""
    summits = np.array([[0.0], [0.1], [0.25], [0.6], [0.7]])
    heights = np.array([3.0, 9.0, 8.0, 5.0, 5.0])
    kept = exact.without_near_duplicates(summits, heights, 0.12)
    np.testing.assert_array_equal(kept, [[0.1], [0.25], [0.7]])


@pytest.mark.parametrize(("features", "radius"), [(2, 0.125), (16, 1.5)])
def test_near_duplicates_of_many(features, radius):
    """Asked for several at once where scikit-learn has a tree, and one by one where not."""
    summits = np.unique(some(600, features=features, steps=32), axis=0)
    heights = np.random.default_rng(1).integers(1, 5, len(summits)).astype(float)
    order = sorted(range(len(summits)), key=lambda at: (heights[at], *summits[at]), reverse=True)
    kept = []
    for at in order:
        if all(np.linalg.norm(summits[at] - summits[other]) > radius for other in kept):
            kept.append(at)
    assert 4 < len(kept) < 64
    found = exact.without_near_duplicates(summits, heights, radius)
    np.testing.assert_array_equal(found, summits[kept])


def test_the_nearest_centre():
    found = exact.nearest(np.array([[0.0], [1.0]]), np.array([[0.2], [0.9], [0.4]]))
    np.testing.assert_array_equal(found, [0, 1, 0])


# From a sample.


def test_a_sample_by_hand():
    """Five of ten rows: those at 1, 3, 5, 7 and 9 along the walk, counted from its start."""
    points, counts = np.arange(4.0)[:, None], np.array([1, 3, 2, 4])
    walk = np.array([3, 0, 2, 1])  # ends of the points' rows along it: 4, 5, 7, 10
    kept, times = sampled._sample(points, counts, walk, 5)
    np.testing.assert_array_equal(kept, [[1], [2], [3]])
    np.testing.assert_array_equal(times, [2, 1, 2])
    whole, same = sampled._sample(points, counts, walk, 10)
    assert whole is points and same is counts
    assert sampled._sample(points, counts, walk, 9)[1].sum() == 9


def test_a_walk_goes_through_cells_of_eight():
    rows = some(200)
    walk = sampled._walk(rows)
    np.testing.assert_array_equal(np.sort(walk), np.arange(200))
    steps = np.linalg.norm(np.diff(rows[walk], axis=0), axis=1).mean()
    assert steps < 0.6 * np.linalg.norm(np.diff(rows, axis=0), axis=1).mean()


def test_a_radius_from_samples(monkeypatch):
    rows = some(500)
    whole = bandwidth.neighbourhood_radius(rows, 0.1, np.inf, map)
    assert sampled.sampled_radius(rows, 0.1, np.inf, map) == whole
    assert sampled.sampled_radius(rows, 0.1, 0.5 * whole, map) == 0.5 * whole
    monkeypatch.setattr(sampled, "NEIGHBOUR_ROWS", 100)
    monkeypatch.setattr(sampled, "PAIRS", 100 * 20)
    points, _, counts = distinct(rows)
    walk = sampled._walk(points)
    among = sampled._sample(points, counts, walk, 100)
    seeds, weights = sampled._sample(points, counts, walk, 20)
    by_hand = bandwidth.mean_reach(seeds, weights, Points(*among), 0.1, np.inf, map)
    assert sampled.sampled_radius(rows, 0.1, np.inf, map) == by_hand != whole


def test_seeds_are_as_many_as_pairs_allow(monkeypatch):
    rows, seen = some(300, features=2), []
    climb = sampled.climbed

    def counted(windows, starts, seeds, each, **more):
        seen.append((len(starts), seeds.tolist() == list(range(len(starts))), more["grain"]))
        return climb(windows, starts, seeds, each, **more)

    monkeypatch.setattr(sampled, "climbed", counted)
    for most, pairs, number in ((10, 10**9, 10), (300, 300 * 7 + 5, 7), (300, 5, 1)):
        monkeypatch.setattr(sampled, "MOST_SEEDS", most)
        monkeypatch.setattr(sampled, "PAIRS", pairs)
        centers, labels = sampled.sampled_mean_shift(rows, 0.3, map)
        assert seen[-1] == (number, True, pytest.approx(0.003))
        np.testing.assert_array_equal(labels, distances(rows, centers).argmin(axis=1))


def test_as_many_seeds_as_rows_find_the_exact_partition():
    rows = np.repeat(some(60, features=2, seed=4), 2, axis=0)
    centers, labels = sampled.sampled_mean_shift(rows, 0.3, map)
    exactly, same = exact.mean_shift(rows, 0.3, map)
    np.testing.assert_allclose(centers, exactly, rtol=1e-9)
    np.testing.assert_array_equal(labels, same)

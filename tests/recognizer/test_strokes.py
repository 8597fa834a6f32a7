"""Strokes on a grid, and rubbed out: against the definition, point by point."""

import itertools

import numpy as np
import pytest

from rnn_native.recognizer.strokes import Stroke, bounds, erase, rasterise


def distances(points, at):
    """Return how far each of `at` is from a polyline, in float64, segment by segment."""
    points = np.asarray(points, np.float64)
    best = np.hypot(*(at - points[0]).T)
    for a, b in itertools.pairwise(points):
        step, length = b - a, ((b - a) ** 2).sum()
        t = ((at - a) @ step / length).clip(0, 1) if length else np.zeros(len(at))
        best = np.minimum(best, np.hypot(*(at - a - t[:, None] * step).T))
    return best


def drawn(strokes, shape, samples):
    """What `rasterise` should give: the share of each pixel's sample points under a pen."""
    rows, columns = shape
    y = (np.arange(rows * samples) + 0.5) / samples
    x = (np.arange(columns * samples) + 0.5) / samples
    at = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    ink = np.zeros(len(at), bool)
    for stroke in strokes:
        ink |= distances(stroke.points, at) <= stroke.width / 2
    return ink.reshape(rows, samples, columns, samples).mean(axis=(1, 3))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("shape, samples", [((28, 28), 4), ((9, 40), 1), ((30, 12), 3)])
def test_rasterise_is_the_distance_to_the_line(seed, shape, samples):
    rng = np.random.default_rng(seed)
    strokes = [
        Stroke(rng.uniform(-6, 34, (n, 2)), rng.uniform(0.3, 9))
        for n in rng.integers(1, 9, 3)
    ]
    wanted = drawn(strokes, shape, samples)
    got = rasterise(strokes, shape, samples)
    # float32 may put a sample on the other side of the pen's edge, seldom.
    assert (np.abs(got - wanted) > 1e-6).sum() <= 1
    assert np.abs(got - wanted).max() <= 1 / samples**2 + 1e-6
    assert wanted.any()


def test_a_dot_is_a_disc():
    disc = rasterise([Stroke([(14, 14)], 10)], samples=8)
    assert disc.sum() == pytest.approx(np.pi * 25, rel=0.01)
    np.testing.assert_array_equal(disc, disc[::-1])
    np.testing.assert_array_equal(disc, disc.T)


def test_nothing_drawn_is_black_and_what_is_outside_is_not_drawn():
    assert not rasterise([]).any()
    assert not rasterise([Stroke([(-50, 4), (-20, 5)], 6), Stroke([(90, 90)], 20)]).any()


def test_repeated_points_change_nothing():
    line = [(3, 3), (20, 9)]
    again = [(3, 3), (3, 3), (20, 9), (20, 9)]
    np.testing.assert_array_equal(
        rasterise([Stroke(line, 3)]), rasterise([Stroke(again, 3)])
    )


@pytest.mark.parametrize(
    "points, width",
    [([], 3), ([1, 2], 3), ([(1, 2, 3)], 3), ([(1, np.nan)], 3), ([(1, 2)], 0),
     ([(1, 2)], -1), ([(1, 2)], np.inf), ([(1, np.inf)], 3)],
)  # fmt: skip
def test_strokes_are_checked(points, width):
    with pytest.raises(ValueError, match=r"^stroke: expected"):
        Stroke(points, width)


def test_a_stroke_does_not_change_with_its_array():
    points = np.array([[1.0, 2.0]])
    stroke = Stroke(points, 3)
    points[0] = 9
    assert stroke.points.tolist() == [[1, 2]]
    with pytest.raises(ValueError, match="read-only"):
        stroke.points[0] = 9


def test_bounds_are_of_all_points():
    low, high = bounds([Stroke([(5, 1), (2, 8)], 4), Stroke([(3, 9)], 9)])
    assert (low.tolist(), high.tolist()) == ([2, 1], [5, 9])


def test_a_line_that_is_rubbed_in_the_middle_is_two():
    left, right = erase([Stroke([(0, 0), (100, 0)], 7)], (50, 0), 10)
    assert left.points.tolist() == [[0, 0], [40, 0]]
    assert right.points.tolist() == [[60, 0], [100, 0]]
    assert left.width == right.width == 7


def test_what_is_not_touched_is_the_same():
    stroke, dot = Stroke([(0, 0), (100, 0)], 7), Stroke([(5, 5)], 7)
    kept = erase([stroke, dot], (50, 20), 10)
    assert kept[0] is stroke
    assert kept[1] is dot


def test_dots_and_whole_lines_go():
    assert (
        erase([Stroke([(5, 5)], 7), Stroke([(4, 4), (6, 6), (5, 7)], 7)], (5, 5), 5) == []
    )


@pytest.mark.parametrize("seed", range(30))
def test_erased_is_what_was_within_the_circle(seed):
    """Points along the line: those outside stay, those inside go, and none is new."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 100, (rng.integers(2, 8), 2))
    middle, radius = rng.uniform(20, 80, 2), rng.uniform(5, 40)
    left = erase([Stroke(points, 5)], middle, radius)
    along = np.concatenate(
        [a + t * (b - a) for a, b in itertools.pairwise(points)
         for t in [np.linspace(0, 1, 50)[:, None]]]
    )  # fmt: skip
    away = np.hypot(*(along - middle).T)
    near = np.full(len(along), np.inf)
    for part in left:
        near = np.minimum(near, distances(part.points, along))
        assert (np.hypot(*(part.points - middle).T) >= radius - 1e-6).all()
        assert distances(points, part.points).max() < 1e-6
    assert (near[away > radius + 1e-6] < 1e-6).all()
    assert (near[away < radius - 1e-3] > 1e-9).all()

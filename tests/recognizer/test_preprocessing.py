"""Drawings and pictures as MNIST has them, whatever their place, size, pen and paper."""

import itertools

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import pretrained
from rnn_native.datasets.synthetic import digit_strokes
from rnn_native.recognizer import ink, morphology
from rnn_native.recognizer.mnist_form import centred, cropped
from rnn_native.recognizer.preprocessing import PEN, from_image, from_strokes
from rnn_native.recognizer.reading import recognise
from rnn_native.recognizer.scaling import scaled
from rnn_native.recognizer.strokes import Stroke, rasterise

DIGITS = np.arange(10, dtype=np.uint8)


def placed(paths, height, place, pen):
    """Strokes `height` large, at a place from (0, 0) to (1, 1) of a canvas of 280."""
    points = np.concatenate(paths)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = height / (high - low).max()
    room = 280 - scale * (high - low)
    return [Stroke((path - low) * scale + room * np.array(place), pen) for path in paths]


def centre_of_mass(image):
    at = np.arange(28)
    return image.sum(axis=1) @ at / image.sum(), image.sum(axis=0) @ at / image.sum()


@pytest.fixture(scope="module", params=range(10))
def paths(request):
    return digit_strokes(DIGITS, seed=3)[request.param]


@pytest.fixture(scope="module")
def drawing(paths):
    """A picture of a digit as on a canvas, 280 x 280."""
    return rasterise(placed(paths, 180, (0.5, 0.5), 20), (280, 280), samples=2)


# ---- strokes ----


def test_a_drawing_is_the_same_in_every_place_and_size(paths):
    first = from_strokes(placed(paths, 150, (0.5, 0.5), 20))
    for height, place in itertools.product(
        (42, 150, 250), itertools.product((0, 1), repeat=2)
    ):
        again = from_strokes(placed(paths, height, place, 20))
        assert np.abs(again - first).max() <= 0.26  # 4 of 16 sample points on the edge
        assert np.abs(again - first).mean() < 0.01


def test_the_pen_does_not_matter(paths):
    thin, thick = (from_strokes(placed(paths, 150, (0.5, 0.5), pen)) for pen in (4, 40))
    np.testing.assert_array_equal(thin, thick)


def test_a_drawing_looks_like_mnist(paths):
    image = from_strokes(placed(paths, 150, (0.2, 0.8), 20))
    assert image.dtype == np.float32
    assert image.max() == 1
    assert max(cropped(image).shape) in (20, 21)
    assert all(13.5 <= c < 14.5 for c in centre_of_mass(image))


def test_the_pen_is_as_thick_as_mnists():
    image = from_strokes([Stroke([(20, 100), (260, 100)], 20)])
    assert image[:, 10:18].sum(axis=0) == pytest.approx(PEN, abs=0.26)


def test_no_strokes_give_a_black_picture():
    assert not from_strokes([]).any()


def test_a_dot_is_not_blown_up():
    image = from_strokes([Stroke([(30, 200)], 20)])
    assert 0 < (image > 0).sum() < 16
    line = from_strokes([Stroke([(30, 200), (32, 200)], 20)])
    assert max(cropped(line).shape) < 7


# ---- pictures ----


def test_mnist_passes_unchanged(mnist):
    images = mnist[1][0][:1000]
    same = [np.array_equal(from_image(i), i / np.float32(255)) for i in images]
    assert sum(same) == 1000


def test_strokes_and_their_picture_are_read_alike(paths, drawing):
    strokes = from_strokes(placed(paths, 180, (0.5, 0.5), 20))
    picture = from_image(drawing)
    assert np.abs(picture - strokes).mean() < 0.06
    net = pretrained.load()
    assert recognise(net, picture).label == recognise(net, strokes).label


def test_moved_by_pixels_it_is_the_same(drawing):
    page = np.zeros((400, 340), np.float32)
    page[100:380, 30:310] = drawing
    np.testing.assert_array_equal(from_image(page), from_image(drawing))


def test_dark_on_light_is_the_same(drawing):
    dark = from_image((np.rint((1 - drawing) * 255)).astype(np.uint8))
    light = from_image((np.rint(drawing * 255)).astype(np.uint8))
    np.testing.assert_allclose(dark, light, atol=0.02)


@pytest.mark.parametrize("low, high", [(0.3, 0.6), (0.0, 0.25), (0.7, 1.0)])
def test_faint_ink_and_grey_paper(drawing, low, high):
    faint = (low + (high - low) * drawing).astype(np.float32)
    np.testing.assert_allclose(from_image(faint), from_image(drawing), atol=0.02)


def test_noise_and_specks_are_dropped(drawing):
    rng = np.random.default_rng(1)
    noisy = (0.8 * drawing + rng.normal(0.1, 0.03, drawing.shape)).clip(0, 1)
    noisy[4:8, 4:8] = 0.9
    noisy[270:275, 3:6] = 0.9
    clean = from_image(noisy.astype(np.float32))
    assert np.abs(clean - from_image(drawing)).mean() < 0.03


@pytest.mark.parametrize("pen", [3, 6, 12, 20, 30])
def test_thin_and_thick_lines_are_brought_near_mnists(paths, pen):
    picture = rasterise(placed(paths, 200, (0.5, 0.5), pen), (280, 280), samples=2)
    width = ink.pen_width(np.kron(from_image(picture), np.ones((4, 4), np.float32))) / 4
    assert 1.1 < width < 4.5


@pytest.mark.parametrize("size", [30, 45, 120, 700])
def test_size_does_not_matter(drawing, size):
    small = scaled(drawing, size)
    again = from_image(np.pad(small, size // 4))
    wanted = from_image(drawing)
    # A center of mass that lies between two pixels may go to either.
    moved = [
        np.roll(wanted, by, axis=(0, 1)) for by in itertools.product((-1, 0, 1), repeat=2)
    ]
    assert min(np.abs(again - image).mean() for image in moved) < 0.05


def test_longer_side_and_centre(drawing):
    image = from_image(drawing)
    assert max(cropped(image).shape) == 20
    assert image.max() == 1
    assert all(13.5 <= c < 14.5 for c in centre_of_mass(image))


@pytest.mark.parametrize(
    "page",
    [
        np.zeros((50, 80), np.uint8),
        np.full((50, 80), 255, np.uint8),
        np.full((1, 1), 7, np.uint8),
        np.full((30, 30), 0.5, np.float32),
        (128 + np.arange(900).reshape(30, 30) % 7).astype(np.uint8),
    ],
)
def test_an_empty_page_gives_a_black_picture(page):
    assert not from_image(page).any()


@pytest.mark.parametrize(
    "image, message",
    [
        (np.zeros((3, 28, 28), np.uint8), r"\(rows, columns\), got \(3, 28, 28\)"),
        (np.zeros((0, 5), np.uint8), r"got \(0, 5\)"),
        (np.zeros((28, 28), int), "uint8 or float, got int64"),
        (np.full((28, 28), 2.0), r"floats in \[0, 1\]"),
        (np.full((28, 28), np.nan), r"floats in \[0, 1\]"),
    ],
)
def test_other_arrays_are_refused(image, message):
    with pytest.raises(ValueError, match=message):
        from_image(image)


# ---- parts ----


@pytest.mark.parametrize(
    "rows, columns, longer", [(37, 20, 20), (5, 9, 20), (40, 40, 20), (1, 50, 8)]
)
def test_scaling_is_the_mean_over_areas(rows, columns, longer):
    """Against the sum over a fine grid that both sizes divide."""
    image = np.random.default_rng(0).random((rows, columns), np.float32)
    small = scaled(image, longer)
    m, n = small.shape
    assert max(m, n) == longer
    fine = image.astype(np.float64).repeat(m, axis=0).repeat(n, axis=1)
    wanted = fine.reshape(m, rows, n, columns).mean(axis=(1, 3))
    np.testing.assert_allclose(small, wanted, atol=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_centring_moves_whole_pixels_and_loses_none(seed):
    rng = np.random.default_rng(seed)
    image = np.zeros((28, 28), np.float32)
    height, width = rng.integers(2, 20, 2)
    top, left = rng.integers(0, 28 - height), rng.integers(0, 28 - width)
    image[top : top + height, left : left + width] = rng.random((height, width)) + 0.1
    moved = centred(image)
    np.testing.assert_array_equal(cropped(moved), cropped(image))
    inside = all(13.5 <= c < 14.5 for c in centre_of_mass(moved))
    at_edge = moved[0].any() or moved[-1].any() or moved[:, 0].any() or moved[:, -1].any()
    assert inside or at_edge


def test_otsu_parts_two_classes_in_the_middle():
    gray = np.concatenate([np.full(900, 0.2), np.full(100, 0.8)]).astype(np.float32)
    assert ink.otsu(gray) == pytest.approx(0.5, abs=0.02)


def test_marks_are_connected_pixels():
    """Against filling each mark pixel by pixel."""
    mask = np.random.default_rng(0).random((40, 50)) < 0.4
    wanted, count = np.zeros(mask.shape, int), 0
    for start in zip(*np.nonzero(mask), strict=True):
        if wanted[start]:
            continue
        count += 1
        todo = [start]
        while todo:
            y, x = todo.pop()
            if 0 <= y < 40 and 0 <= x < 50 and mask[y, x] and not wanted[y, x]:
                wanted[y, x] = count
                todo += [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    got = morphology.marks(mask).numbers
    assert got.max() == count
    pairs = set(zip(got.ravel().tolist(), wanted.ravel().tolist(), strict=True))
    assert len(pairs) == count + 1
    assert (0, 0) in pairs


@pytest.mark.parametrize("width", [4, 9, 16])
def test_pen_width_of_a_line(width):
    page = np.zeros((60, 200), np.float32)
    page[20 : 20 + width, 10:190] = 1
    assert ink.pen_width(page) == pytest.approx(width, rel=0.1)


@pytest.mark.parametrize("by", [-3, -1, 0, 2, 5])
def test_widened_by_so_much_on_each_side(by):
    page = np.zeros((60, 100), np.float32)
    page[20:32, 20:80] = 1
    middle = ink.widened(page, by)[:, ink.widened(page, by).shape[1] // 2]
    assert middle.sum() == 12 + 2 * by


def test_a_line_is_not_thinned_away():
    page = np.zeros((20, 20), np.float32)
    page[9:11, 2:18] = 1
    np.testing.assert_array_equal(ink.widened(page, -4), page)


# ---- reading ----


@pytest.fixture(scope="module")
def net():
    return pretrained.load()


@pytest.mark.parametrize(
    "strokes, doubt",
    [
        ([], "nothing drawn"),
        ([[(30, 30)]], "only a dot"),
        ([[(30, 30), (35, 31)]], "only a dot"),
        ([[(x, y)] for x in (30, 250) for y in (30, 140, 250)], "several separate marks"),
        (
            [[(x, y), (x, 260 - y)] for x in range(20, 260, 9) for y in (10,)],
            "too much ink",
        ),
    ],
)
def test_nonsense_is_said_to_be_so(net, strokes, doubt):
    reading = recognise(net, from_strokes([Stroke(points, 20) for points in strokes]))
    assert reading.label is None
    assert doubt in reading.doubt
    assert not reading.probabilities.any()


def test_what_the_net_cannot_tell_is_doubted(net):
    flat = rn.Network([rn.Dense(10)], (784,))
    flat.params[:] = 0
    flat.parameters["layers.0.bias"][[3, 8]] = 1, 0.9
    line = from_strokes([Stroke([(20, 20), (200, 250)], 20)])
    reading = recognise(flat, line)
    assert reading.label == 3
    assert reading.doubt == "not sure: 3 or 8"
    assert recognise(net, line).doubt is None


def test_outputs_that_are_no_probabilities(net):
    line = from_strokes([Stroke([(20, 20), (200, 250)], 20)])
    values = rn.Network([rn.Dense(10)], (784,), "squared_error")
    values.params[:] = 0
    values.parameters["layers.0.bias"][:] = [-3, -2, -1, 0, 0, 0, 0, 0.5, 0.9, 4]
    reading = recognise(values, line)
    assert reading.label == 9
    assert reading.probabilities.min() == 0
    assert reading.probabilities.max() == 1
    values.params[:] = np.nan
    reading = recognise(values, line)
    assert reading.label is None
    assert "broken" in reading.doubt


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (3000, 2), (28, 28)])
def test_pictures_of_odd_shapes(shape):
    for value in (0, 255):
        page = np.full(shape, 255 - value, np.uint8)
        page[shape[0] // 2, shape[1] // 3] = value
        image = from_image(page)
        assert image.shape == (28, 28)
        assert image.max() in (0, 1)


def test_mnist_is_hardly_ever_doubted(net, mnist):
    images, labels = (rows[::5] for rows in mnist[1])
    read = [recognise(net, from_image(image)) for image in images]
    assert sum(reading.doubt is None for reading in read) >= 0.985 * len(read)
    assert np.mean([r.label == y for r, y in zip(read, labels, strict=True)]) > 0.985


def test_drawings_are_read_right_wherever_they_are(net):
    """Every digit, five pens, four sizes, nine places: 95 % right, 99 % the same."""
    cases = list(itertools.product((6, 12, 20, 28, 36), (50, 90, 150, 230)))
    labels = DIGITS.repeat(len(cases))
    right, alike = [], []
    for label, paths, (pen, height) in zip(
        labels, digit_strokes(labels, seed=11), cases * 10, strict=True
    ):
        read = {
            recognise(net, from_strokes(placed(paths, height, place, pen))).label
            for place in itertools.product((0, 0.5, 1), repeat=2)
        }
        alike.append(len(read) == 1)
        right.append(read == {int(label)})
    assert len(labels) == 200
    assert np.mean(right) >= 0.95
    assert np.mean(alike) >= 0.99

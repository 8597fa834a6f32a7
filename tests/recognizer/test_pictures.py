"""Pictures as people photograph and scan them: read right, or reported as in doubt."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import nonsense
import pictures
import rnn_native as rn
from rnn_native.models import open_set
from rnn_native.recognizer import contrast, page, paper, surroundings
from rnn_native.recognizer.grouping import grouped
from rnn_native.recognizer.morphology import closed, greatest, marks, smoothed
from rnn_native.recognizer.opening import gray_of, read_picture
from rnn_native.recognizer.reading import PageReading, read_digits

DIGITS = (2, 5)


@pytest.fixture(scope="module")
def net():
    return rn.pretrained.load()


@pytest.fixture(scope="module")
def images():
    """An image of each digit that is read right as it is."""
    return pictures.sure_digits()


# ---- kinds ----


@pytest.mark.parametrize("kind", pictures.KINDS)
def test_kinds_of_pictures_are_read(net, images, kind):
    rng = np.random.default_rng(0)
    read = [
        read_digits(net, gray_of(pictures.KINDS[kind](images[digit], rng))).as_one()
        for digit in DIGITS
    ]
    assert [(reading.label, reading.doubt) for reading in read] == [
        (digit, None) for digit in DIGITS
    ]


def test_the_color_that_shows_the_ink_is_taken(tmp_path, net, images):
    """From files of every mode that has colors or transparency."""
    rng = np.random.default_rng(0)
    for kind in ("yellow_highlighter", "rgba_white_ink", "rgba_colored_ink"):
        picture = pictures.KINDS[kind](images[3], rng)
        picture.save(tmp_path / "a.png")
        assert read_digits(net, read_picture(tmp_path / "a.png")).as_one().label == 3
    white = pictures.rgba_white_ink(images[3], rng)
    white.convert("LA").save(tmp_path / "a.png")
    assert read_digits(net, read_picture(tmp_path / "a.png")).as_one().label == 3


def test_grey_stays_gray():
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    rgb[10:30, 10:40] //= 8
    picture = Image.fromarray(rgb)
    assert contrast.best_projection(rgb) is contrast.GRAY
    np.testing.assert_array_equal(gray_of(picture), np.asarray(picture.convert("L")))


# ---- several digits ----


def test_two_digits_are_never_one(net, images):
    rng = np.random.default_rng(0)
    for one, other in ((2, 8), (5, 0), (1, 7)):
        picture = gray_of(nonsense.two_digits(images[one], images[other], rng))
        reading = read_digits(net, picture).as_one()
        assert reading.label is None
        assert reading.doubt is not None


@pytest.mark.parametrize("digit", [0, 2, 4])
def test_a_broken_digit_is_read_as_one(net, images, digit):
    """Parts that are not digits by themselves are one; two sure digits are not."""
    page = pictures.drawn(images[digit], 280)
    columns = np.flatnonzero((page > 0.5).any(axis=0))
    middle = (columns[0] + columns[-1]) // 2
    page[:, middle - 6 : middle + 6] = 0
    found = read_digits(net, np.rint(255 * (1 - page)).astype(np.uint8))
    assert len(found.readings) == 2
    assert any(reading.doubt is not None for reading in found.readings)
    assert (found.as_one().label, found.as_one().doubt) == (digit, None)
    sure = [replace(reading, label=1, doubt=None) for reading in found.readings]
    told = PageReading(found.page, sure).as_one()
    assert (told.label, told.doubt) == (None, "several digits: 11")


def sheet_of(images, rows):
    """White paper with rows of digits, each digit in a cell of 100 x 100."""
    width = 100 * max(map(len, rows))
    sheet = np.zeros((120 * len(rows), width))
    for y, row in enumerate(rows):
        for x, digit in enumerate(row):
            sheet[120 * y + 10 : 120 * y + 110, 100 * x : 100 * x + 100] = pictures.drawn(
                images[int(digit)], 100
            )
    return np.rint(255 * (1 - sheet)).astype(np.uint8)


def test_lines_of_digits_are_read_in_order(net, images):
    found = read_digits(net, sheet_of(images, ["20835", "71", "469"]))
    assert found.lines == ["20835", "71", "469"]
    assert [digit.line for digit in found.page.digits] == [0] * 5 + [1] * 2 + [2] * 3
    for number, digit in enumerate(found.page.digits[:5]):
        left, top, right, bottom = digit.box
        assert 100 * number <= left < right <= 100 * number + 100
        assert 10 <= top < bottom <= 110


def test_boxes_are_those_of_the_whole_picture(net, images):
    """Also where a small part of a large picture is read closer."""
    page_of = np.full((1500, 2000), 230, np.uint8)
    page_of[900:1000, 300:500] = sheet_of(images, ["25"])[10:110]
    found = read_digits(net, page_of)
    assert found.lines == ["25"]
    for left, digit in zip((300, 400), found.page.digits, strict=True):
        assert left <= digit.box[0] < digit.box[2] <= left + 100
        assert 900 <= digit.box[1] < digit.box[3] <= 1000
    assert found.page.area[0] > 0


# ---- pictures that are not digits ----


def test_what_is_no_digit_is_refused(net):
    rng = np.random.default_rng(0)
    made = [
        *(nonsense.letter(rng) for _ in range(12)),
        *(nonsense.drawn_letter(rng) for _ in range(8)),
        *(nonsense.noise(rng) for _ in range(4)),
    ]
    assert sure_of(net, made) <= 1


def test_smudges_are_refused(net):
    rng = np.random.default_rng(1)
    assert sure_of(net, [nonsense.smudge(rng) for _ in range(16)]) == 0


def sure_of(net, made):
    """How many pictures are read as one digit without doubt."""
    return sum(read_digits(net, gray_of(one)).as_one().doubt is None for one in made)


def test_the_threshold_refuses_few_digits(mnist):
    images = mnist[1][0]
    known = open_set.shipped()
    scores = known.net.predict_proba(images)[:, -1]
    assert np.mean(scores > known.threshold) < 0.01
    assert known.score(images[0] / np.float32(255)) == pytest.approx(scores[0], abs=1e-5)


def test_an_open_set_file_without_a_threshold_is_named(tmp_path, monkeypatch):
    rn.Network([rn.Dense(11)], (784,)).save(tmp_path / "a.safetensors")
    monkeypatch.setattr(open_set, "PATH", tmp_path / "a.safetensors")
    with pytest.raises(rn.FormatError, match=r"open_set_threshold: expected a number"):
        open_set.shipped.__wrapped__()


def test_what_the_border_of_a_photo_cuts_is_in_doubt(net, images):
    rng = np.random.default_rng(0)
    photo = gray_of(pictures.hard_shadow(images[8], rng))
    box = page.read_page(photo).digits[0].box
    whole, cut = photo[: box[3] + 20], photo[: box[3] - 8]
    assert read_digits(net, whole).as_one().doubt is None
    assert read_digits(net, cut).as_one().doubt is not None
    clean = gray_of(pictures.touches_border(images[8], rng))
    assert read_digits(net, clean).as_one().doubt is None


# ---- steps ----


def test_shadows_are_paper():
    gray = np.full((100, 120), 0.9, np.float32)
    gray[:, 60:] *= 0.4
    gray[40:60, 50:54] *= 0.2
    gray[40:60, 80:84] *= 0.2
    ink = paper.told_apart(gray)
    wanted = np.zeros((100, 120), bool)
    wanted[40:60, 50:54] = wanted[40:60, 80:84] = True
    assert (ink.mask != wanted).sum() < 60  # a pixel around
    assert np.abs(ink.paper[:, 70:] - 0.36).max() < 0.02


def test_frames_lines_and_what_comes_in_go():
    mask = np.zeros((200, 200), bool)
    mask[90:130, 90:94] = True  # the digit
    digit = mask.copy()
    mask[20:23, 20:180] = mask[177:180, 20:180] = True
    mask[20:180, 20:23] = mask[20:180, 177:180] = True
    np.testing.assert_array_equal(surroundings.without_frames(mask), digit)
    mask = digit.copy()
    mask[140:143, 60:130] = True
    np.testing.assert_array_equal(surroundings.without_underlines(mask), digit)
    mask = digit.copy()
    mask[100:102] = mask[50:52] = True
    np.testing.assert_array_equal(surroundings.without_lines(mask), digit)
    mask = digit.copy()
    mask[:, :12] = True
    np.testing.assert_array_equal(surroundings.without_surroundings(mask), digit)


def test_a_line_along_a_stroke_goes_and_the_stroke_stays():
    """The line is a pixel wide, and steps from one row to the next and back."""
    stroke = np.zeros((200, 200), bool)
    stroke[86:110, 70:150] = True
    mask = stroke.copy()
    mask[100, :40] = mask[101, 40:90] = mask[100, 90:170] = mask[101, 170:] = True
    np.testing.assert_array_equal(surroundings.without_lines(mask), stroke)


def test_a_flat_stroke_beside_a_line_stays():
    """It is thin, but goes through less of the page than a line."""
    stroke = np.zeros((200, 200), bool)
    stroke[120:125, 60:140] = stroke[80:125, 60:66] = True
    mask = stroke.copy()
    mask[50] = True
    np.testing.assert_array_equal(surroundings.without_lines(mask), stroke)


def test_faint_ink_links_the_marks_of_a_clean_picture():
    gray = np.ones((200, 200), np.float32)
    gray[30:90, 90:100] = gray[100:170, 90:100] = 0
    assert len(marks(paper.told_apart(gray).mask).sizes) == 3  # with the paper
    gray[90:100, 90:100] = 0.75
    gray[30:60, 150:160] = 0.75  # and its own ink
    found = marks(paper.told_apart(gray).mask)
    assert found.boxes[1:].tolist() == [[30, 90, 170, 100]]


def test_a_digit_near_the_edge_of_a_sheet_is_the_ink():
    """Not the strip of light paper between the digit and a dark table."""
    gray = np.full((250, 250), 0.2, np.float32)
    gray[30:220, 30:220] = 0.9
    gray[160:200, 60:70] = gray[190:200, 60:190] = 0.2
    mask = paper.told_apart(gray).mask
    assert mask[175, 65]
    assert not mask[205:215, 60:190].any()
    assert not mask[60:120, 60:190].any()


@pytest.mark.parametrize("step", [step for _, step in page.STEPS])
def test_what_is_alone_stays(step):
    """A line, a frame or a mark at the border is what the picture shows."""
    for area in (np.s_[50:53], np.s_[:, :10], np.s_[40:60, 40:60]):
        mask = np.zeros((100, 100), bool)
        mask[area] = True
        np.testing.assert_array_equal(step(mask), mask)
    assert not step(np.zeros((30, 40), bool)).any()


def test_parts_of_a_digit_stay_together():
    mask = np.zeros((100, 200), bool)
    mask[20:80, 20:26] = mask[20:80, 120:126] = True
    mask[20:26, 30:60] = True  # a bar beside the first
    lines = grouped(marks(mask))
    assert [len(line) for line in lines] == [2]
    assert lines[0][0][1:] == (20, 20, 80, 60)


def test_marks_have_boxes_and_sizes():
    mask = np.zeros((20, 30), bool)
    mask[2:5, 3:9] = mask[5, 9] = True
    mask[10:12, 20:30] = True
    found = marks(mask)
    assert found.boxes[1:].tolist() == [[2, 3, 6, 10], [10, 20, 12, 30]]
    assert found.sizes[1:].tolist() == [19, 20]
    np.testing.assert_array_equal(found.of([2]), found.numbers == 2)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (9, 4 * 2 + 1), (21, 3)])
def test_greatest_of_windows(size):
    image = np.random.default_rng(0).random((17, 23)).astype(np.float32)
    half = [n // 2 for n in size]
    wide = np.pad(image, [(h, h) for h in half], mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(wide, size)
    np.testing.assert_array_equal(greatest(image, *size), windows.max(axis=(2, 3)))


def test_means_of_windows():
    image = np.random.default_rng(0).random((17, 23)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(image, 2, mode="edge"), (5, 5)
    )
    np.testing.assert_allclose(smoothed(image, 2), windows.mean(axis=(2, 3)), rtol=1e-5)


def test_closing_fills_what_is_narrow_and_keeps_a_shadow():
    image = np.full((60, 60), 200, np.float32) / 255
    image[:, 35:] = 100 / 255
    shadow = image.copy()
    image[20:24, 10:50] = 0
    np.testing.assert_allclose(closed(image, 9), shadow, atol=1e-6)

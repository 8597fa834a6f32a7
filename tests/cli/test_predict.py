"""`predict IMAGE...` and the pictures that it opens."""

import json
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

import pictures
import rnn_native as rn
from rnn_native import FormatError
from rnn_native.cli import main
from rnn_native.recognizer import contact_sheet as contact_sheet_module
from rnn_native.recognizer.contact_sheet import Entry, contact_sheet, said
from rnn_native.recognizer.opening import pictures_in, read_picture
from rnn_native.recognizer.reading import Reading


@pytest.fixture
def digits(tmp_path, monkeypatch):
    """A folder with a picture of a three and a seven, and something that is not a picture."""
    monkeypatch.chdir(tmp_path)
    images, labels = rn.datasets.synthetic_digits(60, seed=4)
    for digit in (3, 7):
        image = images[np.argmax(labels == digit)].repeat(10, axis=0).repeat(10, axis=1)
        Image.fromarray(255 - image).save(tmp_path / f"{digit}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def run(capsys, *arguments):
    code = main(["predict", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_table_with_the_likeliest_digits(digits, capsys):
    code, out, err = run(capsys, "3.png", "7.png", "--top", "2")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert [line[:2] for line in lines] == [["3.png", "3"], ["7.png", "7"]]
    assert all(line.count("%") == 2 for line in lines)


def test_a_folder_is_all_its_pictures(digits, capsys):
    for name in ("b.pdf", "c.doc", "d.html", ".hidden"):
        (digits / name).touch()
    code, out, err = run(capsys, digits, "--json")
    assert err.count("\n") == 1
    assert err.endswith(": b.pdf, c.doc, d.html and 1 more\n")
    read = json.loads(out)
    assert code == 0
    assert [item["digit"] for item in read] == [3, 7]
    assert [len(item["top"]) for item in read] == [3, 3]
    first = read[0]["top"][0]
    assert first["digit"] == 3
    assert 0.5 < first["probability"] <= 1
    assert read[0]["doubt"] is None


def test_a_bad_picture_does_not_stop_the_others(digits, capsys):
    code, out, err = run(capsys, "notes.txt", "missing.png", "7.png")
    assert code == 1
    assert out.startswith("7.png  7 ")
    one, two = err.splitlines()
    assert "notes.txt" in one
    assert "not an image" in one
    assert "missing.png" in two


def test_another_model(digits, capsys):
    rn.Network([rn.Dense(10)], (784,)).save("untrained.safetensors")
    code, _, _ = run(capsys, "3.png", "--model", "untrained.safetensors")
    assert code == 0
    rn.Network([rn.Dense(2)], (5,)).save("other.safetensors")
    code, _, err = run(capsys, "3.png", "--model", "other.safetensors")
    assert code == 1
    assert "28 x 28" in err
    assert err.count("\n") == 1


def test_an_empty_page_is_doubted(digits, capsys):
    Image.new("L", (90, 90), 255).save("blank.png")
    code, out, _ = run(capsys, "blank.png", "--json")
    assert code == 0
    assert json.loads(out)[0] == {
        "file": "blank.png", "digit": None, "top": [], "doubt": "nothing drawn",
    }  # fmt: skip
    assert "(nothing drawn)" in run(capsys, "blank.png")[1]


def test_a_sheet_of_what_was_seen(digits, capsys):
    code, _, _ = run(capsys, "3.png", "7.png", "--show", "sheet.png")
    assert code == 0
    sheet = np.asarray(Image.open("sheet.png"))
    picture = np.asarray(Image.open("3.png").resize((112, 112)))
    np.testing.assert_allclose(sheet[8:120, 8:120], picture, atol=60)
    seen = sheet[8:120, 128:240]
    assert seen[0, 0] == 0
    assert seen.max() > 250
    code, _, err = run(capsys, "3.png", "--show", "sheet.jpg")
    assert code == 2
    assert "expected a .png" in err


@pytest.mark.parametrize("top", ["0", "11", "x"])
def test_wrong_calls_exit_with_2(digits, top):
    with pytest.raises(SystemExit) as stop:
        main(["predict", "3.png", "--top", top])
    assert stop.value.code == 2


def test_threads_change_nothing(digits, capsys):
    one = run(capsys, "3.png", "--json", "--threads", "1")[1]
    assert run(capsys, "3.png", "--json", "--threads", "3")[1] == one


# ---- opening ----


def test_color_alpha_palette_and_depth(tmp_path):
    gray = np.full((6, 8), 255, np.uint8)
    gray[2:4, 3:6] = 0
    page = Image.fromarray(gray)
    page.save(tmp_path / "gray.png")
    page.convert("RGB").save(tmp_path / "rgb.png")
    page.convert("1").save(tmp_path / "one.png")
    page.convert("P").save(tmp_path / "palette.gif")
    alpha = Image.new("RGBA", page.size, (0, 0, 0, 0))  # ink on nothing
    alpha.paste((0, 0, 0, 255), (3, 2, 6, 4))
    alpha.save(tmp_path / "alpha.png")
    for name in ("gray.png", "rgb.png", "one.png", "palette.gif", "alpha.png"):
        np.testing.assert_array_equal(read_picture(tmp_path / name), gray, err_msg=name)


def test_sixteen_bits_cmyk_and_grey_with_alpha(tmp_path):
    gray = np.full((6, 8), 65_000, np.uint16)
    gray[2:4, 3:6] = 300
    Image.fromarray(gray).save(tmp_path / "deep.png")
    wanted = np.where(gray > 1000, 255, 0)
    np.testing.assert_array_equal(read_picture(tmp_path / "deep.png"), wanted)
    page = Image.fromarray(wanted.astype(np.uint8))
    page.convert("RGB").convert("CMYK").save(tmp_path / "print.tif")
    page.convert("LA").save(tmp_path / "la.png")
    for name in ("print.tif", "la.png"):
        np.testing.assert_array_equal(read_picture(tmp_path / name), wanted, err_msg=name)
    Image.fromarray(np.full((5, 5), 7, np.uint16)).save(tmp_path / "even.png")
    assert not read_picture(tmp_path / "even.png").any()


def test_a_camera_turned_aside(tmp_path):
    page = Image.new("L", (8, 6), 255)
    exif = Image.Exif()
    exif[0x0112] = 6
    page.save(tmp_path / "turned.jpg", exif=exif)
    assert read_picture(tmp_path / "turned.jpg").shape == (8, 6)


def png_of(width, height):
    """A PNG whose header promises this many pixels."""

    def chunk(kind, data):
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body)


@pytest.mark.parametrize("size", [(20_000, 20_000), (9_000, 8_000), (100_000, 100_000)])
def test_huge_images_are_refused_by_their_header(tmp_path, size):
    path = tmp_path / "huge.png"
    path.write_bytes(png_of(*size))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FormatError, match=r"huge\.png.*at most 64 million pixels"):
            read_picture(path)


@pytest.mark.parametrize(
    "name, content",
    [
        ("text.png", b"hello\n"),
        ("empty.png", b""),
        ("half.png", png_of(500, 500)),
        ("head.png", png_of(500, 500)[:40]),
        ("bad.gif", b"GIF89a" + b"\xff" * 50),
        ("bad.bmp", b"BM" + b"\0" * 60),
        ("bad.tif", b"II*\0" + b"\xff" * 40),
    ],
)
def test_damaged_images_are_refused_by_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FormatError, match=name) as refusal:
        read_picture(tmp_path / name)
    assert "\n" not in str(refusal.value)


def test_folders_and_devices_are_no_pictures(tmp_path):
    with pytest.raises(IsADirectoryError):
        read_picture(tmp_path)
    with pytest.raises(OSError, match="/dev/null"):
        read_picture("/dev/null")
    with pytest.raises(FileNotFoundError, match="no image in this folder"):
        pictures_in(tmp_path)


# ---- the sheet ----


def entry(label, name="a.png", doubt=None):
    probabilities = np.full(10, 0.01, np.float32)
    if label is not None:
        probabilities[label] = 0.91
    image = np.zeros((28, 28), np.float32)
    return Entry(
        name, np.zeros((5, 9), np.uint8), Reading(label, probabilities, image, doubt)
    )


def test_sheets_have_four_columns(tmp_path):
    for count, columns, rows in ((1, 1, 1), (4, 4, 1), (9, 4, 3)):
        (tmp_path / "s.png").write_bytes(contact_sheet([entry(3, "ü" * 50)] * count))
        with Image.open(tmp_path / "s.png") as sheet:
            assert sheet.size == (columns * 248, rows * 160)


@pytest.mark.parametrize("count", [0, 401])
def test_sheets_have_bounds(count):
    with pytest.raises(ValueError, match="1 to 400 pictures"):
        contact_sheet([entry(3)] * count)


def test_what_is_said():
    assert said(entry(3).reading) == "3  91.0 %"
    assert (
        said(entry(3, doubt="not sure: 3 or 5").reading) == "3  91.0 %  (not sure: 3 or 5)"
    )
    assert said(entry(None, doubt="nothing drawn").reading) == "nothing drawn"


def test_importing_the_package_imports_neither_pillow_nor_tk():
    code = (
        "import sys, rnn_native.recognizer.state, rnn_native.cli;"
        "print([m for m in ('PIL', 'tkinter', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


# ---- several digits ----


@pytest.fixture
def number(digits):
    """A picture of 3 and 7 side by side, above a 7."""
    three, seven = (255 - np.asarray(Image.open(f"{digit}.png")) for digit in (3, 7))
    first = np.concatenate([three, seven], axis=1)
    second = np.concatenate([seven, np.zeros_like(seven)], axis=1)
    Image.fromarray(255 - np.concatenate([first, second])).save("number.png")
    return digits


def test_several_digits_are_told_when_one_is_expected(number, capsys):
    code, out, _ = run(capsys, "number.png", "--json")
    assert code == 0
    assert json.loads(out)[0] == {
        "file": "number.png", "digit": None, "top": [], "doubt": "several digits: 37 / 7",
    }  # fmt: skip


def test_digits_are_read_one_by_one(number, capsys):
    code, out, _ = run(capsys, "number.png", "--layout", "digits", "--top", "1")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["number.png", digit] for digit in "377"
    ]


def test_numbers_are_read_line_by_line(number, capsys):
    code, out, _ = run(capsys, "number.png", "--layout", "number")
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["number.png", "37"], ["number.png", "7"],
    ]  # fmt: skip


def test_a_photographed_page_of_numbers_is_read(digits, capsys):
    """Gray shows the ink best, though the gaps between digits are narrower than the page."""
    numbers = ("2026", "31415", "90210", "8657")
    rng = np.random.default_rng(2)
    photo = pictures.page_of_numbers(pictures.sure_digits(), numbers, rng)
    photo.save("page.jpg", quality=90)
    code, out, _ = run(capsys, "page.jpg", "--layout", "number")
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["page.jpg", number] for number in numbers
    ]


@pytest.mark.parametrize("layout", ["digits", "number"])
def test_digits_as_json_have_boxes(number, capsys, layout):
    code, out, _ = run(capsys, "number.png", "--json", "--layout", layout)
    assert code == 0
    [read] = json.loads(out)
    assert (read["file"], read["lines"], read["doubt"]) == ("number.png", ["37", "7"], None)
    assert [(d["digit"], d["line"], d["doubt"]) for d in read["digits"]] == [
        (3, 0, None), (7, 0, None), (7, 1, None),
    ]  # fmt: skip
    for digit, (x, y) in zip(read["digits"], ((0, 0), (280, 0), (0, 280)), strict=True):
        left, top, right, bottom = digit["box"]
        assert x <= left < right <= x + 280
        assert y <= top < bottom <= y + 280
        assert [set(one) for one in digit["top"]] == [{"digit", "probability"}] * 3
    assert json.loads(run(capsys, "3.png", "--json", "--layout", layout)[1])[0][
        "lines"
    ] == ["3"]


def test_an_empty_page_of_digits(digits, capsys):
    Image.new("L", (90, 90), 255).save("blank.png")
    [read] = json.loads(run(capsys, "blank.png", "--json", "--layout", "digits")[1])
    assert read == {
        "file": "blank.png",
        "lines": [],
        "digits": [],
        "doubt": "nothing drawn",
    }
    assert "(nothing drawn)" in run(capsys, "blank.png", "--layout", "number")[1]


def test_the_sheet_shows_boxes_around_the_ink(number, capsys):
    assert run(capsys, "number.png", "--show", "sheet.png")[0] == 0
    sheet = np.asarray(Image.open("sheet.png"))
    ink = sheet[8:120, 248:360]
    assert (ink < 60).any()  # the digits
    assert (ink == contact_sheet_module.OUTLINE).sum() > 100  # and a line around each

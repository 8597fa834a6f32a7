"""Kaggle's CSV: every spelling of the same rows is the same, all else is refused by place."""

import csv
import gzip
import io
import os
import random
import re
import tracemalloc

import numpy as np
import pytest

from rnn_native import csv_digits
from rnn_native.base.errors import FormatError
from rnn_native.datasets.csv_digits import load_csv, write_submission

HEADER = b"label,pixel0,pixel1,pixel2,pixel3\n"
ROWS = b"7,0,1,22,255\n0,9,99,100,0\n"
IMAGES = [[[0, 1], [22, 255]], [[9, 99], [100, 0]]]


@pytest.fixture
def put(tmp_path):
    def write(content):
        path = tmp_path / "train.csv"
        path.write_bytes(content)
        return path

    return write


def assert_refused(path, words, **options):
    with pytest.raises(FormatError) as caught:
        load_csv(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}"), message
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "content",
    [
        HEADER + ROWS,
        ROWS,
        (HEADER + ROWS)[:-1],
        (HEADER + ROWS).replace(b"\n", b"\r\n"),
        (HEADER + ROWS).replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + HEADER + ROWS,
        b"\xef\xbb\xbf" + ROWS,
        HEADER + ROWS + b"\n\r\n\n",
        HEADER.replace(b"label", b'"label"') + ROWS,
        HEADER.upper() + ROWS,
        b"label,1x1,1x2,2x1,2x2\n" + ROWS,
        HEADER + ROWS.replace(b",", b'","').replace(b"\n", b'"\n').replace(b"7", b'"7', 1)
        .replace(b"\n0", b'\n"0'),
        HEADER + ROWS.replace(b",22,", b",22.0,"),
        HEADER + ROWS.replace(b",22,", b", +022.00\t,"),
        HEADER + ROWS.replace(b",22,", b",022,"),
        HEADER + ROWS.replace(b",1,", b",0000001,").replace(b"\n0", b"\n-0"),
        b"pixel3,pixel1,label,pixel0,pixel2\n255,1,7,0,22\n0,99,0,9,100\n",
        # As people have them.
        b"class,pixel1,pixel2,pixel3,pixel4\n" + ROWS,
        b"pixel_1,pixel_2,pixel_3,pixel_4,Target\n0,1,22,255,7\n9,99,100,0,0\n",
        (HEADER + ROWS).replace(b",", b";"),
        ROWS.replace(b",", b"\t"),
        gzip.compress(HEADER + ROWS, mtime=0),
        gzip.compress(ROWS.replace(b",", b";"), mtime=0),
        (HEADER + ROWS).decode().encode("utf-16"),
        b"\xfe\xff" + (HEADER + ROWS).decode().encode("utf-16-be"),
        b",label,pixel0,pixel1,pixel2,pixel3\n0,7,0,1,22,255\n70000,0,9,99,100,0\n",
        b"ImageId,label,pixel0,pixel1,pixel2,pixel3\na,7,0,1,22,255\nb,0,9,99,100,0\n",
    ],
)  # fmt: skip
def test_spellings_of_the_same_rows(put, content):
    images, labels = load_csv(put(content), side=2)
    assert images.tolist() == IMAGES
    assert labels.tolist() == [7, 0]
    assert images.dtype == labels.dtype == np.uint8
    assert images.flags.c_contiguous
    assert images.flags.writeable


@pytest.mark.parametrize(
    "content",
    [b"pixel0,pixel1,pixel2,pixel3\n1,2,3,4\n", b"1,2,3,4", b"1,2,3,4.0\n"],
)
def test_a_missing_label_column_is_no_labels(put, content):
    images, labels = load_csv(put(content), side=2)
    assert images.tolist() == [[[1, 2], [3, 4]]]
    assert labels is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "file is empty"),
        (b"\n\n", "file is empty"),
        (HEADER, "only a header"),
        (HEADER + b"\n\n", "only a header"),
        (HEADER + b"\n" + ROWS, ":2: empty line"),
        (b"\n" + HEADER + ROWS, ":1: empty line"),
        (HEADER + ROWS + b"\n" + ROWS, ":4: empty line"),
        (HEADER + ROWS + b"1,2,3,4,256\n", ":4: column 5: '256' is outside 0..255"),
        (HEADER + ROWS + b"1,2,3,4,999999999999\n", "'999999999999' is outside 0..255"),
        (HEADER + ROWS + b"1,2,3,4," + b"9" * 9000, "999...' is outside 0..255"),
        (HEADER + ROWS + b"1,-1,3,4,5\n", ":4: column 2: '-1' is outside 0..255"),
        (HEADER + ROWS + b"256,2,3,4,5\n", ":4: column 1: '256' is outside 0..255"),
        (ROWS + b"10,2,3,4,5\n", ":3: column 1: label '10' is outside 0..9"),
        (gzip.compress(HEADER + ROWS, mtime=0)[:-9], "damaged gzip file"),
        (b"class,pixel1,pixel2,pixel3,pixel4\n1,2,3,4\n", ":2: expected 5 columns, got 4"),
        (b"class,pixel1,pixel2,pixel4\n1,2,3,4\n", "3 pixel columns, expected 4; pixel3"),
        (
            b"id,label,pixel0,pixel1,pixel2,pixel2\n",
            ":1: column 6: expected each name once, got 'pixel2'",
        ),
        (HEADER + b"1,2,3,4\n", ":2: expected 5 columns, got 4"),
        (HEADER + b"1,2,3,4,5,6\n", ":2: expected 5 columns, got 6"),
        (HEADER + b"1,2,3,4,5,\n", ":2: expected 5 columns, got 6"),
        # Numbers of separators that only fit together over two lines.
        (HEADER + b"1,2,3,4\n1,2,3,4,5,6\n", ":2: expected 5 columns, got 4"),
        (HEADER + b"1,2,3,4,5,6,7,8,9,0\n", ":2: expected 5 columns, got 10"),
        (HEADER + b"1,2,,4,5\n", ":2: column 3: '' is not a whole number"),
        (HEADER + b",2,3,4,5\n", ":2: column 1: '' is not a whole number"),
        (HEADER + b"1,2,3,4,\n", ":2: column 5: '' is not a whole number"),
        (HEADER + b"1,2.5,3,4,5\n", ":2: column 2: '2.5' is not a whole number"),
        (HEADER + b"1,nan,3,4,5\n", ":2: column 2: 'nan' is not a whole number"),
        (HEADER + b"1,1e2,3,4,5\n", ":2: column 2: '1e2' is not a whole number"),
        (HEADER + b"1,1e400,3,4,5\n", ":2: column 2: '1e400' is not"),
        (HEADER + b"1,1_0,3,4,5\n", ":2: column 2: '1_0' is not a whole number"),
        (HEADER + b"1,0x1,3,4,5\n", ":2: column 2: '0x1' is not a whole number"),
        (HEADER + b"1,2 2,3,4,5\n", ":2: column 2: '2 2' is not a whole number"),
        (HEADER + b"1,\x00,3,4,5\n", ":2: column 2: '\\x00' is not a whole number"),
        (HEADER + "1,\u0663,3,4,5\n".encode(), "column 2: '\u0663' is not a whole number"),
        (HEADER + b"1;2;3;4;5\n", ":2: expected 5 columns, got 1"),
        (HEADER + b"1,\xff,3,4,5\n", ":2: not UTF-8: byte 0xff at position 3"),
        ((HEADER + ROWS).decode().encode("utf-16-le"), ":1: "),
        (HEADER + b'1,"2,3,4,5\n1,2,3,4,5\n', ":2: not CSV"),
        (HEADER + b'1,"2"2,3,4,5\n', ":2: not CSV"),
        (HEADER + b'1,2"2,3,4,5\n', ":2: column 2: '2\"2' is not a whole number"),
        (b"1,2,3\n", ":1: expected 5 columns (label and pixels) or 4 (pixels), got 3"),
        (b"label,pixel0,pixel1,pixel2\n1,2,3,4\n", "3 pixel columns, expected 4; pixel3"),
        (b"label,pixel0,pixel1,pixel2,pixel4\n", ":1: column 5: 'pixel4' is not a column"),
        (
            b"label,pixel0,pixel1,pixel2,pixel2\n",
            ":1: column 5: expected each name once, got 'pixel2'",
        ),
        (
            b"label,label,pixel1,pixel2,pixel2\n",
            ":1: column 2: expected each name once, got 'label'",
        ),
        (b"label,,pixel1,pixel2,pixel2\n", ":1: column 2: '' is not a column"),
        (b"label,0x0,pixel1,pixel2,pixel2\n", ":1: column 2: '0x0' is not a column"),
    ],
)
def test_bad_files_are_refused_by_line_and_column(put, content, words):
    assert_refused(put(content), words, side=2)


@pytest.mark.parametrize("piece", [7, 64, 1 << 18])
def test_lines_are_counted_over_pieces(put, monkeypatch, piece):
    monkeypatch.setattr(csv_digits, "_PIECE", piece)
    for end in (b"\n", b"\r\n", b"\r"):
        for bad, words in ((b"1,2,3,4,x", ":42: column 5: 'x'"), (b"", ":42: empty line")):
            lines = [HEADER[:-1], *[b"1,2,3,4,5"] * 40, bad, b"1,2,3,4,5"]
            assert_refused(put(end.join(lines)), words, side=2)
        lines = [HEADER[:-1], *[b""] * 30, b"1,2,3,4,5"]
        assert_refused(put(end.join(lines)), ":2: empty line", side=2)


def test_messages_for_the_real_size(put):
    row = ",".join(["0"] * 783)
    words = ":1: expected 785 columns (label and pixels) or 784 (pixels), got 783"
    assert_refused(put(f"{row}\n".encode()), words)
    good = ",".join(["0"] * 785)
    bad = "5,1,2,3,256," + ",".join(["0"] * 780)
    path = put("\n".join([*[good] * 16, bad, good]).encode())
    assert_refused(path, ":17: column 5: '256' is outside 0..255")


def test_lines_without_end_cost_no_memory(put):
    path = put(b"1," * (8 * csv_digits.MAX_LINE))
    tracemalloc.start()
    try:
        assert_refused(path, ":1: the line has more than")
        assert tracemalloc.get_traced_memory()[1] < 8 * csv_digits.MAX_LINE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("byte", [b"\n", b"\r", b",", b"0", b'"', b"\0", b" "])
def test_a_file_of_one_character_is_refused(put, byte):
    """Quadratic time in such lines would take hours."""
    with pytest.raises(FormatError):
        load_csv(put(byte * (1 << 20)))


def test_missing_files_and_folders_are_os_errors(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_csv(tmp_path / "none.csv")
    with pytest.raises(IsADirectoryError):
        load_csv(tmp_path)


def test_a_path_with_a_line_break_gives_one_line(tmp_path):
    path = tmp_path / "a\nb.csv"
    path.write_bytes(b"1,2\n")
    with pytest.raises(FormatError) as caught:
        load_csv(path)
    assert "\n" not in str(caught.value)


def test_both_ways_of_parsing_agree(put, monkeypatch):
    """All values, at widths 1 to 3, with small pieces so that lines are cut anywhere."""
    rng = np.random.default_rng(3)
    table = np.column_stack([rng.integers(0, 10, 700), rng.integers(0, 256, (700, 4))])
    text = "".join(",".join(map(str, row)) + "\n" for row in table.tolist()).encode()
    path = put(text)
    fast = load_csv(path, side=2)
    np.testing.assert_array_equal(fast[0].reshape(-1, 4), table[:, 1:])
    np.testing.assert_array_equal(fast[1], table[:, 0])
    with monkeypatch.context() as patch:
        patch.setattr(csv_digits, "_parse_fast", lambda block, layout: None)
        for exact, quick in zip(load_csv(path, side=2), fast, strict=True):
            np.testing.assert_array_equal(exact, quick)
    for piece in range(1, 40):
        monkeypatch.setattr(csv_digits, "_PIECE", piece)
        for end in (b"\n", b"\r\n", b"\r"):
            start = text[:300].rpartition(b"\n")[0].replace(b"\n", end)
            images, _ = load_csv(put(start), side=2)
            np.testing.assert_array_equal(images, fast[0][: len(images)])
            assert len(images) > 15


def test_plain_files_take_the_fast_way(put, monkeypatch):
    monkeypatch.delattr(csv_digits, "_parse_exact")
    images, labels = load_csv(put((HEADER + ROWS * 100).replace(b"\n", b"\r\n")), side=2)
    assert images.shape == (200, 2, 2)
    assert labels.shape == (200,)


# ---- against Python's csv module ----


def oracle(content, side=2):
    """What the contract demands, by way of Python's csv module; None is a refusal."""
    try:
        text = content.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        return None
    while rows and not rows[-1]:
        rows.pop()
    if not rows:
        return None
    pixels, label = list(range(1, side**2 + 1)), 0
    if re.search("[a-z_]", "".join(rows[0])):
        names = [name.strip() for name in rows.pop(0)]
        wanted = [f"pixel{i}" for i in range(side**2)]
        if sorted(names) not in (sorted([*wanted, "label"]), sorted(wanted)):
            return None
        pixels = [names.index(name) for name in wanted]
        label = names.index("label") if "label" in names else None
    elif len(rows[0]) == side**2:
        pixels, label = list(range(side**2)), None
    if not rows:
        return None
    columns = side**2 + (label is not None)
    table = []
    for row in rows:
        if len(row) != columns:
            return None
        values = [re.fullmatch(r"[ \t]*([+-]?[0-9]+)(\.0*)?[ \t]*", cell) for cell in row]
        if None in values:
            return None
        values = [int(value[1]) for value in values]
        if not all(0 <= v <= (9 if i == label else 255) for i, v in enumerate(values)):
            return None
        table.append(values)
    images = [[row[i] for i in pixels] for row in table]
    return images, None if label is None else [row[label] for row in table]


def snippet(rng):
    """A small file: mostly right, with a few damages of all kinds."""
    columns = ["label", *(f"pixel{i}" for i in range(4))]
    if rng.random() < 0.3:
        columns = columns[1:]
    if rng.random() < 0.3:
        rng.shuffle(columns)
    lines = [",".join(columns)] if rng.random() < 0.6 else []
    for _ in range(rng.randrange(5)):
        cells = []
        for column in columns:
            value = str(rng.randrange(10 if column == "label" else 256))
            if rng.random() < 0.03:
                value = rng.choice(
                    [
                        "",
                        "256",
                        "-1",
                        "1.0",
                        "1.5",
                        " 3",
                        "007",
                        "1e2",
                        "٣",
                        "+1",
                        "a",
                        "0004",
                    ]
                )
            cells.append(f'"{value}"' if rng.random() < 0.1 else value)
        lines.append(",".join(cells))
    if rng.random() < 0.05:
        lines.insert(rng.randrange(len(lines) + 1), "")
    text = rng.choice(["\n", "\n", "\r\n", "\r"]).join(lines)
    text += rng.choice(["", "\n", "\n", "\r\n", "\n\n"])
    content = rng.choice([b"", b"", b"\xef\xbb\xbf"]) + text.encode()
    if content and rng.random() < 0.15:
        at = rng.randrange(len(content))
        new = rng.choice([b"", b",", b'"', b"\n", b"\xff", b"\0", b"5", b"x", b"."])
        content = content[:at] + new + content[at + rng.randrange(2) :]
    return content


def test_agrees_with_pythons_csv_module(tmp_path):
    path = tmp_path / "snippet.csv"
    rng = random.Random(11)
    taken = 0
    for _ in range(4000):
        content = snippet(rng)
        path.write_bytes(content)
        expected = oracle(content)
        try:
            images, labels = load_csv(path, side=2)
        except FormatError as error:
            assert expected is None, (content, str(error))
            assert "\n" not in str(error)
            continue
        assert expected is not None, content
        assert images.reshape(-1, 4).tolist() == expected[0], content
        assert (None if labels is None else labels.tolist()) == expected[1], content
        taken += 1
    assert 1000 < taken < 3500


# ---- submission ----


def test_submission(tmp_path):
    path = tmp_path / "submission.csv"
    write_submission(path, np.array([3, 0, 9]))
    assert path.read_bytes() == b"ImageId,Label\n1,3\n2,0\n3,9\n"
    assert [p.name for p in tmp_path.iterdir()] == ["submission.csv"]


@pytest.mark.parametrize(
    ("labels", "error"),
    [([10], ValueError), ([-1], ValueError), ([1.0], TypeError), ([[1]], ValueError),
     ([], TypeError), ("12", TypeError)],
)  # fmt: skip
def test_a_submission_of_no_labels_is_refused(tmp_path, labels, error):
    path = tmp_path / "submission.csv"
    path.write_text("old")
    with pytest.raises(error, match="labels"):
        write_submission(path, labels)
    assert path.read_text() == "old"


@pytest.mark.slow
def test_a_file_of_kaggles_size(put):
    rng = np.random.default_rng(1)
    line = ",".join(map(str, rng.integers(0, 256, 784).tolist())).encode()
    path = put(b"\n".join([b"5," + line] * 42_000))
    images, _ = load_csv(path)
    assert len(images) == 42_000


# ---- where the label stands ----

LAST = b"0,1,22,255,7\n9,99,100,0,0\n"


def test_a_label_that_comes_last_is_read_when_it_is_said(put):
    images, labels = load_csv(put(LAST), side=2, label="last")
    assert images.tolist() == IMAGES
    assert labels.tolist() == [7, 0]
    assert images.flags.c_contiguous
    with pytest.raises(ValueError, match="^label: expected 'first', 'last' or None, got 4"):
        load_csv(put(LAST), side=2, label=4)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        # The first pixel is 0 in every image, as in MNIST.
        (b"0,1,22,255,7\n0,99,100,0,1\n", "last column has 2 values in 0..9, the first 1"),
        # It is not, but labels have more values.
        (
            b"0,1,2,5,7\n1,9,1,0,1\n0,9,1,0,4\n",
            "last column has 3 values in 0..9, the first 2",
        ),
        # All labels are 0, wherever they stand.
        (b"0,1,22,255,0\n0,99,100,0,0\n", "all 2 values of the first column are 0"),
        # The first pixel is not a label: "column 1: label '90'".
        (b"90,1,22,255,7\n0,99,100,0,1\n", "label '90' is outside 0..9; without a header"),
        (b"0,1,2,3,4\n7,0,1,22,255\n", "the columns have numbers"),
        (b"0,1,2,3\n7,0,1,22\n", "the columns have numbers"),
    ],
)
def test_labels_that_cannot_be_are_noticed(put, content, words):
    assert_refused(put(content), words, side=2)


@pytest.mark.parametrize(
    "content",
    [
        b"7,0,1,22,0\n0,9,99,100,0\n",  # the last pixel is 0
        b"7,0,1,22,3\n0,9,99,100,3\n",
        b"7,0,1,22,3\n",  # a single row
        b"0,0,1,22,3\n",
        b"3,0,1,22,0\n3,9,99,100,0\n",  # all labels are 3: no pixel is 3 in a corner of all
    ],
)
def test_labels_that_may_be_first_are(put, content):
    _, labels = load_csv(put(content), side=2)
    assert labels.tolist() == [int(line[:1]) for line in content.splitlines()]


def test_a_header_says_where_the_label_is(put):
    same = b"label,pixel0,pixel1,pixel2,pixel3\n0,1,22,255,7\n0,99,100,0,1\n"
    assert load_csv(put(same), side=2)[1].tolist() == [0, 0]
    last = b"pixel0,pixel1,pixel2,pixel3,label\n" + LAST
    assert load_csv(put(last), side=2)[1].tolist() == [7, 0]
    assert (
        load_csv(put(b"0,1,22,255,7\n0,99,100,0,1\n"), side=2, label="first")[1].sum() == 0
    )


def test_classes_follow_the_data(put):
    """Sign-MNIST has 24 letters and a header, EMNIST 47 classes."""
    signs = HEADER + b"24,0,1,22,255\n" + ROWS
    assert load_csv(put(signs), side=2)[1].tolist() == [24, 7, 0]
    assert_refused(put(signs), "label '24' is outside 0..9", side=2, classes=10)
    bare = b"46,0,1,22,0\n" + ROWS
    assert load_csv(put(bare), side=2, classes=47)[1].tolist() == [46, 7, 0]
    assert_refused(put(bare), "label '46' is outside 0..9", side=2)
    assert load_csv(put(bare), side=2, label="first")[1].tolist() == [46, 7, 0]
    with pytest.raises(ValueError, match="^classes: expected an integer in"):
        load_csv(put(bare), side=2, classes=1)


def test_a_packed_file_is_bounded(put, monkeypatch):
    monkeypatch.setattr(csv_digits, "MAX_BYTES", 1 << 20)
    bomb = gzip.compress(HEADER + ROWS * (1 << 17))
    assert_refused(put(bomb), "at most 1048576 bytes when unpacked", side=2)


def test_a_file_with_holes_is_not_read(tmp_path):
    path = tmp_path / "train.csv"
    path.touch()
    os.truncate(path, 1 << 32)
    with pytest.raises(FormatError, match="at most 2147483648 bytes, got 4294967296"):
        load_csv(path)

"""The reference's attention_weights.txt: read, written, made up, counted."""

import math
import tracemalloc

import numpy as np
import pytest

from rnn_native import attention_text as text
from rnn_native.base.errors import FormatError


@pytest.fixture
def read(tmp_path):
    def read(content):
        path = tmp_path / "attention_weights.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return text.read_attention(path)

    return read


def test_what_is_written_is_read(tmp_path, rng):
    path = tmp_path / "a.txt"
    maps = {7: rng.dirichlet(np.ones(5), 5), 2: rng.dirichlet(np.ones(5), 5)}
    text.write_attention(path, maps)
    back = text.read_attention(path)
    assert list(back) == [2, 7]
    for number, weights in back.items():
        np.testing.assert_allclose(weights, maps[number], rtol=0, atol=5.1e-7)
        assert weights.dtype == np.float64
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_layout_of_what_is_written(tmp_path):
    path = tmp_path / "a.txt"
    text.write_attention(path, {0: [[0.25, 0.75], [1, 0]]}, note="a\nmodel")
    lines = path.read_text().split("\n")
    assert all(line.startswith("# ") for line in lines[:3])
    assert lines[2] == "# a model"
    assert lines[3:] == ["# Sample: 0", "0.250000 0.750000", "1.000000 0.000000", "", ""]


def test_rules_of_reading(read):
    samples = read(
        "\ufeff0.9 0.1\n"  # before the first sample: belongs to nothing
        "# Sample: 4 (a seven)\r\n"
        "0.5, 0.5\n"
        "# any comment\n\n"
        "  2.5e-1\t.75 \n"
        "# Sample: 1\n1 0\n"
        "# Sample: 4\n0 1\n1 0\n1 0\n"  # comes twice: the later one counts
        "# Sample: 3\n0.5, 0.5\n0.25\t0.75"
    )
    assert list(samples) == [1, 3, 4]
    assert samples[1].tolist() == [[1, 0]]
    assert samples[3].tolist() == [[0.5, 0.5], [0.25, 0.75]]
    assert samples[4].tolist() == [[0, 1], [1, 0], [1, 0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "got no line '# Sample: NUMBER' with rows"),
        ("0.5 0.5\n", "got no line"),
        ("# only\n\n# comments\n", "got no line"),
        ("# Sample: 1\n# Sample: 2\n1\n", ":1: sample 1 has no rows"),
        ("# Sample: 1\n1\n\n# Sample: 2\n", ":4: sample 2 has no rows"),
        ("# Sample: x\n1\n", ":1: expected an integer after '# Sample:'"),
        ("# Sample: 1.5\n1\n", ":1: expected an integer"),
        ("# Sample:\n1\n", ":1: expected an integer"),
        ("# Sample: " + "9" * 5000, ":1: expected an integer"),
        (
            "# Sample: 1\n1 0\n1\n",
            ":3: expected 2 weights, as in the sample's first row, got 1",
        ),
        ("# Sample: 1\n1 0\n1 0 0\n", ":3: expected 2 weights"),
        ("# Sample: 1\n1 zero\n", ":2: column 2: expected a finite weight of at least 0"),
        ("# Sample: 1\n0.5,0.5,\n", ":2: column 3: expected a finite weight"),
        ("# Sample: 1\n0.5,0.5 0.5\n", ":2: column 2"),
        ("# Sample: 1\n-0.1 1\n", "got '-0.1'"),
        ("# Sample: 1\nnan 1\n", "got 'nan'"),
        ("# Sample: 1\n1 inf\n", "got 'inf'"),
        ("# Sample: 1\n1_0 1\n", "got '1_0'"),
        ("# Sample: 1\n\u0663 1\n", ":2: column 1"),
        (b"# Sample: 1\n1 \xff\n", ":2: not UTF-8"),
    ],
)
def test_bad_files_are_refused_with_file_and_line(read, content, message):
    with pytest.raises(FormatError) as caught:
        read(content)
    assert message in str(caught.value)
    assert "attention_weights.txt" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError):
        text.read_attention(tmp_path / "none.txt")
    with pytest.raises(IsADirectoryError):
        text.read_attention(tmp_path)


def test_a_file_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "MAX_BYTES", 10)
    path = tmp_path / "a.txt"
    path.write_text("# Sample: 1\n1\n")
    with pytest.raises(FormatError, match="at most 10 bytes, got 14"):
        text.read_attention(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MAX_SAMPLES", "at most 2 samples, got more"),
        ("MAX_WEIGHTS", "at most 2 weights, got more"),
        ("MAX_LINE", ":1: expected a line of at most 2 bytes, got 12"),
    ],
)
def test_a_file_of_too_much_is_refused(read, monkeypatch, name, message):
    monkeypatch.setattr(text, name, 2)
    with pytest.raises(FormatError, match=message):
        read("# Sample: 1\n1\n# Sample: 2\n1\n# Sample: 3\n1\n")


def test_short_rows_need_little_memory(read):
    content = "# Sample: 1\n" + "0.5\n" * 20_000
    tracemalloc.start()
    try:
        samples = read(content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert samples[1].tolist() == [[0.5]] * 20_000
    assert peak < 1_000_000


@pytest.mark.parametrize(
    "samples",
    [
        {},
        {0: [1.0, 0.0]},
        {0: np.zeros((2, 0))},
        {0: [[math.nan]]},
        {0: [[math.inf]]},
        {0: [[-1.0]]},
        {0: [["a"]]},
    ],
    ids=repr,
)
def test_what_is_no_map_is_not_written(tmp_path, samples):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(ValueError, match="attention map"):
        text.write_attention(path, samples)
    assert path.read_text() == "before"


def test_synthetic_maps_by_hand():
    near, middle, same = text.synthetic_attention().values()
    for weights in (near, middle, same):
        assert weights.shape == (49, 49)
        np.testing.assert_allclose(weights.sum(axis=1), 1)
    # Token 8 is at (1, 1): token 9 is one step away, token 40 at (5, 5) is eight.
    assert near[8, 9] / near[8, 8] == pytest.approx(0.15 / 0.5)
    assert near[8, 40] / near[8, 8] == pytest.approx(0.05 / 0.5)
    assert middle[3, 24] / middle[3, 3] == pytest.approx(0.7 / 0.2)
    assert middle[3, 5] / middle[3, 3] == pytest.approx(0.1 / 47 / 0.2)
    assert middle[24, 24] / middle[24, 0] == pytest.approx(0.2 / (0.1 / 47))
    # Tokens 3 and 45 are in column 3 of the grid, 4 is not.
    assert same[3, 45] == same[3, 3]
    assert same[3, 4] / same[3, 3] == pytest.approx(0.2 / 42 / (0.8 / 7))


def test_synthetic_maps_are_known_again(tmp_path):
    path = tmp_path / "a.txt"
    maps = text.synthetic_attention()
    text.write_attention(path, maps)
    assert text.is_synthetic(text.read_attention(path))
    assert not text.is_synthetic({0: maps[0], 1: maps[1]})
    assert not text.is_synthetic({**maps, 2: maps[1]})
    assert not text.is_synthetic({**maps, 2: [[1.0]]})


def test_statistics_by_hand():
    facts = text.attention_statistics([[1, 0], [0.5, 0.5]])
    assert facts.shape == (2, 2)
    assert (facts.minimum, facts.maximum, facts.mean, facts.trace) == (0, 1, 0.5, 1.5)
    assert facts.entropy == pytest.approx(math.log(2) / 2, abs=1e-9)


def test_statistics_as_text():
    lines = text.format_statistics({3: [[1, 0], [0.5, 0.5]]}).splitlines()
    assert lines[0] == lines[2] == lines[-1] == "=" * 60
    assert lines[3:-1] == [
        "Sample 3:",
        "  Shape:        2 x 2",
        "  Min:          0.000000",
        "  Max:          1.000000",
        "  Mean:         0.500000",
        "  Trace:        1.5000",
        "  Mean entropy: 0.3466",
    ]

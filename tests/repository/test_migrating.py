"""What docs/reference/migrating.md says one writes here is code that runs."""

import doctest
import re
from pathlib import Path

import pytest

import rnn_native as rn

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "migrating.md").read_text()
ROWS = [
    line.strip("| ").split(" | ") for line in PAGE.splitlines() if re.match(r"\|.*`", line)
]
SNIPPETS = [code for row in ROWS for code in re.findall(r"`([^`]+)`", row[-1])]


@pytest.fixture
def names(data, monkeypatch, tmp_path):
    """What the page's own blocks define, in a folder that may be written to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RNN_NATIVE_DATA", str(data))
    known = {}
    for example in doctest.DocTestParser().get_examples(PAGE):
        exec(example.source, known)
    known["net"].save("model.safetensors")
    return known


def test_every_row_says_what_to_write_here():
    assert len(ROWS) > 90
    assert all(re.search("`[^`]+`", row[-1]) for row in ROWS)


def test_what_one_writes_here_runs(names, monkeypatch):
    monkeypatch.setattr(
        rn, "set_num_threads", lambda n: None
    )  # else for all tests after it
    for code in SNIPPETS:
        try:
            exec(code, names)
        except Exception as error:
            pytest.fail(f"{code}: {error!r}")
    assert len(SNIPPETS) > 120

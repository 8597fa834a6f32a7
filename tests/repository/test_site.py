"""The site shows what a reader of the tour should see: `make docs` runs this."""

import os
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    "RNN_NATIVE_SITE" not in os.environ, reason="the site is made by `make docs`"
)


@pytest.fixture(scope="module")
def tour():
    return Path(os.environ["RNN_NATIVE_SITE"]) / "tutorials" / "tour.html"


@pytest.fixture(scope="module")
def outputs(tour):
    """What the tour's cells put out, as HTML."""
    found = re.findall(
        r'<div class="cell_output.*?(?=<section|<div class="cell )',
        tour.read_text(),
        re.S,
    )
    assert len(found) > 8
    return found


def test_pictures_are_shown_and_not_named(tour, outputs):
    """Top losses, the confusion matrix, and the search for a learning rate."""
    pictures = [
        name for part in outputs for name in re.findall(r'<img[^>]*src="(.+?)"', part)
    ]
    assert len(pictures) == 3
    for name in pictures:
        content = (tour.parent / name).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) > 10_000
    assert not [part for part in outputs if "Axes:" in part or "Figure size" in part]


def test_curves_are_shown_of_each_training(outputs):
    """Two trainings, each with the folded display of its progress and with its value."""
    curves = [part.count('aria-label="Loss"') for part in outputs]
    assert [count for count in curves if count] == [2, 2]
    assert sum(part.count("<details") for part in outputs) >= 2


def test_nothing_is_red(outputs):
    assert not [part for part in outputs if "stderr" in part]

"""The model that the package ships."""

import pytest

from rnn_native import checkpoint, pretrained


def test_it_reads_generated_digits(digits):
    _, (x, y) = digits
    assert pretrained.load().evaluate(x, y)[1] > 0.8


def test_it_is_small_and_says_how_good_it_is():
    assert pretrained.PATH.stat().st_size <= 300 * 1024
    assert checkpoint.describe(pretrained.PATH)["facts"]["test_accuracy"] > 0.985


@pytest.mark.slow
def test_it_reads_mnist_as_well_as_it_says(mnist):
    facts = checkpoint.describe(pretrained.PATH)["facts"]
    assert pretrained.load().evaluate(*mnist[1])[1] == pytest.approx(
        facts["test_accuracy"], abs=1e-3
    )

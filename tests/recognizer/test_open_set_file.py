"""The net that separates digits from everything else, as the package ships it."""

import pytest

from rnn_native import checkpoint
from rnn_native.models import open_set


def test_it_is_small_and_says_how_much_it_refuses():
    assert open_set.PATH.stat().st_size <= 300 * 1024
    facts = checkpoint.describe(open_set.PATH)["facts"]
    assert facts["test_refused"] < 0.005
    assert 0 < facts[open_set.THRESHOLD] < 1


@pytest.mark.slow
def test_it_refuses_as_much_of_mnist_as_it_says(mnist):
    facts = checkpoint.describe(open_set.PATH)["facts"]
    known = open_set.shipped()
    refused = known.net.predict_proba(mnist[1][0])[:, -1] > known.threshold
    assert refused.mean() == pytest.approx(facts["test_refused"], abs=1e-3)

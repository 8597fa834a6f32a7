"""The reference's generator: literal outputs, and the committed first weights."""

import numpy as np
import pytest

import rnn_native._core as _core
import twins
from rnn_native.base.xorshift import ZERO_SEED, Xorshift
from rnn_native.models.network import Network

# Row 0 of W1 in the reference's shipped checkpoint: pixel 0 is black in all of MNIST, so
# these are still the first draws of seed 1 for a 784-512 layer.
FIRST_WEIGHTS = """
-0.068041384 -0.059535682 0.014415845 0.062370494 0.00321462 0.063091785 0.018218853
0.037302792 -0.0014659539 -0.0065707564 -0.052736316 0.05936469 -0.026490148 0.008979335
0.005064212 0.042320795 -0.05360839 0.021858923 -0.06009713 -0.007909123 0.060702562
-0.031581216 -0.048150122 -0.0145966895
"""


@pytest.mark.parametrize(
    ("seed", "states", "outputs"),
    [
        (
            1,
            [0x0000000040822041, 0x100041060C011441, 0x9B1E842F6E862629],
            [0, 268452102, 2602468399],
        ),
        (
            42,
            [0x0000000A95514AAA, 0xA00AAAFDF80202BF, 0x8B13399CD1D1497A],
            [10, 2685053693, 2333292956],
        ),
    ],
)
def test_golden_states_and_outputs(seed, states, outputs):
    twin, state = twins.Xorshift(seed), seed
    draw = np.empty(1, np.float32)
    for expected_state, expected in zip(states, outputs, strict=True):
        state = _core.rng_uniform(state, 0.0, 1.0, draw)
        assert twin.next() == expected
        assert state == twin.state == expected_state
        assert draw[0] == np.float32(expected) / np.float32(2**32)


def test_first_weights_are_those_of_the_reference():
    net = Network([{"type": "dense", "units": 512}, {"type": "dense", "units": 10}], (784,))
    expected = np.array(FIRST_WEIGHTS.split(), dtype=np.float32)
    np.testing.assert_array_equal(net.parameters["layers.0.weight"][0, :24], expected)


def test_layers_are_drawn_in_order_and_biases_are_zero():
    net = Network(
        [{"type": "dense", "units": 4}, {"type": "dense", "units": 1}], (2,), seed=42
    )
    twin = twins.Xorshift(42)
    first = twin.uniform(-1.0, 1.0, 8)
    limit = float(np.sqrt(np.float32(6) / np.float32(5)))
    second = twin.uniform(-limit, limit, 4)
    np.testing.assert_array_equal(net.parameters["layers.0.weight"].ravel(), first)
    np.testing.assert_array_equal(net.parameters["layers.1.weight"].ravel(), second)
    assert not net.parameters["layers.0.bias"].any()


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1000])
def test_shuffle_matches_twin(n):
    order, twin_order = np.arange(n, dtype=np.int32), list(range(n))
    rng, twin = Xorshift(9), twins.Xorshift(9)
    rng.shuffle(order)
    twin.shuffle(twin_order)
    assert order.tolist() == twin_order
    assert rng.state == twin.state


def test_seed_zero_stands_for_the_constant():
    assert Xorshift(0).state == ZERO_SEED


@pytest.mark.parametrize(
    ("seed", "error"),
    [(-1, ValueError), (2**64, ValueError), (1.5, TypeError), (True, TypeError)],
)
def test_bad_seeds(seed, error):
    with pytest.raises(error, match="^seed: expected"):
        Xorshift(seed)

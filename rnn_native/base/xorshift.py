"""The reference system's random generator, for initial weights and shuffles."""

import numpy as np
from numpy.typing import NDArray

import rnn_native._core as _core
from rnn_native.base.checks import check_seed

ZERO_SEED = 0x9E3779B97F4A7C15
"""What seed 0 is replaced by: xorshift cannot leave the state 0."""


class Xorshift:
    """64-bit xorshift (13, 7, 17) whose output is the state's upper half.

    Parameters
    ----------
    seed : int in [0, 2**64)
        The first state; 0 stands for `ZERO_SEED`.

    Attributes
    ----------
    state : int
        All there is to save and to resume.

    References
    ----------
    G. Marsaglia, Xorshift RNGs, Journal of Statistical Software 8(14), 2003.

    Examples
    --------
    >>> rng = Xorshift(1)
    >>> rng.state
    1
    """

    def __init__(self, seed: int) -> None:
        self.state = check_seed(seed) or ZERO_SEED

    def fill_uniform(self, out: NDArray[np.float32], low: float, high: float) -> None:
        """Fill a float32 vector with low + (high - low) * u, u in [0, 1]."""
        self.state = _core.rng_uniform(self.state, low, high, out)

    def shuffle(self, order: NDArray[np.int32]) -> None:
        """Shuffle an int32 vector in place (Fisher and Yates, last element first)."""
        self.state = _core.rng_shuffle(self.state, order)

    def draw_seed(self) -> int:
        """Return a seed for another generator, whose output is not like this one's."""
        x = self.state
        x ^= (x << 13) & _MASK
        x ^= x >> 7
        x ^= (x << 17) & _MASK
        self.state = x
        # The finalizer of SplitMix64: without it the other would repeat this one, shifted.
        z = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)


_MASK = 2**64 - 1

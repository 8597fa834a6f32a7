"""How likely it is that a picture shows no digit at all.

A net of ten outputs says which digit a picture is most like, whatever is on it. This one has an
eleventh output, which it learned for letters, signs, two digits, scribbles, blots and textures
(scripts/train_open_set.py). Its file keeps the threshold, set so that few of the digits held
out are refused. It judges what any model reads.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import FormatError
from rnn_native.models import network
from rnn_native.models.network import Network
from rnn_native.net import model_facts

Floats = NDArray[np.float32]

PATH = Path(__file__).resolve().parent.parent / "open_set.safetensors"
THRESHOLD = "open_set_threshold"  # of the file's facts


class OpenSet(NamedTuple):
    """The network that separates digits from everything else.

    Attributes
    ----------
    net : Network
        From 28 x 28 pixels to eleven outputs, the last for everything else.
    threshold : float
        Beyond this probability of the last output a picture is said to be no digit.
    """

    net: Network
    threshold: float

    def score(self, image: Floats, *, threads: int | None = None) -> float:
        """Return the probability that an image is not a digit.

        Parameters
        ----------
        image : ndarray of shape (28, 28), float32, in [0, 1]
        threads : int, optional
        """
        rows = image.reshape(1, *self.net.input_shape)
        return float(self.net.predict_proba(rows, threads=threads)[0, -1])


@cache
def shipped() -> OpenSet:
    """Return the one that comes with the package.

    Raises
    ------
    FileNotFoundError, FormatError
        If the installation is not whole.
    """
    threshold = model_facts.describe(PATH)["facts"].get(THRESHOLD)
    if not isinstance(threshold, float):
        raise FormatError(f"{PATH}: {THRESHOLD}: expected a number, got {threshold!r}")
    return OpenSet(network.load(PATH), threshold)

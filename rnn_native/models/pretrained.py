"""The model that comes with the package: a small CNN trained on MNIST.

scripts/train_pretrained.py makes it again; its file has its accuracy on MNIST's test
images.
"""

from pathlib import Path

from rnn_native.models import network
from rnn_native.models.network import Network

PATH = Path(__file__).resolve().parent.parent / "pretrained.safetensors"


def load() -> Network:
    """Return the model: images of 28 x 28, white on black, to ten digits.

    Returns
    -------
    Network
        A new one in each call.

    Raises
    ------
    FileNotFoundError, FormatError
        If the installation is not whole.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.pretrained.load()
    >>> net.input_shape, net.output_shape
    ((1, 28, 28), (10,))
    """
    return network.load(PATH)

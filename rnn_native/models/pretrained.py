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

    Raises
    ------
    FileNotFoundError, FormatError
        If the installation is not whole.
    """
    return network.load(PATH)

"""Learning from corrections: pictures whose right digit the user entered."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import FormatError
from rnn_native.base.files import AnyPath, shown
from rnn_native.datasets import idx, mnist, synthetic
from rnn_native.models.network import Network

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

IMAGES, LABELS = "corrections-images-idx3-ubyte", "corrections-labels-idx1-ubyte"

# Rows that the net knows already are trained on together with the corrections: without them
# it would forget. The corrections make up a fifth of what it sees.
REPLAYED = 2_000
SHARE = 0.2
EPOCHS = 4
LEARNING_RATE = 5e-4
BATCH_SIZE = 32


class Replay(NamedTuple):
    """Digits that are trained on with the corrections."""

    images: Bytes  # (n, 28, 28)
    labels: Bytes  # (n,)


@functools.cache
def load_replay() -> Replay:
    """Return some of MNIST where it lies in the usual places, or else generated digits."""
    try:
        place = mnist.find_mnist()
    except OSError:
        place = None
    if place is None:
        return Replay(*synthetic.synthetic_digits(REPLAYED, seed=1))
    images, labels = mnist.load_mnist(place)[0]
    return Replay(images[:REPLAYED], labels[:REPLAYED])


class Corrections:
    """Pictures and their right digits, kept in a folder as IDX files if there is one.

    Parameters
    ----------
    folder : path, optional
        An existing file is read; every change is written.

    Raises
    ------
    FormatError, OSError
        If the folder's files do not belong together or cannot be read.
    """

    def __init__(self, folder: AnyPath | None = None) -> None:
        self.folder = None if folder is None else Path(folder)
        self.images: list[Bytes] = []
        self.labels: list[int] = []
        if self.folder is not None and (self.folder / IMAGES).exists():
            images = idx.read_images(self.folder / IMAGES)
            labels = idx.read_labels(self.folder / LABELS)
            # After a crash between the two writes there is an image without a label.
            images = images[: max(len(labels), len(images) - 1)]
            if images.shape != (len(labels), 28, 28):
                raise FormatError(
                    f"{shown(self.folder)}: expected images of 28 x 28 for "
                    f"{len(labels)} labels, got shape {images.shape}"
                )
            self.images, self.labels = list(images), labels.tolist()

    def __len__(self) -> int:
        return len(self.labels)

    def add(self, image: Floats, label: int) -> None:
        """Keep a picture of shape (28, 28) in [0, 1]; write the files if there is a folder.

        Raises
        ------
        OSError
            If they cannot be written; the correction is kept anyway.
        """
        self.images.append(np.rint(image * 255).astype(np.uint8))
        self.labels.append(label)
        if self.folder is not None:
            self.save(self.folder)

    def save(self, folder: AnyPath) -> None:
        """Write images and labels as two IDX files.

        Raises
        ------
        OSError
            If they cannot be written.
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        idx.write_idx(place / IMAGES, np.stack(self.images))
        idx.write_idx(place / LABELS, np.array(self.labels, np.uint8))


def learned(
    net: Network, images: Sequence[Bytes], labels: Sequence[int], replay: Replay
) -> Network:
    """Return a copy of the net that has learned from corrections.

    Parameters
    ----------
    net : Network
        Is left as it is.
    images : sequence of ndarray of shape (28, 28), uint8
    labels : sequence of int
        As many, at least one.
    replay : Replay
        Seen beside them.

    Returns
    -------
    Network
    """
    copy = net.with_layers(net.specs)
    copy.optimizer = "adam"
    known = len(replay.labels)
    times = max(1, round(SHARE / (1 - SHARE) * known / len(labels)))
    x = np.concatenate([replay.images, *_moved(np.stack(images), times)])
    y = np.concatenate([replay.labels, *[np.array(labels, np.uint8)] * times])
    # Floats in 0..1, as every net that reads drawings accepts, whatever it was fitted on.
    copy.fit(
        x.reshape(len(x), *net.input_shape) / np.float32(255),
        y.astype(np.int32),
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        lr=LEARNING_RATE,
        verbose=0,
    )
    return copy


def _moved(images: Bytes, times: int) -> list[Bytes]:
    """Return the images, then copies moved by a pixel this way and that."""
    steps = [(dy, dx) for dy in (0, -1, 1) for dx in (0, -1, 1)]
    return [np.roll(images, steps[i % len(steps)], axis=(1, 2)) for i in range(times)]

"""The reading of a picture of 28 x 28 by a net, and whether it is in doubt."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.models import open_set
from rnn_native.models.network import Network
from rnn_native.recognizer.mnist_form import SIDE
from rnn_native.recognizer.morphology import marks
from rnn_native.recognizer.page import Digit, Page, read_page

Floats = NDArray[np.float32]

# Of MNIST's 10,000 test images all have pixels of ink between these numbers, 9,999 fill less
# of their box, and 9,989 have no more marks; of all but 4 in 1,000 the shipped model is surer.
LEAST_PIXELS, MOST_PIXELS = 14, 285
FULLEST = 0.8
MOST_MARKS = 3
LEAST_SURE = 0.65
NOTHING = "nothing drawn"


@dataclass(frozen=True, eq=False)
class Reading:
    """The reading of one digit.

    Attributes
    ----------
    label : int or None
        The most likely digit; None when there is nothing that could be one.
    probabilities : ndarray of shape (10,), float32
        Zeros when label is None.
    image : ndarray of shape (28, 28), float32, in [0, 1]
        What the net was shown.
    doubt : str or None
        Why there is no label, or why it may be wrong.
    """

    label: int | None
    probabilities: Floats
    image: Floats
    doubt: str | None = None

    @property
    def text(self) -> str:
        """The digit, with a question mark if it is in doubt; that alone without a digit."""
        if self.label is None:
            return "?"
        return f"{self.label}?" if self.doubt else f"{self.label}"


@dataclass(frozen=True, eq=False)
class PageReading:
    """The readings of a picture that may have several digits.

    Attributes
    ----------
    page : Page
        Where they are, and how they were found.
    readings : list of Reading
        One for each of the page's digits.
    whole : Reading, optional
        What all marks read as one digit, where they may be its parts.
    """

    page: Page
    readings: list[Reading]
    whole: Reading | None = None

    @property
    def lines(self) -> list[str]:
        """What each line of the page reads, digits in doubt with a question mark."""
        count = 1 + max((digit.line for digit in self.page.digits), default=-1)
        lines = [""] * count
        for digit, reading in zip(self.page.digits, self.readings, strict=True):
            lines[digit.line] += reading.text
        return lines

    def without_steps(self) -> "PageReading":
        """Return the part that is kept of many pictures, which needs little memory."""
        return replace(self, page=self.page._replace(steps={}))

    def as_one(self) -> Reading:
        """Return what was read if the picture is to show one digit: several are in doubt."""
        if len(self.readings) == 1:
            return self.readings[0]
        if self.whole is not None and self.whole.doubt is None:
            return self.whole
        nothing = np.zeros(10, np.float32)
        if not self.readings:
            return Reading(None, nothing, np.zeros((SIDE, SIDE), np.float32), NOTHING)
        if any(reading.label is not None for reading in self.readings):
            doubt = f"several digits: {' / '.join(self.lines)}"
        else:
            doubt = f"{len(self.readings)} marks, no digit"
        return Reading(None, nothing, self.page.whole, doubt)


def read_digits(
    net: Network, picture: ArrayLike, *, threads: int | None = None
) -> PageReading:
    """Find the digits on a picture, and read each.

    Parameters
    ----------
    net : Network
        From 28 x 28 pixels to ten digits.
    picture : array_like of shape (rows, columns), uint8, or float in [0, 1]
    threads : int, optional

    Returns
    -------
    PageReading

    Raises
    ------
    ValueError
        If the picture has another shape or type.
    """
    page = read_page(picture)
    readings = [_read(net, digit, threads) for digit in page.digits]
    # Two digits are two sure ones; parts of one that is broken are less.
    if len(readings) < 2 or all(reading.doubt is None for reading in readings):
        return PageReading(page, readings)
    return PageReading(page, readings, recognise(net, page.whole, threads=threads))


def _read(net: Network, digit: Digit, threads: int | None) -> Reading:
    reading = recognise(net, digit.image, threads=threads)
    if digit.is_cut and reading.doubt is None:
        return replace(reading, doubt="cut off by the border")
    return reading


def recognise(net: Network, image: Floats, *, threads: int | None = None) -> Reading:
    """Read a picture, or say why it is not a picture of a digit.

    Parameters
    ----------
    net : Network
        From 28 x 28 pixels to ten digits.
    image : ndarray of shape (28, 28), float32, in [0, 1]
        As `from_strokes` and `from_image` make it.
    threads : int, optional

    Returns
    -------
    Reading
    """
    if nonsense := _nonsense(image):
        return Reading(None, np.zeros(10, np.float32), image, nonsense)
    shape = (1, *net.input_shape)
    outputs = net.predict_proba(image.reshape(shape), threads=threads)[0]
    if not np.isfinite(outputs).all():
        return Reading(None, np.zeros(10, np.float32), image, "the model is broken: NaN")
    # A net that learned values instead of classes may leave [0, 1].
    probabilities = outputs.clip(0, 1)
    first, second = (int(digit) for digit in np.argsort(-probabilities)[:2])
    known = open_set.shipped()
    if known.score(image, threads=threads) > known.threshold:
        return Reading(None, np.zeros(10, np.float32), image, "not a digit")
    doubt = None
    if probabilities[first] < LEAST_SURE:
        doubt = f"not sure: {first} or {second}"
    return Reading(first, probabilities, image, doubt)


def _nonsense(image: Floats) -> str | None:
    """Say why a picture cannot be a digit."""
    mask = image > 0.25
    count = int(mask.sum())
    if count == 0:
        return NOTHING
    rows, columns = np.nonzero(mask)
    height, width = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    if count < LEAST_PIXELS or max(height, width) < 8:
        return "only a dot"
    is_full = min(height, width) > 8 and count > FULLEST * height * width
    if is_full or count > MOST_PIXELS:
        return "too much ink for a digit"
    if len(marks(mask).sizes) - 1 > MOST_MARKS:
        return "several separate marks"
    return None

"""A picture of any size, and the digits on it: each step from the paper to 28 x 28 pixels."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.recognizer import surroundings
from rnn_native.recognizer.grouping import Group, grouped, union
from rnn_native.recognizer.mnist_form import SIDE, as_mnist, checked, is_like_mnist
from rnn_native.recognizer.morphology import Marks, grown, marks
from rnn_native.recognizer.paper import Ink, told_apart
from rnn_native.recognizer.scaling import as_floats, scaled

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Pictures are scaled to at most this longer side.
WORKED_ON = 640
# Digits that take less than this share of a large picture are inspected more closely, with
# this much around them as a share of their longer side.
CLOSER, MARGIN = 0.4, 0.6

STEPS: tuple[tuple[str, Callable[[Mask], Mask]], ...] = (
    ("surroundings", surroundings.without_surroundings),
    ("boxes", surroundings.without_boxes),
    ("lines", surroundings.without_lines),
    ("frames", surroundings.without_frames),
    ("underlines", surroundings.without_underlines),
)
"""What removes marks that are not digits, in this order."""
LAST_STEP = STEPS[-1][0]


Box = tuple[int, int, int, int]


class Digit(NamedTuple):
    """What may be a digit.

    Attributes
    ----------
    image : ndarray of shape (28, 28), float32, in [0, 1]
        White on black, as MNIST has it.
    box : (left, top, right, bottom)
        In pixels of the picture; right and bottom lie beyond it.
    line : int
        From 0, from top to bottom.
    is_cut : bool
        Whether it reaches the border of a photo: there may be more of it. A clean picture may
        be cropped to the digit.
    """

    image: Floats
    box: Box
    line: int
    is_cut: bool = False

    def moved(self, right: int, down: int) -> "Digit":
        """Return the digit with its box elsewhere."""
        left, top, end, bottom = self.box
        return self._replace(box=(left + right, top + down, end + right, bottom + down))


class Page(NamedTuple):
    """The digits on a picture, in the order of reading, and the steps to them.

    Attributes
    ----------
    digits : list of Digit
    whole : ndarray of shape (28, 28), float32, in [0, 1]
        All of them as if they were one; zeros if there are no marks.
    steps : dict of str to ndarray of shape (rows, columns)
        "picture" and "paper" (brightness), "ink" (how much), then masks: "marks", and what was
        left by the steps of `STEPS`.
    area : (left, top, right, bottom)
        The part of the picture that the steps show, in its pixels.
    """

    digits: list[Digit]
    whole: Floats
    steps: dict[str, NDArray[np.generic]]
    area: Box


def read_page(image: ArrayLike) -> Page:
    """Find the digits on a picture.

    Parameters
    ----------
    image : array_like of shape (rows, columns), uint8, or float in [0, 1]
        Dark on light or light on dark, unevenly lit, on a table, in a frame, ...

    Returns
    -------
    Page
        Without digits if there is no ink.

    Raises
    ------
    ValueError
        If the picture has another shape or type.
    """
    array = checked(image)
    if array.shape == (SIDE, SIDE) and is_like_mnist(whole := as_floats(array)):
        box = (0, 0, SIDE, SIDE)
        return Page([Digit(whole, box, 0)], whole, {"picture": whole}, box)
    page = _read(array)
    if max(array.shape) <= WORKED_ON or not page.digits:
        return page
    return _closer(array, page)


def _closer(array: NDArray[Any], page: Page) -> Page:
    """Read the part with the digits again if it is small: more of its pixels are seen."""
    boxes = np.array([digit.box for digit in page.digits])
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    longer = int((high - low).max())
    if longer > CLOSER * max(array.shape):
        return page
    left, top = (max(0, int(at) - round(MARGIN * longer)) for at in low)
    limits = zip(high, array.shape[::-1], strict=True)
    right, bottom = (min(int(at) + round(MARGIN * longer), end) for at, end in limits)
    part = _read(array[top:bottom, left:right])
    if not part.digits:
        return page
    digits = [digit.moved(left, top) for digit in part.digits]
    return part._replace(digits=digits, area=(left, top, right, bottom))


def _read(array: NDArray[Any]) -> Page:
    """Find the digits on a checked picture of any size."""
    longer = max(array.shape)
    gray = scaled(array, WORKED_ON) if longer > WORKED_ON else as_floats(array)
    ink = told_apart(gray)
    steps = {"picture": gray, "paper": ink.paper, "ink": ink.shares, "marks": ink.mask}
    mask = ink.mask
    for name, step in STEPS:
        mask = step(mask)
        steps[name] = mask
    found = marks(mask)
    lines = grouped(found)
    zoom = longer / max(gray.shape)
    digits = [
        Digit(
            _image(ink, found, group),
            _box(group, zoom),
            number,
            not ink.is_even and _reaches(group, gray.shape),
        )
        for number, line in enumerate(lines)
        for group in line
    ]
    area = (0, 0, array.shape[1], array.shape[0])
    if len(digits) == 1:
        return Page(digits, digits[0].image, steps, area)
    whole = _image(ink, found, union([group for line in lines for group in line]))
    return Page(digits, whole, steps, area)


def _image(ink: Ink, found: Marks, group: Group) -> Floats:
    """Return a group's ink as MNIST would have it."""
    top, left = max(group.top - 2, 0), max(group.left - 2, 0)
    area = np.s_[top : group.bottom + 2, left : group.right + 2]
    own = np.isin(found.numbers[area], group.numbers)
    # Beyond the marks the ink fades out.
    return as_mnist(np.where(grown(own), ink.shares[area], np.float32(0)))


def _reaches(group: Group, shape: tuple[int, ...]) -> bool:
    """Return whether a group reaches the border of a picture."""
    return min(group.top, group.left, shape[0] - group.bottom, shape[1] - group.right) == 0


def _box(group: Group, zoom: float) -> Box:
    left, top, right, bottom = (
        round(zoom * at) for at in (group.left, group.top, group.right, group.bottom)
    )
    return left, top, right, bottom

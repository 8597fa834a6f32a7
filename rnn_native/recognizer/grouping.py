"""Marks put together to digits, in the order in which one reads them."""

from typing import NamedTuple

import numpy as np

from rnn_native.recognizer.morphology import Marks

Numbers = list[int]

# Marks with less ink than this share of the largest one are specks.
SPECK = 0.04
# A mark of at least this share of the highest one's height may be a digit by itself.
TALL = 0.55
# Tall marks that share this much of the narrower one's width are one digit.
SHARED = 0.5
# A smaller mark belongs to what is at most so far away, as a share of the greatest height.
NEAR = 0.35


class Group(NamedTuple):
    """Marks that are one digit: their numbers, and the box around them."""

    numbers: Numbers
    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Rows of the box."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns of the box."""
        return self.right - self.left


def grouped(found: Marks) -> list[list[Group]]:
    """Return lines of digits from top to bottom, each from left to right.

    Specks are left out.
    """
    if len(found.sizes) < 2:
        return []
    kept = np.flatnonzero(found.sizes >= SPECK * found.sizes.max())
    groups = [Group([int(n)], *found.boxes[n].tolist()) for n in kept if n > 0]
    groups.sort(key=lambda g: -g.height)
    tallest = max(max(g.height for g in groups), max(g.width for g in groups) / 3)
    digits = [g for g in groups if g.height >= TALL * tallest]
    small = [g for g in groups if g.height < TALL * tallest]
    if not digits:  # all are flat
        digits, small = small[:1], small[1:]
    digits = _joined(digits)
    for mark in sorted(small, key=lambda g: -g.width * g.height):
        digits = _with_small(digits, mark, tallest)
    return _lines(digits)


def union(groups: list[Group]) -> Group:
    """Return groups as one; an empty one of none."""
    if not groups:
        return Group([], 0, 0, 0, 0)
    numbers = [number for group in groups for number in group.numbers]
    top, left, bottom, right = zip(*(group[1:] for group in groups), strict=True)
    return Group(numbers, min(top), min(left), max(bottom), max(right))


def _joined(digits: list[Group]) -> list[Group]:
    """Put tall marks together that lie above each other."""
    joined: list[Group] = []
    for digit in sorted(digits, key=lambda g: g.left):
        for at, other in enumerate(joined):
            beside = min(digit.right, other.right) - max(digit.left, other.left)
            level = min(digit.bottom, other.bottom) - max(digit.top, other.top)
            narrow = min(digit.width, other.width)
            if beside >= SHARED * narrow and level >= 0.3 * min(digit.height, other.height):
                joined[at] = union([other, digit])
                break
        else:
            joined.append(digit)
    return joined


def _with_small(digits: list[Group], mark: Group, tallest: float) -> list[Group]:
    """Add a small mark to the digit that it belongs to, or as a new digit."""
    gaps = [_gap(digit, mark) for digit in digits]
    nearest = int(np.argmin(gaps))
    if gaps[nearest] > NEAR * tallest:
        return [*digits, mark]
    both = union([digits[nearest], mark])
    return [*digits[:nearest], both, *digits[nearest + 1 :]]


def _gap(one: Group, other: Group) -> float:
    beside = max(one.left, other.left) - min(one.right, other.right)
    below = max(one.top, other.top) - min(one.bottom, other.bottom)
    return float(np.hypot(max(beside, 0), max(below, 0)))


def _lines(digits: list[Group]) -> list[list[Group]]:
    """Part digits into lines: the middle of each is beside the one before."""
    lines: list[list[Group]] = []
    for digit in sorted(digits, key=lambda g: g.top + g.bottom):
        middle = (digit.top + digit.bottom) / 2
        last = lines[-1] if lines else []
        if any(other.top <= middle <= other.bottom for other in last):
            last.append(digit)
        else:
            lines.append([digit])
    return [sorted(line, key=lambda g: g.left) for line in lines]

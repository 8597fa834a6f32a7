"""What the window says of a reading: digits, words for how sure it is, per cent."""

from typing import NamedTuple

from rnn_native.recognizer.reading import PageReading, Reading

SHOWN = 0.0005  # less would read 0.0 %
EMPTY = "nothing drawn"
# Words for the greatest probability, if nothing else contradicts the digit.
SURE = ((0.995, "certain"), (0.95, "very likely"), (0.0, "likely"))


class Answer(NamedTuple):
    """What stands large, beside it, and below that."""

    digits: str
    words: str
    share: str


def answer(reading: Reading, page: PageReading | None = None) -> Answer:
    """Return how a reading is worded; `page` is there if several digits were found.

    A digit that is in doubt has a question mark; if it is not a digit, the reason follows.
    """
    if page is not None:
        return _of_several(page)
    if reading.label is None:
        if reading.doubt == EMPTY:
            return Answer("", "", "")
        return Answer("?", reading.doubt or "", "")
    p = float(reading.probabilities[reading.label])
    if reading.doubt:
        return Answer(f"{reading.label}?", reading.doubt, f"{100 * p:.1f} %")
    words = next(words for least, words in SURE if p >= least)
    return Answer(str(reading.label), words, f"{100 * p:.1f} %")


def shares(reading: Reading) -> list[str]:
    """Return the percentage of each digit; nothing for almost impossible ones."""
    return [f"{100 * p:.1f} %" if p >= SHOWN else "" for p in reading.probabilities]


def _of_several(page: PageReading) -> Answer:
    """Say all digits, and how sure the least sure one is."""
    found = [r for r in page.readings if r.label is not None]
    least = min((float(r.probabilities.max()) for r in found), default=0.0)
    words = f"{len(page.readings)} digits" if found else "marks, no digits"
    share = f"least {100 * least:.1f} %" if found else ""
    return Answer(" / ".join(page.lines), words, share)

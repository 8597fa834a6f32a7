"""Rules for the values of settings, and where in a file or argument they stand.

Errors name the file, the path of the culprit, what was expected and what was found.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from rnn_native.base.errors import FormatError
from rnn_native.base.text import brief

MAX_INT = 2**31 - 1
_MAX_SHOWN = 60
# What people write for ours.
_USUAL_NAMES = {
    "lr": "learning_rate",
    "gradient_clip": "clip_norm",
    "clipnorm": "clip_norm",
    "max_grad_norm": "clip_norm",
    "l2_regularization": "l2",
    "augmentation": "augment",
    # Commands: what others call them, and models in their place.
    **dict.fromkeys(("fit", "mlp", "cnn", "xor"), "train"),
    **dict.fromkeys(("test", "score"), "evaluate"),
    **dict.fromkeys(("draw", "demo", "gui", "window"), "recognizer"),
    "convert": "export",
}


class ConfigError(FormatError):
    """A file of settings is wrong.

    The message is one line: file, path inside it ("layers[2].kernel_size"), what was
    expected, what was found.
    """


# ---- where a value stands, and how it is shown ----


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands.

    Parameters
    ----------
    source : str
        The file, as messages name it.
    path : str
        The path inside it; empty for the root.
    """

    source: str
    path: str = ""

    def key(self, name: str) -> "Place":
        """Return the place of an object's key."""
        return Place(self.source, f"{self.path}.{name}" if self.path else name)

    def item(self, index: int) -> "Place":
        """Return the place of an array's item."""
        return Place(self.source, f"{self.path}[{index}]")

    def error(self, text: str) -> ConfigError:
        """Return the error to raise for this value."""
        return ConfigError(": ".join(filter(None, (self.source, self.path, text))))


def described(value: object) -> str:
    """Return a value for a message: one line, printable, short whatever it holds."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "an array"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return brief(value)


def quoted(name: str) -> str:
    """Return a string in single quotes, as the reference's messages have it."""
    return f"'{_shortened(repr(name)[1:-1])}'"


def _shortened(brief: str) -> str:
    if len(brief) <= _MAX_SHOWN:
        return brief
    return f"{brief[:_MAX_SHOWN]}..."


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?", or a list of the known names."""
    return did_you_mean(name, known) or f"; known are {', '.join(known)}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?", or nothing when nothing is near."""
    found = nearest_of(name, known)
    return f"; did you mean '{found}'?" if found else ""


def nearest_of(name: str, known: Iterable[str]) -> str | None:
    """Return what a mistyped name most likely is, None when nothing is near."""
    import difflib

    by_lower = {key.lower(): key for key in known}
    by_lower.update({k: v for k, v in _USUAL_NAMES.items() if v in by_lower})
    found = difflib.get_close_matches(name[:100].lower(), by_lower, n=1, cutoff=0.5)
    return by_lower[found[0]] if found else None


# ---- rules for values ----

Rule: TypeAlias = Callable[[Place, Any], Any]
"""Checks a value that is not null and returns it, or raises ConfigError."""


@dataclass(frozen=True, slots=True)
class Number:
    """A rule: a number in a range; booleans are not numbers.

    Parameters
    ----------
    low, high : int or float
    above, below : bool
        Whether `low` or `high` itself is refused.
    whole : bool
        Whether only integers are accepted; 3.0 is refused.
    """

    low: float = -sys.float_info.max
    high: float = sys.float_info.max
    above: bool = False
    below: bool = False
    whole: bool = False

    def __call__(self, place: Place, value: Any) -> Any:
        """Return the value, as a float unless only integers are accepted."""
        if not self._is_number(value) or not self._holds(value):
            raise place.error(f"expected {self}, got {described(value)}")
        return value if self.whole else float(value)

    def _is_number(self, value: Any) -> bool:
        kinds = int if self.whole else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool)

    def _holds(self, value: float) -> bool:
        """Whether the value is in the range; NaN is in none."""
        over = value > self.low if self.above else value >= self.low
        under = value < self.high if self.below else value <= self.high
        return over and under

    def __str__(self) -> str:
        noun = "an integer" if self.whole else "a number"
        if self.low == -sys.float_info.max:
            return noun
        if self.high == sys.float_info.max:
            return f"{noun} {'above' if self.above else 'of at least'} {self.low:g}"
        left, right = "(" if self.above else "[", ")" if self.below else "]"
        return f"{noun} in {left}{self.low}, {self.high}{right}"


def integer(low: int, high: int = MAX_INT) -> Number:
    """Return a rule: an integer in [low, high]."""
    return Number(low, high, whole=True)


@dataclass(frozen=True, slots=True)
class Extents:
    """A rule: one integer for all axes or sides, several in an array, or a name.

    Parameters
    ----------
    each : Number
        What each integer must be.
    lengths : tuple of int
        Of arrays, in rising order: an array of two says the halves of one of four.
    names : tuple of str
    """

    each: Number
    lengths: tuple[int, ...]
    names: tuple[str, ...] = ()

    def __call__(self, place: Place, value: Any) -> Any:
        """Return the name, the integer, or a list of as few integers as say the same."""
        if isinstance(value, str) and value in self.names:
            return value
        several = isinstance(value, (list, tuple)) and len(value) in self.lengths
        given = list(value) if several else [value]
        try:
            return _shortest([self.each(place, item) for item in given])
        except ConfigError:
            raise place.error(f"expected {self}, got {_listed(value)}") from None

    def __str__(self) -> str:
        *others, last = [
            str(self.each),
            *(f"{n} of them" for n in self.lengths),
            *self.names,
        ]
        return f"{', '.join(others)} or {last}" if others else last


@dataclass(frozen=True, slots=True)
class Shape:
    """A rule: integers in an array of at most this many; one integer is an array of it.

    Parameters
    ----------
    each : Number
    most : int
    """

    each: Number
    most: int

    def __call__(self, place: Place, value: Any) -> list[int]:
        """Return the integers."""
        given = list(value) if isinstance(value, (list, tuple)) else [value]
        try:
            if not 1 <= len(given) <= self.most:
                raise place.error("")
            return [self.each(place, item) for item in given]
        except ConfigError:
            raise place.error(f"expected {self}, got {_listed(value)}") from None

    def __str__(self) -> str:
        return f"{self.each}, or 1 to {self.most} of them"


def of_one(rule: Rule) -> Rule:
    """Return what a rule of several integers asks of one; other rules as they are."""
    return rule.each if isinstance(rule, Extents) else rule


def _shortest(given: list[int]) -> int | list[int]:
    if len({*given}) == 1:
        return given[0]
    if len(given) == 4 and given[0] == given[1] and given[2] == given[3]:
        return [given[0], given[2]]
    return given


def _listed(value: Any) -> str:
    """Return a value for a message; of a short array its items."""
    is_short = isinstance(value, (list, tuple)) and len(value) <= 8
    return f"[{', '.join(map(described, value))}]" if is_short else described(value)


@dataclass(frozen=True, slots=True)
class Choice:
    """A rule: one of some names."""

    names: tuple[str, ...]

    def __call__(self, place: Place, value: Any) -> str:
        """Return the name."""
        if isinstance(value, str) and value in self.names:
            return value
        hint = did_you_mean(value, self.names) if isinstance(value, str) else ""
        raise place.error(
            f"expected one of {', '.join(self.names)}, got {described(value)}{hint}"
        )


def text(place: Place, value: Any) -> str:
    """Check a string."""
    if not isinstance(value, str):
        raise place.error(f"expected a string, got {described(value)}")
    return value


def flag(place: Place, value: Any) -> bool:
    """Check a boolean."""
    if not isinstance(value, bool):
        raise place.error(f"expected true or false, got {described(value)}")
    return value


def array(place: Place, value: Any) -> list[Any]:
    """Check an array; its items are left as they are."""
    if not isinstance(value, (list, tuple)):
        raise place.error(f"expected an array, got {described(value)}")
    return list(value)


class JsonObject(dict[str, Any]):
    """A JSON object that knows which of its keys was given twice."""

    twice: str | None = None

    @classmethod
    def of(cls, pairs: list[tuple[str, Any]]) -> "JsonObject":
        """Make it of keys and values in their order; the last value of a key counts."""
        made = cls()
        for key, value in pairs:
            if key in made and made.twice is None:
                made.twice = key
            made[key] = value
        return made


def mapping_at(place: Place, value: Any) -> Mapping[str, Any]:
    """Check an object: no key twice, all keys strings; its values are left as they are."""
    if not isinstance(value, Mapping):
        raise place.error(f"expected an object, got {described(value)}")
    if isinstance(value, JsonObject) and value.twice is not None:
        raise place.error(f"key {described(value.twice)} is set twice; remove one of them")
    for key in value:
        if not isinstance(key, str):
            raise place.error(f"expected keys that are strings, got {described(key)}")
    return value


def take(place: Place, value: Any, rules: Mapping[str, Rule]) -> dict[str, Any]:
    """Check an object's keys against their rules.

    Parameters
    ----------
    place : Place
        Of the object.
    value : Any
        The value.
    rules : mapping of str to Rule
        All keys that are known.

    Returns
    -------
    dict
        What the rules returned; keys whose value is null are left out.

    Raises
    ------
    ConfigError
        If it is not an object, has a key twice or an unknown one, or a value is wrong.
    """
    given = mapping_at(place, value)
    if "format_version" in rules and given.get("format_version") is not None:
        # Before keys that only another version knows.
        rules["format_version"](place.key("format_version"), given["format_version"])
    for key in given:
        if key not in rules:
            raise place.key(_key_shown(key)).error(f"unknown key{nearest(key, rules)}")
    return {
        key: rules[key](place.key(key), item)
        for key, item in given.items()
        if item is not None
    }


def _key_shown(key: str) -> str:
    return key if key.isidentifier() and len(key) <= _MAX_SHOWN else described(key)

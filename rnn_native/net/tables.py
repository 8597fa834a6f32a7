"""The core's tables, and the rules for values that follow from them.

Which layers, activations, optimizers and losses there are, with which keys in which ranges, is
written once, in the core; what Python checks and says is made of it.
"""

from collections.abc import Mapping

import rnn_native._core as _core
from rnn_native.base.rules import Choice, Extents, Number, Rule, Shape, flag

_TABLES = _core.tables()
LAYERS = _TABLES["layers"]
ACTIVATIONS = _TABLES["activations"]
OPTIMIZERS = _TABLES["optimizers"]
LOSSES = _TABLES["losses"]

ACTIVATION_ALIASES = {
    "swish": "silu",
    "hard_sigmoid": "hardsigmoid",
    "hard_swish": "hardswish",
}
"""Names that activations have elsewhere, with the core's."""


def rules_of(
    keys: Mapping[str, "_core._Key"], choices: Mapping[tuple[str, ...], tuple[str, ...]]
) -> dict[str, Rule]:
    """Return a rule for each key.

    Parameters
    ----------
    keys : mapping
        Keys of a layer or an optimizer.
    choices : mapping of tuple to tuple
        Names that Python accepts where the core has others.
    """
    return {name: _rule_of(key, choices) for name, key in keys.items()}


def _rule_of(key: "_core._Key", choices: Mapping[tuple[str, ...], tuple[str, ...]]) -> Rule:
    if key["kind"] == "bool":
        return flag
    if key["min"] is None or key["max"] is None:
        return Choice(choices.get(key["choices"], key["choices"]))
    number = Number(_plain(key["min"]), _plain(key["max"]), whole=key["kind"] != "float")
    if key["kind"] == "ints":
        return Shape(number, key["count"])
    if key["count"] == 1 and not key["choices"]:
        return number
    lengths = tuple(range(2, key["count"] + 1, 2))
    return Extents(number, lengths, key["choices"])


def _plain(number: float) -> float:
    """Return a whole number as an integer, which messages show without a point."""
    return int(number) if number == int(number) and abs(number) < 1e15 else number

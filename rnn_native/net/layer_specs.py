"""Specs of layers: the keys that each type has, and the rules for their values.

A spec is a dict with a "type". Architecture files, layer objects and dicts given to `Network`
are all checked here, by the core's tables; what a layer's input must be is for the core to say.
"""

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from rnn_native.base.rules import Place, Rule, mapping_at, nearest, quoted, take, text
from rnn_native.net import losses, tables
from rnn_native.net.block_specs import BLOCK_RULES, checked_block

Spec: TypeAlias = dict[str, Any]


def _with_aliases(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield name
        yield from (a for a, known in tables.ACTIVATION_ALIASES.items() if known == name)


ACTIVATIONS = tuple(_with_aliases(tables.ACTIVATIONS))
LAST_ACTIVATIONS = (*ACTIVATIONS, *losses.LAST_ONLY)
"""What dense, convolutions and activation layers may have; the last of them at the end only."""

WITH_ALPHA = tuple(
    name for name, row in tables.ACTIVATIONS.items() if row["alpha"] is not None
)
"""Activations that have a parameter."""

LAYER_RULES: dict[str, dict[str, Rule]] = {
    kind: tables.rules_of(row["keys"], {tuple(tables.ACTIVATIONS): LAST_ACTIVATIONS})
    for kind, row in tables.LAYERS.items()
}
"""All layer types of our form, each with its keys and their rules."""

REQUIRED_KEYS = {
    kind: [name for name, key in row["keys"].items() if key["required"]]
    for kind, row in tables.LAYERS.items()
}

WITH_ACTIVATION = tuple(kind for kind in LAYER_RULES if "activation" in LAYER_RULES[kind])
"""Layers that end in a function when they are given one."""


def checked_spec(place: Place, layer: Any, depth: int = 0) -> Spec:
    """Check a spec's type, keys and values.

    Parameters
    ----------
    place : Place
        Where it stands.
    layer : Any
        The value; keys whose value is None are as if they were not there. A list is a
        block of layers.
    depth : int
        How many blocks it is in.

    Returns
    -------
    dict
        "type" first, without keys that are None.

    Raises
    ------
    ConfigError
        If it is not a mapping, the type or a key is unknown, a required key is missing, or a
        value is out of range.
    """
    if isinstance(layer, (list, tuple)):
        layer = {"type": "block", "layers": layer}
    kind = mapping_at(place, layer).get("type")
    if kind is None:
        # An unknown key may be the misspelt "type".
        take(place, layer, {"type": text, **_all_keys()})
        raise place.key("type").error("missing; expected a layer type, such as 'dense'")
    if text(place.key("type"), kind) in BLOCK_RULES:
        return checked_block(
            place, layer, lambda at, inner: checked_spec(at, inner, depth + 1), depth
        )
    if kind not in LAYER_RULES:
        known = [*LAYER_RULES, *BLOCK_RULES]
        raise place.key("type").error(
            f"unknown layer type {quoted(kind)}{nearest(kind, known)}"
        )
    given = take(place, layer, {"type": text, **LAYER_RULES[kind]})
    for key in REQUIRED_KEYS[kind]:
        if key not in given:
            raise place.key(key).error(f"missing; {kind} needs it")
    settle_activation(place, given, "function" if kind == "activation" else "activation")
    return {"type": kind, **given}


def _all_keys() -> dict[str, Rule]:
    return {key: _anything for rules in LAYER_RULES.values() for key in rules}


def _anything(place: Place, value: Any) -> Any:
    return value


def settle_activation(place: Place, spec: Spec, key: str) -> None:
    """Refuse an alpha without effect; replace aliases of an activation by its name."""
    name = spec.get(key, "linear")
    if "alpha" in spec and name not in WITH_ALPHA:
        raise place.key("alpha").error(
            f"only {' and '.join(WITH_ALPHA)} have an alpha, got {key} '{name}'"
        )
    if name in tables.ACTIVATION_ALIASES:
        spec[key] = tables.ACTIVATION_ALIASES[name]

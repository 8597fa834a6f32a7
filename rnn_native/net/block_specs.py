"""Specs of blocks: layers that hold layers, and the rules for what they hold.

A block is a spec like any other, whose layers are specs: `flatten` in `blocks.py` makes the
flat list of it that the core knows.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from rnn_native.base.rules import (
    Choice,
    Number,
    Place,
    Rule,
    array,
    described,
    integer,
    take,
    text,
)
from rnn_native.net import tables

Spec: TypeAlias = dict[str, Any]

MAX_DEPTH = 16
"""Blocks may be nested so deep."""

MAX_BRANCHES = 8

NORMS = ("pre", "post")

NAME_PATTERN = "[A-Za-z_][A-Za-z0-9_]{0,39}"


def _name(place: Place, value: Any) -> str:
    name = text(place, value)
    if not re.fullmatch(NAME_PATTERN, name):
        raise place.error(
            f"expected at most 40 letters, digits and underscores, got {described(value)}"
        )
    return name


def _list(place: Place, value: Any) -> list[Any]:
    layers = array(place, value)
    if not layers:
        raise place.error("expected at least one layer, got none")
    return layers


def _lists(place: Place, value: Any) -> list[Any]:
    branches = array(place, value)
    if not 2 <= len(branches) <= MAX_BRANCHES:
        raise place.error(
            f"expected 2 to {MAX_BRANCHES} branches, got {len(branches)}; each is a list"
        )
    return branches


_ATTENTION = tables.rules_of(tables.LAYERS["self_attention"]["keys"], {})
_DENSE = tables.rules_of(tables.LAYERS["dense"]["keys"], {})
_DROPOUT = tables.rules_of(tables.LAYERS["dropout"]["keys"], {})

BLOCK_RULES: dict[str, dict[str, Rule]] = {
    "block": {"layers": _list, "name": _name},
    "residual": {"layers": _list, "name": _name},
    "concat": {"branches": _lists, "axis": Number(-4, 3, whole=True), "name": _name},
    "transformer_block": {
        "heads": _ATTENTION["heads"],
        "units": integer(1, 1 << 20),
        "norm": Choice(NORMS),
        "causal": _ATTENTION["causal"],
        "activation": _DENSE["activation"],
        "dropout": _DROPOUT["rate"],
        "name": _name,
    },
}
"""All kinds of blocks, each with its keys and their rules."""

REQUIRED = {
    "block": ("layers",),
    "residual": ("layers",),
    "concat": ("branches",),
    "transformer_block": ("heads", "units"),
}


def checked_block(
    place: Place,
    block: Mapping[str, Any],
    checked: Callable[[Place, Any], Spec],
    depth: int,
) -> Spec:
    """Check a block's keys, and its layers by `checked`.

    Parameters
    ----------
    place : Place
        Where it stands.
    block : mapping
        Its "type" is one of `BLOCK_RULES`.
    checked : callable
        What checks a layer of it.
    depth : int
        How many blocks it is in.

    Raises
    ------
    ConfigError
        If a key is unknown or missing, a value is out of range, a layer is wrong, or blocks
        are nested too deep.
    """
    kind = block["type"]
    if depth >= MAX_DEPTH:
        raise place.error(f"expected blocks nested at most {MAX_DEPTH} deep")
    given = take(place, block, {"type": text, **BLOCK_RULES[kind]})
    for key in REQUIRED[kind]:
        if key not in given:
            raise place.key(key).error(f"missing; {kind} needs it")
    inside = place.key(word_of(given))
    if "layers" in given:
        given["layers"] = _checked_list(inside, given["layers"], checked)
    if "branches" in given:
        given["branches"] = [
            _checked_list(inside.item(i), array(inside.item(i), branch), checked)
            for i, branch in enumerate(given["branches"])
        ]
    return {"type": kind, **given}


def _checked_list(
    place: Place, layers: Sequence[Any], checked: Callable[[Place, Any], Spec]
) -> list[Spec]:
    return [checked(place.item(i), layer) for i, layer in enumerate(layers)]


# ---- walks ----


def word_of(spec: Mapping[str, Any]) -> str:
    """Return what paths and names of parameters call a block: its name, or its type."""
    word: str = spec.get("name") or spec["type"]
    return word


def is_block(spec: Mapping[str, Any]) -> bool:
    """Whether a spec holds layers."""
    kind = spec.get("type")
    return isinstance(kind, str) and kind in BLOCK_RULES


def _inside(spec: Mapping[str, Any], path: str) -> Iterator[tuple[str, Sequence[Spec]]]:
    """Yield the lists of layers in a block, each with its path."""
    path = f"{path}.{word_of(spec)}"
    if "layers" in spec:
        yield path, spec["layers"]
    for i, branch in enumerate(spec.get("branches", ())):
        yield f"{path}[{i}]", branch


def leaves(
    specs: Sequence[Mapping[str, Any]], path: str = "layers"
) -> Iterator[tuple[str, Spec]]:
    """Yield the path and the spec of each layer that holds none, in order.

    A transformer_block, whose layers follow from its keys, is one of them.
    """
    for i, spec in enumerate(specs):
        lists = list(_inside(spec, f"{path}[{i}]")) if is_block(spec) else []
        for inside, layers in lists:
            yield from leaves(layers, inside)
        if not lists:
            yield f"{path}[{i}]", dict(spec)


def sequence(
    specs: Sequence[Mapping[str, Any]], path: str = "layers"
) -> list[tuple[str, Spec]]:
    """Return path and spec of all layers that run one after the other.

    The layers of a plain block replace it; other blocks are left whole.
    """
    found: list[tuple[str, Spec]] = []
    for i, spec in enumerate(specs):
        if spec.get("type") == "block":
            found += sequence(spec["layers"], f"{path}[{i}].{word_of(spec)}")
        else:
            found.append((f"{path}[{i}]", dict(spec)))
    return found


def mapped(
    specs: Sequence[Mapping[str, Any]], change: Callable[[Spec], Spec]
) -> list[Spec]:
    """Return specs in which `change` was made to each layer that holds none."""
    result = []
    for given in specs:
        spec = dict(given)
        if "layers" in spec:
            spec["layers"] = mapped(spec["layers"], change)
        elif "branches" in spec:
            spec["branches"] = [mapped(branch, change) for branch in spec["branches"]]
        else:
            spec = change(spec)
        result.append(spec)
    return result

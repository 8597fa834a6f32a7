"""Specs of layers: the keys that each type has, and the rules for their values.

A spec is a dict with a "type". Architecture files, layer objects and dicts given to `Network`
are all checked here; what a layer's input must be is for the core and `architecture` to say.
"""

from typing import Any, TypeAlias

from rnn_native.base.rules import (
    Choice,
    Number,
    Place,
    Rule,
    flag,
    integer,
    mapping_at,
    nearest,
    quoted,
    take,
    text,
)
from rnn_native.net import losses

Spec: TypeAlias = dict[str, Any]

ACTIVATIONS = (
    "linear",
    "relu",
    "leaky_relu",
    "elu",
    "sigmoid",
    "tanh",
    "silu",
    "swish",
    "gelu",
    "gelu_exact",
)
POSITIONS = ("sinusoidal", "small_random", "larger_random", "zero", "xavier")
LAST_ACTIVATIONS = (*ACTIVATIONS, *losses.LAST_ONLY)
"""What dense, conv2d and activation layers may have; the last of them at the end only."""

# The ranges are those of the core.
_SIZE = integer(1)
_WINDOW = integer(1, 1 << 15)
_PADDING = integer(0, 1 << 15)
_ALPHA = Number(0, 1e30)
_EPSILON = Number(1e-30, 1)
ACTIVATION_RULES: dict[str, Rule] = {
    "activation": Choice(LAST_ACTIVATIONS),
    "alpha": _ALPHA,
}
_POOL: dict[str, Rule] = {"kernel_size": _WINDOW, "stride": _WINDOW, "padding": _PADDING}

# Rules of each type's keys; a key that starts with "!" is required.
_LAYER_KEYS: dict[str, dict[str, Rule]] = {
    "dense": {"!units": _SIZE, **ACTIVATION_RULES},
    "conv2d": {
        "!filters": integer(1, 1 << 20),
        "!kernel_size": _WINDOW,
        "stride": _WINDOW,
        "padding": _PADDING,
        **ACTIVATION_RULES,
    },
    "maxpool2d": _POOL,
    "avgpool2d": _POOL,
    "flatten": {},
    "activation": {"!function": Choice(LAST_ACTIVATIONS), "alpha": _ALPHA},
    "softmax": {},
    "batchnorm": {"epsilon": _EPSILON, "momentum": Number(0, 1)},
    "layernorm": {"epsilon": _EPSILON},
    "rmsnorm": {"epsilon": _EPSILON},
    "dropout": {"!rate": Number(0, 1 - 1e-6)},
    "patch_embed": {"!patch_size": _WINDOW, "!units": _SIZE},
    "position": {"init": Choice(POSITIONS), "trainable": flag},
    "self_attention": {"heads": integer(1, 1 << 20), "out_proj": flag, "residual": flag},
    "mean_pool": {},
}

LAYER_RULES: dict[str, dict[str, Rule]] = {
    kind: {key.removeprefix("!"): rule for key, rule in keys.items()}
    for kind, keys in _LAYER_KEYS.items()
}
"""All layer types of our form, each with its keys and their rules."""

REQUIRED_KEYS = {
    kind: [key[1:] for key in keys if key.startswith("!")]
    for kind, keys in _LAYER_KEYS.items()
}


def checked_spec(place: Place, layer: Any) -> Spec:
    """Check a spec's type, keys and values.

    Parameters
    ----------
    place : Place
        Where it stands.
    layer : Any
        What stands there; keys whose value is None are as if they were not there.

    Returns
    -------
    dict
        "type" first, without keys that are None.

    Raises
    ------
    ConfigError
        If it is no mapping, the type or a key is unknown, a required key is missing, or a
        value is out of range.
    """
    kind = mapping_at(place, layer).get("type")
    if kind is None:
        # An unknown key may be the misspelt "type".
        take(place, layer, {"type": text, **_all_keys()})
        raise place.key("type").error("missing")
    if text(place.key("type"), kind) not in LAYER_RULES:
        raise place.key("type").error(
            f"unknown layer type {quoted(kind)}{nearest(kind, LAYER_RULES)}"
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
    """Refuse an alpha that would do nothing; give silu its one name."""
    name = spec.get(key, "linear")
    if "alpha" in spec and name not in ("leaky_relu", "elu"):
        raise place.key("alpha").error(
            f"only leaky_relu and elu have an alpha, got {key} '{name}'"
        )
    if name == "swish":
        spec[key] = "silu"

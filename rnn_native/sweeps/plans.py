"""What one run of a sweep is: its net, its recipe, and the hash of both and of its data."""

import hashlib
import inspect
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from rnn_native.base.errors import FormatError
from rnn_native.base.rules import ConfigError, nearest
from rnn_native.base.text import brief
from rnn_native.models.network import Network
from rnn_native.models.one_call import IMAGE, outputs_of, planned
from rnn_native.models.options import NOT_IN_RECIPE, recipe_of
from rnn_native.models.reference import untrained
from rnn_native.net.compiled import CompiledNet
from rnn_native.net.layer_specs import LAYER_RULES
from rnn_native.settings.architecture import Architecture
from rnn_native.settings.config import TrainingConfig, load_config, parse_config
from rnn_native.settings.config_keys import KEYS, OPTIMIZER_KEYS
from rnn_native.settings.json_file import HEAD_KEYS, read_json
from rnn_native.settings.recipes import is_recipe, parse_recipe
from rnn_native.sweeps.candidates import Params
from rnn_native.training.recipe import Recipe

REFERENCE_MODELS = ("mlp", "cnn", "attention")
RECIPE_KEYS = tuple(f.name for f in fields(Recipe))
OPTIONS = (*RECIPE_KEYS, "metrics")
"""What `sweep` accepts in addition to its own arguments."""

MOST_SHOWN = 60  # of a value's text in messages
_PATH = re.compile(r"((?:layers\[\d+\]\.)+)(\w+)")


@dataclass(frozen=True, slots=True)
class Plan:
    """A run of a sweep, as plain data.

    Attributes
    ----------
    id : str
        Hash of architecture, recipe and data: equal ones are one run.
    params : dict
        What the sweep varies, without the seed.
    kind : str
        What config.json calls the model.
    architecture, recipe : dict
        For JSON.
    """

    id: str
    params: Params
    kind: str
    architecture: dict[str, Any]
    recipe: dict[str, Any]


class Base:
    """What all runs of a sweep have in common.

    Parameters
    ----------
    base : str, path, mapping, sequence of Layer, Network or callable
        See `rnn_native.sweep`.
    data : str or None
        The name of the data set, when it has one.
    input_shape : sequence of int or None
        For a sequence of layers.
    config : path, mapping, TrainingConfig or None
    options : mapping
        Fields of `Recipe`.
    """

    def __init__(
        self,
        base: Any,
        data: object,
        input_shape: Sequence[int] | None,
        config: Any,
        options: Mapping[str, Any],
    ) -> None:
        self._data, self._shape = data, tuple(input_shape or IMAGE)
        self._options = {name: options[name] for name in options if name in RECIPE_KEYS}
        self.kind, self._source, own_config = _understood(base)
        if own_config is not None and config is not None:
            raise ValueError(
                "config: this base has its own training; leave one of them out"
            )
        given = own_config if own_config is not None else config
        self._config = {} if given is None else _plain_config(given)
        self._arguments = _arguments_of(base) if callable(base) else ()

    def plan(self, params: Params, seed: int | None, digest: str) -> Plan:
        """Return the run that has these parameters.

        Raises
        ------
        ValueError
            If a name is unknown, or a value does not fit; the message has the parameters.
        """
        sorted_out = self._sorted_out(params)
        try:
            net, recipe = self._made(sorted_out, seed)
        except (FormatError, ValueError, TypeError) as error:
            raise refusal(params, error) from None
        architecture, plain = net.architecture(), recipe.as_dict()
        return Plan(
            hash_of(architecture, plain, digest),
            dict(params),
            self.kind,
            architecture,
            plain,
        )

    def _sorted_out(self, params: Params) -> dict[str, Params]:
        """Return the parameters by what they belong to."""
        found: dict[str, Params] = {
            part: {} for part in ("function", "recipe", "optimizer", "config", "layers")
        }
        for name, value in params.items():
            found[self._part_of(name)]["lr" if name == "learning_rate" else name] = value
        return found

    def _part_of(self, name: str) -> str:
        if name in self._arguments:
            return "function"
        if name in RECIPE_KEYS or name == "learning_rate":
            return "recipe"
        if name in OPTIMIZER_KEYS:
            return "optimizer"
        if name in KEYS and name not in HEAD_KEYS:
            return "config"
        if _PATH.fullmatch(name) or name in _layer_keys():
            return "layers"
        known = [*self._arguments, *RECIPE_KEYS, *KEYS, *_layer_keys()]
        raise ValueError(f"grid: unknown parameter {brief(name)}{nearest(name, known)}")

    def _made(self, params: dict[str, Params], seed: int | None) -> tuple[Network, Recipe]:
        """Return the net and the recipe of a run."""
        options = {**self._options, **params["recipe"]}
        if seed is not None:
            options["seed"] = seed
        if params["optimizer"]:
            options["optimizer"] = self._optimizer(options, params["optimizer"])
        config = {**self._config, **params["config"]}
        given: dict[str, Any] = {
            **options,
            "config": parse_config(config, "config") if config else None,
        }
        if self._source in REFERENCE_MODELS:
            net, recipe = untrained(self._source, self._data, **given)
        else:
            source = self._built(params["function"], given)
            plan, whole = planned(source, self._shape, given)
            recipe = recipe_of(whole, {}, classes=outputs_of(plan.layers))
            net = _network(plan, recipe)
        if params["layers"]:
            specs = changed_layers(net.architecture()["layers"], params["layers"])
            net = _network(Architecture(specs, net.input_shape, net.loss), recipe)
        return net, recipe

    def _built(self, arguments: Params, options: dict[str, Any]) -> Any:
        """Return the architecture; if it is a function, of its arguments."""
        source = self._source
        if callable(source) and not isinstance(source, CompiledNet):
            source = source(**arguments)
        if not isinstance(source, CompiledNet):
            return source
        options.setdefault("optimizer", dict(source.optimizer))
        return source.architecture()

    def _optimizer(self, options: Mapping[str, Any], changes: Params) -> dict[str, Any]:
        spec = options.get("optimizer") or self._config.get("optimizer") or "sgd"
        return {**({"type": spec} if isinstance(spec, str) else spec), **changes}


def _network(plan: Architecture, recipe: Recipe) -> Network:
    shape, optimizer = plan.input_shape, recipe.optimizer
    return Network(plan.layers, shape, plan.loss, recipe.seed, optimizer=optimizer)


def _understood(base: Any) -> tuple[str, Any, Any]:
    """Return what a base is called, what its net is made of, and its own configuration."""
    if isinstance(base, str) and base in REFERENCE_MODELS:
        return base, base, None
    if isinstance(base, str) and base == "xor":
        raise ValueError(
            "base: xor has four rows and nothing to sweep; use mlp, cnn, attention"
        )
    if isinstance(base, (Architecture, CompiledNet)) or callable(base):
        return "own", base, None
    if isinstance(base, Sequence) and not isinstance(base, (str, bytes)):
        return "own", list(base), None
    if not isinstance(base, (str, os.PathLike, Mapping)):
        raise TypeError(
            "base: expected a model's name, a path, a dict, layers, a Network or a function, "
            f"got {brief(base)}"
        )
    source = "base" if isinstance(base, Mapping) else repr(str(base))
    mapping = base if isinstance(base, Mapping) else read_json(base)
    if is_recipe(mapping):
        recipe = parse_recipe(mapping, source)
        return "own", recipe.architecture, recipe.training
    if "layers" in mapping:
        return "own", mapping, None
    return "mlp", "mlp", parse_config(mapping, source)


def _plain_config(config: Any) -> dict[str, Any]:
    if isinstance(config, Mapping):
        config = parse_config(config)
    elif not isinstance(config, TrainingConfig):
        config = load_config(config)
    plain: dict[str, Any] = config.as_dict()
    return plain


def _arguments_of(function: Callable[..., Any]) -> tuple[str, ...]:
    if isinstance(function, CompiledNet):
        return ()
    return tuple(inspect.signature(function).parameters)


def _layer_keys() -> list[str]:
    """Return the keys that specs of layers may have."""
    return sorted({key for rules in LAYER_RULES.values() for key in rules} - {"type"})


def changed_layers(
    specs: Sequence[Mapping[str, Any]], changes: Params
) -> list[dict[str, Any]]:
    """Return specs with other values in some of their keys.

    Parameters
    ----------
    specs : sequence of mapping
    changes : dict
        "layers[2].units" is that layer's; "units" is that of every layer that has it but the
        last one, whose outputs are the net's.
    """
    found: list[dict[str, Any]] = json.loads(json.dumps(specs))
    for name, value in changes.items():
        match = _PATH.fullmatch(name)
        if match is None:
            targets = [spec for spec in found[:-1] if name in spec]
            if not targets:
                raise ValueError(f"no hidden layer has {name}")
        else:
            targets, name = [_spec_at(found, match[1])], match[2]
        for spec in targets:
            spec[name] = value
    return found


def _spec_at(specs: list[dict[str, Any]], path: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"layers": specs}
    for index in map(int, re.findall(r"\d+", path)):
        inside = spec.get("layers", [])
        if index >= len(inside):
            raise ValueError(
                f"{path[:-1]}: no such layer; expected a number below {len(inside)}"
            )
        spec = inside[index]
    return spec


def hash_of(architecture: Mapping[str, Any], recipe: Mapping[str, Any], digest: str) -> str:
    """Return the name of a run: a hash of what it trains, how, and on what."""
    content = {"architecture": architecture, "recipe": recipe, "data": digest}
    try:
        text = json.dumps(content, sort_keys=True)
    except TypeError as error:
        raise ConfigError(f"this run cannot be written as JSON: {error}") from None
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def told(params: Params, seed: int | None = None) -> str:
    """Return parameters as text: "lr=0.1, units=64"."""
    words = [f"{name}={shown(value)}" for name, value in params.items()]
    return ", ".join([*words, *([] if seed is None else [f"seed={seed}"])])


def shown(value: Any) -> str:
    """Return a parameter's value as text for tables."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, int, float, list, tuple, Mapping)) or value is None:
        try:
            return json.dumps(value)
        except (TypeError, ValueError):
            pass
    return brief(value)


def refusal(params: Params, error: Exception) -> ValueError:
    """Return the error about a run with these parameters."""
    texts = {name: shown(value) for name, value in params.items()}
    words = [
        f"{name}={text if len(text) < MOST_SHOWN else brief(params[name])}"
        for name, text in texts.items()
    ]
    return ValueError(f"{', '.join(words)}: {error}" if words else str(error))


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that no run of a sweep has."""
    for name in options:
        if name in OPTIONS:
            continue
        if name in NOT_IN_RECIPE:
            raise TypeError(f"{name}: not an option of a sweep's runs")
        raise TypeError(f"unknown argument {brief(name)}{nearest(name, OPTIONS)}")

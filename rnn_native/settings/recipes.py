"""Recipe files: a net and how to train it, in one JSON file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rnn_native.base.files import AnyPath, shown
from rnn_native.base.rules import (
    Place,
    Rule,
    mapping_at,
    take,
    text,
)
from rnn_native.settings.architecture import Architecture, parse_architecture
from rnn_native.settings.config import TrainingConfig, parse_config
from rnn_native.settings.json_file import HEAD_KEYS, read_json

__all__ = ["TrainingRecipe", "load_recipe", "parse_recipe"]

KEYS: dict[str, Rule] = {
    "description": text,
    "architecture": mapping_at,
    "training": mapping_at,
    **HEAD_KEYS,
}


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """What a recipe file holds.

    Attributes
    ----------
    description : str
    architecture : Architecture
    training : TrainingConfig

    Examples
    --------
    >>> import rnn_native as rn
    >>> recipe = rn.recipes.parse_recipe({
    ...     "architecture": {"input_shape": [784], "layers": [{"type": "dense", "units": 10}]},
    ...     "training": {"epochs": 3},
    ... })
    >>> recipe.architecture.input_shape
    (784,)
    """

    description: str
    architecture: Architecture
    training: TrainingConfig


def is_recipe(data: Any) -> bool:
    """Whether plain data is meant as a recipe and not as an architecture."""
    return isinstance(data, Mapping) and not KEYS.keys().isdisjoint(
        {*data} - HEAD_KEYS.keys()
    )


def load_recipe(path: AnyPath) -> TrainingRecipe:
    """Read a recipe file.

    Parameters
    ----------
    path : str or path-like
        JSON with "architecture" and "training", as docs/reference/configuration.md describes them,
        and perhaps a "description".

    Returns
    -------
    TrainingRecipe
        Checked.

    Raises
    ------
    OSError
        If there is no such file, it is not a regular one, or reading fails.
    ConfigError
        If it is not JSON, a key is unknown or missing, or a value is wrong.

    Examples
    --------
    >>> import json
    >>> import tempfile
    >>> from pathlib import Path
    >>> import rnn_native as rn
    >>> plan = {"input_shape": [784], "layers": [{"type": "dense", "units": 10}]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "recipe.json")
    ...     size = path.write_text(json.dumps({"architecture": plan, "training": {"epochs": 3}}))
    ...     print(rn.recipes.load_recipe(path).training.epochs)
    3
    """
    return parse_recipe(read_json(path), shown(path))


def parse_recipe(mapping: Mapping[str, Any], source: str = "recipe") -> TrainingRecipe:
    """Make a recipe from plain data; `source` is what messages name.

    Parameters
    ----------
    mapping : mapping
        What `load_recipe` reads from a file.
    source : str
        What messages name.

    Returns
    -------
    TrainingRecipe
        Checked.

    Examples
    --------
    >>> found = parse_recipe({
    ...     "architecture": {"input_shape": [784], "layers": [{"type": "dense", "units": 10}]},
    ...     "training": {"optimizer": "adam", "epochs": 3},
    ... })
    >>> found.training.epochs
    3
    """
    place = Place(source)
    given = take(place, mapping, KEYS)
    for key in ("architecture", "training"):
        if key not in given:
            raise place.key(key).error("missing; a recipe needs it")
    return TrainingRecipe(
        given.get("description", ""),
        parse_architecture(given["architecture"], f"{source}: architecture"),
        parse_config(given["training"], f"{source}: training"),
    )

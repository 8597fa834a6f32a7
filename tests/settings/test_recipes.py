"""Recipe files: what they hold, errors that name the place, and the shipped ones."""

import json
from pathlib import Path

import pytest

import rnn_native as rn
from rnn_native.base.rules import ConfigError
from rnn_native.settings.recipes import is_recipe, load_recipe, parse_recipe

SHIPPED = sorted((Path(__file__).parents[2] / "data" / "recipes").glob("*.json"))
NET = {"input_shape": [784], "layers": [{"type": "dense", "units": 10}]}
RECIPE = {"architecture": NET, "training": {"epochs": 2, "learning_rate": 0.05, "seed": 9}}


def test_a_recipe_trains_as_its_parts_do(digits, tmp_path):
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(RECIPE))
    one = rn.train(path, digits, verbose=0)
    two = rn.train(NET, digits, RECIPE["training"], verbose=0)
    three = rn.train(RECIPE, digits, verbose=0)
    assert len(one.history) == 2
    for other in (two, three):
        assert one.model.params.tobytes() == other.model.params.tobytes()
    short = rn.train(path, digits, epochs=1, verbose=0)
    assert len(short.history) == 1, "an argument goes before the recipe"


def test_what_is_a_recipe():
    assert is_recipe(RECIPE)
    assert is_recipe({"description": "?"})
    assert not is_recipe(NET)
    assert not is_recipe({"$schema": "x", "format_version": 1})
    assert not is_recipe([RECIPE])


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"architecture": NET}, "training: missing"),
        ({"training": {"epochs": 1}}, "architecture: missing"),
        ({**RECIPE, "epochs": 1}, "epochs: unknown key"),
        ({**RECIPE, "training": {"epochs": 0}}, "training: epochs: expected"),
        ({**RECIPE, "training": []}, "training: expected an object, got an array"),
        ({**RECIPE, "architecture": {"layers": []}}, "architecture: layers"),
        ({**RECIPE, "format_version": 2, "new": 1}, "format_version: expected 1, which"),
        ({**RECIPE, "description": 1}, "description: expected a string"),
    ],
)
def test_errors_name_the_place(mapping, message):
    with pytest.raises(ConfigError, match=rf"^recipe: {message}"):
        parse_recipe(mapping)


def test_two_configurations_are_one_too_many(digits):
    with pytest.raises(ValueError, match="^config: this recipe has its own training"):
        rn.train(RECIPE, digits, {"epochs": 3})


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_recipes_can_be_read_and_made(path):
    found = load_recipe(path)
    assert found.description.endswith(".")
    rn.Network(found.architecture.layers, found.architecture.input_shape)

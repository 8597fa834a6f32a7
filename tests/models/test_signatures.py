"""Editors and `help` see every option of a training call."""

import inspect

import pytest

import rnn_native as rn
from rnn_native.models.options import ModelOptions

FUNCTIONS = [rn.train_mlp, rn.train_cnn, rn.train_attention, rn.train]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_signature_and_docstring_list_every_option(function):
    parameters = inspect.signature(function).parameters
    documented = {
        name
        for line in inspect.getdoc(function).splitlines()
        if " : " in line and not line.startswith(" ")
        for name in line.partition(" : ")[0].split(", ")
    }
    assert set(ModelOptions.__annotations__) <= parameters.keys()
    assert parameters.keys() == documented
    kinds = {parameter.kind for parameter in parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds
    assert len(str(inspect.signature(function))) < 700


def test_defaults_are_those_of_the_training():
    for function, epochs, batch_size, seed in (
        (rn.train_mlp, 10, 64, 1),
        (rn.train_cnn, 3, 32, 1),
        (rn.train_attention, 8, 32, 42),
    ):
        shown = inspect.signature(function).parameters
        values = [shown[name].default for name in ("epochs", "batch_size", "seed")]
        assert values == [epochs, batch_size, seed]
        assert (shown["optimizer"].default, shown["verbose"].default) == ("sgd", "auto")


def test_what_is_shown_can_be_given(digits):
    """Every default that is shown is accepted, and changes nothing."""
    plain = rn.train_mlp(digits, epochs=1, verbose=0)
    shown = inspect.signature(rn.train_mlp).parameters
    given = {name: p.default for name, p in shown.items() if name != "data"}
    all_given = rn.train_mlp(digits, **{**given, "epochs": 1, "verbose": 0})
    assert all_given.model.weights.tobytes() == plain.model.weights.tobytes()


def test_the_signature_of_fit_is_short():
    """Types are named, not expanded."""
    text = str(inspect.signature(rn.Network.fit))
    assert "class_weight: 'ClassWeights | None' = None" in text
    assert len(text) < 1500

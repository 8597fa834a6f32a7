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


@pytest.mark.parametrize(
    ("method", "function", "without"),
    [
        (rn.Network.fit_one_cycle, rn.Network.fit, {"lr", "schedule"}),
        (rn.Network.lr_find, rn.lr_find, {"model"}),
    ],
)
def test_methods_have_the_options_of_what_they_call(method, function, without):
    own, theirs = (inspect.signature(f).parameters for f in (method, function))
    assert own.keys() >= theirs.keys() - without
    assert not own.keys() & without
    for name, parameter in theirs.items():
        if name in own and name not in ("y", "epochs"):
            assert own[name].default == parameter.default, name
    kinds = {parameter.kind for parameter in own.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds


@pytest.mark.parametrize(
    ("method", "called"),
    [("fit_one_cycle", "fit"), ("lr_find", "rnn_native.models.lr_finder.lr_find")],
)
def test_methods_hand_on_every_option(method, called, monkeypatch):
    got = {}

    def record(*args, **options):
        got.update(options)

    net = rn.Network([rn.Dense(2)], (3,))
    target = (rn.Network, called) if "." not in called else (called,)
    monkeypatch.setattr(*target, record)
    parameters = inspect.signature(getattr(rn.Network, method)).parameters.values()
    given = {p.name: object() for p in parameters if p.kind is p.KEYWORD_ONLY}
    of_the_cycle = {"div": 25.0, "div_final": 1e5, "pct_start": 0.25}
    if method == "fit_one_cycle":
        getattr(net, method)(1, 2, 3, 0.1, **{**given, **of_the_cycle})
    else:
        getattr(net, method)(1, 2, **given)
    for name in given.keys() - of_the_cycle.keys():
        assert got[name] is given[name], name

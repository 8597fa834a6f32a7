"""A name of Keras or PyTorch is answered with the one that it has here."""

import copy
import pickle
import re

import pytest

import rnn_native as rn
from rnn_native.base import other_names


@pytest.mark.parametrize("name", sorted(vars(other_names)["_HERE"]))
def test_what_is_offered_is_there(name):
    with pytest.raises(AttributeError, match=f"no attribute '{name}'; use rn.") as caught:
        getattr(rn, name)
    message = str(caught.value)
    assert "\n" not in message
    for offered in re.findall(r"rn\.(\w+)", message):
        assert offered in rn.__all__


def test_a_name_that_nobody_has_is_answered_plainly():
    with pytest.raises(AttributeError, match="no attribute 'Denze'$"):
        vars(rn)["__getattr__"]("Denze")
    assert not hasattr(rn, "Denze")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: rn.Conv2D(8, 3, strides=2),
            "Conv2D: unknown option 'strides'; use stride",
        ),
        (lambda: rn.MaxPool1D(pool_size=2), "MaxPool1D: .* 'pool_size'; use kernel_size"),
        (lambda: rn.Concat([], [], dim=1), "Concat: unknown option 'dim'; use axis"),
        (lambda: rn.TransformerBlock(4, 8, norm_first=True), ".*'norm_first'; use norm"),
        (lambda: rn.Dense(8, strides=2), "Dense: .*; known are units, activation, alpha"),
        (lambda: rn.Dense(8, activaton="relu"), "Dense: .*; did you mean 'activation'.?"),
        (
            lambda: rn.Dense(8, input_shape=(3,)),
            r"Dense: .* 'input_shape'; it is an option of rn.Network: input_shape=\(784,\)",
        ),
    ],
)
def test_an_option_of_others_is_answered_with_the_one_here(make, message):
    with pytest.raises(TypeError, match=f"^{message}.?$") as caught:
        make()
    assert "\n" not in str(caught.value)


def test_layers_are_copied_and_pickled():
    layers = (rn.Conv2D(8, 3, padding="same"), rn.Concat([rn.Dense(3)], [], name="fork"))
    for layer in layers:
        assert pickle.loads(pickle.dumps(layer)) == copy.deepcopy(layer) == layer

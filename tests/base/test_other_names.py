"""A name of Keras or PyTorch is answered with the one that it has here."""

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

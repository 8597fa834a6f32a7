"""Every public name has an example, and `help(rn)` lists what the package offers."""

import importlib
import re
from pathlib import Path

import pytest

import rnn_native as rn

ROOT = Path(__file__).parents[2]

# What is not available where the suite runs, or changes the process: a download, threadpoolctl,
# a file of int32 that the package cannot write, the folder of a competition.
SHOWN_ONLY = {
    "find_mnist",
    "load_dataset",
    "load_idx",
    "load_mnist",
    "load_mnist_or_synthetic",
    "register_threadpoolctl",
    "KaggleResult",
}
WITHOUT = {"read_label_rows"}


@pytest.fixture(scope="module")
def public():
    """Public functions and classes by their place, as lint finds them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        return importlib.import_module("public_names").public_names()


def test_public_names_are_found(public):
    assert len(public) > 200
    assert "rnn_native.models.network.Network" in public
    assert "rnn_native.plots.attention.attention_map" in public


def has_example(value):
    """Whether a docstring has one that runs, or that is shown where it cannot run."""
    lines = [
        row.lstrip() for row in value.__doc__.splitlines() if row.lstrip()[:4] == ">>> "
    ]
    calls = [line for line in lines if not re.match(">>> (import|from) ", line)]
    shown_only = value.__name__ in SHOWN_ONLY
    return bool(calls) and shown_only == all("+SKIP" in line for line in calls)


def test_every_public_name_has_an_example_that_runs(public):
    examined = {n: value for n, value in public.items() if value.__name__ not in WITHOUT}
    assert not [name for name, value in examined.items() if not has_example(value)]


def test_help_is_a_map_of_all_names():
    named = re.findall(r"(?<!`)`(\w+)`(?!`)", rn.__doc__)
    assert sorted(named) == sorted(rn.__all__)


def test_modules_and_pages_that_help_names_exist():
    modules = re.findall(r"``(?:rnn_native\.)?([a-z]+)``", rn.__doc__)
    assert len(modules) == 5
    assert set(modules) <= vars(rn)["_MODULES"].keys()
    for page in re.findall(r"docs/[\w/-]+\.md", rn.__doc__):
        assert (ROOT / page).exists()

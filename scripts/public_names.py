"""Find all public functions and classes: of `rnn_native` and of its public modules."""

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import rnn_native as rn

# Families of functions that their module documents.
FAMILIES = {"rnn_native.net.kernels"}


def names_of(module: ModuleType) -> Iterator[Any]:
    """Yield the functions and classes that a module offers."""
    offered = getattr(module, "__all__", None)
    for name in offered or vars(module):
        value = getattr(module, name)
        is_own = getattr(value, "__module__", "").startswith("rnn_native")
        if name.startswith("_") or not is_own or not callable(value):
            continue
        if offered or value.__module__ == module.__name__:
            yield value


def public_names() -> dict[str, Any]:
    """Return functions and classes of `rnn_native` and of its public modules, by their place."""
    names = vars(rn)["_MODULES"].values()
    modules = [rn, *(importlib.import_module(f"rnn_native.{name}") for name in names)]
    found = [value for module in modules for value in names_of(module)]
    return {
        f"{value.__module__}.{value.__qualname__}": value
        for value in found
        if value.__module__ not in FAMILIES
    }

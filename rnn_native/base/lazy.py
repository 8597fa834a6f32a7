"""Names of packages that are imported when they are first used."""

import importlib
import sys
from collections.abc import Mapping
from typing import Any


def named(package: str, homes: Mapping[str, str], name: str) -> Any:
    """Return a package's name from the module that has it; for a package's `__getattr__`.

    Parameters
    ----------
    package : str
    homes : mapping of str to str
        Names, and the whole names of their modules.
    name : str

    Raises
    ------
    AttributeError
        If the package has no such name.
    """
    if name not in homes:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(homes[name]), name)
    setattr(sys.modules[package], name, value)
    return value

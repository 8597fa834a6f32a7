"""Short names of public modules: `rnn_native.metrics` is `rnn_native.analysis.metrics`."""

import importlib
import importlib.util
import sys
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType


def spec_of(name: str, place: str) -> ModuleSpec:
    """Return the spec of a module under a short name.

    Parameters
    ----------
    name, place : str
        The short name, and the one that the module has; both begin with the package.

    Raises
    ------
    ModuleNotFoundError
        If there is no module in that place.
    """
    spec = importlib.util.find_spec(place)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {place!r}", name=name)
    return ModuleSpec(name, _Loader(spec), origin=spec.origin)  # type: ignore[arg-type]


class _Loader:
    """Loads a module by importing another and giving it the name, too."""

    def __init__(self, spec: ModuleSpec) -> None:
        self._spec = spec

    def get_code(self, name: str) -> CodeType | None:
        """Return the code of the module, which `python -m` and `runpy` run."""
        assert isinstance(self._spec.loader, InspectLoader)
        return self._spec.loader.get_code(self._spec.name)

    def create_module(self, spec: ModuleSpec) -> None:
        """Let the import system make an empty module, whose place the right one takes."""

    def exec_module(self, module: ModuleType) -> None:
        """Put the module that the name stands for into its place."""
        sys.modules[module.__name__] = importlib.import_module(self._spec.name)

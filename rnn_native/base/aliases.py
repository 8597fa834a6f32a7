"""Short names of public modules: `rnn_native.metrics` is `rnn_native.analysis.metrics`."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType


class ShortNames:
    """Finds and loads modules of a package by names that their folders do not have.

    Parameters
    ----------
    package : str
    places : mapping of str to str
        Short names and where the modules are, below the package.
    """

    def __init__(self, package: str, places: Mapping[str, str]) -> None:
        self._places = {f"{package}.{name}": f"{package}.{places[name]}" for name in places}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: object = None
    ) -> ModuleSpec | None:
        """Return a spec for a short name, None for all others; see `sys.meta_path`."""
        if name not in self._places:
            return None
        origin = self._spec_of(name).origin
        return ModuleSpec(name, self, origin=origin)  # type: ignore[arg-type]

    def _spec_of(self, name: str) -> ModuleSpec:
        """Return the spec of the module that a short name stands for."""
        spec = importlib.util.find_spec(self._places[name])
        if spec is None:
            raise ModuleNotFoundError(f"No module named {self._places[name]!r}", name=name)
        return spec

    def get_code(self, name: str) -> CodeType | None:
        """Return the code of the module, which `python -m` and `runpy` run."""
        spec = self._spec_of(name)
        assert isinstance(spec.loader, InspectLoader)
        return spec.loader.get_code(spec.name)

    def create_module(self, spec: ModuleSpec) -> None:
        """Let the import system make an empty module, whose place the right one takes."""

    def exec_module(self, module: ModuleType) -> None:
        """Put the module that the name stands for into its place."""
        name = module.__name__
        sys.modules[name] = importlib.import_module(self._places[name])

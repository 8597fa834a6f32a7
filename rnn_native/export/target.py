"""What the command `export` writes: a target's name, its writer and the flags of it.

Nothing here imports a writer before it is used: the command line lists targets without NumPy.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rnn_native.base.files import AnyPath

if TYPE_CHECKING:
    from rnn_native.models.network import Network


@dataclass(frozen=True, eq=False)
class Flag:
    """An option of the command line that is an argument of a writer.

    Attributes
    ----------
    option : str
        As users write it, "--uint8-input"; the writer's argument is uint8_input.
    needs : str
        What a call without a target for it needs, as a message has it.
    settings : mapping
        Of `ArgumentParser.add_argument`.
    beside : str
        Another option that makes use of this one whatever is written.
    """

    option: str
    needs: str
    settings: Mapping[str, Any]
    beside: str = ""

    @property
    def argument(self) -> str:
        """The writer's argument, and the name of the option's value."""
        return self.option.removeprefix("--").replace("-", "_")


@dataclass(frozen=True)
class Target:
    """A format that the command `export` writes.

    Attributes
    ----------
    name : str
        For --format.
    writer : str
        Where ``write(model, path, **arguments)`` is: "package.module:function".
    suffix : str, optional
        Names of files that end in it are of this format; "" for those without an ending.
    flags : tuple of Flag
        Options that the writer accepts.
    fixed : mapping
        Arguments that the writer always gets.
    """

    name: str
    writer: str
    suffix: str | None = None
    flags: tuple[Flag, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def write(self, model: "Network", path: AnyPath, **arguments: Any) -> None:
        """Write a net; `arguments` are those of `flags` that are not left out."""
        module, function = self.writer.split(":")
        getattr(importlib.import_module(module), function)(
            model, path, **self.fixed, **arguments
        )

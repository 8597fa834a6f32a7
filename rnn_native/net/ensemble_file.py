"""Files of ensembles: safetensors with the tensors and the metadata of each net.

An ensemble's file is a model file (see `model_file`) whose metadata say "ensemble" under
"holds" and have what single files say of a net in the list "nets". Tensors are those of the
nets, "nets.0.layers.0.weight". One checksum covers all.
"""

from collections.abc import Sequence
from typing import IO, TypeVar

from rnn_native.base.files import AnyPath, Source, name_of
from rnn_native.net import model_file
from rnn_native.net.predictor import Predictor
from rnn_native.net.tensor_file import Tensors

Net = TypeVar("Net", bound=Predictor)


def save(
    nets: Sequence[Predictor],
    path: AnyPath | IO[bytes],
    *,
    optimizer_state: bool = False,
) -> None:
    """Write nets as one file, atomically; errors are those of `model_file.save`."""
    from rnn_native.base.version import __version__

    tensors: Tensors = {}
    parts = []
    for i, net in enumerate(nets):
        own, metadata = model_file.content_of(net, None, optimizer_state=optimizer_state)
        tensors |= {f"{_prefix(i)}{name}": tensor for name, tensor in own.items()}
        parts.append(metadata)
    metadata = {
        "format_version": model_file.FORMAT_VERSION,
        "version": __version__,
        "holds": "ensemble",
        "nets": parts,
    }
    model_file.write(path, tensors, metadata)


def read(kind: type[Net], path: Source) -> list[Net]:
    """Read the nets of a file, as nets of some class; errors are those of `rnn_native.load`."""
    tensors, metadata = model_file.read(path, "ensemble")
    name = name_of(path)
    with model_file.versions_named(metadata):
        return [
            model_file.model_of(kind, _own(tensors, _prefix(i)), part, f"{name}: nets[{i}]")
            for i, part in enumerate(metadata["nets"])
        ]


def _prefix(index: int) -> str:
    return f"nets.{index}."


def _own(tensors: Tensors, prefix: str) -> Tensors:
    """Return the tensors of one net, by the names that they have in its own file."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }

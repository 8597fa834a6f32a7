"""Model files of the reference system: read, recognized and written.

They have neither magic nor version: a few little-endian 32-bit sizes (none in an attention
file), then the parameters as float32, or float64 in the oldest MLP files. So sizes must
agree with the length of the file to the byte, and every value must be finite. Layouts with
offsets are in docs/reference/formats.md.
"""

import math
import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import FormatError
from rnn_native.base.files import (
    AnyPath,
    atomic_write,
    errors_named,
    open_regular,
    shown,
    size_of,
)
from rnn_native.formats.legacy_choice import format_for, identify
from rnn_native.formats.legacy_layouts import Format, Tensor
from rnn_native.formats.parameters import Architecture, Arrays, finite_float32, network_of
from rnn_native.models.network import Network


def recognise(path: AnyPath) -> Format | None:
    """Return which of the reference system's formats a file has, by its sizes.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    Format or None
        None if it has none of them; `read_legacy` says why.

    Raises
    ------
    OSError
        If there is no such file, or it is not a regular one.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(5, "relu"), rn.Dense(3)], input_shape=(4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.legacy.write_legacy(net, f"{folder}/mlp.bin")
    ...     print(rn.legacy.recognise(f"{folder}/mlp.bin") is not None)
    True
    """
    with errors_named(path), open_regular(path) as file:
        try:
            return identify(file, size_of(file), shown(path))
        except FormatError:
            return None


def read_legacy(path: AnyPath) -> tuple[Architecture, Arrays]:
    """Read a model file of the reference system.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    architecture : dict
        Layers, input shape and loss, as `Network.architecture` returns them.
    arrays : list of ndarray of float32
        The parameters in storage order, which is that of the layers. Values of a float64
        file are rounded to the nearest float32.

    Raises
    ------
    OSError
        If there is no such file, or it is not a regular one.
    FormatError
        If its length does not agree with its sizes, or a value is not a finite float32.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(5, "relu"), rn.Dense(3)], input_shape=(4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.legacy.write_legacy(net, f"{folder}/mlp.bin")
    ...     architecture, arrays = rn.legacy.read_legacy(f"{folder}/mlp.bin")
    >>> [array.shape for array in arrays]
    [(4, 5), (5,), (5, 3), (3,)]
    """
    name = shown(path)
    with errors_named(path), open_regular(path) as file:
        found = identify(file, size_of(file), name)
        file.seek(0)
        content = file.read(found.size)
    if len(content) != found.size:
        raise FormatError(
            f"{name}: expected {found.size} bytes, got {len(content)}: it changed meanwhile"
        )
    return found.architecture, list(_read_tensors(content, found, name))


def load_legacy(path: AnyPath) -> Network:
    """Read a model file of the reference system as a network.

    Parameters and errors are those of `read_legacy`.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    Network
        With plain SGD as its optimizer.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(5, "relu"), rn.Dense(3)], input_shape=(4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.legacy.write_legacy(net, f"{folder}/mlp.bin")
    ...     print(rn.legacy.load_legacy(f"{folder}/mlp.bin"))
    <Network 4 -> 5 -> 3, 43 parameters>
    """
    architecture, arrays = read_legacy(path)
    return network_of(architecture, arrays, shown(path))


def write_legacy(model: Network, path: AnyPath, width: int = 4) -> None:
    """Write a network as a model file of the reference system, atomically.

    Parameters
    ----------
    model : Network
        The reference's MLP (two dense layers of any sizes, ReLU between them), CNN (conv2d
        with padding 1 and ReLU, maxpool2d by 2, flatten, dense) or attention model.
    path : str or path-like
        The file; an existing one is replaced.
    width : {4, 8}
        Bytes of a value. 8 is for MLP files that the first version's tools must read.

    Raises
    ------
    ValueError
        If there is no format for such a network, or a parameter is not finite.
    OSError
        If the file cannot be written; an older one is then untouched.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(5, "relu"), rn.Dense(3)], input_shape=(4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.legacy.write_legacy(net, f"{folder}/mlp.bin")
    ...     print(rn.load(f"{folder}/mlp.bin"))
    <Network 4 -> 5 -> 3, 43 parameters>
    """
    chosen = format_for(model.architecture(), width)
    copied = model.copied_tensors()
    arrays = [copied[name] for name in model.parameters]
    shapes = [tensor.shape for tensor in chosen.tensors]
    if [array.shape for array in arrays] != shapes:
        raise ValueError(f"model: expected parameters of shapes {shapes} in a {chosen}")
    for tensor, array in zip(chosen.tensors, arrays, strict=True):
        if not np.isfinite(array).all():
            raise ValueError(
                f"model: expected finite values, got NaN or infinity in {tensor.name}"
            )
    values = iter(arrays)
    kind = f"<f{chosen.width}"
    atomic_write(
        path,
        [
            next(values).astype(kind).tobytes()
            if isinstance(piece, Tensor)
            else struct.pack("<i", piece)
            for piece in chosen.pieces
        ],
    )


def _read_tensors(
    content: bytes, found: Format, name: str
) -> Iterator[NDArray[np.float32]]:
    offset = 0
    for piece in found.pieces:
        if not isinstance(piece, Tensor):
            offset += 4
            continue
        count = math.prod(piece.shape)
        values = np.frombuffer(content, f"<f{found.width}", count, offset)
        yield finite_float32(values.reshape(piece.shape), f"{name}: {piece.name}")
        offset += found.width * count

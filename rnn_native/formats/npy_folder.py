"""Folders of .npy files: the model format of the Kaggle digit recognizer.

One array for each weight matrix (outputs, inputs) and each bias (outputs, 1) of a
perceptron with ReLU between its layers and softmax at the end. The writer names them
``w1.npy``, ``b1.npy``, ``w2.npy``, ...; the reader accepts other spellings too, as the
originals are not documented. Data of object arrays are never unpickled.
"""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import FormatError
from rnn_native.base.files import (
    AnyPath,
    as_path,
    atomic_write,
    check_size,
    errors_named,
    open_regular,
    shown,
    size_of,
)
from rnn_native.base.npy_header import read_npy_header
from rnn_native.formats.npy_fit import check_npy_folder as check_npy_folder
from rnn_native.formats.npy_fit import npy_files
from rnn_native.formats.npy_fit import npy_obstacle as npy_obstacle
from rnn_native.formats.parameters import Architecture, Arrays, finite_float32, network_of
from rnn_native.models.network import Network

__all__ = ["load_npy_folder", "read_npy_folder", "write_npy_folder"]

MAX_LAYERS = 1000
MAX_BYTES = 1 << 30  # of a file

_KINDS = {
    "w": "weight",
    "weight": "weight",
    "weights": "weight",
    "kernel": "weight",
    "b": "bias",
    "bias": "bias",
    "biases": "bias",
}
_FILLERS = frozenset({"l", "layer", "layers", "dense", "fc", "linear", "hidden"})


def read_npy_folder(folder: AnyPath) -> tuple[Architecture, Arrays]:
    """Read a folder of weight matrices and biases.

    Parameters
    ----------
    folder : str or path-like
        Its .npy files (other files do not matter) are named by a kind, a number and words
        like "layer" in any order: ``w1``, ``weights_1``, ``layer_1_weight``, ``fc1.bias``.
        Layers are ordered by number. Weights are (outputs, inputs); biases (outputs, 1) or
        (outputs,). Any integer or float type of up to 8 bytes, byte order and memory order.

    Returns
    -------
    architecture : dict
        Layers, input shape and loss, as `Network.architecture` returns them: dense layers
        with ReLU, the last one with softmax.
    arrays : list of ndarray of float32
        Weight (inputs, outputs) and bias (outputs,) of each layer.

    Raises
    ------
    OSError
        If there is no such folder, or a file cannot be read.
    FormatError
        If files are missing, unknown or broken, or their shapes do not fit.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(5, "relu"), rn.Dense(3)], input_shape=(4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.npy_folder.write_npy_folder(net, folder)
    ...     print([array.shape for array in rn.npy_folder.read_npy_folder(folder)[1]])
    [(4, 5), (5,), (5, 3), (3,)]
    """
    name = shown(folder)
    pairs = _paired(_named_files(as_path("folder", folder), name), name)
    layers: list[dict[str, Any]] = []
    arrays: Arrays = []
    for weight_path, bias_path in pairs:
        weight, bias = _read_weight(weight_path), _read_bias(bias_path)
        outputs, inputs = weight.shape
        if len(bias) != outputs:
            raise FormatError(
                f"{shown(bias_path)}: expected {outputs} values, as {weight_path.name} is "
                f"{weight.shape} (outputs, inputs), got {len(bias)}"
            )
        if arrays and inputs != len(arrays[-1]):
            raise FormatError(
                f"{shown(weight_path)}: expected {len(arrays[-1])} columns, as the layer "
                f"before has that many outputs, got shape {weight.shape}"
            )
        layers.append({"type": "dense", "units": outputs, "activation": "relu"})
        arrays += [np.ascontiguousarray(weight.T), bias]
    layers[-1]["activation"] = "linear"
    architecture = {
        "layers": layers,
        "input_shape": [arrays[0].shape[0]],
        "loss": "softmax_cross_entropy",
    }
    return architecture, arrays


def load_npy_folder(folder: AnyPath) -> Network:
    """Read a folder of weight matrices and biases as a network.

    Parameters and errors are those of `read_npy_folder`.

    Parameters
    ----------
    folder : str or path-like
        As for `read_npy_folder`.

    Returns
    -------
    Network
        With plain SGD as its optimizer.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(3)], input_shape=(4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.npy_folder.write_npy_folder(net, folder)
    ...     print(rn.npy_folder.load_npy_folder(folder))
    <Network 4 -> 3, 15 parameters>
    """
    architecture, arrays = read_npy_folder(folder)
    return network_of(architecture, arrays, shown(folder))


def write_npy_folder(model: Network, folder: AnyPath) -> None:
    """Write a network as float64 arrays, each file atomically.

    Parameters
    ----------
    model : Network
        Dense layers only, ReLU after all but the last, softmax_cross_entropy.
    folder : str or path-like
        Made when missing.

    Raises
    ------
    ValueError
        If the format cannot hold such a network, a parameter is not finite, or the folder
        holds arrays that would be read as part of the model.
    OSError
        If a file cannot be written.

    Examples
    --------
    >>> import os
    >>> import tempfile
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(3)], input_shape=(4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.npy_folder.write_npy_folder(net, folder)
    ...     print(sorted(os.listdir(folder)))
    ['b1.npy', 'w1.npy']
    """
    check_npy_folder(model, folder)
    copied = model.copied_tensors()
    parameters = [copied[name] for name in model.parameters]
    files: dict[str, bytes] = {}
    for number, start in enumerate(range(0, len(parameters), 2), 1):
        weight, bias = parameters[start : start + 2]
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise ValueError(
                f"model: expected finite values, got NaN or infinity in layer {number}"
            )
        files[f"w{number}.npy"] = _npy(weight.T)
        files[f"b{number}.npy"] = _npy(bias[:, None])
    target = as_path("folder", folder)
    target.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        atomic_write(target / name, content)


# ---- names ----


def _named_files(folder: Path, name: str) -> dict[tuple[str, int], Path]:
    """Return the files by kind and number."""
    with errors_named(folder):
        paths = npy_files(folder)
    if len(paths) > 2 * MAX_LAYERS:
        raise FormatError(
            f"{name}: expected at most {2 * MAX_LAYERS} arrays, got {len(paths)}"
        )
    files: dict[tuple[str, int], Path] = {}
    for path in paths:
        key = _meaning(path.stem)
        if key is None:
            raise FormatError(
                f"{shown(path)}: expected a name such as w1.npy, b1.npy, w2.npy, with weight or "
                "bias and a number"
            )
        if key in files:
            raise FormatError(
                f"{name}: {files[key].name!r} and {path.name!r} are both the {key[0]} of "
                f"layer {key[1]}; remove one of them"
            )
        files[key] = path
    return files


def _meaning(stem: str) -> tuple[str, int] | None:
    """Return ("weight" or "bias", number) for a file's name, None if it does not have both."""
    words = re.findall("[a-z]+", stem.lower())
    numbers = re.findall("[0-9]+", stem)
    kinds = [_KINDS[word] for word in words if word in _KINDS]
    others = [word for word in words if word not in _KINDS and word not in _FILLERS]
    if len(kinds) != 1 or others or len(numbers) != 1 or len(numbers[0]) > 9:
        return None
    return kinds[0], int(numbers[0])


def _paired(files: dict[tuple[str, int], Path], name: str) -> list[tuple[Path, Path]]:
    """Return weight and bias of each layer, in the order of the layers."""
    if not files:
        raise FormatError(f"{name}: expected w1.npy, b1.npy, ..., got no .npy file")
    pairs = []
    for number in sorted({number for _, number in files}):
        weight, bias = files.get(("weight", number)), files.get(("bias", number))
        if weight is None or bias is None:
            missing = "weight" if weight is None else "bias"
            raise FormatError(
                f"{name}: expected a weight and a bias of each layer, got no {missing} of layer "
                f"{number}"
            )
        pairs.append((weight, bias))
    return pairs


# ---- arrays ----


def _read_weight(path: Path) -> NDArray[np.float32]:
    array = read_npy(path)
    if array.ndim != 2 or not array.size:
        raise FormatError(
            f"{shown(path)}: expected a matrix (outputs, inputs), got shape {array.shape}"
        )
    return array


def _read_bias(path: Path) -> NDArray[np.float32]:
    array = read_npy(path)
    if array.ndim not in (1, 2) or array.size != max(array.shape) or not array.size:
        raise FormatError(
            f"{shown(path)}: expected a vector (outputs, 1), got shape {array.shape}"
        )
    return array.reshape(-1)


def read_npy(path: AnyPath) -> NDArray[np.float32]:
    """Read an npy file of numbers as float32.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    ndarray of float32
        C-contiguous, of the shape in the header.

    Raises
    ------
    OSError
        If there is no such file, or it is not a regular one.
    FormatError
        If it is not an npy file of integers or floats, its length is not what its header
        announces or more than 1 GiB, or a value is not a finite float32. Nothing is
        allocated before.
    """
    name = shown(path)
    with errors_named(path), open_regular(path) as file:
        size = size_of(file)
        header = read_npy_header(file, name)
        count = math.prod(header.shape)
        expected = header.offset + count * header.dtype.itemsize
        if size != expected:
            raise FormatError(
                f"{name}: expected {expected} bytes for {header.dtype} {header.shape}, "
                f"got {size}; get the file again"
            )
        check_size(size, MAX_BYTES, name)
        data = file.read(expected - header.offset)
    if len(data) != expected - header.offset:
        raise FormatError(f"{name}: it changed while it was read")
    array = np.frombuffer(data, header.dtype)
    order: Any = "F" if header.is_fortran else "C"
    return finite_float32(array.reshape(header.shape, order=order), name)


def _npy(array: NDArray[np.float32]) -> bytes:
    import io

    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array, "<f8"), allow_pickle=False)
    return buffer.getvalue()

"""Model files of the reference system: read, recognised and written.

They have neither magic nor version: a few little-endian 32-bit sizes (none in an attention
file), then the parameters as float32, or float64 in the oldest MLP files. So sizes must
agree with the length of the file to the byte, and every value must be finite. Layouts with
offsets are in docs/formats.md.
"""

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import FormatError
from rnn_native.base.files import (
    AnyPath,
    atomic_write,
    errors_named,
    regular_file_size,
    shown,
)
from rnn_native.models.network import Network
from rnn_native.net.model_file import begins_as_safetensors

Arrays: TypeAlias = list[NDArray[np.float32]]
Architecture: TypeAlias = dict[str, Any]

MAX_SIZE = 1 << 20
ATTENTION_SIZES = ((64, 128), (16, 32))
"""(D, F) of the attention models there were; nothing in a file tells them."""

_POOL = 2
_CLASSES = 10
# What a spec means where it says nothing, for the layers of these three models.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "dense": {"activation": "linear"},
    "conv2d": {"stride": 1, "padding": 0, "activation": "linear"},
    "maxpool2d": {"kernel_size": 2, "padding": 0},
    "position": {"trainable": True},
    "self_attention": {"heads": 1, "out_proj": False, "residual": False},
}
# Keys that change nothing once there are weights, or nothing at these activations.
_IRRELEVANT = frozenset({"alpha", "init"})


class Tensor(NamedTuple):
    """A parameter in a file: its name in the reference system, and its shape."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Format:
    """A layout of a file.

    Attributes
    ----------
    kind : {"mlp", "cnn", "attention"}
    width : {4, 8}
        Bytes of a value.
    pieces : tuple of int and Tensor
        What the file holds, in order; an int is that number, stored as int32.
    architecture : dict
        Layers, input shape and loss, as `Network.architecture` gives them.
    """

    kind: str
    width: int
    pieces: tuple[int | Tensor, ...]
    architecture: Architecture

    @property
    def tensors(self) -> list[Tensor]:
        """The parameters, in storage order."""
        return [piece for piece in self.pieces if isinstance(piece, Tensor)]

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        values = sum(math.prod(tensor.shape) for tensor in self.tensors)
        return 4 * (len(self.pieces) - len(self.tensors)) + self.width * values

    def __str__(self) -> str:
        sizes = "x".join(map(str, self.architecture["input_shape"]))
        return f"{self.kind} on {sizes}, float{8 * self.width}"


def recognise(path: AnyPath) -> Format | None:
    """Tell which of the reference system's formats a file has, by its sizes.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Format or None
        None if it has none of them; `read_legacy` says why.

    Raises
    ------
    OSError
        If there is no such file, or it is not a regular one.
    """
    size = regular_file_size(path)
    with errors_named(path), Path(path).open("rb") as file:
        try:
            return _identify(file, size, shown(path))
        except FormatError:
            return None


def read_legacy(path: AnyPath) -> tuple[Architecture, Arrays]:
    """Read a model file of the reference system.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    architecture : dict
        Layers, input shape and loss, as `Network.architecture` gives them.
    arrays : list of ndarray of float32
        The parameters in storage order, which is that of the layers. Values of a float64
        file are rounded to the nearest float32.

    Raises
    ------
    OSError
        If there is no such file, or it is not a regular one.
    FormatError
        If its length does not agree with its sizes, or a value is not a finite float32.
    """
    name = shown(path)
    size = regular_file_size(path)
    with errors_named(path), Path(path).open("rb") as file:
        found = _identify(file, size, name)
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
    width : {4, 8}
        Bytes of a value. 8 is for MLP files that the first version's tools shall read.

    Raises
    ------
    ValueError
        If there is no format for such a network, or a parameter is not finite.
    OSError
        If the file cannot be written; an older one is then untouched.
    """
    chosen = _format_for(model.architecture(), width)
    copied = model.copied_tensors()
    arrays = [copied[name] for name in model.parameters]
    shapes = [tensor.shape for tensor in chosen.tensors]
    if [array.shape for array in arrays] != shapes:
        raise ValueError(f"model: expected parameters of shapes {shapes} in a {chosen}")
    for tensor, array in zip(chosen.tensors, arrays, strict=True):
        if not np.isfinite(array).all():
            raise ValueError(f"model: {tensor.name} has values that are not finite")
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


def network_of(
    architecture: Mapping[str, Any], arrays: Sequence[NDArray[np.float32]], name: str
) -> Network:
    """Make a network with given parameters, in storage order.

    Raises
    ------
    FormatError
        If the network cannot be made, or has other parameters; `name` is the file's.
    """
    try:
        model = Network.from_architecture(architecture)
    except (ValueError, TypeError) as error:
        raise FormatError(f"{name}: its network cannot be made: {error}") from None
    parameters = list(model.parameters.values())
    if [p.shape for p in parameters] != [a.shape for a in arrays]:
        raise FormatError(f"{name}: its parameters are not those of its architecture")
    for parameter, array in zip(parameters, arrays, strict=True):
        parameter[...] = array
    # The systems that write these files train on pixels divided by 255.
    model.input_dtype = "uint8"
    return model


def finite_float32(values: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Return values as a new C-contiguous float32 array.

    Raises
    ------
    FormatError
        If one is NaN or infinite, or becomes infinite; `name` says where it is.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.array(values, np.float32, order="C")
    if not np.isfinite(array).all():
        first = np.unravel_index(int(np.argmin(np.isfinite(array))), array.shape)
        index = ", ".join(map(str, first))
        raise FormatError(
            f"{name}: expected finite float32 values, got {values[first]} at [{index}]"
        )
    return array


# ---- the three layouts ----


def _mlp(inputs: int, hidden: int, outputs: int, width: int) -> Format:
    return Format(
        "mlp",
        width,
        (
            inputs,
            hidden,
            outputs,
            Tensor("W1", (inputs, hidden)),
            Tensor("b1", (hidden,)),
            Tensor("W2", (hidden, outputs)),
            Tensor("b2", (outputs,)),
        ),
        _architecture([inputs], [_dense(hidden, "relu"), _dense(outputs)]),
    )


def _cnn(
    filters: int, channels: int, kernel: int, height: int, width: int, outputs: int
) -> Format:
    pooled_height, pooled_width = _pooled(height, kernel), _pooled(width, kernel)
    inputs = filters * pooled_height * pooled_width
    layers: list[dict[str, Any]] = [
        {
            "type": "conv2d",
            "filters": filters,
            "kernel_size": kernel,
            "stride": 1,
            "padding": 1,
            "activation": "relu",
        },
        {"type": "maxpool2d", "kernel_size": _POOL, "stride": _POOL, "padding": 0},
        {"type": "flatten"},
        _dense(outputs),
    ]
    return Format(
        "cnn",
        4,
        (
            filters,
            channels,
            kernel,
            height,
            width,
            Tensor("conv_w", (filters, channels, kernel, kernel)),
            Tensor("conv_b", (filters,)),
            inputs,
            outputs,
            Tensor("fc_w", (inputs, outputs)),
            Tensor("fc_b", (outputs,)),
        ),
        _architecture([channels, height, width], layers),
    )


def _pooled(extent: int, kernel: int) -> int:
    """Return what padding 1, the kernel, and pooling leave of an image's extent."""
    return max(0, extent + 2 - kernel + 1) // _POOL


def _attention(model: int, feed_forward: int) -> Format:
    tokens, patch = 49, 4
    projections = [
        tensor
        for letter in "qkv"
        for tensor in (
            Tensor(f"w_{letter}", (model, model)),
            Tensor(f"b_{letter}", (model,)),
        )
    ]
    layers: list[dict[str, Any]] = [
        {"type": "patch_embed", "patch_size": patch, "units": model},
        {"type": "position", "init": "sinusoidal", "trainable": True},
        {"type": "activation", "function": "relu"},
        {"type": "self_attention", "heads": 1, "out_proj": False, "residual": False},
        _dense(feed_forward, "relu"),
        _dense(model),
        {"type": "mean_pool"},
        _dense(_CLASSES),
    ]
    return Format(
        "attention",
        4,
        (
            Tensor("w_patch", (patch * patch, model)),
            Tensor("b_patch", (model,)),
            Tensor("pos", (tokens, model)),
            *projections,
            Tensor("w_ff1", (model, feed_forward)),
            Tensor("b_ff1", (feed_forward,)),
            Tensor("w_ff2", (feed_forward, model)),
            Tensor("b_ff2", (model,)),
            Tensor("w_cls", (model, _CLASSES)),
            Tensor("b_cls", (_CLASSES,)),
        ),
        _architecture([1, 28, 28], layers),
    )


def _dense(units: int, activation: str = "linear") -> dict[str, Any]:
    return {"type": "dense", "units": units, "activation": activation}


def _architecture(input_shape: list[int], layers: list[dict[str, Any]]) -> Architecture:
    return {"layers": layers, "input_shape": input_shape, "loss": "softmax_cross_entropy"}


# ---- from a file to its layout ----


def _identify(file: BinaryIO, size: int, name: str) -> Format:
    """Return the layout whose sizes agree with the file, or say why there is none."""
    head = file.read(20)
    if begins_as_safetensors(head, size):
        raise FormatError(f"{name}: safetensors, not a model file of the reference system")
    formats = [
        *_mlp_formats(head),
        *_cnn_formats(file, head, size),
        *(_attention(*sizes) for sizes in ATTENTION_SIZES),
    ]
    for candidate in formats:
        if candidate.size == size:
            return candidate
    raise FormatError(f"{name}: {_reason(file, head, size)}")


def _sizes(data: bytes, count: int) -> tuple[int, ...] | None:
    """Return the first `count` int32 of `data` if all can be sizes of something."""
    if len(data) < 4 * count:
        return None
    sizes = struct.unpack_from(f"<{count}i", data)
    return sizes if all(1 <= size <= MAX_SIZE for size in sizes) else None


def _mlp_formats(head: bytes) -> list[Format]:
    sizes = _sizes(head, 3)
    if sizes is None:
        return []
    inputs, hidden, outputs = sizes
    return [_mlp(inputs, hidden, outputs, width) for width in (4, 8)]


def _cnn_formats(file: BinaryIO, head: bytes, size: int) -> list[Format]:
    conv = _sizes(head, 5)
    dense = _dense_sizes(file, conv, size) if conv is not None else None
    if conv is None or dense is None:
        return []
    filters, channels, kernel, height, width = conv
    found = _cnn(filters, channels, kernel, height, width, dense[1])
    return [found] if found.pieces[7] == dense[0] else []


def _dense_sizes(
    file: BinaryIO, conv: tuple[int, ...], size: int
) -> tuple[int, ...] | None:
    """Return inputs and outputs of a CNN's dense layer, which stand behind the filters."""
    offset = _dense_offset(conv)
    if offset > size:
        return None
    file.seek(offset)
    return _sizes(file.read(8), 2)


def _dense_offset(conv: tuple[int, ...]) -> int:
    filters, channels, kernel = conv[:3]
    return 20 + 4 * filters * (channels * kernel * kernel + 1)


def _reason(file: BinaryIO, head: bytes, size: int) -> str:
    """Say why a file has none of the layouts."""
    conv, mlp = _sizes(head, 5), _sizes(head, 3)
    if conv is not None:
        return _reason_against_cnn(file, conv, size)
    if mlp is not None:
        narrow, wide = _mlp_formats(head)
        return (
            f"MLP file for {mlp[0]}-{mlp[1]}-{mlp[2]}: expected {narrow.size} (float32) or "
            f"{wide.size} bytes (float64), got {size}; get the file again"
        )
    known = ", ".join(
        f"{_attention(*sizes).size} (D={sizes[0]}, F={sizes[1]})"
        for sizes in ATTENTION_SIZES
    )
    return (
        "not a model file of the reference system: it begins with no sizes, as MLP and CNN "
        f"files do, and has {size} bytes; expected, of an attention file, {known}"
    )


def _reason_against_cnn(file: BinaryIO, conv: tuple[int, ...], size: int) -> str:
    filters, channels, kernel, height, width = conv
    what = (
        f"CNN file for {filters} filters of {kernel}x{kernel} on "
        f"{channels}x{height}x{width}"
    )
    offset = _dense_offset(conv)
    if size < offset + 8:
        return f"{what}: expected more than {offset + 8} bytes, got {size}; truncated"
    dense = _dense_sizes(file, conv, size)
    if dense is None:
        return f"{what}: expected two sizes in 1..{MAX_SIZE} at byte {offset}"
    found = _cnn(filters, channels, kernel, height, width, dense[1])
    if found.pieces[7] != dense[0]:
        return (
            f"{what}: expected {found.pieces[7]} dense inputs at byte {offset}, "
            f"got {dense[0]}"
        )
    return f"{what}: expected {found.size} bytes, got {size}; get the file again"


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


# ---- from a network to its layout ----


def _format_for(architecture: Architecture, width: int) -> Format:
    """Return the layout for a network, or say why there is none."""
    if isinstance(width, bool) or width not in (4, 8):
        raise ValueError(f"width: expected 4 or 8, got {width!r}")
    chosen = _format_by_types(architecture, width)
    if chosen is None:
        types = ", ".join(layer["type"] for layer in architecture["layers"])
        shape = tuple(architecture["input_shape"])
        raise ValueError(
            f"model: the reference system has no file format for {types} on {shape}, only "
            "for its MLP (dense, dense), its CNN and its attention model"
        )
    if width == 8 and chosen.kind != "mlp":
        raise ValueError(f"width: a {chosen.kind} file has float32 only, expected 4")
    if difference := _difference(architecture, chosen.architecture):
        raise ValueError(f"model: the {chosen.kind} format cannot tell: {difference}")
    if max(piece for piece in (*chosen.pieces, 1) if isinstance(piece, int)) > MAX_SIZE:
        raise ValueError(f"model: a size is beyond {MAX_SIZE}, the greatest in a file")
    return chosen


def _format_by_types(architecture: Architecture, width: int) -> Format | None:
    layers, shape = architecture["layers"], architecture["input_shape"]
    types = [layer["type"] for layer in layers]
    if types == ["dense", "dense"] and len(shape) == 1:
        return _mlp(shape[0], layers[0]["units"], layers[1]["units"], width)
    if types == ["conv2d", "maxpool2d", "flatten", "dense"] and len(shape) == 3:
        channels, height, across = shape
        conv = layers[0]
        return _cnn(
            conv["filters"],
            channels,
            conv["kernel_size"],
            height,
            across,
            layers[3]["units"],
        )
    example = _attention(*ATTENTION_SIZES[0])
    if types == [layer["type"] for layer in example.architecture["layers"]]:
        sizes = (layers[0]["units"], layers[4]["units"])
        if sizes not in ATTENTION_SIZES:
            known = " and ".join(f"D={d}, F={f}" for d, f in ATTENTION_SIZES)
            raise ValueError(
                f"model: an attention file does not tell its sizes; known are {known}, got "
                f"D={sizes[0]}, F={sizes[1]}"
            )
        return _attention(*sizes)
    return None


def _difference(ours: Architecture, wanted: Architecture) -> str | None:
    """Say in what an architecture differs from the one that a format stands for."""
    if ours["loss"] != wanted["loss"]:
        return f"loss is {ours['loss']!r}, expected {wanted['loss']!r}"
    if list(ours["input_shape"]) != wanted["input_shape"]:
        return f"input_shape is {ours['input_shape']}, expected {wanted['input_shape']}"
    layers = zip(ours["layers"], wanted["layers"], strict=True)
    for index, (mine, theirs) in enumerate(layers):
        mine, theirs = _complete(mine), _complete(theirs)
        for key in sorted(mine.keys() | theirs.keys()):
            if mine.get(key) != theirs.get(key):
                return (
                    f"layers[{index}].{key} is {mine.get(key)!r}, expected "
                    f"{theirs.get(key)!r}"
                )
    return None


def _complete(layer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer's spec with its defaults, without what does not matter here."""
    given = {
        key: value
        for key, value in layer.items()
        if key not in _IRRELEVANT and value is not None
    }
    complete = {**_DEFAULTS.get(layer["type"], {}), **given}
    if layer["type"] == "maxpool2d":
        complete.setdefault("stride", complete["kernel_size"])
    return complete

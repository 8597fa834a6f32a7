"""Which layout it is: by the sizes in a file, or by a network's layers."""

import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

from rnn_native.base.errors import FormatError
from rnn_native.base.text import brief
from rnn_native.formats.legacy_layouts import (
    ATTENTION_SIZES,
    Format,
    attention_format,
    cnn_format,
    mlp_format,
)
from rnn_native.formats.parameters import Architecture
from rnn_native.net.tensor_file import begins_as_safetensors

MAX_SIZE = 1 << 20
MAX_BYTES = 1 << 30  # of a file
# What a spec means where it says nothing, for the layers of these three models.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "dense": {"activation": "linear"},
    "conv2d": {
        **{"stride": 1, "padding": 0, "dilation": 1, "groups": 1},
        "activation": "linear",
    },
    "maxpool2d": {"kernel_size": 2, "padding": 0},
    "position": {"trainable": True},
    "self_attention": {"heads": 1, "out_proj": False, "residual": False},
}
# Keys that change nothing once there are weights, or nothing at these activations.
_IRRELEVANT = frozenset({"alpha", "init"})


# ---- from a file to its layout ----


def identify(file: BinaryIO, size: int, name: str) -> Format:
    """Return the layout whose sizes agree with the file, or say why there is not one."""
    head = file.read(20)
    if begins_as_safetensors(head, size):
        raise FormatError(f"{name}: safetensors, not a model file of the reference system")
    formats = [
        *_mlp_formats(head),
        *_cnn_formats(file, head, size),
        *(attention_format(*sizes) for sizes in ATTENTION_SIZES),
    ]
    for candidate in formats:
        if candidate.size == size > MAX_BYTES:
            raise FormatError(f"{name}: expected at most {MAX_BYTES} bytes, got {size}")
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
    return [mlp_format(inputs, hidden, outputs, width) for width in (4, 8)]


def _cnn_formats(file: BinaryIO, head: bytes, size: int) -> list[Format]:
    conv = _sizes(head, 5)
    dense = _dense_sizes(file, conv, size) if conv is not None else None
    if conv is None or dense is None:
        return []
    filters, channels, kernel, height, width = conv
    found = cnn_format(filters, channels, kernel, height, width, dense[1])
    return [found] if found.pieces[7] == dense[0] else []


def _dense_sizes(
    file: BinaryIO, conv: tuple[int, ...], size: int
) -> tuple[int, ...] | None:
    """Return inputs and outputs of a CNN's dense layer, which follow the filters."""
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
        f"{attention_format(*sizes).size} (D={sizes[0]}, F={sizes[1]})"
        for sizes in ATTENTION_SIZES
    )
    return (
        "not a model file of the reference system: expected the sizes of an MLP or CNN file "
        f"at its beginning, or the bytes of an attention file, {known}, got {size} bytes"
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
    found = cnn_format(filters, channels, kernel, height, width, dense[1])
    if found.pieces[7] != dense[0]:
        return (
            f"{what}: expected {found.pieces[7]} dense inputs at byte {offset}, "
            f"got {dense[0]}"
        )
    return f"{what}: expected {found.size} bytes, got {size}; get the file again"


# ---- from a network to its layout ----


def format_for(architecture: Architecture, width: int) -> Format:
    """Return the layout for a network, or say why there is not one."""
    if isinstance(width, bool) or width not in (4, 8):
        raise ValueError(f"width: expected 4 or 8, got {brief(width)}")
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
        raise ValueError(f"model: the {chosen.kind} format cannot store: {difference}")
    if max(piece for piece in (*chosen.pieces, 1) if isinstance(piece, int)) > MAX_SIZE:
        raise ValueError(f"model: expected sizes of at most {MAX_SIZE}, got a larger one")
    return chosen


def _format_by_types(architecture: Architecture, width: int) -> Format | None:
    layers, shape = architecture["layers"], architecture["input_shape"]
    types = [layer["type"] for layer in layers]
    if types == ["dense", "dense"] and len(shape) == 1:
        return mlp_format(shape[0], layers[0]["units"], layers[1]["units"], width)
    if types == ["conv2d", "maxpool2d", "flatten", "dense"] and len(shape) == 3:
        channels, height, across = shape
        conv = layers[0]
        kernel = conv["kernel_size"]
        return cnn_format(
            conv["filters"],
            channels,
            kernel if isinstance(kernel, int) else kernel[0],
            height,
            across,
            layers[3]["units"],
        )
    example = attention_format(*ATTENTION_SIZES[0])
    if types == [layer["type"] for layer in example.architecture["layers"]]:
        sizes = (layers[0]["units"], layers[4]["units"])
        if sizes not in ATTENTION_SIZES:
            known = " and ".join(f"D={d}, F={f}" for d, f in ATTENTION_SIZES)
            raise ValueError(
                f"model: an attention file does not store its sizes; known are {known}, got "
                f"D={sizes[0]}, F={sizes[1]}"
            )
        return attention_format(*sizes)
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

"""What a page asks for and what it shows: by a net's input, outputs and loss."""

import math
from collections.abc import Sequence
from typing import Any

from rnn_native.base.text import brief
from rnn_native.export.steps import Step, has_many_labels, steps_of
from rnn_native.models.network import Network
from rnn_native.net.losses import LOSSES

SIDE, DIGITS = 28, 10
MOST_FIELDS = 100


def inputs_of(
    net: Network, classes: Sequence[str] | None, features: Sequence[str] | None
) -> dict[str, Any]:
    """Return what a page asks for, for JSON.

    Returns
    -------
    dict
        "kind": "drawing", "picture" or "numbers"; "shape" of an image or the net's own;
        "size"; "digits" of drawings; of numbers "features", a name and first value for each
        field or None, and "divisor" of the entered number.

    Raises
    ------
    ValueError
        If there are features for a net that accepts an image, or the wrong number of them.
    """
    steps = steps_of(net)
    image = None if features is not None else _image_shape(net, steps[0])
    if features is not None:
        _check_features(net, features)
    shape = image or tuple(net.input_shape)
    asked: dict[str, Any] = {"shape": shape, "size": math.prod(shape)}
    if image is None:
        divisor = 255 if net.input_dtype == "uint8" else 1
        fields = _fields(net, steps[0], features)
        return {**asked, "kind": "numbers", "features": fields, "divisor": divisor}
    digits = classes is None and net.output_shape[0] == DIGITS
    has_characters = classes is not None and all(len(name) == 1 for name in classes)
    if image == (1, SIDE, SIDE) and (digits or has_characters):
        is_digits = digits or [*(classes or ())] == [str(i) for i in range(DIGITS)]
        return {**asked, "kind": "drawing", "digits": is_digits}
    return {**asked, "kind": "picture"}


def outputs_of(net: Network, classes: Sequence[str] | None) -> dict[str, Any]:
    """Return what a net's outputs are and are called, for JSON.

    Returns
    -------
    dict
        "kind": "classes", "answers" (a yes or no for each output) or "values"; "names".

    Raises
    ------
    ValueError
        If there are more or fewer names than outputs, or one is empty.
    """
    outputs = net.output_shape[0]
    tells_classes = LOSSES[net.loss].tells_classes
    is_one = tells_classes and outputs == 1
    if classes is not None:
        _check_names("classes", classes, 2 if is_one else outputs)
        names = list(classes)
    elif is_one:
        names = ["no", "yes"]
    elif tells_classes or outputs == DIGITS:
        names = [str(i) for i in range(outputs)]
    else:
        names = [f"output {i}" for i in range(outputs)]
    kind = "classes" if tells_classes else "values"
    return {"kind": "answers" if has_many_labels(net) else kind, "names": names}


def _image_shape(net: Network, first: Step) -> tuple[int, ...] | None:
    """Return channels, height and width if a net's input is an image, else None."""
    shape = tuple(net.input_shape)
    if shape in ((SIDE * SIDE,), (SIDE, SIDE)):
        return (1, SIDE, SIDE)
    if len(shape) == 2 and first.type == "patch_embed":
        return (1, *shape)
    return shape if len(shape) == 3 and shape[0] in (1, 3) else None


def _check_features(net: Network, features: Sequence[str]) -> None:
    if len(net.input_shape) != 1:
        shape = " x ".join(map(str, net.input_shape))
        raise ValueError(
            f"features: names are for a row of numbers, but this net expects {shape}; "
            "leave them out"
        )
    _check_names("features", features, net.input_shape[0])


def _check_names(what: str, names: Sequence[str], expected: int) -> None:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{what}: expected a list of names, got {brief(names)}")
    if len(names) != expected:
        raise ValueError(f"{what}: expected {expected} names, got {len(names)}")
    if not all(name.strip() for name in names):
        raise ValueError(f"{what}: expected names, got an empty one")


def _fields(
    net: Network, first: Step, features: Sequence[str] | None
) -> list[dict[str, Any]] | None:
    """Return a name and a first value for each number of a short row, else None.

    What a first normalization subtracts is a better beginning than zeros.
    """
    size = math.prod(net.input_shape)
    if len(net.input_shape) != 1 or (features is None and size > MOST_FIELDS):
        return None
    names = features or [f"input {i}" for i in range(size)]
    values = [0.0] * size
    if first.type == "normalization":
        values = first.normalization[0].tolist()
    return [
        {"name": name, "value": value} for name, value in zip(names, values, strict=True)
    ]

"""Model files: safetensors with the architecture and a checksum in the metadata.

A model file has a tensor for each parameter ("layers.0.weight"), and one metadata entry,
"rnn_native", a JSON object. Its keys are format_version, version (of the package that wrote
it), architecture, optimizer (its settings), normalisation, input_dtype (of `fit`), facts
(results when the model was saved), and sha256. On request it also has the state of training;
see `saved_training`. A run file ("last.safetensors") adds the tensors "run.order",
"run.moments", "run.best" and "run.live", where these exist, and the object "run". The
digest covers all tensors (name, dtype, shape, bytes) and all other metadata: plain
safetensors accepts many single flipped bits. Equal models have equal files.
"""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.checks import check_flag
from rnn_native.base.errors import FormatError
from rnn_native.base.files import Source, name_of, write_target
from rnn_native.base.text import printable
from rnn_native.net import losses, saved_training, tensor_file
from rnn_native.net.input_dtype import check_input_dtype
from rnn_native.net.optimizers import Optimizer, as_settings
from rnn_native.net.predictor import Predictor
from rnn_native.net.tensor_file import Tensors

if TYPE_CHECKING:
    from os import PathLike


KEY = "rnn_native"
FORMAT_VERSION = 1
FIRST_VERSION = "0.1.0"  # wrote files that do not name it
NORMALISATION = {"uint8": "x / 255", "float32": "x"}

MAX_ROW_MEMORY = 60_000_000
"""The float32 numbers that a file's net may keep of one row in a prediction: 240 MB."""

READERS = {
    "model": "a single net; use rn.load",
    "ensemble": "an ensemble of nets; use rn.Ensemble.load",
    "table": "a net over a table; use rn.TabularNet.load",
    "weights": "weights without layers; make the net and use net.load_weights",
}
"""What files may hold, and what reads that. A file without this entry holds a model."""
_ENTRIES: dict[str, dict[str, type]] = {
    "model": {"architecture": dict, "facts": dict},
    "ensemble": {"nets": list},
    "table": {"architecture": dict, "facts": dict, "table": dict},
    "weights": {"facts": dict},
}

Metadata = dict[str, Any]


def save(
    model: Predictor,
    path: "str | PathLike[str] | IO[bytes]",
    facts: Mapping[str, Any] | None = None,
    *,
    optimizer_state: bool = False,
) -> None:
    """Write a model file, atomically.

    Parameters
    ----------
    model : Predictor
        It is left as it is.
    path : path, or binary file that is open for writing
        Where the model goes.
    facts : mapping, optional
        Anything that JSON can hold, stored with the model: loss, accuracy, ...
    optimizer_state : bool
        Keep moments, steps, shuffles and masks, too: see `Network.save`.

    Raises
    ------
    OSError
        If the file cannot be written; an existing file is left unchanged.
    RuntimeError
        If another thread trains the net and `optimizer_state` is True.

    Examples
    --------
    >>> import io
    >>> import rnn_native as rn
    >>> net, file = rn.Network([rn.Dense(3)], input_shape=(4,)), io.BytesIO()
    >>> rn.checkpoint.save(net, file, {"accuracy": 0.9})
    """
    write(path, *content_of(model, facts, optimizer_state=optimizer_state))


def content_of(
    model: Predictor, facts: Mapping[str, Any] | None, *, optimizer_state: bool
) -> tuple[Tensors, Metadata]:
    """Return the tensors and the metadata of a model's file."""
    if not check_flag("optimizer_state", optimizer_state):
        return model.copied_tensors(), metadata_of(model, facts)
    with model.unchanged("save(optimizer_state=True)"):
        metadata = metadata_of(model, facts)
        tensors = {**model.copied_tensors(), **saved_training.tensors_of(model)}
        metadata["training"] = model.training_state.as_dict()
    return tensors, metadata


Net = TypeVar("Net", bound=Predictor)


def read_model(kind: type[Net], path: Source, optimizer: Optimizer | None = None) -> Net:
    """Read a model file as a net of some class; see `rnn_native.models.network.load`."""
    tensors, metadata = read(path)
    with versions_named(metadata):
        model = model_of(kind, tensors, metadata, name_of(path))
    if optimizer is not None and as_settings(optimizer) != model.optimizer:
        model.optimizer = optimizer
    return model


def model_of(
    kind: type[Net], tensors: Tensors, metadata: Metadata, name: "str | PathLike[str]"
) -> Net:
    """Make the net of a file's tensors and metadata; `name` is what messages call the file."""
    with faults_named(name, "architecture"):
        shapes = kind.shapes_as_saved(metadata["architecture"])
    # Before there is a net: a small file may claim layers of gigabytes.
    for key, shape in shapes.items():
        _require_shape(key, shape, tensors.get(key), name)
    _require_small_rows(kind, metadata["architecture"], name)
    with faults_named(name, "architecture"):
        model = kind.as_saved(metadata["architecture"])
        model.take_input_dtype(metadata, str(name))
    # A file that an earlier version wrote has no optimizer.
    with faults_named(name, "optimizer"):
        model.optimizer = metadata.get("optimizer", {"type": "sgd"})
    fill(model, tensors, name)
    take_rates(model, metadata, name)
    _warn_of_last_activation(model, metadata["architecture"], name)
    if "training" in metadata:
        with faults_named(name, "training"):
            saved_training.restore(model, tensors, metadata["training"])
    return model


def _require_small_rows(
    kind: type[Predictor], architecture: Mapping[str, Any], name: "str | PathLike[str]"
) -> None:
    """Refuse layers whose outputs for one row are gigabytes, however small the file is."""
    with faults_named(name, "architecture"):
        numbers = kind.row_memory_as_saved(architecture)
    if numbers > MAX_ROW_MEMORY:
        raise FormatError(
            f"{name}: architecture: a prediction of one row keeps {numbers} numbers, expected "
            f"at most {MAX_ROW_MEMORY}; if the file is trusted, make the net with its layers "
            "and use net.load_weights"
        )


def _warn_of_last_activation(
    model: Predictor, architecture: Mapping[str, Any], path: "str | PathLike[str]"
) -> None:
    """Warn of a last activation that 0.1.0 accepted beside the loss's own function."""
    if fault := losses.last_activation_fault(model.specs, model.loss):
        text = f"{fault[1]}; the model predicts as it did"
    elif losses.own_activation(architecture["layers"], model.loss) is not None:
        text = (
            f"its last {losses.LOSSES[model.loss].function} was applied twice, as "
            f"{model.loss} has its own; now it is applied once, so probabilities differ: "
            "train the model again"
        )
    else:
        return
    warnings.warn(printable(f"{path}: {text}"), stacklevel=5)


def require(path: "str | PathLike[str]", what: str, holds: bool) -> None:
    """Raise FormatError unless something holds of a file."""
    if not holds:
        raise FormatError(f"{path}: damaged: {what} is missing or invalid")


@contextmanager
def faults_named(path: "str | PathLike[str]", what: str) -> Iterator[None]:
    """Turn what odd data does to a constructor into a FormatError."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
        text = " ".join(str(error).split())
        raise FormatError(f"{path}: {what} cannot be used: {text}") from None


@contextmanager
def versions_named(metadata: Metadata) -> Iterator[None]:
    """Let an error on what a file of another version holds name both versions."""
    try:
        yield
    except ValueError as error:
        if not (text := _versions(metadata)):
            raise
        kind = FormatError if isinstance(error, FormatError) else ValueError
        raise kind(f"{error}{text}") from None


def _versions(metadata: Metadata) -> str:
    """Return "; rnn_native 0.3.0 wrote it, this is 0.2.0", nothing if they are the same."""
    from rnn_native.base.version import __version__

    writer = printable(str(metadata.get("version", FIRST_VERSION)))[:40]
    return (
        ""
        if writer == __version__
        else f"; rnn_native {writer} wrote it, this is {__version__}"
    )


def metadata_of(model: Predictor, facts: Mapping[str, Any] | None) -> Metadata:
    """Return the metadata of a model in a file."""
    from rnn_native.base.version import __version__

    return {
        "format_version": FORMAT_VERSION,
        "version": __version__,
        "architecture": model.architecture(),
        "optimizer": dict(model.optimizer),
        "normalisation": NORMALISATION,
        "input_dtype": model.input_dtype,
        "facts": dict(facts or {}),
        **({} if set(model.rates) == {1.0} else {"lr_multipliers": model.rates}),
    }


def take_rates(model: Predictor, metadata: Metadata, path: "str | PathLike[str]") -> None:
    """Set the rates of a model's layers to those of a file; all are 1 if it has none."""
    rates = metadata.get("lr_multipliers", [1.0] * len(model.specs))
    with faults_named(path, "lr_multipliers"):
        model.set_rates(np.array(rates, np.float64))


def fill(model: Predictor, tensors: Tensors, path: "str | PathLike[str]") -> None:
    """Load a file's parameters and state into a model; FormatError if they are not its own."""
    for name, parameter in {**model.parameters, **model.state}.items():
        parameter[:] = _fitting(name, parameter.shape, tensors.get(name), path)


def _require_shape(
    name: str,
    shape: tuple[int, ...],
    tensor: NDArray[Any] | None,
    path: "str | PathLike[str]",
) -> NDArray[np.float32]:
    """Return a file's tensor if it is float32 of some shape, or raise FormatError."""
    if tensor is None or tensor.shape != shape or tensor.dtype != np.float32:
        found = "nothing" if tensor is None else f"{tensor.dtype} {tensor.shape}"
        raise FormatError(f"{path}: {name}: expected float32 {shape}, got {found}")
    return tensor


def _fitting(
    name: str,
    shape: tuple[int, ...],
    tensor: NDArray[Any] | None,
    path: "str | PathLike[str]",
) -> NDArray[np.float32]:
    """Return a file's tensor for an array of a model, or raise FormatError."""
    tensor = _require_shape(name, shape, tensor, path)
    if not np.isfinite(tensor).all():
        raise FormatError(f"{path}: {name}: expected finite values, got NaN or infinity")
    return tensor


def save_weights(
    model: Predictor,
    path: "str | PathLike[str] | IO[bytes]",
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write a model's parameters and state, atomically, without layers and optimizer."""
    known = metadata_of(model, facts)
    kept = ("format_version", "version", "normalisation", "input_dtype", "facts")
    metadata = {**{key: known[key] for key in kept}, "holds": "weights"}
    write(path, model.copied_tensors(), metadata)


def load_weights(model: Predictor, path: Source) -> None:
    """Load the weights of a file into a model, all or none; see `Network.load_weights`."""
    tensors, metadata = read(path, "weights", "model")
    name = name_of(path)
    values = model.get_weights()
    own = model.views_of(values)
    for key, view in own.items():
        view[:] = _fitting(key, view.shape, tensors.get(key), name)
    extra = sorted(key for key in tensors.keys() - own.keys() if not is_aside(key))
    if extra:
        raise FormatError(
            f"{name}: {extra[0]}: expected weights of this net only, whose last are "
            f"{next(reversed(own), 'none')}"
        )
    with faults_named(name, "input_dtype"):
        kind = check_input_dtype(metadata.get("input_dtype"))
    model.set_weights(values)
    if kind is not None:
        model.input_dtype = kind


def is_aside(name: str) -> bool:
    """Return whether a tensor is not the model's, but a run's or what training needs."""
    return name.startswith(("run.", saved_training.PREFIX))


def _digest(tensors: Tensors, metadata: Metadata) -> str:
    import hashlib

    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(json.dumps([name, tensor.dtype.str, tensor.shape]).encode())
        digest.update(np.ascontiguousarray(tensor).data)
    return digest.hexdigest()


def write(
    path: "str | PathLike[str] | IO[bytes]", tensors: Tensors, metadata: Metadata
) -> None:
    """Write tensors and metadata with their checksum, atomically."""
    signed = json.dumps({**metadata, "sha256": _digest(tensors, metadata)})
    write_target(path, tensor_file.serialized(tensors, {KEY: signed}))


def read(path: Source, *holds: str) -> tuple[Tensors, Metadata]:
    """Read tensors and metadata whose checksum is right; errors are those of `load`.

    `holds` are keys of `READERS`: what the file may be. A model by default.
    """
    name = name_of(path)
    with tensor_file.opened(path) as file:
        metadata = _metadata_in(file.metadata, name, holds or ("model",))
        tensors = file.tensors()
    claimed = metadata.pop("sha256")
    if claimed != _digest(tensors, metadata):
        raise FormatError(f"{name}: damaged: contents do not match their checksum")
    return tensors, {**metadata, "sha256": claimed}


def _metadata_in(
    texts: Mapping[str, str], path: "str | PathLike[str]", holds: Sequence[str]
) -> Metadata:
    """Return a file's facts if it is one of `holds`; raise FormatError otherwise."""
    text = texts.get(KEY)
    if text is None:
        raise FormatError(
            f"{path}: safetensors, but not a model of rnn_native; "
            "`rnn-native export FILE TARGET --architecture` converts PyTorch's"
        )
    damaged = FormatError(f"{path}: damaged: the metadata cannot be read")
    try:
        metadata: Metadata = json.loads(text)
        version = metadata["format_version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise damaged from None
    if version != FORMAT_VERSION:
        advice = _versions(metadata) or "; use another rnn_native"
        raise FormatError(
            f"{path}: format version {str(version)[:40]}, expected {FORMAT_VERSION}{advice}"
        )
    try:
        found = metadata.get("holds", "model")
        whole = (
            "sha256" in metadata
            and found in READERS
            and all(
                isinstance(metadata[key], kind) for key, kind in _ENTRIES[found].items()
            )
        )
    except (KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise damaged
    if found not in holds:
        raise FormatError(f"{path}: holds {READERS[found]}")
    return metadata

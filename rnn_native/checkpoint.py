"""Model files: safetensors with the architecture and a checksum in the metadata.

A model file has a tensor for each parameter ("layers.0.weight"), and one metadata entry,
"rnn_native", a JSON object with format_version, architecture, normalisation, facts (what
was known about the model when it was saved) and sha256. A run file ("last.safetensors")
adds the tensors "run.order" and "run.best" and the object "run". The digest covers all
tensors (name, dtype, shape, bytes) and all other metadata: plain safetensors accepts many
single flipped bits. Equal models are equal bytes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.errors import FormatError
from rnn_native.files import atomic_write
from rnn_native.history import History
from rnn_native.network import Network

if TYPE_CHECKING:
    from os import PathLike

    from rnn_native.training import Run

KEY = "rnn_native"
FORMAT_VERSION = 1
NORMALISATION = {"uint8": "x / 255", "float32": "x"}

Tensors = dict[str, NDArray[Any]]
Metadata = dict[str, Any]


def save(
    model: Network, path: "str | PathLike[str]", facts: Mapping[str, Any] | None = None
) -> None:
    """Write a model file, atomically.

    Parameters
    ----------
    model : Network
    path : path
    facts : mapping, optional
        Anything that JSON takes, kept beside the model: loss, accuracy, ...

    Raises
    ------
    OSError
        If the file cannot be written; one that was there before is untouched.
    """
    _write(path, _tensors(model), _metadata(model, facts))


def save_run(run: "Run", path: "str | PathLike[str]") -> None:
    """Write a model file that also holds all that is needed to resume `run`."""
    tensors = {**_tensors(run.model), "run.order": run.order}
    if run.best_params is not None:
        tensors["run.best"] = run.best_params
    state = {
        "recipe": run.recipe.as_dict(),
        "rng": run.rng.state,
        "history": run.history.as_list(),
    }
    _write(path, tensors, {**_metadata(run.model, None), "run": state})


def load(path: "str | PathLike[str]") -> Network:
    """Read a model file.

    Parameters
    ----------
    path : path
        What `Network.save` or a training run wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FormatError
        If it is not a model file of this package, or is damaged.
    """
    tensors, metadata = _read(path)
    try:
        model = Network.from_architecture(metadata["architecture"])
    except (ValueError, TypeError, KeyError) as error:
        raise FormatError(f"{path}: architecture cannot be used: {error}") from None
    _fill(model, tensors, path)
    return model


def restore_run(run: "Run", path: "str | PathLike[str]") -> None:
    """Bring a fresh run to where the run in a file stood after its last epoch.

    Raises
    ------
    FileNotFoundError, FormatError
        As `load`.
    ValueError
        If the file's architecture, recipe or number of rows is not that of `run`.
    """
    tensors, metadata = _read(path)
    if "run" not in metadata:
        raise FormatError(
            f"{path}: a model without a run, cannot be resumed; use last.safetensors"
        )
    architecture = metadata["architecture"]
    if architecture != run.model.architecture():
        raise ValueError(
            f"{path}: holds another architecture, {_describe(architecture)}; this run has "
            f"{_describe(run.model.architecture())}"
        )
    state = metadata["run"]
    if changed := run.recipe.differences(type(run.recipe)(**state["recipe"])):
        raise ValueError(f"{path}: was trained with another recipe: {', '.join(changed)}")
    if len(tensors["run.order"]) != len(run.order):
        raise ValueError(
            f"{path}: was trained on {len(tensors['run.order'])} rows, this run has "
            f"{len(run.order)}"
        )
    _fill(run.model, tensors, path)
    run.order[:] = tensors["run.order"]
    run.best_params = tensors.get("run.best")
    run.rng.state = state["rng"]
    run.history = History.from_list(state["history"])


def read_recipe(path: "str | PathLike[str]") -> dict[str, Any]:
    """Return the recipe of the run in a file, as plain data; errors are those of `load`."""
    _, metadata = _read(path)
    if "run" not in metadata:
        raise FormatError(
            f"{path}: a model without a run, cannot be resumed; use last.safetensors"
        )
    recipe: dict[str, Any] = metadata["run"]["recipe"]
    return recipe


def describe(path: "str | PathLike[str]") -> Metadata:
    """Return a file's metadata and number of parameters, without making a net."""
    tensors, metadata = _read(path)
    sizes = (int(t.size) for name, t in tensors.items() if not name.startswith("run."))
    return {**metadata, "parameters": sum(sizes)}


def _describe(architecture: Mapping[str, Any]) -> str:
    sizes = [
        *architecture["input_shape"],
        *(la.get("units", "?") for la in architecture["layers"]),
    ]
    return "-".join(map(str, sizes))


def _tensors(model: Network) -> Tensors:
    return dict(model.parameters)


def _metadata(model: Network, facts: Mapping[str, Any] | None) -> Metadata:
    return {
        "format_version": FORMAT_VERSION,
        "architecture": model.architecture(),
        "normalisation": NORMALISATION,
        "facts": dict(facts or {}),
    }


def _fill(model: Network, tensors: Tensors, path: "str | PathLike[str]") -> None:
    for name, parameter in model.parameters.items():
        tensor = tensors.get(name)
        if tensor is None or tensor.shape != parameter.shape or tensor.dtype != np.float32:
            found = "nothing" if tensor is None else f"{tensor.dtype} {tensor.shape}"
            raise FormatError(
                f"{path}: {name}: expected float32 {parameter.shape}, got {found}"
            )
        parameter[:] = tensor


def _digest(tensors: Tensors, metadata: Metadata) -> str:
    import hashlib

    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(json.dumps([name, tensor.dtype.str, tensor.shape]).encode())
        digest.update(np.ascontiguousarray(tensor).data)
    return digest.hexdigest()


def _write(path: "str | PathLike[str]", tensors: Tensors, metadata: Metadata) -> None:
    from safetensors.numpy import save as to_bytes

    signed = json.dumps({**metadata, "sha256": _digest(tensors, metadata)})
    atomic_write(path, to_bytes(tensors, metadata={KEY: signed}))


def _read(path: "str | PathLike[str]") -> tuple[Tensors, Metadata]:
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such model file")
    try:
        with safe_open(path, framework="np") as file:
            text = (file.metadata() or {}).get(KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise FormatError(f"{path}: not a safetensors file, or damaged: {error}") from None
    if text is None:
        raise FormatError(f"{path}: safetensors, but not a model of rnn_native")
    try:
        metadata: Metadata = json.loads(text)
        version, claimed = metadata["format_version"], metadata.pop("sha256")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise FormatError(f"{path}: damaged: the metadata cannot be read") from None
    if version != FORMAT_VERSION:
        raise FormatError(
            f"{path}: format version {version}, expected {FORMAT_VERSION}; use another "
            "rnn_native"
        )
    if claimed != _digest(tensors, metadata):
        raise FormatError(f"{path}: damaged: contents do not match their checksum")
    return tensors, {**metadata, "sha256": claimed}

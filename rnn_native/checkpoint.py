"""Model files: safetensors with the architecture and a checksum in the metadata.

A model file has a tensor for each parameter ("layers.0.weight"), and one metadata entry,
"rnn_native", a JSON object with format_version, version (of the package that wrote it),
architecture, optimizer (its settings),
normalisation, input_dtype (what the model was fitted on), facts (what was known about the
model when it was saved) and sha256. On request it has what training continues from; see
`saved_training`. A run file ("last.safetensors") adds the tensors "run.order",
"run.moments", "run.best" and "run.live", as far as there are such, and the object "run". The
digest covers all tensors (name, dtype, shape, bytes) and all other metadata: plain
safetensors accepts many single flipped bits. Equal models are equal bytes.
"""

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_native import losses, saved_training
from rnn_native.errors import FormatError
from rnn_native.files import Source, name_of, read_source, write_target
from rnn_native.history import History
from rnn_native.network import Network
from rnn_native.optimizers import Optimizer, as_settings
from rnn_native.rows import check_input_dtype

if TYPE_CHECKING:
    from os import PathLike

    from rnn_native.training import Run

KEY = "rnn_native"
FORMAT_VERSION = 1
FIRST_VERSION = "0.1.0"  # wrote files that do not name it
NORMALISATION = {"uint8": "x / 255", "float32": "x"}

Tensors = dict[str, NDArray[Any]]
Metadata = dict[str, Any]


def save(
    model: Network,
    path: "str | PathLike[str] | IO[bytes]",
    facts: Mapping[str, Any] | None = None,
    *,
    optimizer_state: bool = False,
) -> None:
    """Write a model file, atomically.

    Parameters
    ----------
    model : Network
    path : path, or binary file that is open for writing
    facts : mapping, optional
        Anything that JSON takes, kept beside the model: loss, accuracy, ...
    optimizer_state : bool
        Keep moments, steps, shuffles and masks, too: see `Network.save`.

    Raises
    ------
    OSError
        If the file cannot be written; one that was there before is untouched.
    RuntimeError
        If another thread trains the net and `optimizer_state` is wanted.
    """
    metadata = _metadata(model, facts)
    if optimizer_state:
        with model._unchanged("save(optimizer_state=True)"):
            tensors = {**model.copied_tensors(), **saved_training.tensors_of(model)}
            metadata["training"] = model.training_state.as_dict()
    else:
        tensors = model.copied_tensors()
    _write(path, tensors, metadata)


def save_run(run: "Run", path: "str | PathLike[str]") -> None:
    """Write a model file that also holds all that is needed to resume `run`."""
    tensors = {**run.model.copied_tensors(), "run.order": run.order}
    if run.model.moments.size:
        tensors["run.moments"] = run.model.moments
    if run.best_weights is not None:
        tensors["run.best"] = run.best_weights
    if run.state.live_params is not None:
        tensors["run.live"] = run.state.live_params
    state = {
        "recipe": run.recipe.as_dict(),
        "rng": run.state.rng.state,
        "training": run.state.as_dict(),
        "history": run.history.as_list(),
        "data": run.data_digest(),
    }
    _write(path, tensors, {**_metadata(run.model, None), "run": state})


def load(path: Source, optimizer: Optimizer | None = None) -> Network:
    """Read a model file.

    Parameters
    ----------
    path : path, binary file or bytes
        What `Network.save` or a training run wrote.
    optimizer : str or dict, optional
        Overrides the optimizer in the file; its moments then begin anew, unless it is the
        same.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FormatError
        If it is not a model file of this package, or is damaged.
    """
    tensors, metadata = _read(path)
    with _versions_named(metadata):
        model = _model_of(tensors, metadata, name_of(path))
    if optimizer is not None and as_settings(optimizer) != model.optimizer:
        model.optimizer = optimizer
    return model


def _model_of(tensors: Tensors, metadata: Metadata, name: "str | PathLike[str]") -> Network:
    with _faults_named(name, "architecture"):
        model = Network._as_saved(metadata["architecture"])
        model._take_input_dtype(metadata, str(name))
    # A file that an earlier version wrote has no optimizer.
    with _faults_named(name, "optimizer"):
        model.optimizer = metadata.get("optimizer", {"type": "sgd"})
    _fill(model, tensors, name)
    _warn_of_last_activation(model, metadata["architecture"], name)
    if "training" in metadata:
        with _faults_named(name, "training"):
            saved_training.restore(model, tensors, metadata["training"])
    return model


def _warn_of_last_activation(
    model: Network, architecture: Mapping[str, Any], path: "str | PathLike[str]"
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
    warnings.warn(f"{path}: {text}", stacklevel=5)


def read_tensors(path: Source) -> tuple[Tensors, dict[str, str]]:
    """Read any safetensors file: its tensors and its metadata, which may be empty.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FormatError
        If it is not a safetensors file, is damaged, or has types that NumPy lacks.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.numpy import load as from_bytes

    content = read_source(path)
    path = name_of(path)
    if content is None and not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such model file")
    try:
        if content is not None:
            size = int.from_bytes(content[:8], "little")
            tensors = from_bytes(content)
            return tensors, json.loads(content[8 : 8 + size]).get("__metadata__", {})
        with safe_open(path, framework="np") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except (SafetensorError, TypeError, AttributeError, ValueError) as error:
        # The last three are what NumPy makes of element types that it lacks.
        reason = " ".join(str(error).split())
        raise FormatError(f"{path}: not a safetensors file, or damaged: {reason}") from None


def is_safetensors(path: "str | PathLike[str]") -> bool:
    """Tell whether a file begins as safetensors do: a length that fits, and a brace."""
    with Path(path).open("rb") as file:
        return begins_as_safetensors(file.read(9), file.seek(0, 2))


def begins_as_safetensors(head: bytes, size: int) -> bool:
    """Tell it from the first nine bytes and the file's size."""
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size - 8


def restore_run(run: "Run", path: "str | PathLike[str]") -> None:
    """Bring a fresh run to where the run in a file stood after its last epoch.

    Raises
    ------
    FileNotFoundError, FormatError
        As `load`; also if the state of the run is not whole.
    ValueError
        If the file's architecture, recipe or data is not that of `run`, or the version
        that wrote it trained otherwise.
    """
    tensors, metadata = _read(path)
    with _versions_named(metadata):
        _restore(run, tensors, metadata, path)


def _restore(
    run: "Run", tensors: Tensors, metadata: Metadata, path: "str | PathLike[str]"
) -> None:
    state = _run_state(metadata, path)
    _check_trained_alike(metadata, state["recipe"], path)
    if metadata["architecture"] != run.model.architecture():
        raise ValueError(
            f"{path}: holds another architecture, {_describe(metadata['architecture'])}; "
            f"this run has {_describe(run.model.architecture())}"
        )
    with _faults_named(path, "recipe"):
        recipe = type(run.recipe)(**state["recipe"])
    if changed := run.recipe.differences(recipe):
        raise ValueError(f"{path}: was trained with another recipe: {', '.join(changed)}")
    order = tensors.get("run.order", np.empty(0, np.int32))
    if order.ndim == 1 and order.size > 0 and len(order) != len(run.order):
        raise ValueError(
            f"{path}: was trained on {len(order)} rows, this run has {len(run.order)}"
        )
    if state["data"] != run.data_digest():
        raise ValueError(f"{path}: was trained on other data than this run has")
    with _faults_named(path, "input_dtype"):
        input_dtype = check_input_dtype(metadata.get("input_dtype"))
    with _faults_named(path, "history"):
        history = History.from_list(state["history"])
    _require(path, "rng", isinstance(state["rng"], int) and 0 < state["rng"] < 2**64)
    same_rows = order.size == len(run.order)
    _require(path, "run.order", same_rows and saved_training.is_order(order))
    best = tensors.get("run.best")
    # Without validation, too, a run may have had a best epoch, by another column.
    _require(path, "run.best", best is not None or history.best_epoch() is None)
    _require(path, "run.best", best is None or len(history) > 0)
    _require(path, "run.best", best is None or saved_training.fits(best, run.model.weights))
    moments = tensors.get("run.moments", np.empty(0, np.float32))
    _require(path, "run.moments", saved_training.fits(moments, run.model.moments))
    live = tensors.get("run.live")
    _require(path, "run.live", (live is None) == (run.state.live_params is None))
    _require(path, "run.live", live is None or saved_training.fits(live, run.model.params))

    # A file that an earlier version wrote has no counts; then all began with the run.
    steps = len(history) * run.steps
    counts = dict.fromkeys(("steps", "seed_steps", "average_steps"), steps)
    counted = state.get("training", {"seed": run.recipe.seed, **counts})
    with _faults_named(path, "run.training"):
        run.state.update({**counted, "rng": state["rng"]})
    _fill(run.model, tensors, path)
    run.model.input_dtype = input_dtype
    run.model.moments[:] = moments
    run.order[:] = order
    run.best_weights = best
    run.state.live_params = live
    run.state.note_average(run.model.params)
    run.history = history
    run.is_begun = True


def _check_trained_alike(
    metadata: Metadata, recipe: Mapping[str, Any], path: "str | PathLike[str]"
) -> None:
    """Refuse a run of 0.1.0 that would not continue as it began."""
    if "version" in metadata:
        return
    with _faults_named(path, "run"):
        layers, loss = (metadata["architecture"][key] for key in ("layers", "loss"))
        reason = (
            "clipped the gradient without that of l2"
            if recipe.get("clip_norm") and recipe.get("l2")
            else "applied the last activation twice"
            if losses.own_activation(layers, loss) is not None
            else None
        )
    if reason is not None:
        raise ValueError(
            f"{path}: cannot be resumed: rnn_native {FIRST_VERSION} {reason}; train anew"
        )


def read_recipe(path: "str | PathLike[str]") -> dict[str, Any]:
    """Return the recipe of the run in a file, as plain data; errors are those of `load`."""
    _, metadata = _read(path)
    recipe: dict[str, Any] = _run_state(metadata, path)["recipe"]
    return recipe


def _run_state(metadata: Metadata, path: "str | PathLike[str]") -> dict[str, Any]:
    """Return the metadata's run with the types of its entries checked."""
    state = metadata.get("run")
    if state is None:
        raise FormatError(
            f"{path}: a model without a run, cannot be resumed; use last.safetensors"
        )
    _require(path, "run", isinstance(state, dict))
    types = {"recipe": dict, "rng": int, "history": list, "data": str}
    for name, kind in types.items():
        _require(path, f"run.{name}", isinstance(state.get(name), kind))
    result: dict[str, Any] = state
    return result


def _require(path: "str | PathLike[str]", what: str, holds: bool) -> None:
    if not holds:
        raise FormatError(f"{path}: {what} is missing or not what a run has")


@contextmanager
def _faults_named(path: "str | PathLike[str]", what: str) -> Iterator[None]:
    """Turn what odd data does to a constructor into a FormatError."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
        text = " ".join(str(error).split())
        raise FormatError(f"{path}: {what} cannot be used: {text}") from None


@contextmanager
def _versions_named(metadata: Metadata) -> Iterator[None]:
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
    from rnn_native import __version__

    writer = " ".join(str(metadata.get("version", FIRST_VERSION)).split())[:40]
    return (
        ""
        if writer == __version__
        else f"; rnn_native {writer} wrote it, this is {__version__}"
    )


def describe(path: "str | PathLike[str]") -> Metadata:
    """Return a file's metadata and number of parameters, without making a net."""
    tensors, metadata = _read(path)
    extra = ("run.", saved_training.PREFIX)
    sizes = (int(t.size) for name, t in tensors.items() if not name.startswith(extra))
    return {**metadata, "parameters": sum(sizes)}


def _describe(architecture: Mapping[str, Any]) -> str:
    with suppress(TypeError, AttributeError, KeyError):
        first = "x".join(map(str, architecture["input_shape"]))
        layers = [la.get("units", la["type"]) for la in architecture["layers"]]
        return "-".join(map(str, [first, *layers]))
    return "one that cannot be read"


def _metadata(model: Network, facts: Mapping[str, Any] | None) -> Metadata:
    from rnn_native import __version__

    return {
        "format_version": FORMAT_VERSION,
        "version": __version__,
        "architecture": model.architecture(),
        "optimizer": dict(model.optimizer),
        "normalisation": NORMALISATION,
        "input_dtype": model.input_dtype,
        "facts": dict(facts or {}),
    }


def _fill(model: Network, tensors: Tensors, path: "str | PathLike[str]") -> None:
    for name, parameter in {**model.parameters, **model.state}.items():
        tensor = tensors.get(name)
        if tensor is None or tensor.shape != parameter.shape or tensor.dtype != np.float32:
            found = "nothing" if tensor is None else f"{tensor.dtype} {tensor.shape}"
            raise FormatError(
                f"{path}: {name}: expected float32 {parameter.shape}, got {found}"
            )
        if not np.isfinite(tensor).all():
            raise FormatError(
                f"{path}: {name}: expected finite values, found NaN or infinity"
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


def _write(
    path: "str | PathLike[str] | IO[bytes]", tensors: Tensors, metadata: Metadata
) -> None:
    from safetensors.numpy import save as to_bytes

    signed = json.dumps({**metadata, "sha256": _digest(tensors, metadata)})
    write_target(path, to_bytes(tensors, metadata={KEY: signed}))


def _read(path: Source) -> tuple[Tensors, Metadata]:
    tensors, texts = read_tensors(path)
    path = name_of(path)
    text = texts.get(KEY)
    if text is None:
        raise FormatError(
            f"{path}: safetensors, but not a model of rnn_native; "
            "`rnn-native export FILE TARGET --architecture` takes PyTorch's"
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
        claimed = metadata.pop("sha256")
        whole = all(isinstance(metadata[key], dict) for key in ("architecture", "facts"))
    except (KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise damaged
    if claimed != _digest(tensors, metadata):
        raise FormatError(f"{path}: damaged: contents do not match their checksum")
    return tensors, {**metadata, "sha256": claimed}

"""Run files: model files that also hold what resumes a run, bit for bit."""

from collections.abc import Mapping
from contextlib import suppress
from os import fspath
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_native.base.errors import FormatError
from rnn_native.base.text import printable
from rnn_native.net import losses, saved_training
from rnn_native.net.input_dtype import check_input_dtype
from rnn_native.training.history import History

if TYPE_CHECKING:
    from os import PathLike

    from rnn_native.training.run import Run

from rnn_native.net.model_file import (
    FIRST_VERSION,
    Metadata,
    faults_named,
    fill,
    metadata_of,
    read,
    require,
    take_rates,
    versions_named,
    write,
)
from rnn_native.net.tensor_file import Tensors


def save_run(run: "Run", path: "str | PathLike[str]") -> None:
    """Write a model file that also holds all that is needed to resume `run`.

    Parameters
    ----------
    run : Run
        As it is after an epoch.
    path : str or path-like
        The file; an existing one is replaced.

    Raises
    ------
    OSError
        If the file cannot be written; an existing file is left unchanged.
    RuntimeError
        If another thread trains the run.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> rows = rn.training.split(net.as_rows(x), net.as_targets(y, 100), 0.2)
    >>> run = rn.training.Run(net, rows, rn.training.Recipe(epochs=2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.checkpoint.save_run(run, f"{folder}/run.safetensors")
    ...     print(rn.load(f"{folder}/run.safetensors"))
    <Network 784 -> 10, 7,850 parameters>
    """
    # All of one moment, and copies: checksum and content are to be those of the same bytes.
    with run.model.unchanged("save_run"):
        found = {
            "run.order": run.order,
            "run.moments": run.model.moments if run.model.moments.size else None,
            "run.best": run.best_weights,
            "run.live": run.state.live_params,
        }
        tensors = {
            **run.model.copied_tensors(),
            **{name: array.copy() for name, array in found.items() if array is not None},
        }
        state = {
            "recipe": run.recipe.as_dict(),
            "rng": run.state.rng.state,
            "training": run.state.as_dict(),
            "history": run.history.as_list(),
            "data": run.data_digest(),
        }
        metadata = {**metadata_of(run.model, None), "run": state}
    write(path, tensors, metadata)


def restore_run(run: "Run", path: "str | PathLike[str]") -> None:
    """Bring a fresh run to where the run in a file stood after its last epoch.

    Parameters
    ----------
    run : Run
        Of the same net, data and recipe.
    path : str or path-like
        A file that `save_run` wrote.

    Raises
    ------
    FileNotFoundError, FormatError
        As `load`; also if the state of the run is not whole.
    ValueError
        If the file's architecture, recipe or data is not that of `run`, or the version
        that wrote it trained otherwise.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> rows = rn.training.split(net.as_rows(x), net.as_targets(y, 100), 0.2)
    >>> run, later = (rn.training.Run(net.clone(), rows, rn.training.Recipe()) for _ in range(2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.checkpoint.save_run(run, f"{folder}/run.safetensors")
    ...     rn.checkpoint.restore_run(later, f"{folder}/run.safetensors")
    >>> len(later.history)
    0
    """
    tensors, metadata = read(path)
    with versions_named(metadata):
        _restore(run, tensors, metadata, printable(fspath(path)))


def _restore(run: "Run", tensors: Tensors, metadata: Metadata, path: str) -> None:
    """Continue from what a file holds; `path` is for messages."""
    state = _run_state(metadata, path)
    _check_trained_alike(metadata, state["recipe"], path)
    if metadata["architecture"] != run.model.architecture():
        raise ValueError(
            f"{path}: holds another architecture, {_describe(metadata['architecture'])}; "
            f"this run has {_describe(run.model.architecture())}"
        )
    with faults_named(path, "recipe"):
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
    with faults_named(path, "input_dtype"):
        input_dtype = check_input_dtype(metadata.get("input_dtype"))
    with faults_named(path, "history"):
        history = History.from_list(state["history"])
    require(path, "rng", isinstance(state["rng"], int) and 0 < state["rng"] < 2**64)
    same_rows = order.size == len(run.order)
    require(path, "run.order", same_rows and saved_training.is_order(order))
    best = tensors.get("run.best")
    # Without validation, too, a run may have had a best epoch, by another column.
    require(path, "run.best", best is not None or history.best_epoch() is None)
    require(path, "run.best", best is None or len(history) > 0)
    require(path, "run.best", best is None or saved_training.fits(best, run.model.weights))
    moments = tensors.get("run.moments", np.empty(0, np.float32))
    require(path, "run.moments", saved_training.fits(moments, run.model.moments))
    # A file that an earlier version wrote has no counts; then all began with the run.
    steps = len(history) * run.steps
    counts = dict.fromkeys(("steps", "seed_steps", "average_steps"), steps)
    counted = state.get("training", {"seed": run.recipe.seed, **counts})
    require(path, "run.training", isinstance(counted, dict))
    live = tensors.get("run.live")
    averages = run.recipe.ema_decay > 0 or bool(counted.get("average_epochs"))
    require(path, "run.live", (live is not None) == averages)
    require(path, "run.live", live is None or saved_training.fits(live, run.model.params))

    with faults_named(path, "run.training"):
        run.state.update({**counted, "rng": state["rng"]})
    take_rates(run.model, metadata, path)
    fill(run.model, tensors, path)
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
    with faults_named(path, "run"):
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
            f"{path}: cannot be resumed: rnn_native {FIRST_VERSION} {reason}; train again"
        )


def read_recipe(path: "str | PathLike[str]") -> dict[str, Any]:
    """Return the recipe of the run in a file, as plain data; errors are those of `load`.

    Parameters
    ----------
    path : str or path-like
        A file that `save_run` wrote.

    Returns
    -------
    dict
        Fields of `Recipe`.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
    >>> data = ((x, y), (x[:50], y[:50]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = rn.train_mlp(data, epochs=1, out=folder, verbose=0)
    ...     print(rn.checkpoint.read_recipe(f"{folder}/last.safetensors")["epochs"])
    1
    """
    _, metadata = read(path)
    recipe: dict[str, Any] = _run_state(metadata, path)["recipe"]
    return recipe


def _run_state(metadata: Metadata, path: "str | PathLike[str]") -> dict[str, Any]:
    """Return the metadata's run with the types of its entries checked."""
    state = metadata.get("run")
    if state is None:
        raise FormatError(
            f"{path}: a model without a run, which cannot be resumed; use last.safetensors"
        )
    require(path, "run", isinstance(state, dict))
    types = {"recipe": dict, "rng": int, "history": list, "data": str}
    for name, kind in types.items():
        require(path, f"run.{name}", isinstance(state.get(name), kind))
    result: dict[str, Any] = state
    return result


def _describe(architecture: Mapping[str, Any]) -> str:
    with suppress(TypeError, AttributeError, KeyError):
        first = "x".join(map(str, architecture["input_shape"]))
        layers = [la.get("units", la["type"]) for la in architecture["layers"]]
        return printable("-".join(map(str, [first, *layers])))
    return "one that cannot be read"

"""Training any architecture by one call."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

import numpy as np
from numpy.typing import ArrayLike

from rnn_native.base.checks import check_extents
from rnn_native.base.xorshift import Xorshift
from rnn_native.callbacks import Callback, EarlyStopping, RunCheckpoint, RunLog
from rnn_native.callbacks.run_files import RunConfig
from rnn_native.datasets import opening
from rnn_native.datasets.folders import Loaders, loaders_of
from rnn_native.datasets.loader import Loader
from rnn_native.models.loader_run import loader_run, scores_of_loader, with_batch_size
from rnn_native.models.network import Network
from rnn_native.net import scores
from rnn_native.net.adapting import adapt_new
from rnn_native.net.compiled import SHAPE_EXPECTED
from rnn_native.net.layers import Layer, as_specs
from rnn_native.net.rows import AnyRows, Targets
from rnn_native.training import run_folder
from rnn_native.training.callback import as_list
from rnn_native.training.holding_out import split
from rnn_native.training.loop import fit
from rnn_native.training.ranks import Ranks, ranks_of, threads_of
from rnn_native.training.run import Run
from rnn_native.training.run_file import restore_run
from rnn_native.training.shards import run_on

if TYPE_CHECKING:
    from os import PathLike

    from rnn_native.settings.architecture import Architecture
    from rnn_native.settings.config import TrainingConfig

from rnn_native.models.options import (
    TrainingOptions,
    hidden_activation,
    hold_out_hint,
    out_folder,
    recipe_of,
    with_config,
)
from rnn_native.models.signatures import lists_options
from rnn_native.training.result import TrainingResult

Arrays = tuple[tuple[ArrayLike, ArrayLike], tuple[ArrayLike, ArrayLike]]
"""((x_train, y_train), (x_test, y_test)), as `datasets.load_mnist` returns it."""
Data: TypeAlias = "str | PathLike[str] | Arrays | tuple[Loader, Loader] | Loaders | None"
"""What training calls accept."""

IMAGE = (1, 28, 28)


@lists_options({})
def train(
    architecture: "Architecture | str | PathLike[str] | Mapping[str, Any] | Sequence[Layer]",
    data: Data = None,
    config: "TrainingConfig | str | PathLike[str] | Mapping[str, Any] | None" = None,
    *,
    input_shape: Sequence[int] = IMAGE,
    **options: Unpack[TrainingOptions],
) -> TrainingResult:
    """Train any architecture.

    Parameters
    ----------
    architecture : sequence of Layer, mapping, path or Architecture
        Layers; or the JSON that docs/reference/configuration.md describes, ours or the reference
        system's, as a file or parsed; or a recipe, which has a configuration too.
    data : path, name of a data set, arrays, loaders or None
        As for `train_mlp`.
    config : path, mapping or TrainingConfig, optional
        Training configuration; options override it. Its activation_function goes to the
        hidden layers that set none.
    input_shape : sequence of int
        Of one sample; only for a sequence of layers, the JSON has its own.
    OPTIONS

    Returns
    -------
    TrainingResult
        With the weights of the epoch that had the least validation loss.

    Raises
    ------
    ConfigError
        If a file or mapping is wrong; the message has the path of the culprit.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(300, seed=1)
    >>> layers = [rn.Conv2D(4, 3, activation="relu"), rn.GlobalAvgPool2D(), rn.Dense(10)]
    >>> result = rn.train(layers, ((x, y), (x[:50], y[:50])), epochs=1, verbose=0)
    >>> len(result.history)
    1
    """
    plan, given = planned(architecture, input_shape, {**options, "config": config})
    return train_layers("own", plan.layers, plan.input_shape, data, given, loss=plan.loss)


def planned(
    source: Any, input_shape: Sequence[int], options: Mapping[str, Any]
) -> "tuple[Architecture, Mapping[str, Any]]":
    """Return the architecture, and the options with the configuration that they have."""
    plan, own_config = _plan(source, input_shape)
    config = options.get("config")
    if own_config is not None and config is not None:
        raise ValueError("config: this recipe has its own training; leave one of them out")
    given = with_config({**options, "config": own_config or config})
    if hidden := hidden_activation(given):
        plan = plan.with_hidden_activation(hidden)
    return plan, given


def _plan(
    source: Any, input_shape: Sequence[int]
) -> "tuple[Architecture, TrainingConfig | None]":
    """Return the architecture, and a recipe's configuration."""
    from rnn_native.base.files import shown
    from rnn_native.settings.architecture import Architecture, parse_architecture
    from rnn_native.settings.json_file import read_json
    from rnn_native.settings.recipes import is_recipe, parse_recipe

    if isinstance(source, Architecture):
        return source, None
    if isinstance(source, Sequence) and not isinstance(source, str):
        specs = as_specs(source)
        shape = check_extents("input_shape", input_shape, SHAPE_EXPECTED)
        return Architecture(specs, shape, "softmax_cross_entropy"), None
    parsed = isinstance(source, Mapping)
    data = source if parsed else read_json(source)
    if not is_recipe(data):
        return parse_architecture(data, *([] if parsed else [shown(source)])), None
    recipe = parse_recipe(data, *([] if parsed else [shown(source)]))
    return recipe.architecture, recipe.training


def train_layers(
    kind: str,
    layers: Sequence[Layer | Mapping[str, Any]],
    input_shape: Sequence[int],
    data: Data,
    options: Mapping[str, Any],
    *,
    defaults: Mapping[str, Any] | None = None,
    loss: str = "softmax_cross_entropy",
) -> TrainingResult:
    """Train any list of layers; `kind` is what config.json calls it.

    `options` override their configuration, and that overrides `defaults`.

    The other parameters, the result and the errors are those of `train_mlp`.

    Parameters
    ----------
    kind : str
        What config.json calls the model.
    layers : sequence of Layer or dict
        As for `Network`.
    input_shape : sequence of int
        Of one sample.
    data : path, name of a data set, arrays or None
        As for `train_mlp`.
    options : mapping
        Those of `train_mlp`; they override their configuration.
    defaults : mapping, optional
        Options that both override.
    loss : str
        As for `Network`.

    Returns
    -------
    TrainingResult
        As `train_mlp` returns it.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(300, seed=1)
    >>> options = {"epochs": 1, "verbose": 0}
    >>> result = rn.models.train_layers(
    ...     "mine", [rn.Dense(10)], (784,), ((x, y), (x[:50], y[:50])), options
    ... )
    >>> result.model
    <Network 784 -> 10, 7,850 parameters>
    """
    found = loaders_of(data, input_shape)
    read = data if found is None else found
    specs = as_specs(layers)
    return train_on(kind, specs, input_shape, read, options, defaults=defaults, loss=loss)


def train_on(
    kind: str,
    specs: Sequence[Mapping[str, Any]],
    input_shape: Sequence[int],
    data: Data,
    options: Mapping[str, Any],
    *,
    defaults: Mapping[str, Any] | None = None,
    loss: str = "softmax_cross_entropy",
) -> TrainingResult:
    """Train as `train_layers`, on `Loaders` where `loaders_of` has found some, else on arrays."""
    recipe = recipe_of(options, defaults or {}, classes=outputs_of(specs))
    together = (options.get("comm"), options.get("every", 1), options.get("shards", False))
    ranks = ranks_of(*together)
    resume, threads = options.get("resume", False), options.get("threads")
    threads = threads_of(threads, ranks)
    folder = _folder_of(options, ranks)
    dataset = data if isinstance(data, Loaders) else as_dataset(data)

    rng = Xorshift(recipe.seed)
    model = Network(specs, input_shape, loss, optimizer=recipe.optimizer, rng=rng)
    more: dict[str, Any] = {
        "threads": threads,
        "metrics": scores.as_metrics(options.get("metrics"), model.loss),
    }
    if isinstance(dataset, Loaders):
        dataset = with_batch_size(dataset, options, recipe.batch_size)
        run: Run = loader_run(model, dataset, recipe, rng, ranks=ranks, **more)
    else:
        x, y, x_test, y_test = _arrays_of(model, dataset)
        parts = split(x, y, recipe.validation_split, recipe.stratify)
        adapt_new(model, parts.x)
        run = run_on(ranks)(model, parts, recipe, rng, **more)
    if folder is not None and resume:
        restore_run(run, folder / run_folder.LAST)
    callbacks = [*as_list(options.get("callbacks")), *_early_stopping(run)]
    if folder is not None and (ranks is None or ranks.rank == 0):
        # The checkpoint first: a log never has an epoch that cannot be resumed from.
        callbacks += [
            RunConfig(folder, kind, dataset.source, resumes=resume),
            RunCheckpoint(folder),
            RunLog(folder / run_folder.LOG),
        ]
    history = fit(run, callbacks, verbose=options.get("verbose", "auto"), ranks=ranks)
    if isinstance(dataset, Loaders):
        tested = scores_of_loader(model, dataset.test, threads)
    else:
        tested = model.scores_of(x_test, y_test, threads=threads)
    named = tested._asdict()
    accuracy = named.get("accuracy", math.nan)
    return TrainingResult(
        model, history, named["loss"], accuracy, folder, dataset.source, named
    )


def _arrays_of(
    model: Network, dataset: opening.Dataset
) -> tuple[AnyRows, Targets, AnyRows, Targets]:
    """Return rows and targets to train on and to test with, as the core expects them."""
    x = model.as_rows(dataset.x_train, learns=True)
    y = model.as_targets(dataset.y_train, len(x))
    x_test = model.as_rows(dataset.x_test, "x_test", beside=x)
    return x, y, x_test, model.as_targets(dataset.y_test, len(x_test), "y_test")


def _folder_of(options: Mapping[str, Any], ranks: Ranks | None) -> "Path | None":
    """Return the run's folder; rank 0 alone makes it, and others resume from it."""
    out, resume = options.get("out"), options.get("resume", False)
    if ranks is None or ranks.rank == 0:
        return out_folder(out, resume, options.get("overwrite", False))
    return None if out is None else Path(out)


def outputs_of(specs: Sequence[Mapping[str, Any]]) -> int:
    """Return the number of a net's outputs, 10 when no layer names it."""
    units = [spec["units"] for spec in specs if "units" in spec]
    return int(units[-1]) if units else 10


def as_dataset(data: Any) -> opening.Dataset:
    """Return the data that a training call was given, opened where they are named."""
    if isinstance(data, opening.Dataset):
        return data
    if data is None or isinstance(data, (str, os.PathLike)):
        return opening.open_dataset(data)
    if not (_is_pair(data) and all(map(_is_pair, data))):
        raise TypeError(
            "data: expected a path, a data set's name or ((x, y), (x_test, y_test)), got "
            f"{_kind(data)}; {hold_out_hint(data)}"
        )
    parts: Any = data  # frames, sparse matrices and lists too: the model converts them
    (x, y), (x_test, y_test) = parts
    return opening.Dataset(x, y, x_test, y_test, "given arrays")


def _is_pair(data: object) -> bool:
    return isinstance(data, (tuple, list)) and len(data) == 2


def _kind(data: Any) -> str:
    """Describe the argument that is not a data set."""
    if isinstance(data, np.ndarray):
        return f"one array of shape {data.shape}"
    if not isinstance(data, (tuple, list)):
        return type(data).__name__
    parts = ", ".join(f"shape {p.shape}" if hasattr(p, "shape") else "..." for p in data)
    return f"({parts})" if len(data) <= 4 else f"a {type(data).__name__} of {len(data)}"


def _early_stopping(run: Run) -> list[Callback]:
    """Return what stops a run by its validation loss, if it is to."""
    patience = run.recipe.patience
    if patience is None or run.data.val_x is None:
        return []
    return [EarlyStopping(patience=patience, min_delta=run.recipe.min_delta)]

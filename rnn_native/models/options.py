"""Options of training calls, and their recipe."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from rnn_native.base.checks import check_flag
from rnn_native.base.files import as_path
from rnn_native.callbacks import Callback
from rnn_native.net.layers import (
    Layer,
    as_specs,
)
from rnn_native.net.scores import MetricLike
from rnn_native.training import run_folder
from rnn_native.training.augmentation import Augment
from rnn_native.training.recipe import Recipe
from rnn_native.training.schedules import Schedule

if TYPE_CHECKING:
    from rnn_native.settings.config import TrainingConfig
    from rnn_native.training.class_weights import ClassWeights


# Options of a training call that are not part of what defines the run, and their defaults.
NOT_IN_RECIPE: dict[str, Any] = {
    "metrics": None,
    "config": None,
    "threads": None,
    "callbacks": (),
    "out": None,
    "resume": False,
    "overwrite": False,
    "verbose": "auto",
    "comm": None,
    "every": 1,
    "shards": False,
}


class TrainingOptions(TypedDict, total=False):
    """Keyword arguments of all training functions. Those not listed here are in `Recipe`.

    Attributes
    ----------
    threads : int in [1, 64], optional
        Number of threads, which never changes a result.
    metrics : sequence of str, callable or tuple, optional
        As for `Network.fit`.
    callbacks : sequence of Callback
        In addition to early stopping, and to the files of `out`.
    out : path, optional
        Folder for best.safetensors, last.safetensors, log.csv, and config.json, created if it
        is missing. A folder with a run is refused, unless you resume or overwrite it.
        Without `out`, nothing is written.
    resume : bool
        Resume from last.safetensors in `out`. The recipe must be that of the first call,
        except for `epochs`. The result has the bits of an uninterrupted run.
    overwrite : bool
        Replace the run in `out`: its files are removed before the first epoch.
    verbose : {"auto", 0, 1, 2}
        0: no output, 1: a bar, 2: one line per epoch; "auto": 1 on a terminal, otherwise 2.
    comm, every, shards : communicator, int and bool, optional
        As for `Network.fit`. Only rank 0 writes to `out`. To resume, all ranks read it, and
        their number can change.

    Examples
    --------
    >>> import rnn_native as rn
    >>> options: rn.models.TrainingOptions = {"epochs": 1, "lr": 0.1, "verbose": 0}
    >>> sorted(options)
    ['epochs', 'lr', 'verbose']
    """

    epochs: int
    batch_size: int
    accumulate: int
    lr: float
    seed: int
    validation_split: float
    stratify: bool
    patience: int | None
    min_delta: float
    optimizer: str | Mapping[str, Any]
    clip_norm: float
    label_smoothing: float
    class_weight: "ClassWeights | None"
    schedule: Schedule | Mapping[str, Any] | None
    l2: float
    augment: Augment | Mapping[str, Any] | None
    mixup: float
    ema_decay: float
    swa_start: int | None
    shuffle: bool
    steps_per_epoch: int | None
    threads: int | None
    metrics: Sequence[MetricLike] | MetricLike | None
    callbacks: Sequence[Callback]
    out: "str | PathLike[str] | None"
    resume: bool
    overwrite: bool
    verbose: int | str
    comm: Any
    every: int
    shards: bool


class ModelOptions(TrainingOptions, total=False):
    """`TrainingOptions`, and a configuration.

    Attributes
    ----------
    config : path, mapping or TrainingConfig, optional
        Training configuration, as a file or parsed (docs/reference/configuration.md). Arguments
        override it.

    Examples
    --------
    >>> import rnn_native as rn
    >>> options: rn.models.ModelOptions = {"epochs": 1, "lr": 0.1, "verbose": 0}
    >>> sorted(options)
    ['epochs', 'lr', 'verbose']
    """

    config: "TrainingConfig | str | PathLike[str] | Mapping[str, Any] | None"


def with_config(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options with their configuration read and parsed."""
    from rnn_native.settings.config import TrainingConfig, load_config, parse_config

    config = options.get("config")
    if config is None or isinstance(config, TrainingConfig):
        return options
    parsed = parse_config(config) if isinstance(config, Mapping) else load_config(config)
    return {**options, "config": parsed}


def hidden_activation(options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the activation that the options' configuration names for hidden layers."""
    config: Any = options.get("config")
    found: dict[str, Any] | None = None if config is None else config.hidden_activation()
    return found


def with_activation(
    layers: Sequence[Layer], options: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return a model's specs with the configuration's activation in place of its ReLU."""
    hidden = hidden_activation(options)
    specs = as_specs(layers)
    if hidden is None:
        return specs
    function = {"function": hidden["activation"], **hidden}
    del function["activation"]
    return [
        {**spec, **hidden}
        if spec.get("activation") == "relu"
        else {**spec, **function}
        if spec.get("function") == "relu"
        else spec
        for spec in specs
    ]


def out_folder(
    out: "str | PathLike[str] | None", resume: bool, overwrite: bool
) -> Path | None:
    """Return the folder for a run's files, made and free for them; None without `out`."""
    check_flag("resume", resume)
    check_flag("overwrite", overwrite)
    if out is not None:
        as_path("out", out)
    if resume and out is None:
        raise ValueError("resume: needs out, the folder of the run to resume")
    if resume and overwrite:
        raise ValueError("overwrite: the run is to be resumed; leave one of them out")
    if out is None:
        return None
    if not (resume or overwrite):
        run_folder.require_free(out)
    return run_folder.prepare(out, run_folder.FILES)


def recipe_of(
    options: Mapping[str, Any], defaults: Mapping[str, Any], classes: int
) -> Recipe:
    """Return the recipe in `options`; an unknown name is an error."""
    given: dict[str, Any] = dict(options)
    for name in NOT_IN_RECIPE:
        given.pop(name, None)
    if unknown := given.keys() - {f.name for f in fields(Recipe)}:
        raise TypeError(f"unknown argument: {', '.join(sorted(unknown))}")
    if isinstance(given.get("optimizer"), str):
        given["optimizer"] = {"type": given["optimizer"]}
    recipe = Recipe(**defaults)
    config: Any = options.get("config")
    if config is not None:
        # Its schedule is made for the rate and the epochs that the run will have.
        known = {"learning_rate": given.get("lr"), "epochs": given.get("epochs")}
        moved = {name: value for name, value in known.items() if value is not None}
        recipe = replace(config, **moved).applied_to(recipe, classes)
    return replace(recipe, **given)


def hold_out_hint(data: Any) -> str:
    """Say how to hold out rows for the test: a fifth of them, and 1000 at most."""
    first = data[0] if isinstance(data, (tuple, list)) and data else data
    shape = (len(first),) if isinstance(first, list) else getattr(first, "shape", ())
    n = min(1000, max(shape[0] // 5, 1)) if shape else 1000
    return f"hold rows out for the test: ((x[:-{n}], y[:-{n}]), (x[-{n}:], y[-{n}:]))"

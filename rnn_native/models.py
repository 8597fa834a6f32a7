"""The reference system's models, each trained by one call."""

import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native import checkpoint, datasets, run_folder, scores
from rnn_native.augmentation import Augment
from rnn_native.callbacks import Callback, EarlyStopping, RunCheckpoint, RunLog
from rnn_native.callbacks.base import as_list
from rnn_native.errors import TrainingDiverged
from rnn_native.history import EpochRow, History
from rnn_native.layers import (
    Activation,
    Conv2D,
    Dense,
    Flatten,
    Layer,
    MaxPool2D,
    MeanPool,
    PatchEmbed,
    Position,
    SelfAttention,
    as_specs,
)
from rnn_native.losses import labels_of
from rnn_native.network import Network
from rnn_native.schedules import Schedule
from rnn_native.scores import MetricLike
from rnn_native.training import Recipe, Run, fit, split
from rnn_native.xorshift import Xorshift

if TYPE_CHECKING:
    from os import PathLike

    from rnn_native.architecture import Architecture
    from rnn_native.class_weights import ClassWeights
    from rnn_native.config import TrainingConfig

# Options of a training call that are not part of what defines the run.
NOT_IN_RECIPE = (
    "metrics",
    "config",
    "threads",
    "callbacks",
    "out",
    "resume",
    "overwrite",
    "verbose",
)

Arrays = tuple[tuple[ArrayLike, ArrayLike], tuple[ArrayLike, ArrayLike]]
"""((x_train, y_train), (x_test, y_test)), as `datasets.load_mnist` returns it."""

IMAGE = (1, 28, 28)

MLP_LAYERS: list[Layer] = [Dense(512, "relu"), Dense(10)]
MLP_OPTIONS: dict[str, Any] = {}

CNN_LAYERS: list[Layer] = [
    Conv2D(8, 3, padding=1, activation="relu"),
    MaxPool2D(2),
    Flatten(),
    Dense(10),
]
CNN_OPTIONS: dict[str, Any] = {"epochs": 3, "batch_size": 32}

ATTENTION_OPTIONS: dict[str, Any] = {"epochs": 8, "batch_size": 32, "seed": 42}


def attention_layers(width: int = 64, ff: int = 128) -> list[Layer]:
    """Return the attention model's layers; `width` of a token, `ff` units between."""
    return [
        PatchEmbed(4, width),
        Position(),
        Activation("relu"),
        SelfAttention(),
        Dense(ff, "relu"),
        Dense(width),
        MeanPool(),
        Dense(10),
    ]


XOR_LAYERS: list[Layer] = [Dense(4, "sigmoid"), Dense(1, "sigmoid")]
XOR_X: NDArray[np.float32] = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
XOR_Y: NDArray[np.float32] = np.array([[0], [1], [1], [0]], np.float32)


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What training gives back.

    Attributes
    ----------
    model : Network
        With the best weights of the run.
    history : History
    test_loss, test_accuracy : float
        Of `model` on the test rows; the accuracy is a fraction in [0, 1], NaN for nets that
        give values.
    run_dir : Path or None
        Where the files are; None when nothing was written.
    data : str
        Which data the model was trained on.
    test_scores : mapping of str to float
        What `Network.evaluate` gives on the test rows, by name.
    """

    model: Network
    history: History
    test_loss: float
    test_accuracy: float
    run_dir: Path | None
    data: str
    test_scores: Mapping[str, float] = field(default_factory=dict)

    def _score_text(self) -> str:
        """Return the test rows' accuracy, or what takes its place."""
        if not math.isnan(self.test_accuracy):
            return f"test accuracy {100 * self.test_accuracy:.2f}%"
        scores = [f"{k} {v:.6g}" for k, v in self.test_scores.items() if k != "loss"]
        return f"test {', '.join(scores)}"

    def __repr__(self) -> str:
        where = f", files in {self.run_dir}" if self.run_dir is not None else ""
        return (
            f"<TrainingResult on {self.data}: {self.history.epochs} epochs, "
            f"{self._score_text()}{where}>"
        )

    def _repr_html_(self) -> str:
        from rnn_native import notebook

        history, model = self.history._repr_html_(), self.model._repr_html_()
        return notebook.result_html(repr(self)[1:-1], history, model)


class TrainingOptions(TypedDict, total=False):
    """Keyword arguments that all training functions share; all but these are `Recipe`'s.

    Attributes
    ----------
    threads : int in [1, 64], optional
        Never changes a result.
    metrics : sequence of str, callable or tuple, optional
        As for `Network.fit`.
    callbacks : sequence of Callback
        Beside early stopping, and the files when there is `out`.
    out : path, optional
        Folder for best.safetensors, last.safetensors, log.csv and config.json; made when
        missing. One that holds a run is refused, unless it is resumed or overwritten.
        Without it nothing is written.
    resume : bool
        Go on from last.safetensors in `out`. The recipe must be that of the first call,
        `epochs` aside; the result then is that of an uninterrupted run, bit for bit.
    overwrite : bool
        Replace the run in `out`: its files are removed before the first epoch.
    verbose : {"auto", 0, 1, 2}
        0 silent, 1 a bar, 2 a line an epoch; "auto" chooses.
    """

    epochs: int
    batch_size: int
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
    shuffle: bool
    threads: int | None
    metrics: Sequence[MetricLike] | MetricLike | None
    callbacks: Sequence[Callback]
    out: "str | PathLike[str] | None"
    resume: bool
    overwrite: bool
    verbose: int | str


class ModelOptions(TrainingOptions, total=False):
    """`TrainingOptions`, and a configuration.

    Attributes
    ----------
    config : path, mapping or TrainingConfig, optional
        Training configuration, as a file or parsed (docs/configuration.md). What is given as
        an argument goes before it.
    """

    config: "TrainingConfig | str | PathLike[str] | Mapping[str, Any] | None"


def train_mlp(
    data: "str | PathLike[str] | Arrays | None" = None, **options: Unpack[ModelOptions]
) -> TrainingResult:
    """Train the reference system's MNIST MLP: 784-512-10, ReLU, softmax, plain SGD.

    Batch 64, learning rate 0.01, 10 epochs, seed 1, the last 10 % of the rows held out,
    early stopping after 3 epochs without improvement.

    Parameters
    ----------
    data : path, "synthetic", arrays or None
        A folder with MNIST's files; generated digits; ((x, y), (x_test, y_test)) as
        `datasets.load_mnist` returns them; None looks for MNIST, downloads it, and with
        neither files nor network says so and uses generated digits.
    **options
        epochs, batch_size, lr, seed, validation_split, stratify, patience, min_delta,
        optimizer, clip_norm, label_smoothing, class_weight, schedule, shuffle, l2, augment,
        mixup, ema_decay: see `rnn_native.training.Recipe`; config, threads, metrics,
        callbacks, out, resume, overwrite, verbose: see `ModelOptions`.

    Returns
    -------
    TrainingResult
        With the weights of the epoch that had the least validation loss.

    Raises
    ------
    FileNotFoundError, FormatError
        If `data` names a folder without MNIST's files, or the files are broken.
    ValueError, TypeError
        If an argument is wrong, or the run to resume is another one.
    TrainingDiverged
        If the loss is not finite.
    FileExistsError
        If `out` holds a run that is neither to be resumed nor overwritten.
    OSError
        If `out` cannot be written.
    """
    given = _with_config(options)
    layers = _with_activation(MLP_LAYERS, given)
    return train_layers("mlp", layers, (784,), data, given, defaults=MLP_OPTIONS)


def train_cnn(
    data: "str | PathLike[str] | Arrays | None" = None, **options: Unpack[ModelOptions]
) -> TrainingResult:
    """Train the reference system's MNIST CNN: conv 8x3x3, ReLU, max-pool 2x2, dense.

    Batch 32, learning rate 0.01, 3 epochs, seed 1; arguments, result and errors are those
    of `train_mlp`.
    """
    given = _with_config(options)
    layers = _with_activation(CNN_LAYERS, given)
    return train_layers("cnn", layers, IMAGE, data, given, defaults=CNN_OPTIONS)


def train_attention(
    data: "str | PathLike[str] | Arrays | None" = None,
    *,
    width: int = 64,
    ff: int = 128,
    **options: Unpack[ModelOptions],
) -> TrainingResult:
    """Train the reference system's attention model over 49 patches of 4x4 pixels.

    Patches, positions (sinusoidal, trained), ReLU, one head of self-attention, two dense
    layers token by token, the mean over tokens, dense. Batch 32, learning rate 0.01, 8
    epochs, seed 42.

    Parameters
    ----------
    data : path, "synthetic", arrays or None
        As for `train_mlp`.
    width, ff : int
        Width of a token and of the layer between; 16 and 32 are the reference's small
        preset.
    **options
        As for `train_mlp`; so are result and errors.
    """
    given = _with_config(options)
    layers = _with_activation(attention_layers(width, ff), given)
    return train_layers("attention", layers, IMAGE, data, given, defaults=ATTENTION_OPTIONS)


def train(
    architecture: "Architecture | str | PathLike[str] | Mapping[str, Any] | Sequence[Layer]",
    data: "str | PathLike[str] | Arrays | None" = None,
    config: "TrainingConfig | str | PathLike[str] | Mapping[str, Any] | None" = None,
    *,
    input_shape: Sequence[int] = IMAGE,
    **options: Unpack[TrainingOptions],
) -> TrainingResult:
    """Train any architecture.

    Parameters
    ----------
    architecture : sequence of Layer, mapping, path or Architecture
        Layers; or the JSON that docs/configuration.md describes, ours or the reference
        system's, as a file or parsed; or a recipe, which has a configuration too.
    data : path, "synthetic", arrays or None
        As for `train_mlp`.
    config : path, mapping or TrainingConfig, optional
        Training configuration. Its activation_function goes to the hidden layers that have
        none of their own.
    input_shape : sequence of int
        Of one sample; only for a sequence of layers, the JSON has its own.
    **options
        As for `train_mlp`; what is given here goes before `config`.

    Returns
    -------
    TrainingResult

    Raises
    ------
    ConfigError
        If a file or mapping is wrong; the message has the path of the culprit.
    """
    plan, given = _planned(architecture, input_shape, {**options, "config": config})
    return train_layers("own", plan.layers, plan.input_shape, data, given, loss=plan.loss)


def untrained(model: str, **options: Unpack[ModelOptions]) -> tuple[Network, Recipe]:
    """Return what training would begin with: a new model, and its recipe.

    Parameters
    ----------
    model : {"mlp", "cnn", "attention"} or path
        A reference model, or the JSON of an architecture or a recipe.
    **options
        As for `train_mlp`; those that are no part of a recipe are not looked at.
    """
    from rnn_native.architecture import Architecture

    known: dict[str, tuple[list[Layer], tuple[int, ...], dict[str, Any]]] = {
        "mlp": (MLP_LAYERS, (784,), MLP_OPTIONS),
        "cnn": (CNN_LAYERS, IMAGE, CNN_OPTIONS),
        "attention": (attention_layers(), IMAGE, ATTENTION_OPTIONS),
    }
    if model in known:
        layers, shape, defaults = known[model]
        given = _with_config(options)
        specs = _with_activation(layers, given)
        plan = Architecture(specs, shape, "softmax_cross_entropy")
    else:
        defaults = {}
        plan, given = _planned(model, IMAGE, options)
    recipe = _recipe(given, defaults, classes=_outputs(plan.layers))
    optimizer, seed = recipe.optimizer, recipe.seed
    net = Network(plan.layers, plan.input_shape, plan.loss, seed, optimizer=optimizer)
    return net, recipe


def _planned(
    source: Any, input_shape: Sequence[int], options: Mapping[str, Any]
) -> "tuple[Architecture, Mapping[str, Any]]":
    """Return the architecture, and the options with the configuration that they have."""
    plan, own_config = _plan(source, input_shape)
    config = options.get("config")
    if own_config is not None and config is not None:
        raise ValueError("config: this recipe has its own training; leave one of them out")
    given = _with_config({**options, "config": own_config or config})
    if hidden := _hidden_activation(given):
        plan = plan.with_hidden_activation(hidden)
    return plan, given


def _plan(
    source: Any, input_shape: Sequence[int]
) -> "tuple[Architecture, TrainingConfig | None]":
    """Return the architecture, and a recipe's configuration."""
    from rnn_native.architecture import Architecture, parse_architecture
    from rnn_native.files import shown
    from rnn_native.json_settings import read_json
    from rnn_native.recipes import is_recipe, parse_recipe

    if isinstance(source, Architecture):
        return source, None
    if isinstance(source, Sequence) and not isinstance(source, str):
        specs = as_specs(source)
        return Architecture(specs, tuple(input_shape), "softmax_cross_entropy"), None
    parsed = isinstance(source, Mapping)
    data = source if parsed else read_json(source)
    if not is_recipe(data):
        return parse_architecture(data, *([] if parsed else [shown(source)])), None
    recipe = parse_recipe(data, *([] if parsed else [shown(source)]))
    return recipe.architecture, recipe.training


def _with_config(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options with their configuration read and parsed."""
    from rnn_native.config import TrainingConfig, load_config, parse_config

    config = options.get("config")
    if config is None or isinstance(config, TrainingConfig):
        return options
    parsed = parse_config(config) if isinstance(config, Mapping) else load_config(config)
    return {**options, "config": parsed}


def _hidden_activation(options: Mapping[str, Any]) -> dict[str, Any] | None:
    config: Any = options.get("config")
    found: dict[str, Any] | None = None if config is None else config.hidden_activation()
    return found


def _with_activation(
    layers: Sequence[Layer], options: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return a model's specs with the configuration's activation in place of its ReLU."""
    hidden = _hidden_activation(options)
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


def train_layers(
    kind: str,
    layers: Sequence[Layer | Mapping[str, Any]],
    input_shape: Sequence[int],
    data: "str | PathLike[str] | Arrays | None",
    options: Mapping[str, Any],
    *,
    defaults: Mapping[str, Any] | None = None,
    loss: str = "softmax_cross_entropy",
) -> TrainingResult:
    """Train any list of layers; `kind` is what config.json calls it.

    `options` go before their configuration, and that before `defaults`.

    The other parameters, the result and the errors are those of `train_mlp`.
    """
    specs = as_specs(layers)
    recipe = _recipe(options, defaults or {}, classes=_outputs(specs))
    resume, threads = options.get("resume", False), options.get("threads")
    folder = _out_folder(options.get("out"), resume, options.get("overwrite", False))
    dataset = _as_dataset(data)

    rng = Xorshift(recipe.seed)
    model = Network(specs, input_shape, loss, optimizer=recipe.optimizer, rng=rng)
    x = model._as_rows(dataset.x_train, learns=True)
    y = model._as_targets(dataset.y_train, len(x))
    tests = len(model._as_rows(dataset.x_test, "x_test", beside=x))
    model._as_targets(dataset.y_test, tests, "y_test")
    parts = split(x, y, recipe.validation_split, recipe.stratify)
    metrics = scores.as_metrics(options.get("metrics"), model.loss)
    run = Run(model, parts, recipe, rng, threads=threads, metrics=metrics)
    if folder is not None and resume:
        checkpoint.restore_run(run, folder / run_folder.LAST)
    if folder is not None:
        if not resume:
            run_folder.clear(folder)
        run_folder.write_config(
            folder, kind, model.architecture(), recipe.as_dict(), dataset.source
        )
    callbacks = [*as_list(options.get("callbacks")), *_standard_callbacks(run, folder)]
    history = fit(run, callbacks, verbose=options.get("verbose", "auto"))
    tested = model.evaluate(dataset.x_test, dataset.y_test, threads=threads)
    found = tested._asdict()
    accuracy = found.get("accuracy", math.nan)
    return TrainingResult(
        model, history, found["loss"], accuracy, folder, dataset.source, found
    )


def _outputs(specs: Sequence[Mapping[str, Any]]) -> int:
    """Return the number of a net's outputs, 10 when no layer names it."""
    units = [spec["units"] for spec in specs if "units" in spec]
    return int(units[-1]) if units else 10


def _out_folder(
    out: "str | PathLike[str] | None", resume: bool, overwrite: bool
) -> Path | None:
    """Return the folder for a run's files, made and free for them; None without `out`."""
    if resume and out is None:
        raise ValueError("resume: needs out, the folder of the run to go on with")
    if resume and overwrite:
        raise ValueError("overwrite: the run is to be resumed; leave one of them out")
    if out is None:
        return None
    if not (resume or overwrite):
        run_folder.require_free(out)
    return run_folder.prepare(out)


def _recipe(
    options: Mapping[str, Any], defaults: Mapping[str, Any], classes: int
) -> Recipe:
    """Return the recipe in `options`; a name that nothing takes is an error."""
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


def _as_dataset(data: "str | PathLike[str] | Arrays | None") -> datasets.Dataset:
    if isinstance(data, datasets.Dataset):
        return data
    if data is None or isinstance(data, (str, os.PathLike)):
        return datasets.open_dataset(data)
    if not (_is_pair(data) and all(map(_is_pair, data))):
        raise TypeError(
            "data: expected a path, 'synthetic' or ((x, y), (x_test, y_test)), got "
            f"{_kind(data)}; {_hold_out_hint(data)}"
        )
    parts: Any = data  # frames, sparse matrices and lists too: the model converts them
    (x, y), (x_test, y_test) = parts
    return datasets.Dataset(x, y, x_test, y_test, "given arrays")


def _hold_out_hint(data: Any) -> str:
    """Say how to hold out rows for the test: a fifth of them, and 1000 at most."""
    first = data[0] if isinstance(data, (tuple, list)) and data else data
    shape = (len(first),) if isinstance(first, list) else getattr(first, "shape", ())
    n = min(1000, max(shape[0] // 5, 1)) if shape else 1000
    return f"hold rows out for the test: ((x[:-{n}], y[:-{n}]), (x[-{n}:], y[-{n}:]))"


def _is_pair(data: object) -> bool:
    return isinstance(data, (tuple, list)) and len(data) == 2


def _kind(data: Any) -> str:
    """Say what was given in the place of a data set."""
    if isinstance(data, np.ndarray):
        return f"one array of shape {data.shape}"
    if not isinstance(data, (tuple, list)):
        return type(data).__name__
    parts = ", ".join(f"shape {p.shape}" if hasattr(p, "shape") else "..." for p in data)
    return f"({parts})" if len(data) <= 4 else f"a {type(data).__name__} of {len(data)}"


def _standard_callbacks(run: Run, folder: Path | None) -> list[Callback]:
    chosen: list[Callback] = []
    patience = run.recipe.patience
    if patience is not None and run.data.val_x is not None:
        chosen.append(EarlyStopping(patience=patience, min_delta=run.recipe.min_delta))
    if folder is not None:
        # The checkpoint first: a log never tells of an epoch that cannot be resumed from.
        chosen += [RunCheckpoint(folder), RunLog(folder / run_folder.LOG)]
    return chosen


def train_xor(
    *,
    epochs: int = 1_000_000,
    lr: float = 0.01,
    seed: int = 42,
    log_every: int = 1000,
    out: "str | PathLike[str] | None" = None,
    overwrite: bool = False,
    verbose: int | str = "auto",
) -> TrainingResult:
    """Train the reference system's XOR net: 2-4-1, sigmoid, one update a sample.

    All epochs run in one native call. The four rows are both training and test set; an
    output of at least 0.5 means 1.

    Parameters
    ----------
    epochs : int of at least 1
    lr : float
    seed : int
    log_every : int
        Every so many epochs the history gets a row, and the last epoch always does. Its
        time is the mean of an epoch; its loss is the mean of the squared error over the
        four rows, as the reference prints it.
    out : path, optional
        Folder for best.safetensors, log.csv and config.json.
    overwrite : bool
        Replace the run in `out`.
    verbose : {"auto", 0, 1, 2}
        0 is silent, else ten lines are printed.

    Returns
    -------
    TrainingResult

    Raises
    ------
    ValueError
        If an argument is out of range.
    TrainingDiverged
        If the loss is not finite.
    FileExistsError
        If `out` holds a run that is not to be overwritten.
    OSError
        If `out` cannot be written.
    """
    recipe = Recipe(
        epochs=epochs,
        batch_size=1,
        lr=lr,
        seed=seed,
        validation_split=0.0,
        patience=None,
    )
    if log_every < 1:
        raise ValueError(f"log_every: expected at least 1, got {log_every}")
    folder = _out_folder(out, False, overwrite)
    model = Network(XOR_LAYERS, input_shape=(2,), loss="squared_error", seed=seed)
    history = _train_in_order(model, recipe, log_every)
    loss = model.evaluate(XOR_X, XOR_Y).loss
    labels = labels_of(model.predict_proba(XOR_X), model.loss)
    accuracy = float(np.mean(labels == XOR_Y[:, 0]))
    if folder is not None:
        run_folder.clear(folder)
        facts = {"loss": loss, "accuracy": accuracy}
        checkpoint.save(model, folder / run_folder.BEST, facts)
        RunLog(folder / run_folder.LOG).write(history)
        run_folder.write_config(
            folder, "xor", model.architecture(), recipe.as_dict(), "XOR"
        )
    if verbose != 0:
        _print_errors(history)
    found = {"loss": loss, "accuracy": accuracy}
    return TrainingResult(model, history, loss, accuracy, folder, "XOR", found)


def _train_in_order(model: Network, recipe: Recipe, log_every: int) -> History:
    """Train on the four rows in their order, all epochs in one native call."""
    start = time.perf_counter()
    try:
        losses, hits = model._net.train(
            XOR_X,
            XOR_Y,
            np.arange(4, dtype=np.int32),
            1,
            recipe.lr,
            epochs=recipe.epochs,
        )
    except FloatingPointError as error:
        raise TrainingDiverged(str(error)) from None
    seconds = time.perf_counter() - start
    history = History()
    for end in [*range(log_every, recipe.epochs, log_every), recipe.epochs]:
        row = EpochRow(
            loss=float(losses[end - 1]) / 4,
            accuracy=int(hits[end - 1]) / 4,
            time=seconds / recipe.epochs,
            learning_rate=recipe.lr,
        )
        history.append(row, epoch=end - 1)
    return history


def _print_errors(history: History) -> None:
    lines = min(10, len(history))
    for i in range(1, lines + 1):
        at = len(history) * i // lines - 1
        print(f"Epoch {history.epoch[at] + 1}, Error: {history.rows[at].loss:.6f}")

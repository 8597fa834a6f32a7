"""The Kaggle digit recognizer: from train.csv and test.csv to a model and a submission."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnn_native.analysis.metrics import Report, classification_report
from rnn_native.base.checks import check_flag, check_number
from rnn_native.base.errors import FormatError
from rnn_native.base.files import AnyPath, shown
from rnn_native.base.xorshift import Xorshift
from rnn_native.callbacks import RunLog
from rnn_native.datasets.csv_digits import load_csv, write_submission
from rnn_native.datasets.csv_layout import CLASSES
from rnn_native.datasets.zipped import unpacked
from rnn_native.formats import npy_folder
from rnn_native.formats.loading import load
from rnn_native.models import pretrained
from rnn_native.models.network import Network
from rnn_native.net import model_file
from rnn_native.net.layers import Dense
from rnn_native.training import run_folder
from rnn_native.training.history import History
from rnn_native.training.holding_out import Split
from rnn_native.training.loop import fit
from rnn_native.training.recipe import Recipe
from rnn_native.training.run import Run

if TYPE_CHECKING:
    from rnn_native.datasets.csv_digits import Bytes

Files: TypeAlias = "AnyPath | tuple[AnyPath | None, AnyPath | None]"
"""A folder with train.csv and test.csv, or both files; None is a file to do without."""

TRAIN, TEST, SUBMISSION = "train.csv", "test.csv", "submission.csv"
MODEL_FOLDER = "model"
FIRST_ARRAY = f"{MODEL_FOLDER}/w1.npy"
HIDDEN = (128,)
PIXELS = 784


@dataclass(frozen=True, slots=True)
class KaggleResult:
    """What `run` returns.

    Attributes
    ----------
    model : Network
    history : History or None
        None when training was skipped.
    report : Report or None
        Scores on the test part; None without one.
    train_rows, test_rows : int
        Rows of train.csv that were trained on and evaluated.
    predictions : ndarray of shape (n,), uint8, or None
        Labels for the rows of test.csv; None without that file.
    submission : Path or None
        The file with the predictions.
    model_files : list of Path
        Where the model was saved: best.safetensors and, when the format can hold the model,
        the folder of arrays. Empty when training was skipped.

    Examples
    --------
    >>> import rnn_native as rn
    >>> result = rn.kaggle.run("input")  # doctest: +SKIP
    """

    model: Network
    history: History | None
    report: Report | None
    train_rows: int
    test_rows: int
    predictions: NDArray[np.uint8] | None
    submission: Path | None
    model_files: list[Path]

    def summary(self) -> str:
        """Return a summary as text, with the report and its confusion matrix."""
        lines = [f"Rows: {self.train_rows} trained on, {self.test_rows} evaluated"]
        if self.report is not None:
            lines += ["", str(self.report), ""]
        lines += [f"Model: {path}" for path in self.model_files]
        if self.submission is not None and self.predictions is not None:
            lines.append(f"Submission: {self.submission} ({len(self.predictions)} rows)")
        return "\n".join(lines)


class _Plan(NamedTuple):
    """What a call asks for, checked."""

    train_csv: Path | None
    test_csv: Path | None
    trains: bool
    test_rate: float


class _Parts(NamedTuple):
    """Row numbers of train.csv: to train on, and to evaluate."""

    train: NDArray[np.int32]
    test: NDArray[np.int32]


def run(
    files: Files = "input",
    *,
    hidden: Sequence[int] | None = None,
    iterations: int = 10,
    output: AnyPath = "output",
    overwrite: bool = False,
    skip_training: bool = False,
    test_rate: float = 20,
    input_model: AnyPath | None = None,
    label: str | None = None,
    seed: int = 1,
    lr: float = 0.1,
    batch_size: int = 64,
    threads: int | None = None,
    verbose: int | str = "auto",
) -> KaggleResult:
    """Shuffle, split, train, evaluate, predict and save, each if it is asked for.

    Parameters
    ----------
    files : path, or tuple of path or None
        The folder with train.csv (not needed when nothing is trained or evaluated) and
        test.csv (may be missing), or (train.csv, test.csv).
    hidden : sequence of int, optional
        Units of the hidden layers of a new model; (128,) when left out.
    iterations : int of at least 1
        Epochs.
    output : path
        Folder for model/w1.npy and so on, best.safetensors, log.csv and submission.csv;
        made when missing.
    overwrite : bool
        Replace the model that `output` holds; without it, training for such a folder is
        refused.
    skip_training : bool
        Use the model as it is: `input_model`, or the one that the package brings.
    test_rate : number in [0, 100]
        Per cent of the shuffled rows of train.csv, rounded down, that are held out and
        evaluated. 0 evaluates nothing; 100 leaves nothing to train on, so needs
        `skip_training`.
    input_model : path, optional
        Folder of arrays, folder of a run, or any model file. It is trained further unless
        training is skipped.
    label : {"first", "last"}, optional
        Where the label is in files without a header; see `csv_digits.load_csv`.
    seed : int in [0, 2**64)
        Of the split, the initial weights and the shuffles. Equal seeds split equally, so a
        later call with `skip_training` evaluates the rows that training did not see.
    lr : float
        Learning rate.
    batch_size : int of at least 1
        Rows of a batch.
    threads : int in [1, 64], optional
        Never changes a result.
    verbose : {"auto", 0, 1, 2}
        See `rnn_native.callbacks.ProgressLogger`.

    Returns
    -------
    KaggleResult
        The model, its scores and predictions.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range, arguments contradict each other, or the model is not
        one for 784 pixels and ten classes.
    FormatError
        If a file is broken, or all its labels are equal and a model should learn from them.
        Nothing has been written then.
    FileExistsError
        If `output` holds a model that training would replace, and `overwrite` is not set.
    OSError
        If a file that is needed is missing or cannot be read, or the output cannot be
        written.
    TrainingDiverged
        If the loss is not finite.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(60, seed=1)
    >>> table = np.column_stack([y, x.reshape(60, 784)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savetxt(f"{folder}/train.csv", table, "%d", delimiter=",")
    ...     result = rn.kaggle.run(folder, iterations=1, output=f"{folder}/out", verbose=0)
    >>> result.model
    <Network 784 -> 128 -> 10, 101,770 parameters>
    """
    recipe = Recipe(
        epochs=iterations,
        batch_size=batch_size,
        lr=lr,
        seed=seed,
        validation_split=0.0,
        patience=None,
    )
    plan = _plan(files, skip_training, test_rate)
    rng = Xorshift(seed)
    given = _given_model(input_model, hidden, skip_training)
    model = given if given is not None else _new_model(hidden, rng)
    images, labels = _read_training_rows(plan, label)
    parts = _split(len(labels), plan, seed)
    unlabelled = None if plan.test_csv is None else _load(plan.test_csv, label)[0]
    folder = _prepare_output(model, output, plan, overwrite)
    history = None
    if plan.trains:
        rows = Split(
            model.as_rows(images[parts.train], learns=True),
            model.as_targets(labels[parts.train], len(parts.train)),
        )
        training_run = Run(model, rows, recipe, rng, threads=threads)
        history = fit(training_run, [RunLog(folder / run_folder.LOG)], verbose=verbose)
    report = _evaluate(model, images[parts.test], labels[parts.test], threads)
    model_files = _save(model, folder, report) if plan.trains else []
    predictions, submission = _predict(model, unlabelled, folder, threads)
    return KaggleResult(
        model=model,
        history=history,
        report=report,
        train_rows=len(parts.train),
        test_rows=len(parts.test),
        predictions=predictions,
        submission=submission,
        model_files=model_files,
    )


# ---- what is asked for ----


def _plan(files: Files, skip_training: bool, test_rate: float) -> _Plan:
    check_number("test_rate", test_rate)
    if not 0 <= test_rate <= 100:
        raise ValueError(f"test_rate: expected a percentage in 0..100, got {test_rate}")
    if test_rate == 100 and not skip_training:
        raise ValueError("test_rate: 100 leaves no rows to train on; use skip_training")
    needs_rows = not skip_training or test_rate > 0
    train_csv, test_csv = _locate(files, needs_rows)
    if not needs_rows and test_csv is None:
        raise ValueError(
            "nothing to do: training is skipped, test_rate is 0, and there is no "
            f"{TEST} to predict"
        )
    return _Plan(train_csv, test_csv, not skip_training, test_rate)


def _locate(files: Files, needs_rows: bool) -> tuple[Path | None, Path | None]:
    """Return train.csv, if it is needed, and test.csv, if it is there."""
    if isinstance(files, tuple):
        train, test = (None if path is None else Path(path) for path in files)
    else:
        folder = Path(files)
        if not folder.is_dir():
            raise FileNotFoundError(
                f"{shown(files)}: expected a folder with {TRAIN} and {TEST}, got none"
            )
        train, test = _there(folder / TRAIN), _there(folder / TEST)
        test = test if test.exists() else None
    if not needs_rows:
        return None, test
    if train is None:
        raise ValueError(f"files: {TRAIN} is needed to train or evaluate, got None")
    if not train.exists():
        raise FileNotFoundError(f"{shown(train)}: no such file")
    return train, test


def _there(path: Path) -> Path:
    """Return a file's path, or that of the zip archive that replaces it."""
    archives = (path.with_suffix(".zip"), path.with_name(f"{path.name}.zip"))
    found = [p for p in archives if p.exists() and not path.exists()]
    return found[0] if found else path


def _load(
    path: Path, label: str | None, classes: int | None = None
) -> "tuple[Bytes, Bytes | None]":
    with unpacked(path) as file:
        return load_csv(file, label=label, classes=classes)


def _given_model(
    path: AnyPath | None, hidden: Sequence[int] | None, skip_training: bool
) -> Network | None:
    """Return the model to start from, None for a new one."""
    if hidden is not None and (path is not None or skip_training):
        raise ValueError("hidden: is for a new model; this call uses an existing one")
    if path is not None:
        model, name = load(path), shown(path)
    elif skip_training:
        model, name = pretrained.load(), "the model of the package"
    else:
        return None
    outputs = model.native.layers[-1]["shape"]
    if int(np.prod(model.input_shape)) != PIXELS or tuple(outputs) != (CLASSES,):
        raise ValueError(
            f"{name}: expected a model of {PIXELS} inputs and {CLASSES} outputs, got "
            f"{model.input_shape} and {tuple(outputs)}"
        )
    if model.loss != "softmax_cross_entropy":
        raise ValueError(
            f"{name}: expected a classifier, got a net with the loss {model.loss}"
        )
    return model


def _new_model(hidden: Sequence[int] | None, rng: Xorshift) -> Network:
    layers = [Dense(units, "relu") for units in (HIDDEN if hidden is None else hidden)]
    return Network([*layers, Dense(CLASSES)], (PIXELS,), rng=rng)


# ---- rows ----


def _read_training_rows(plan: _Plan, label: str | None) -> "tuple[Bytes, Bytes]":
    """Return images and labels of train.csv; none when they are not needed."""
    if plan.train_csv is None:
        return np.empty((0, 28, 28), np.uint8), np.empty(0, np.uint8)
    images, labels = _load(plan.train_csv, label, CLASSES)
    if labels is None:
        raise FormatError(
            f"{shown(plan.train_csv)}: no label column; training and evaluation need one"
        )
    if plan.trains and len(labels) > 1 and (labels == labels[0]).all():
        raise FormatError(
            f"{shown(plan.train_csv)}: all {len(labels)} labels are {labels[0]}; training needs "
            "two classes or more: see that the label column is the right one"
        )
    return images, labels


def _split(count: int, plan: _Plan, seed: int) -> _Parts:
    """Shuffle the row numbers; the last ones are the test part."""
    order = np.arange(count, dtype=np.int32)
    if count:
        # A separate generator: the split is the same whether or not weights are drawn.
        Xorshift(seed).shuffle(order)
    held = int(count * plan.test_rate / 100)
    if plan.test_rate > 0 and held == 0:
        raise ValueError(
            f"test_rate: {plan.test_rate:g} % of {count} rows is less than one row"
        )
    none = order[:0]
    return _Parts(order[: count - held] if plan.trains else none, order[count - held :])


def _evaluate(
    model: Network, images: "Bytes", labels: "Bytes", threads: int | None
) -> Report | None:
    if not len(images):
        return None
    guesses = model.predict(images, threads=threads)
    return classification_report(labels, guesses, CLASSES)


# ---- files ----


def _prepare_output(model: Network, output: AnyPath, plan: _Plan, overwrite: bool) -> Path:
    """Make the folder, and see now what would fail after training."""
    check_flag("overwrite", overwrite)
    folder = Path(output)
    if plan.trains and npy_folder.npy_obstacle(model) is None:
        npy_folder.check_npy_folder(model, folder / MODEL_FOLDER)
    if plan.trains and not overwrite:
        run_folder.require_free(folder, (run_folder.BEST, run_folder.LOG, FIRST_ARRAY))
    return run_folder.prepare(folder)


def _predict(
    model: Network, images: "Bytes | None", folder: Path, threads: int | None
) -> tuple[NDArray[np.uint8] | None, Path | None]:
    """Write the submission, and return the predictions and where they are."""
    if images is None:
        return None, None
    predictions = model.predict(images, threads=threads).astype(np.uint8)
    write_submission(folder / SUBMISSION, predictions)
    return predictions, folder / SUBMISSION


def _save(model: Network, folder: Path, report: Report | None) -> list[Path]:
    facts = {} if report is None else {"test_accuracy": report.accuracy}
    model_file.save(model, folder / run_folder.BEST, facts)
    saved = [folder / run_folder.BEST]
    if npy_folder.npy_obstacle(model) is None:
        npy_folder.write_npy_folder(model, folder / MODEL_FOLDER)
        saved.append(folder / MODEL_FOLDER)
    return saved

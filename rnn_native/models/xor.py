"""The reference system's XOR model."""

import time
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.checks import check_count, check_verbose
from rnn_native.base.errors import TrainingDiverged
from rnn_native.callbacks import RunLog
from rnn_native.models.network import Network
from rnn_native.net import model_file
from rnn_native.net.layers import (
    Dense,
    Layer,
)
from rnn_native.net.losses import labels_of
from rnn_native.net.predictor import Predictor
from rnn_native.training import run_folder
from rnn_native.training.history import EpochRow, History
from rnn_native.training.recipe import Recipe

if TYPE_CHECKING:
    from os import PathLike


from rnn_native.models.options import out_folder
from rnn_native.training.result import TrainingResult

XOR_LAYERS: list[Layer] = [Dense(4, "sigmoid"), Dense(1, "sigmoid")]
XOR_X: NDArray[np.float32] = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
XOR_Y: NDArray[np.float32] = np.array([[0], [1], [1], [0]], np.float32)


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
        Each has four updates.
    lr : float
        Learning rate.
    seed : int
        Of the initial weights.
    log_every : int
        The history gets a row every this many epochs, and the last epoch always does. Its
        time is the mean of an epoch; its loss is the mean of the squared error over the
        four rows, as the reference prints it.
    out : path, optional
        Folder for best.safetensors, log.csv and config.json.
    overwrite : bool
        Replace the run in `out`.
    verbose : {"auto", 0, 1, 2}
        0 is silent, else ten lines and the table of `predictions_table` are printed.

    Returns
    -------
    TrainingResult
        With the last weights.

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

    Examples
    --------
    >>> import rnn_native as rn
    >>> result = rn.train_xor(epochs=200_000, verbose=0)
    >>> result.model.predict([[0, 1], [1, 1]]).round()
    array([1., 0.], dtype=float32)
    """
    recipe = Recipe(
        epochs=epochs,
        batch_size=1,
        lr=lr,
        seed=seed,
        validation_split=0.0,
        patience=None,
    )
    check_count("log_every", log_every, 1)
    check_verbose(verbose)
    folder = out_folder(out, False, overwrite)
    model = Network(XOR_LAYERS, input_shape=(2,), loss="squared_error", seed=seed)
    history = _train_in_order(model, recipe, log_every)
    loss = model.evaluate(XOR_X, XOR_Y).loss
    labels = labels_of(model.predict_proba(XOR_X), model.loss)
    accuracy = float(np.mean(labels == XOR_Y[:, 0]))
    if folder is not None:
        run_folder.clear(folder)
        facts = {"loss": loss, "accuracy": accuracy}
        model_file.save(model, folder / run_folder.BEST, facts)
        RunLog(folder / run_folder.LOG).write(history)
        run_folder.write_config(
            folder, "xor", model.architecture(), recipe.as_dict(), "XOR"
        )
    if verbose != 0:
        _print_errors(history)
        print(f"\n{predictions_table(model)}")
    found = {"loss": loss, "accuracy": accuracy}
    return TrainingResult(model, history, loss, accuracy, folder, "XOR", found)


def _train_in_order(model: Network, recipe: Recipe, log_every: int) -> History:
    """Train on the four rows in their order, all epochs in one native call."""
    start = time.perf_counter()
    try:
        losses, hits = model.native.train(
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


def predictions_table(model: Predictor) -> str:
    """Return the predictions of a net for the four rows, as the reference system prints them."""
    lines = ["Testing the trained network:"]
    predicted = model.predict_proba(XOR_X)[:, 0]
    for (a, b), wanted, output in zip(XOR_X, XOR_Y[:, 0], predicted, strict=True):
        lines.append(
            f"Input: {a:.1f}, {b:.1f}, Expected Output: {wanted:.1f}, "
            f"Predicted Output: {output:.3f}"
        )
    return "\n".join(lines)

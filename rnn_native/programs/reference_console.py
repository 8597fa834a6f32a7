"""What the reference system's three MNIST programs print while they train."""

import sys
from dataclasses import dataclass
from typing import Any

from rnn_native.base.text import printable
from rnn_native.datasets.opening import Dataset
from rnn_native.training.history import History
from rnn_native.training.recipe import Recipe


@dataclass(frozen=True)
class Times:
    """Seconds of the parts of a program."""

    loading: float
    training: float
    testing: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.loading + self.training + self.testing


class Console:
    """Lines of one program; `is_quiet` prints none."""

    LOADING: tuple[str, ...] = ()

    def __init__(self, recipe: Recipe, config: Any, is_quiet: bool = False) -> None:
        self._recipe = recipe
        self._config = config  # a path, or None
        self.is_quiet = is_quiet

    def say(self, *lines: str) -> None:
        """Print lines; if the reader has closed the pipe, train without output."""
        if self.is_quiet:
            return
        try:
            print(*map(printable, lines), sep="\n", flush=True)
        except BrokenPipeError:
            self.is_quiet, sys.stdout = True, None

    def begin(self) -> None:
        """Before the data are read."""
        self.say(*self.LOADING)

    def loaded(self, data: Dataset, held_out: int, seconds: float) -> None:
        """After that, before training."""
        raise NotImplementedError

    def epoch(self, number: int, values: dict[str, float]) -> None:
        """After an epoch; `number` counts from 1."""
        raise NotImplementedError

    def stopped(self, history: History) -> None:
        """When training stopped early: what has not improved for how long."""
        best = min(row.val_loss for row in history if row.val_loss is not None)
        self.say(
            "",
            f"Early stopping triggered! No improvement for {self._recipe.patience} epochs. "
            f"Best validation loss: {best:.6f}",
        )

    def end(self, accuracy: float, times: Times, model_file: str, log: str) -> None:
        """After the test; `accuracy` is a fraction."""
        raise NotImplementedError

    def _split_line(self, data: Dataset, held_out: int) -> str:
        trained = len(data.y_train) - held_out
        return (
            f"Data split: {trained} training samples, {held_out} validation samples, "
            f"{len(data.y_test)} test samples"
        )

    def _rate_lines(self) -> list[str]:
        """Say where the rate comes from, and what becomes of it."""
        lr, schedule = number(self._recipe.lr), self._recipe.as_dict()["schedule"]
        if self._config is None:
            return [f"No config file provided. Using constant learning rate: {lr}"]
        loaded = f"Loaded config from: {self._config}"
        if schedule is None:
            return [loaded, f"Using ConstantLR scheduler: initial_lr={lr}"]
        kind = {"Exponential": "ExponentialDecay"}.get(schedule["type"], schedule["type"])
        names = {"lr": "initial_lr", "min_lr": "min_lr", "T_max": "T_max"}
        given = [
            f"{names.get(k, k)}={number(v)}"
            for k, v in schedule.items()
            if k != "type" and isinstance(v, (int, float))
        ]
        return [loaded, f"Using {kind} scheduler: {', '.join(given)}"]


class MlpConsole(Console):
    """Of `mnist_mlp`."""

    def begin(self) -> None:
        """Before the data are read."""
        self.say(*self._rate_lines(), "Loading training data...", "Loading test data...")

    def loaded(self, data: Dataset, held_out: int, seconds: float) -> None:
        """After that, before training."""
        kind = str(self._recipe.optimizer["type"]).upper()
        self.say(
            f"Data loading time: {seconds:.2f} seconds",
            self._split_line(data, held_out),
            "Initializing neural network...",
            "Training neural network...",
            f"Using {kind} optimizer with learning rate {number(self._recipe.lr)}",
        )

    def epoch(self, number: int, values: dict[str, float]) -> None:
        """After an epoch; `number` counts from 1."""
        facts = [
            f"Loss: {values['loss']:.6f}",
            *_validated(values),
            f"LR: {values['learning_rate']:.6f}",
            f"Time: {values['time']:.6f}",
        ]
        self.say(f"Epoch {number}, {', '.join(facts)}")

    def end(self, accuracy: float, times: Times, model_file: str, log: str) -> None:
        """After the test; `accuracy` is a fraction."""
        self.say(
            f"Total training time: {times.training:.2f} seconds",
            "Testing neural network...",
            f"Test Accuracy: {100 * accuracy:.2f}%",
            f"Testing time: {times.testing:.2f} seconds",
            "Saving model...",
            f"Model saved to {model_file}",
            "",
            "=== Performance Summary ===",
            f"Data loading time: {times.loading:.2f} seconds",
            f"Total training time: {times.training:.2f} seconds",
            f"Testing time: {times.testing:.2f} seconds",
            f"Total program time: {times.total:.2f} seconds",
            "=" * 24,
        )


class CnnConsole(Console):
    """Of `mnist_cnn`."""

    LOADING = ("Loading MNIST...",)

    def loaded(self, data: Dataset, held_out: int, seconds: float) -> None:
        """After that, before training."""
        recipe = self._recipe
        self.say(
            self._split_line(data, held_out),
            *self._rate_lines(),
            f"Training CNN: epochs={recipe.epochs} batch={recipe.batch_size} "
            f"lr={number(recipe.lr)}",
        )

    def epoch(self, number: int, values: dict[str, float]) -> None:
        """After an epoch; `number` counts from 1."""
        facts = [f"Loss: {values['loss']:.6f}", *_validated(values)]
        self.say(f"Epoch {number}, {', '.join(facts)}, Time: {values['time']:.6f}")

    def end(self, accuracy: float, times: Times, model_file: str, log: str) -> None:
        """After the test; `accuracy` is a fraction."""
        self.say(
            "Testing...",
            f"Test Accuracy: {100 * accuracy:.2f}%",
            f"Model saved to {model_file}",
        )


class AttentionConsole(Console):
    """Of `mnist_attention_pool`."""

    def begin(self) -> None:
        """Before the data are read."""
        recipe = self._recipe
        self.say(
            "=== MNIST Attention Model (Patch-based Transformer) ===",
            "Configuration:",
            "  Model: D_MODEL=64, FF_DIM=128",
            "  Patches: 7x7 grid (49 tokens)",
            "  Positional encoding: Sinusoidal (Transformer-style)",
            f"  Training: {recipe.epochs} epochs, batch size {recipe.batch_size}, "
            f"LR={number(recipe.lr)}",
            "",
            "Loading MNIST data...",
        )

    def loaded(self, data: Dataset, held_out: int, seconds: float) -> None:
        """After that, before training."""
        self.say(
            self._split_line(data, held_out),
            "",
            "Initializing model with sinusoidal positional encoding...",
            f"  Initial learning rate: {number(self._recipe.lr)}",
            "Training...",
        )

    def epoch(self, number: int, values: dict[str, float]) -> None:
        """After an epoch; `number` counts from 1."""
        accuracy = values.get("val_accuracy")
        told = [] if accuracy is None else [f"val_acc={100 * accuracy:5.2f}%"]
        facts = [f"loss={values['loss']:.6f}", *told, f"time={values['time']:.2f}s"]
        self.say(f"  Epoch {number:2}: {' | '.join(facts)}")

    def stopped(self, history: History) -> None:
        """When training stopped early: what has not improved for how long."""
        best = max(row.val_accuracy for row in history if row.val_accuracy is not None)
        self.say(
            "",
            f"Early stopping triggered after {self._recipe.patience} epochs without "
            f"improvement (best val_acc: {100 * best:.2f}%)",
            f"Stopping at epoch {history.next_epoch}",
        )

    def end(self, accuracy: float, times: Times, model_file: str, log: str) -> None:
        """After the test; `accuracy` is a fraction."""
        self.say(
            "",
            f"Training complete in {times.training:.2f}s",
            "Evaluating final accuracy...",
            "",
            "=== Final Results ===",
            f"Test Accuracy: {100 * accuracy:.2f}%",
            f"Total time: {times.total:.2f}s",
            "",
            f"Training log saved to: ./{log}",
            f"Final test accuracy: {100 * accuracy:.2f}%",
        )


CONSOLES: dict[str, type[Console]] = {
    "mlp": MlpConsole,
    "cnn": CnnConsole,
    "attention": AttentionConsole,
}


def number(value: float) -> str:
    """Return the shortest decimal that is the same float32, without an exponent."""
    import numpy as np

    if isinstance(value, int):
        return str(value)
    return np.format_float_positional(np.float32(value), unique=True, trim="-")


def _validated(values: dict[str, float]) -> list[str]:
    if "val_loss" not in values:
        return []
    accuracy = 100 * values["val_accuracy"]
    return [f"Val Loss: {values['val_loss']:.6f}", f"Val Acc: {accuracy:.2f}%"]

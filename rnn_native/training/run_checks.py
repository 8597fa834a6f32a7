"""What a run refuses before anything is trained."""

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np

from rnn_native.base.checks import check_count
from rnn_native.net.adapting import unadapted
from rnn_native.net.arrays import sparse_refusal
from rnn_native.net.compressed import CompressedRows
from rnn_native.net.losses import LOSSES
from rnn_native.net.rows import Weights
from rnn_native.training.class_weights import (
    row_weights_of_classes,
    times,
)

if TYPE_CHECKING:
    from rnn_native.net.predictor import Predictor

from rnn_native.training.holding_out import Split
from rnn_native.training.recipe import Recipe


def row_weights(data: Split, class_weight: object, outputs: int) -> Weights:
    """Return what multiplies each training row's loss, or None when nothing does."""
    weights = data.weights
    if class_weight is not None:
        by_class = row_weights_of_classes(class_weight, data.y, outputs)
        weights = times(weights, by_class.astype(np.float32))
    if weights is not None and not weights.any():
        raise ValueError(
            "weights: expected one above 0 among the rows to train on, got zeros only, by "
            "sample_weight and class_weight"
        )
    return weights


def check_label_smoothing(smoothing: float, loss: str) -> None:
    """Refuse smoothing under a loss whose targets are values."""
    if smoothing and not LOSSES[loss].tells_classes:
        raise ValueError(
            f"label_smoothing: expected 0 under {loss}, whose targets are values, got "
            f"{smoothing:g}; the cross-entropies have labels"
        )


def check_initial_epoch(initial_epoch: int, recipe: Recipe) -> None:
    """Refuse epochs that are not consecutive, and losses that cannot occur."""
    first = check_count("initial_epoch", initial_epoch)
    if first > recipe.epochs:
        raise ValueError(
            f"initial_epoch: expected at most epochs, {recipe.epochs}, got {first}; epochs "
            f"counts from 0, so {recipe.epochs} more are epochs={first + recipe.epochs}"
        )
    if first and recipe.needs_validation:
        raise ValueError(
            f"initial_epoch: expected 0 with a schedule that uses the validation losses "
            f"of all epochs, got {first}; use rn.ReduceLROnPlateau"
        )


def check_recipe(model: "Predictor", data: Split, recipe: Recipe) -> None:
    """Refuse what would be without effect, or cannot be done with these rows."""
    check_label_smoothing(recipe.label_smoothing, model.loss)
    # Only the nonzeros of these rows are there.
    if isinstance(data.x, CompressedRows):
        for name in ("augment", "mixup"):
            if getattr(recipe, name):
                raise sparse_refusal("x", f"{name}: ")


def check_adapted(model: "Predictor") -> None:
    """Refuse Normalization layers that have no statistics."""
    if (index := unadapted(model)) is not None:
        raise ValueError(
            f"{model.placed[index].path}: normalization has no mean and variance yet; call "
            "net.adapt(x) with the rows to train on first"
        )


def check_batches_of_one_row(model: "Predictor", rows: int, batch_size: int) -> None:
    """Refuse batches of one row where a batchnorm normalizes over rows alone.

    Of one value the variance is 0: what follows sees the bias only, and nothing is learned.
    """
    alone = min(rows, batch_size) == 1
    if not alone and rows % batch_size != 1:
        return
    for one, layer in zip(model.placed, model.native.layers, strict=True):
        if layer["type"] != "batchnorm" or math.prod(layer["shape"][1:]) > 1:
            continue
        if alone:
            raise ValueError(
                f"{one.path}: batchnorm needs batches of at least 2 rows, got {rows} "
                f"row{'s' if rows > 1 else ''} in batches of {batch_size}; use a larger "
                "batch_size, or layernorm"
            )
        warnings.warn(
            f"{one.path}: of {rows} rows in batches of {batch_size} the last batch is a "
            "single row, from which a batchnorm learns nothing; use another batch_size, or "
            "one row less",
            stacklevel=4,
        )
        return

"""Statistics of batchnorm for weights that no batch was trained with, such as a mean."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import rnn_native._core as _core
from rnn_native.training.holding_out import Split

if TYPE_CHECKING:
    from rnn_native.net.predictor import Predictor


def set_batch_statistics(
    model: "Predictor",
    weights: NDArray[np.float32],
    data: Split,
    order: NDArray[np.int32],
    batch_size: int,
    threads: int,
) -> None:
    """Set the running statistics in `weights` to those of the rows to train on, in place.

    They are the mean over batches, by their rows, of each batch's statistics under `weights`;
    PyTorch's ``update_bn`` finds the same. The model is left as it is. A batchnorm with
    momentum 1, whose statistics never move, keeps them.
    """
    if not has_batch_statistics(model):
        return
    # With momentum 0 the running statistics are the last batch's. A rate of 0 moves nothing
    # else, and below the last layer nothing is carried back.
    specs = [
        {**one.spec, "momentum": 0.0} if _moves(one.spec) else one.spec
        for one in model.placed
    ]
    twin = _core.Net(specs, model.input_shape, model.loss)
    twin.set_weights(weights)
    twin.set_rates(np.eye(len(specs))[_last_that_learns(twin)])
    begin = model.params.size
    total = np.zeros(weights.size - begin)
    for step, first in enumerate(range(0, len(order), batch_size)):
        rows = order[first : first + batch_size]
        twin.train(data.x, data.y, rows, len(rows), 0.0, threads=threads, step=step)
        total += twin.weights[begin:].astype(np.float64) * len(rows)
    weights[begin:] = total / len(order)


def _last_that_learns(native: "_core.Net") -> int:
    params = [layer["params"] for layer in native.layers]
    return max(i for i, own in enumerate(params) if any(not p["is_state"] for p in own))


def has_batch_statistics(model: "Predictor") -> bool:
    """Return whether running statistics of batches move in training."""
    return any(_moves(one.spec) for one in model.placed)


def _moves(spec: Mapping[str, Any]) -> bool:
    return spec["type"] == "batchnorm" and spec.get("momentum") != 1

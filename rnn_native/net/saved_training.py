"""What a model file keeps of training on request: moments, and where training stands.

Tensors "training.moments", "training.order" and "training.live", where these exist,
and numbers, which the metadata have under "training".
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.net.predictor import Predictor

PREFIX = "training."

Tensors = dict[str, NDArray[Any]]


def tensors_of(model: Predictor) -> Tensors:
    """Return copies of what the next `fit` continues from, by their names in a file.

    Raises
    ------
    ValueError
        If a moment is not finite: no file may hold it.
    """
    if not np.isfinite(model.moments).all():
        raise ValueError(
            "save: the optimizer's moments are not finite, as after training that diverged; "
            "save without optimizer_state, or set net.optimizer = net.optimizer first"
        )
    state = model.training_state
    found = {
        "moments": model.moments if model.moments.size else None,
        "order": state.order,
        "live": state.live_beside(model.params),
    }
    return {
        PREFIX + name: array.copy() for name, array in found.items() if array is not None
    }


def restore(model: Predictor, tensors: Tensors, numbers: Mapping[str, Any]) -> None:
    """Let the net continue from what a file holds.

    Raises
    ------
    ValueError
        If something is missing, or does not fit the net.
    """
    moments = tensors.get(PREFIX + "moments", np.empty(0, np.float32))
    order, live = tensors.get(PREFIX + "order"), tensors.get(PREFIX + "live")
    if not fits(moments, model.moments):
        raise ValueError("moments are missing, or do not fit the net")
    if order is not None and not is_order(order):
        raise ValueError("order: expected the numbers of rows, each once")
    if live is not None and not fits(live, model.params):
        raise ValueError("live: expected parameters of the net")
    state = model.training_state
    state.update(numbers)
    model.moments[:] = moments
    state.order, state.live_params = order, live
    state.note_average(model.params)


def fits(tensor: NDArray[Any], like: NDArray[np.float32]) -> bool:
    """Return whether a tensor is float32, finite and as long as another one."""
    same = tensor.dtype == np.float32 and tensor.shape == like.shape
    return same and bool(np.isfinite(tensor).all())


def is_order(tensor: NDArray[Any]) -> bool:
    """Return whether a tensor has 0, 1, ..., n - 1 in some order, as int32."""
    whole = tensor.dtype == np.int32 and tensor.ndim == 1
    return whole and np.array_equal(np.sort(tensor), np.arange(tensor.size))

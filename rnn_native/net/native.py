"""Native nets made of some of a net's layers, or of others in their place."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

import rnn_native._core as _core


def native_net(
    specs: Sequence[dict[str, Any]],
    arrays: Sequence[Mapping[str, NDArray[Any]]],
    input_shape: Sequence[int],
    loss: str,
) -> "_core.Net":
    """Return a native net of the core's layers, with each layer's arrays by name."""
    native = _core.Net(specs, input_shape, loss)
    for layer, own in zip(native.layers, arrays, strict=True):
        for param in layer["params"]:
            values = own[param["name"]].ravel()
            native.weights[param["offset"] : param["offset"] + values.size] = values
    return native

"""From the arrays of a file to a network that has them."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import FormatError
from rnn_native.models.network import Network

Arrays: TypeAlias = list[NDArray[np.float32]]
Architecture: TypeAlias = dict[str, Any]


def network_of(
    architecture: Mapping[str, Any], arrays: Sequence[NDArray[np.float32]], name: str
) -> Network:
    """Make a network with given parameters, in storage order.

    Raises
    ------
    FormatError
        If the network cannot be made, or has other parameters; `name` is the file's.
    """
    try:
        model = Network.from_architecture(architecture)
    except (ValueError, TypeError) as error:
        raise FormatError(f"{name}: damaged, or of another version: {error}") from None
    parameters = list(model.parameters.values())
    if [p.shape for p in parameters] != [a.shape for a in arrays]:
        raise FormatError(f"{name}: its parameters are not those of its architecture")
    for parameter, array in zip(parameters, arrays, strict=True):
        parameter[...] = array
    # The systems that write these files train on pixels divided by 255.
    model.input_dtype = "uint8"
    return model


def finite_float32(values: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Return values as a new C-contiguous float32 array.

    Raises
    ------
    FormatError
        If one is NaN or infinite, or becomes infinite; `name` says where it is.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.array(values, np.float32, order="C")
    if not np.isfinite(array).all():
        first = np.unravel_index(int(np.argmin(np.isfinite(array))), array.shape)
        index = ", ".join(map(str, first))
        raise FormatError(
            f"{name}: expected finite float32 values, got {values[first]} at [{index}]"
        )
    return array

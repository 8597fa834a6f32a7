"""First values of parameters, as a net's layers ask for them."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.xorshift import Xorshift

if TYPE_CHECKING:
    import rnn_native._core as _core


def set_initial(view: NDArray[np.float32], param: "_core._Param", rng: Xorshift) -> None:
    """Set a parameter as its description says; zeros are left."""
    if param["init"] == "ones":
        view[:] = 1
    elif param["init"] == "constant":
        view[:] = param["limit"]
    elif param["init"] == "sinusoidal":
        view[:] = sinusoidal_positions(*param["shape"])
    elif param["init"] == "uniform":
        rng.fill_uniform(view.reshape(-1), -param["limit"], param["limit"])
    elif param["init"] == "glorot_uniform":
        fans = np.float32(param["fan_in"] + param["fan_out"])
        limit = float(np.sqrt(np.float32(6) / fans))
        rng.fill_uniform(view.reshape(-1), -limit, limit)


def sinusoidal_positions(tokens: int, width: int) -> NDArray[np.float32]:
    """Return the position table of Vaswani et al. 2017, section 3.5, in float32.

    Row t has sin(t / 10000^(2k/width)) in column 2k and the cosine in column 2k + 1.
    """
    t = np.arange(tokens, dtype=np.float32)[:, None]
    column = np.arange(width)
    exponent = (column // 2 * 2).astype(np.float32) / np.float32(width)
    angle = t / np.power(np.float32(10_000), exponent)
    table: NDArray[np.float32] = np.where(column % 2 == 0, np.sin(angle), np.cos(angle))
    return table

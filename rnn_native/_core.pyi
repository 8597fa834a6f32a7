# The native core. Arrays must be C-contiguous and of exactly the dtype given here; the
# package's Python layer converts.

from collections.abc import Sequence
from os import PathLike
from typing import Any, Literal, Protocol, TypeAlias, TypedDict, final

import numpy as np
from numpy.typing import NDArray

class _Param(TypedDict):
    name: str
    shape: tuple[int, ...]
    offset: int
    init: str
    fan_in: int
    fan_out: int
    limit: float
    is_state: bool

class _Window(TypedDict):
    kernel: tuple[int, int]  # rows, columns
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int, int, int]  # top, bottom, left, right
    groups: int
    counts_padding: bool  # whether means count it as zeros

class _Layer(TypedDict):
    type: str
    shape: tuple[int, ...]
    params: list[_Param]
    has_maps: bool
    carried: int  # numbers of a row's state that one call may leave to the next
    masked_by: int  # the layer that marks padding here; -1: none
    window: _Window | None  # of what slides one over its input

class _Key(TypedDict):
    kind: Literal["int", "float", "bool", "choice", "ints"]
    required: bool
    default: int | float | bool | str | None  # None: required, or the layer decides
    min: float | None  # the range of numbers, both ends included
    max: float | None
    count: int  # of an int: as many may be given, or one for all, or two for halves; of ints: most
    choices: tuple[str, ...]  # of a choice; of integers, names beside numbers

class _LayerType(TypedDict):
    keys: dict[str, _Key]
    keeps_bounds: bool  # outputs are within the bounds of the inputs, or 0
    keeps_factors: bool  # a factor of the inputs is one of the outputs

class _Activation(TypedDict):
    alpha: float | None  # the default; None: it has no such parameter
    below: bool  # whether it is bounded
    above: bool

class _Loss(TypedDict):
    targets: Literal["labels", "values"]
    function: str  # what predictions apply to the outputs

class _Tables(TypedDict):
    layers: dict[str, _LayerType]
    activations: dict[str, _Activation]
    optimizers: dict[str, dict[str, _Key]]
    losses: dict[str, _Loss]

# Rows without their zeros: rnn_native.compressed.CompressedRows
class _Compressed(Protocol):
    begin: NDArray[np.int32]
    column: NDArray[np.int32]
    value: NDArray[np.float32]

_Rows: TypeAlias = NDArray[np.float32] | NDArray[np.uint8] | _Compressed

@final
class Net:
    def __new__(
        cls,
        layers: Sequence[dict[str, Any]],
        input_shape: Sequence[int],
        loss: str,
        optimizer: dict[str, Any] | None = None,
    ) -> Net: ...
    @property
    def params(self) -> NDArray[np.float32]: ...
    @property
    def weights(self) -> NDArray[np.float32]: ...
    @property
    def moments(self) -> NDArray[np.float32]: ...
    # None before the first backward
    @property
    def grads(self) -> NDArray[np.float32] | None: ...
    @property
    def rates(self) -> list[float]: ...
    @property
    def layers(self) -> list[_Layer]: ...
    @property
    def level(self) -> str: ...
    # Zeros of inputs are left out below this density: 0 never, 2 always.
    sparse_below: float
    # (stage, work, seconds); set it to True to begin
    @property
    def profile(self) -> list[tuple[str, str, float]]: ...
    @profile.setter
    def profile(self, on: bool) -> None: ...
    # (slices, jobs, seconds)
    @property
    def jobs(self) -> list[tuple[int, int, float]]: ...
    # x (n, inputs)   y (n,) labels, or (n, outputs) values   order (any,)
    def train(
        self,
        x: _Rows,
        y: NDArray[np.int32] | NDArray[np.float32],
        order: NDArray[np.int32],
        batch_size: int,
        lr: float | NDArray[np.float64],
        *,
        threads: int = 1,
        weights: NDArray[np.float32] | None = None,
        smoothing: float = 0.0,
        clip_norm: float = 0.0,
        l2: float = 0.0,
        seed: int = 0,
        step: int = 0,
        updates: int = -1,
        done: NDArray[np.int64] | None = None,
        epochs: int = 1,
        epoch: int = 1,
        mixup: float = 0.0,
        augment: dict[str, Any] | None = None,
        average: NDArray[np.float32] | None = None,
        average_decay: float = 0.0,
        average_is_outside: bool = False,
        weighted_mean: bool = False,
        penalties: NDArray[np.float64] | None = None,
        averaged: int = -1,
        ranks: Any = None,
        accumulate: int = 1,
        loss: float = 0.0,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]: ...
    # value, the penalty in it, iterations, evaluations, what ended it
    def minimize(
        self,
        x: _Rows,
        y: NDArray[np.int32] | NDArray[np.float32],
        tolerance: float,
        iterations: int,
        evaluations: int,
        *,
        threads: int = 1,
        weights: NDArray[np.float32] | None = None,
        smoothing: float = 0.0,
        l2: float = 0.0,
        followed: float = 1.0,
        values: NDArray[np.float64] | None = None,
    ) -> tuple[float, float, int, int, str]: ...
    def set_optimizer(self, optimizer: dict[str, Any], /) -> None: ...
    def evaluate(
        self,
        x: _Rows,
        y: NDArray[np.int32] | NDArray[np.float32],
        *,
        threads: int = 1,
        weights: NDArray[np.float32] | None = None,
        loss: float = 0.0,
    ) -> tuple[float, float]: ...
    # (n, outputs)
    def predict(
        self, x: _Rows, *, threads: int = 1, raw: bool = False
    ) -> NDArray[np.float32]: ...
    # None: see predict; x is anything
    def predict_plain(
        self, x: object, low: float, high: float, /
    ) -> NDArray[np.float32] | None: ...
    # (n, outputs); carried (n * what layers carry,) is overridden
    def advance(
        self, x: _Rows, carried: NDArray[np.float32], *, threads: int = 1
    ) -> NDArray[np.float32]: ...
    # None: see advance; x is anything
    def advance_plain(
        self, x: object, carried: object, low: float, high: float, /
    ) -> NDArray[np.float32] | None: ...
    # loss, gradient (parameters,)
    def gradients(
        self,
        x: _Rows,
        y: NDArray[np.int32] | NDArray[np.float32],
        *,
        threads: int = 1,
        weights: NDArray[np.float32] | None = None,
        smoothing: float = 0.0,
        seed: int = 0,
        step: int = 0,
    ) -> tuple[float, NDArray[np.float32]]: ...
    # outputs (n, outputs), gradient by x (n, inputs), gradient (parameters,)
    def forward(
        self,
        x: NDArray[np.float32] | NDArray[np.uint8],
        *,
        threads: int = 1,
        seed: int = 0,
        step: int = 0,
    ) -> NDArray[np.float32]: ...
    def backward(
        self,
        dout: NDArray[np.float32],
        *,
        threads: int = 1,
        accumulate: bool = False,
        to_input: bool = True,
    ) -> NDArray[np.float32] | None: ...
    def apply(
        self, lr: float, *, threads: int = 1, clip_norm: float = 0.0, updates: int = 0
    ) -> None: ...
    def backprop(
        self,
        x: _Rows,
        dout: NDArray[np.float32],
        *,
        threads: int = 1,
        seed: int = 0,
        step: int = 0,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]: ...
    def get_weights(self) -> NDArray[np.float32]: ...
    def set_rates(self, rates: NDArray[np.float64], /) -> None: ...
    def set_weights(self, weights: NDArray[np.float32], /) -> None: ...
    # (n, tokens, tokens) or (n, heads, tokens, tokens)
    def maps(self, x: _Rows, layer: int, *, threads: int = 1) -> NDArray[np.float32]: ...

# rows (n, inputs), in place; spec is that of Net.train's augment
def augment(
    rows: NDArray[np.float32], spec: dict[str, Any], seed: int, step: int, /
) -> None: ...
def all_within(array: NDArray[np.float32], low: float, high: float, /) -> bool: ...
def check_optimizer(optimizer: dict[str, Any], /) -> None: ...

# messages call a layer by its "path", layers[i] without one
def layer_shapes(
    layers: Sequence[dict[str, Any]],
    input_shape: Sequence[int],
    loss: str = "none",
) -> list[tuple[int, ...]]: ...

# without memory for them
def layer_params(
    layers: Sequence[dict[str, Any]],
    input_shape: Sequence[int],
    loss: str = "none",
) -> list[list[tuple[str, tuple[int, ...]]]]: ...

# float32 numbers that a prediction of one row keeps for each layer
def layer_memory(
    layers: Sequence[dict[str, Any]],
    input_shape: Sequence[int],
    loss: str = "none",
) -> list[int]: ...
def load_blas(path: str | PathLike[str], /) -> None: ...
def choose_cpu_level(name: str, /) -> None: ...
def measure_peak(kind: str, threads: int, /) -> float: ...
def build_config() -> dict[str, str | list[str] | None]: ...
def rng_uniform(
    state: int, low: float, high: float, out: NDArray[np.float32], /
) -> int: ...
def tables() -> _Tables: ...
def rng_shuffle(state: int, order: NDArray[np.int32], /) -> int: ...

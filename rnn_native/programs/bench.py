"""How fast this machine trains and predicts the reference models, beside what it can do.

Arithmetic is counted in multiply-adds of matrix products, two operations each; biases,
activations, softmax, loss and the update are not counted. Dense-equivalent is what a
plain implementation multiplies (`multiply_adds`), so that its rate may lie above the
machine's peak; executed is what the core multiplies, zeros left out (`executed_mlp`,
`executed_cnn`, `executed_attention`), so that its rate cannot.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import rnn_native._core as _core
from rnn_native.base import runtime
from rnn_native.datasets import mnist, places
from rnn_native.datasets.synthetic import synthetic_digits
from rnn_native.models.network import Network
from rnn_native.models.reference import CNN_LAYERS, MLP_LAYERS, attention_layers
from rnn_native.models.train import IMAGE
from rnn_native.models.xor import XOR_LAYERS, XOR_X, XOR_Y
from rnn_native.net.layers import Layer
from rnn_native.net.rows import Rows, Targets

EPOCH_IMAGES = 54_000
"""Images of the epoch that seconds are given for: MNIST less the tenth held out."""

XOR_EPOCHS = 1_000_000
LEARNING_RATE = 0.01
WARM_UP_BATCHES = 8
MIN_EPOCHS = 3
PREDICTIONS = 500

# ---- counting ----


@dataclass(frozen=True, slots=True)
class Products:
    """Multiply-adds of one layer for one image.

    Attributes
    ----------
    forward : int
    weights : int
        For the gradient of the weights.
    inputs : int
        For the gradient of the inputs; 0 where nothing below is trained. Attention's
        scores are below its own weights, so that theirs always count.
    """

    forward: int = 0
    weights: int = 0
    inputs: int = 0

    @property
    def total(self) -> int:
        """All three."""
        return self.forward + self.weights + self.inputs


def layer_products(net: Network) -> list[Products]:
    """Return the products of each layer, from the layers' shapes.

    A layer with a weight has one product for every output and every weight that the
    output sees; attention adds Q K^T and A V, T*T*D each, and in backward two for each.
    """
    layers = net.native.layers
    is_trained = [any(not p["is_state"] for p in layer["params"]) for layer in layers]
    counted = []
    for i, (spec, layer) in enumerate(zip(net.specs, layers, strict=True)):
        size = sum(int(np.prod(p["shape"])) for p in layer["params"] if len(p["shape"]) > 1)
        has_below = any(is_trained[:i])
        if layer["type"] in ("dense", "conv2d", "patch_embed"):
            units = spec["filters"] if layer["type"] == "conv2d" else spec["units"]
            products = int(np.prod(layer["shape"])) * size // units
            counted.append(Products(products, products, products if has_below else 0))
        elif layer["type"] == "self_attention":
            tokens, width = layer["shape"]
            products, scores = tokens * size, 2 * tokens * tokens * width
            # The projection after attention is above what is trained in any case.
            above = tokens * width * width if spec.get("out_proj") else 0
            inputs = 2 * scores + (products if has_below else above)
            counted.append(Products(products + scores, products, inputs))
        else:
            counted.append(Products())
    return counted


def multiply_adds(net: Network) -> int:
    """Return the dense multiply-adds of a training step for one image.

    Forward, weight gradients, and input gradients, of which the first trained layer
    needs none.
    """
    return sum(products.total for products in layer_products(net))


def executed_mlp(net: Network, x: Rows, batch_size: int) -> float:
    """Return the MLP's multiply-adds for one image, zeros left out.

    Both products of the first layer are taken over the images' nonzeros: times the
    density of `x`, measured over all of it, if that is below the net's `sparse_below`.
    """
    first, *rest = layer_products(net)
    density = np.count_nonzero(x) / x.size
    share = density if density < net.native.sparse_below else 1.0
    return first.total * share + sum(products.total for products in rest)


def executed_cnn(net: Network, x: Rows, batch_size: int) -> float:
    """Return the CNN's multiply-adds for one image, blank windows left out.

    Convolution and dense layer are computed for live windows of the pool, those whose
    (K+1)x(K+1) pixels of the padded image are not all zero: times the share of such
    windows. For the convolution's weight gradient one of a window's four outputs counts.
    """
    convolution, *rest = layer_products(net)
    spec = net.specs[0]
    share = live_windows(x.reshape(-1, *net.input_shape[-2:]), spec["kernel_size"])
    dense = sum(products.total for products in rest)
    return share * (convolution.forward + convolution.weights / 4 + dense)


def live_windows(images: NDArray[Any], kernel: int) -> float:
    """Return the share of 2x2 pool windows that see a pixel other than zero.

    Parameters
    ----------
    images : ndarray of shape (n, height, width)
        Padded here with kernel // 2 zeros on each side.
    kernel : int
        Height and width of the convolution's window.
    """
    edge = kernel // 2
    pixels = np.pad(images != 0, ((0, 0), (edge, edge), (edge, edge)))
    high, wide = images.shape[1] // 2, images.shape[2] // 2
    seen = np.zeros((len(images), high, wide), np.bool_)
    for k in range(kernel + 1):
        for m in range(kernel + 1):
            seen |= pixels[:, k : k + 2 * high : 2, m : m + 2 * wide : 2]
    return float(np.mean(seen))


def executed_attention(net: Network, x: Rows, batch_size: int) -> float:
    """Return the attention model's multiply-adds for one image, blank patches left out.

    Keys and values are the tokens themselves: Wq Wk^T and Wv W, W the dense layer's above,
    are made once a batch, and gradients taken back to their factors once a batch. Patch
    embedding, queries and their gradients are computed for patches that are not blank:
    times the share of those. The tokens of blank patches are the same in every image:
    once a batch. Scores are computed for all tokens. The dense layer under the mean comes
    after it, once an image instead of once a token.
    """
    embed, _, _, attention, first, second, _, last = layer_products(net)
    tokens, width = net.native.layers[0]["shape"]
    units = first.weights // (tokens * width)
    share = live_patches(x.reshape(-1, *net.input_shape[-2:]), net.specs[0]["patch_size"])
    scores = attention.total - 3 * attention.weights
    live = share * (embed.total + 3 * tokens * width * width)
    blank = 3 * tokens * width * width
    factors = 3 * width * width * (width + units)
    once = (blank + factors) / batch_size
    return live + once + scores + first.total + second.total / tokens + last.total


def live_patches(images: NDArray[Any], size: int) -> float:
    """Return the share of size x size patches that are not all zero."""
    n, height, width = images.shape
    patches = images.reshape(n, height // size, size, width // size, size)
    return float(np.mean(patches.any(axis=(2, 4))))


def executed_densely(net: Network, x: Rows, batch_size: int) -> float:
    """Return `multiply_adds`: nothing is left out."""
    return float(multiply_adds(net))


# ---- what is measured ----


@dataclass(frozen=True, slots=True)
class Model:
    """A reference model and its recipe: plain SGD, rate 0.01."""

    layers: Sequence[Layer]
    input_shape: tuple[int, ...]
    batch_size: int
    executed: Callable[[Network, Rows, int], float]
    loss: str = "softmax_cross_entropy"


MODELS = {
    "mlp": Model(MLP_LAYERS, (784,), 64, executed_mlp),
    "cnn": Model(CNN_LAYERS, IMAGE, 32, executed_cnn),
    "attention": Model(attention_layers(), IMAGE, 32, executed_attention),
    "xor": Model(XOR_LAYERS, (2,), 1, executed_densely, "squared_error"),
}


@dataclass(frozen=True, slots=True)
class Data:
    """Rows to train on, (n, 784) uint8, their labels, and where they come from."""

    x: NDArray[np.uint8]
    y: NDArray[np.int32]
    source: str


def open_data(name: str | None = None, rows: int | None = None) -> Data:
    """Return training rows; nothing is downloaded.

    Parameters
    ----------
    name : {"mnist", "synthetic", "noise"}, optional
        "noise" is random bytes without zeros, of which nothing can be left out. None is
        MNIST where `rnn_native.datasets` finds it, else "synthetic".
    rows : int, optional
        How many; 54,000, or all that there are.

    Raises
    ------
    FileNotFoundError, FormatError
        If MNIST is asked for and not there, or broken.
    """
    wanted = EPOCH_IMAGES if rows is None else rows
    if name == "noise":
        rng = np.random.default_rng(1)
        x = rng.integers(1, 256, (wanted, 784), np.uint8)
        return Data(x, rng.integers(0, 10, wanted, np.int32), "random bytes without zeros")
    if name == "mnist" or (name is None and places.find_mnist() is not None):
        (images, labels), _ = mnist.load_mnist(download=False)
        source = "MNIST"
    else:
        wanted = min(wanted, mnist.SYNTHETIC_TRAIN)
        images, labels = synthetic_digits(wanted, seed=1)
        source = "generated digits"
    x = images[:wanted].reshape(-1, 784)
    return Data(x, labels[:wanted].astype(np.int32), source)


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles of a measurement."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Peaks:
    """GF/s of multiply-adds in registers, and of OpenBLAS on 768 x 768 x 768."""

    fma: float
    sgemm: float


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """Time in one kind of work of one stage of the plan, summed over threads.

    Attributes
    ----------
    step, work : str
        As `Net.profile` names them.
    seconds : float
        For 54,000 images.
    percent : float
        Of all stages.
    """

    step: str
    work: str
    seconds: float
    percent: float


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured of one model.

    Attributes
    ----------
    name : str
    batch_size : int
    images : int
        In a timed call: the rows, for xor four times a million.
    calls : int
        How many were timed: epochs, for xor a million epochs each.
    seconds : Spread
        Of a call.
    images_per_second : float
    epoch_seconds : float
        For 54,000 images.
    prediction_microseconds : Spread
        Of `predict_proba` for one row.
    dense_multiply_adds, executed_multiply_adds : float
        Of a training step for one image.
    dense_gflops, executed_gflops : float
        The rates of these in training, two operations a multiply-add.
    profile : list of ProfileRow
        Empty unless asked for, and for xor, which is one kernel.
    """

    name: str
    batch_size: int
    images: int
    calls: int
    seconds: Spread
    images_per_second: float
    epoch_seconds: float
    prediction_microseconds: Spread
    dense_multiply_adds: float
    executed_multiply_adds: float
    dense_gflops: float
    executed_gflops: float
    profile: list[ProfileRow]


@dataclass(frozen=True, slots=True)
class Report:
    """What `run` measured, and on what: `machine` is `show_config("dicts")`."""

    machine: dict[str, object]
    data: str
    rows: int
    threads: int
    peaks: Peaks
    models: list[Speed]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain data, for JSON."""
        return asdict(self)


def measure_peaks(threads: int) -> Peaks:
    """Measure what `threads` reach together; takes about 0.1 seconds."""
    return Peaks(_core.measure_peak("fma", threads), _core.measure_peak("sgemm", threads))


@dataclass(frozen=True, slots=True)
class _Job:
    """A net and what is trained in one timed call."""

    net: Network
    x: Rows
    y: Targets
    order: NDArray[np.int32]
    batch_size: int
    epochs: int
    threads: int

    def train(self, order: NDArray[np.int32], epochs: int) -> float:
        """Train and return the seconds."""
        begin = time.perf_counter()
        self.net.native.train(
            *(self.x, self.y, order, self.batch_size, LEARNING_RATE),
            epochs=epochs,
            threads=self.threads,
        )
        return time.perf_counter() - begin

    @property
    def images(self) -> int:
        return len(self.order) * self.epochs


def _job(name: str, data: Data, threads: int) -> _Job:
    model = MODELS[name]
    net = Network(model.layers, model.input_shape, model.loss)
    if name == "xor":
        order = np.arange(4, dtype=np.int32)
        return _Job(net, XOR_X, XOR_Y, order, 1, XOR_EPOCHS, threads)
    order = np.random.default_rng(1).permutation(len(data.x)).astype(np.int32)
    return _Job(net, data.x, data.y, order, model.batch_size, 1, threads)


def measure(
    name: str, data: Data, *, threads: int, seconds: float = 3.0, profile: bool = False
) -> Speed:
    """Measure one model: a warm-up, then calls for `seconds`, three at least.

    Every call begins with the same weights, so that all do the same work.

    Parameters
    ----------
    name : {"mlp", "cnn", "attention", "xor"}
    data : Data
        Not used by xor, which has its four rows and takes a million epochs a call.
    threads : int in [1, 64]
    seconds : float
    profile : bool
        Whether to train once more, with clocks in every step.
    """
    job = _job(name, data, threads)
    net = job.net
    initial = net.params.copy()
    job.train(job.order[: WARM_UP_BATCHES * job.batch_size], min(job.epochs, 1000))
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < MIN_EPOCHS or time.perf_counter() < end:
        net.params[:] = initial
        times.append(job.train(job.order, job.epochs))
    spread = _spread(times)
    rate = job.images / spread.median
    dense = multiply_adds(net)
    executed = MODELS[name].executed(net, job.x, job.batch_size)
    return Speed(
        name=name,
        batch_size=job.batch_size,
        images=job.images,
        calls=len(times),
        seconds=spread,
        images_per_second=rate,
        epoch_seconds=EPOCH_IMAGES / rate,
        prediction_microseconds=_prediction_microseconds(job),
        dense_multiply_adds=dense,
        executed_multiply_adds=executed,
        dense_gflops=2e-9 * dense * rate,
        executed_gflops=2e-9 * executed * rate,
        profile=_profile(job, initial) if profile else [],
    )


def _spread(values: Sequence[float]) -> Spread:
    low, median, high = np.percentile(values, [25, 50, 75])
    return Spread(float(median), float(low), float(high))


def _prediction_microseconds(job: _Job) -> Spread:
    """Time `predict_proba` of one row after the other, after a tenth to warm up."""
    warm_up, times = PREDICTIONS // 10, []
    for i in range(warm_up + PREDICTIONS):
        at = i % len(job.x)
        row = job.x[at : at + 1]
        begin = time.perf_counter()
        job.net.predict_proba(row, threads=job.threads)
        times.append(1e6 * (time.perf_counter() - begin))
    return _spread(times[warm_up:])


def _profile(job: _Job, initial: NDArray[np.float32]) -> list[ProfileRow]:
    net = job.net.native
    net.params[:] = initial
    net.profile = True
    job.train(job.order, job.epochs)
    found = net.profile
    net.profile = False
    total = sum(seconds for _, _, seconds in found)
    scale = EPOCH_IMAGES / job.images
    return [
        ProfileRow(step, work, seconds * scale, 100 * seconds / total)
        for step, work, seconds in found
    ]


def run(
    names: Sequence[str] = (),
    data: Data | None = None,
    *,
    threads: int | None = None,
    seconds: float = 3.0,
    profile: bool = False,
) -> Report:
    """Measure models, all without names, and the machine's peaks between them.

    Of each peak the best is kept: other programs can only lower it.

    Parameters
    ----------
    names : sequence of {"mlp", "cnn", "attention", "xor"}
    data : Data, optional
        What `open_data` gives without arguments.
    threads : int in [1, 64], optional
    seconds, profile
        As for `measure`.

    Raises
    ------
    ValueError
        If a name or the number of threads is wrong.
    """
    chosen = list(dict.fromkeys(names)) or list(MODELS)
    for name in chosen:
        if name not in MODELS:
            raise ValueError(f"expected a model of {', '.join(MODELS)}, got {name!r}")
    count = runtime.resolve_threads(threads)
    rows = data if data is not None else open_data()
    peaks = [measure_peaks(count)]
    speeds = []
    for name in chosen:
        speeds.append(measure(name, rows, threads=count, seconds=seconds, profile=profile))
        peaks.append(measure_peaks(count))
    best = Peaks(max(p.fma for p in peaks), max(p.sgemm for p in peaks))
    machine = runtime.show_config("dicts")
    return Report(machine, rows.source, len(rows.x), count, best, speeds)


# ---- printing ----


def as_text(report: Report) -> str:
    """Return the report as a table, with a profile for each model that has one."""
    machine, peaks = report.machine, report.peaks
    lines = [
        f"rnn_native {machine['version']}, CPU level {machine['cpu_level']}, threads "
        f"{report.threads}, {machine['compiler']}, {machine['blas_config']}",
        f"Data: {report.data}, {report.rows:,} rows",
        f"Peak: FMA {peaks.fma:.1f} GF/s, SGEMM {peaks.sgemm:.1f} GF/s",
        "",
        f"{'':<10}{'images/s':>12}{'s/epoch':>10}{'quartiles':>16}{'calls':>7}"
        f"{'predict us':>12}{'GF/s':>9}{'of FMA':>8}{'of SGEMM':>10}{'dense GF/s':>12}",
    ]
    lines += [_line(speed, peaks) for speed in report.models]
    lines += [
        "",
        f"s/epoch: for {EPOCH_IMAGES:,} images. GF/s: multiply-adds executed in training, "
        "zeros left out;",
        "dense GF/s: as if nothing were left out. predict us: one row, median.",
    ]
    for speed in report.models:
        if speed.name == "xor":
            call = speed.seconds
            lines.append(
                f"xor: {XOR_EPOCHS:,} epochs in {call.median:.3f} s "
                f"({call.low:.3f}..{call.high:.3f})"
            )
    for speed in report.models:
        if speed.profile:
            lines += ["", *_profile_lines(speed)]
    return "\n".join(lines)


def _line(speed: Speed, peaks: Peaks) -> str:
    scale = speed.epoch_seconds / speed.seconds.median
    quartiles = f"{speed.seconds.low * scale:.4f}..{speed.seconds.high * scale:.4f}"
    return (
        f"{speed.name:<10}{speed.images_per_second:>12,.0f}{speed.epoch_seconds:>10.4f}"
        f"{quartiles:>16}{speed.calls:>7}{speed.prediction_microseconds.median:>12.1f}"
        f"{speed.executed_gflops:>9.1f}{speed.executed_gflops / peaks.fma:>8.0%}"
        f"{speed.executed_gflops / peaks.sgemm:>10.0%}{speed.dense_gflops:>12.1f}"
    )


def _profile_lines(speed: Speed) -> list[str]:
    wide = max(len(row.step) for row in speed.profile) + 2
    return [
        f"{speed.name}: seconds an epoch, summed over threads",
        *(
            f"  {row.step:<{wide}}{row.work:<10}{row.seconds:>9.4f}{row.percent:>7.1f} %"
            for row in speed.profile
        ),
    ]

"""What a peer's process and the runner say to each other.

The runner starts `python -m peers.protocol ORDER`, where ORDER is a JSON object. When the peer
is ready, it writes a line of JSON. For each round the runner writes a line with a number, and
the peer answers with a line of JSON: its time and losses. A line with `error` is its last.

A peer module defines VERSION and, by the tasks that it takes part in,

- `train(job)`, which returns a function that trains one epoch in a given order of rows and
  returns the mean loss, each row's loss taken before its batch's update;
- `xor(job)`, which returns a function that trains this many epochs from the initial weights
  and returns the sums of the squared errors of those that `checkpoints` names;
- `predict(job, batches)`, which returns a function that gives what the net says of a batch
  (probabilities, or values), and the batches as that function takes them.

An answer has a time, and a list of losses, for each thing that a round measures: an epoch, or
calls with each number of rows.
"""

import contextlib
import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import rnn_native as rn
from peers.roster import VARIANTS
from shape_nets import SHAPES
from workloads import WORKLOADS, XOR_EPOCHS, Data, Workload

LONG = 60.0  # seconds; a peer that needs more for all of XOR's epochs does SHORT
SHORT = 10_000
TRIAL = 1_000
PREDICTED = 1_000  # images of a round of `predict`, for calls with fewer rows
SPENT = 0.1  # seconds of calls in a round, at least
TIMED = 64  # calls with one row that are timed as one

Answer = dict[str, Any]


class Job(NamedTuple):
    """What a peer gets: workload, data, the initial weights in `network`, and options."""

    workload: Workload
    data: Data
    network: rn.Network
    threads: int
    options: tuple[str, ...]

    @property
    def images(self) -> np.ndarray:
        """Rows as float32, bytes in [0, 1], each in the shape of the net's input."""
        return self.data.floats.reshape(-1, *self.workload.input_shape)

    @property
    def layers(self) -> list[tuple[dict[str, Any], dict[str, np.ndarray]]]:
        """Spec and copied parameters of each layer; blocks as the core has them, flat.

        A spec also has the `shape` of the outputs and, where there is one, the `window`.

        With the option `mean-first` the mean over the tokens comes before the dense layer
        that it follows; that layer is linear, so they commute. With `tied` attention and
        the dense layer above it are one layer, `tied_attention`.
        """
        placed = self.network.placed
        params: dict[str, dict[str, np.ndarray]] = {one.name: {} for one in placed}
        for name, view in self.network.parameters.items():
            layer, _, key = name.rpartition(".")
            params[layer][key] = view.copy()
        # Marks have the name of their block, and a block itself has no parameters.
        layers = [
            (
                {**one.spec, "window": native["window"], "shape": native["shape"]},
                params[one.name],
            )
            for one, native in zip(placed, self.network.native.layers, strict=True)
        ]
        if "mean-first" in self.options:
            mean = [spec["type"] for spec, _ in layers].index("mean_pool")
            layers[mean - 1], layers[mean] = layers[mean], layers[mean - 1]
        if "tied" in self.options:
            at = [spec["type"] for spec, _ in layers].index("self_attention")
            (_, attention), (above, dense) = layers[at : at + 2]
            tied = {**above, "type": "tied_attention"}
            layers[at : at + 2] = [(tied, {**attention, **dense})]
        return layers

    @property
    def dense_parameters(self) -> list[dict[str, np.ndarray]]:
        """Weight and bias of each layer, for peers that know no others."""
        if any(spec["type"] != "dense" for spec, _ in self.layers):
            raise NotImplementedError("only for nets of dense layers")
        return [params for _, params in self.layers]


def checkpoints(epochs: int) -> list[int]:
    """Return the epochs of XOR whose losses are compared: 100, 1,000.. and the last."""
    powers = [10**power for power in range(2, 10) if 10**power < epochs]
    return [*powers, epochs]


def order_of(epoch: int, n: int) -> np.ndarray:
    """Return the rows' order in an epoch, the same for every peer."""
    return np.random.default_rng(epoch).permutation(n).astype(np.int32)


def seconds_of(call: Callable[..., Any], *args: Any) -> tuple[float, Any]:
    """Return the time of a call, and its result."""
    start = time.perf_counter()
    result = call(*args)
    return time.perf_counter() - start, result


def train_rounds(module: Any, job: Job) -> tuple[str, Callable[[int], Answer]]:
    """Return no remark, and a function that trains an epoch."""
    train_epoch = module.train(job)
    n = len(job.data.y)
    train_epoch(order_of(10**6, n))  # compiles, and touches all memory

    def answer(number: int) -> Answer:
        seconds, loss = seconds_of(train_epoch, order_of(number, n))
        return {"times": [seconds], "losses": [[float(loss)]]}

    return "", answer


def xor_rounds(module: Any, job: Job, epochs: int) -> tuple[str, Callable[[int], Answer]]:
    """Return a remark on the epochs, and a function that trains this many of them."""
    train = module.xor(job)
    train(10)  # compiles
    seconds, _ = seconds_of(train, TRIAL)
    if seconds / TRIAL * epochs > LONG:
        epochs = min(epochs, SHORT)

    def answer(number: int) -> Answer:
        seconds, losses = seconds_of(train, epochs)
        return {"times": [seconds / epochs * XOR_EPOCHS], "losses": [losses]}

    whole = epochs == XOR_EPOCHS
    return "" if whole else f"scaled from {epochs:,} epochs", answer


def loss_of(workload: Workload, outputs: np.ndarray, y: np.ndarray) -> float:
    """Return the mean loss of predictions."""
    if workload.loss == "softmax_cross_entropy":
        return float(-np.log(outputs[np.arange(len(y)), y]).mean())
    return float(np.square(outputs - y).sum() / len(y))


def time_calls(call: Callable[[Any], Any], inputs: list[Any], at_once: int) -> list[float]:
    """Return microseconds per call, again and again, of this many timed as one."""
    times = []
    end = time.perf_counter() + SPENT
    while len(times) < 3 or time.perf_counter() < end:
        for first in range(0, len(inputs), at_once):
            some = inputs[first : first + at_once]
            begin = time.perf_counter()
            for one in some:
                call(one)
            times.append(1e6 * (time.perf_counter() - begin) / len(some))
    return times


def predict_rounds(
    module: Any, job: Job, sizes: list[int]
) -> tuple[str, Callable[[int], Answer]]:
    """Return no remark, and a function that predicts batches of each size."""
    prepared = []
    for size in sizes:
        n = max(PREDICTED // size, 1) * size
        if n > len(job.data.y):
            raise ValueError(f"predictions need {n} rows, there are {len(job.data.y)}")
        images = job.images[:n].reshape(-1, size, *job.workload.input_shape)
        call, inputs = module.predict(job, list(images))
        outputs = np.concatenate([np.asarray(call(one)) for one in inputs])  # compiles
        outputs = outputs.reshape(n, -1)
        loss = loss_of(job.workload, outputs, job.data.y[:n])
        prepared.append((call, inputs, max(TIMED // size, 1), loss))

    def answer(number: int) -> Answer:
        times = [statistics.median(time_calls(*one[:3])) for one in prepared]
        return {"times": times, "losses": [[loss] for *_, loss in prepared]}

    return "", answer


def prepare(order: dict[str, Any]) -> tuple[Answer, Callable[[int], Answer]]:
    """Make the peer ready; return what it is, and the function that does a round."""
    variant = VARIANTS[order["peer"]]
    workload = (WORKLOADS | SHAPES)[order["workload"]]
    task = order.get("task", workload.task)
    module = importlib.import_module(f"peers.{variant.module}")
    if not hasattr(module, task):
        raise NotImplementedError(f"{variant.module} has no {task}")
    data = workload.load(order["rows"])
    job = Job(workload, data, workload.network(), order["threads"], variant.options)
    if task == "train":
        remark, answer = train_rounds(module, job)
    elif task == "xor":
        remark, answer = xor_rounds(module, job, order["epochs"])
    else:
        remark, answer = predict_rounds(module, job, order.get("sizes", [1]))
    return {"version": module.VERSION, "remark": remark}, answer


def answers(order: dict[str, Any], lines: Any) -> Any:
    """Yield what the process says: that it is ready, then an answer for each line."""
    try:
        ready, answer = prepare(order)
        yield ready
        for line in lines:
            yield answer(int(line))
    except (
        Exception
    ) as error:  # whatever it is, the runner reports it and continues without
        first = (str(error).strip() or "no message").splitlines()[0]
        yield {"error": f"{type(error).__name__}: {first}"}


def serve() -> None:
    """Answer on standard output, which is kept from all else that prints."""
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        for said in answers(json.loads(sys.argv[1]), sys.stdin):
            print(json.dumps(said), file=out, flush=True)


if __name__ == "__main__":
    serve()

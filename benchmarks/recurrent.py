"""GRU and LSTM: an epoch compared with PyTorch's, a streamed step with ONNX Runtime's.

    python benchmarks/recurrent.py
    python benchmarks/recurrent.py --rounds 1 --rows 256   # a try

Nets of one recurrent layer and a dense one learn to classify generated sequences of 28 values per
step, by Adam, batches of 32. All begin with the same weights and have the rows in the same
order. PyTorch is eager, in four ways: batch or step first in memory, one thread or `--threads`;
the table has the best of them. Peers take turns, round by round, a round being an epoch; times
are medians, with the least and the greatest behind. Losses are those of the first epoch.
"""

import argparse
import itertools
import statistics
import time

import numpy as np
import onnx
import onnxruntime
import torch

import rnn_native as rn
from rnn_native.export.onnx_file import onnx_model

FEATURES, CLASSES, BATCH, LR = 28, 10, 32, 1e-3
LAYERS = {"GRU": (rn.GRU, torch.nn.GRU), "LSTM": (rn.LSTM, torch.nn.LSTM)}
AGREE = 0.01  # losses of a first epoch further apart are another computation's
OF_TORCH = {
    "input_weight": "weight_ih_l0",
    "hidden_weight": "weight_hh_l0",
    "input_bias": "bias_ih_l0",
    "hidden_bias": "bias_hh_l0",
}


def make_rows(n, steps, seed=0):
    """Return sequences (n, steps, FEATURES), each class with different waves, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, n)
    paces = rng.uniform(0.05, 0.5, (CLASSES, FEATURES))[labels, None]
    x = np.sin(paces * np.arange(steps)[None, :, None]) + rng.normal(
        0, 1, (n, steps, FEATURES)
    )
    return x.astype(np.float32), labels


def make_net(kind, units, steps):
    layers = [LAYERS[kind][0](units), rn.Dense(CLASSES)]
    return rn.Network(layers, (steps, FEATURES), optimizer="adam", seed=1)


class Ours:
    """A net of this package; `epoch` trains it, and returns the mean loss."""

    def __init__(self, net, x, y, threads):
        self.net, self.data, self.threads = net, (x, y), threads

    def epoch(self):
        options = {"batch_size": BATCH, "lr": LR, "shuffle": False, "verbose": 0}
        history = self.net.fit(*self.data, threads=self.threads, **options)
        return history.history["loss"][-1]


class Torch(torch.nn.Module):
    """The same in PyTorch, with the net's weights; batches are cut beforehand."""

    def __init__(self, kind, net, x, y, threads, batch_first):
        super().__init__()
        units = net.specs[0]["units"]
        self.threads, self.batch_first = threads, batch_first
        self.layer = LAYERS[kind][1](FEATURES, units, batch_first=batch_first)
        self.last = torch.nn.Linear(units, CLASSES)
        self.take_weights(net)
        self.optimizer = torch.optim.Adam(self.parameters(), LR, fused=True)
        cuts = range(BATCH, len(x), BATCH)
        x = torch.tensor(x) if batch_first else torch.tensor(x).transpose(0, 1)
        parts = x.tensor_split(list(cuts), dim=0 if batch_first else 1)
        labels = torch.tensor(y).tensor_split(list(cuts))
        self.batches = [(a.contiguous(), b) for a, b in zip(parts, labels, strict=True)]

    def take_weights(self, net):
        values = {name: torch.tensor(array.T) for name, array in net.parameters.items()}
        self.layer.load_state_dict(
            {theirs: values[f"layers.0.{ours}"] for ours, theirs in OF_TORCH.items()}
        )
        self.last.load_state_dict({k: values[f"layers.1.{k}"] for k in ("weight", "bias")})

    def forward(self, x):
        outputs, _ = self.layer(x)
        return self.last(outputs[:, -1] if self.batch_first else outputs[-1])

    def epoch(self):
        torch.set_num_threads(self.threads)
        total, rows = torch.zeros(()), 0
        for x, y in self.batches:
            self.optimizer.zero_grad(set_to_none=True)
            loss = torch.nn.functional.cross_entropy(self(x), y)
            loss.backward()
            self.optimizer.step()
            total += loss.detach() * len(y)
            rows += len(y)
        return total.item() / rows


def timed(peer):
    begin = time.perf_counter()
    loss = peer.epoch()
    return time.perf_counter() - begin, loss


def spread(times, factor=1.0, digits=3):
    """Return a median with the least and the greatest, as text."""
    found = (statistics.median(times), min(times), max(times))
    middle, low, high = (f"{factor * value:.{digits}f}" for value in found)
    return f"{middle} ({low} to {high})"


def train(kind, units, steps, options):
    """Return a row of the table of epochs."""
    x, y = make_rows(options.rows, steps)
    net = make_net(kind, units, steps)
    ways = itertools.product(sorted({1, options.threads}), (True, False))
    peers = {
        f"{'batch' if batch_first else 'step'} first, {threads}": Torch(
            kind, net, x, y, threads, batch_first
        )
        for threads, batch_first in ways
    }
    peers = {"ours": Ours(net, x, y, options.threads)} | peers
    times, losses = {name: [] for name in peers}, {}
    for _ in range(options.rounds + 1):
        for name, peer in peers.items():
            taken, loss = timed(peer)
            losses.setdefault(name, loss)
            times[name].append(taken)
    # The first round makes memory and caches.
    times = {name: taken[1:] for name, taken in times.items()}
    ours = times.pop("ours")
    best = min(times, key=lambda name: statistics.median(times[name]))
    gap = losses[best] / losses["ours"] - 1
    gain = statistics.median(times[best]) / statistics.median(ours)
    note = "" if abs(gap) < AGREE else " (!)"
    return (
        f"| {kind} | {units} | {steps} | {spread(ours)} | {spread(times[best])} | {best} "
        f"| {gain:.2f} | {losses['ours']:.4f} | {gap:+.0e}{note} |"
    )


def one_step_session(net):
    """Return ONNX Runtime's session of one step of a GRU: x and state to outputs and state."""
    steps_of_one = rn.Network(net.specs, (1, FEATURES))
    steps_of_one.weights[:] = net.weights
    exported = onnx.load_from_string(onnx_model(steps_of_one).SerializeToString()).graph
    gru = next(node for node in exported.node if node.op_type == "GRU")
    gemm = next(node for node in exported.node if node.op_type == "Gemm")
    gru.input[0] = "x"
    gru.input.extend(["", "state"])
    gru.output[:] = ["", "next"]
    gemm.input[0], gemm.output[0] = "last", "outputs"
    squeeze = onnx.helper.make_node("Squeeze", ["next", "directions"], ["last"])
    arrays = [
        tensor
        for tensor in exported.initializer
        if tensor.name in {*gru.input, *gemm.input}
    ]
    arrays.append(onnx.numpy_helper.from_array(np.array([0]), "directions"))
    units = net.specs[0]["units"]
    shapes = {"x": FEATURES, "state": units, "next": units, "outputs": CLASSES}
    values = {
        name: onnx.helper.make_tensor_value_info(
            name, onnx.TensorProto.FLOAT, [1, 1, n] if name != "outputs" else [1, n]
        )
        for name, n in shapes.items()
    }
    graph = onnx.helper.make_graph(
        [gru, squeeze, gemm],
        "step",
        [values["x"], values["state"]],
        [values["outputs"], values["next"]],
        arrays,
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )


def stream(units, options):
    """Return the row of the table of one streamed step, in microseconds."""
    net = make_net("GRU", units, 28)
    own, session = net.stream(), one_step_session(net)
    rows, _ = make_rows(1, options.calls, seed=1)
    times = {"ours": [], "theirs": []}
    for _ in range(options.rounds + 1):
        own.reset()
        begin = time.perf_counter()
        for row in rows[0]:
            outputs = own.step(row)
        times["ours"].append((time.perf_counter() - begin) / options.calls)
        state = np.zeros((1, 1, units), np.float32)
        begin = time.perf_counter()
        for row in rows[0]:
            feed = {"x": row.reshape(1, 1, -1), "state": state}
            theirs, state = session.run(None, feed)
        times["theirs"].append((time.perf_counter() - begin) / options.calls)
    # The stream's outputs are probabilities, theirs the logits.
    logits = theirs[0] - theirs[0].max()
    gap = np.abs(outputs - np.exp(logits) / np.exp(logits).sum()).max()
    ours, theirs = times["ours"][1:], times["theirs"][1:]
    gain = statistics.median(theirs) / statistics.median(ours)
    return (
        f"| GRU | {units} | {spread(ours, 1e6, 1)} | {spread(theirs, 1e6, 1)} "
        f"| {gain:.2f} | {gap:.0e} |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="after one that warms up")
    parser.add_argument("--rows", type=int, default=2048, help="sequences of an epoch")
    parser.add_argument("--calls", type=int, default=5000, help="steps of a stream")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_flush_denormal(True)
    print(
        "| layer | units | steps | seconds per epoch | PyTorch's | its best way | times | loss "
        "| PyTorch's |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for kind, units, steps in itertools.product(LAYERS, (64, 128), (28, 128)):
        print(train(kind, units, steps, options), flush=True)
    print("\n| layer | units | us a step | ONNX Runtime's | times | greatest difference |")
    print("|---|---|---|---|---|---|")
    print(stream(64, options))


if __name__ == "__main__":
    main()

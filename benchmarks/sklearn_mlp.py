"""`rnn_native.sklearn.MLPClassifier` compared with scikit-learn's, and PyTorch on a table.

python benchmarks/sklearn_mlp.py

Each fit has its own process; peers take turns, seed by seed. All train for the same
number of epochs with the same settings; the two estimators also begin with the same weights
and take the rows in the same order. For a try: `--rows 2000 --epochs 2 --seeds 2`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

import rnn_native as rn
from report import Moment, load_between, machine, spread, write_into

CLASSES = 10
OURS = "rnn_native"
PEERS = {"mnist": (OURS, "scikit-learn"), "table": (OURS, "scikit-learn", "PyTorch")}

# By name: what is shown, the data, and the estimators' parameters.
PAGE = Path(__file__).resolve().parent.parent / "benchmarks" / "sklearn.md"

WORKLOADS = {
    "mnist-sgd": (
        "MNIST, 512 hidden, batch 64, sgd (momentum 0.9, rate 0.01)",
        "mnist",
        {"hidden_layer_sizes": [512], "batch_size": 64, "solver": "sgd",
         "learning_rate_init": 0.01},
    ),
    "mnist-adam": (
        "MNIST, 512 hidden, batch 64, adam",
        "mnist",
        {"hidden_layer_sizes": [512], "batch_size": 64, "solver": "adam"},
    ),
    "table": (
        "100 dense columns, 100 hidden, batch 200, adam",
        "table",
        {"hidden_layer_sizes": [100], "batch_size": 200, "solver": "adam"},
    ),
}  # fmt: skip


def load(data, rows):
    """Return rows (float32) and labels to train on, then to test on."""
    if data == "mnist":
        (x, y), (x_test, y_test) = rn.datasets.load_mnist()
        x, x_test = (
            a.reshape(len(a), -1).astype(np.float32) / np.float32(255) for a in (x, x_test)
        )
        return x[:rows], y[:rows].astype(np.int64), x_test, y_test.astype(np.int64)
    rng = np.random.default_rng(0)
    n = min(rows, 100_000)
    x = rng.normal(size=(n + 10_000, 100)).astype(np.float32)
    hidden = np.tanh(x @ rng.normal(size=(100, 30)) / 5)
    noise = rng.normal(size=(len(x), CLASSES))
    y = (hidden @ rng.normal(size=(30, CLASSES)) + noise).argmax(axis=1)
    return x[:n], y[:n], x[n:], y[n:]


class Torch:
    """The usual loop over tensors, as an estimator."""

    def __init__(self, hidden_layer_sizes, batch_size, max_iter, random_state, solver):
        import torch

        self.torch, self.hidden = torch, hidden_layer_sizes[0]
        self.batch_size, self.max_iter = batch_size, max_iter
        torch.manual_seed(random_state)

    def fit(self, x, y):
        nn = self.torch.nn
        first = nn.Linear(x.shape[1], self.hidden)
        self.net = nn.Sequential(first, nn.ReLU(), nn.Linear(self.hidden, CLASSES))
        optimizer = self.torch.optim.Adam(self.net.parameters(), lr=0.001)
        x, y = self.torch.from_numpy(x), self.torch.from_numpy(y)
        for _ in range(self.max_iter):
            for rows in self.torch.randperm(len(x)).split(self.batch_size):
                optimizer.zero_grad()
                nn.functional.cross_entropy(self.net(x[rows]), y[rows]).backward()
                optimizer.step()

    def predict(self, x):
        with self.torch.no_grad():
            return self.net(self.torch.from_numpy(x)).argmax(dim=1).numpy()


def estimator_of(peer, threads, options):
    if peer == "PyTorch":
        model = Torch(**options)
        model.torch.set_num_threads(threads)
        return model
    import threadpoolctl
    from sklearn import neural_network

    threadpoolctl.threadpool_limits(threads)
    rn.set_num_threads(threads)
    module = rn.sklearn if peer == OURS else neural_network
    return module.MLPClassifier(tol=0.0, n_iter_no_change=np.inf, **options)


def measure(peer, data, rows, threads, options):
    """Fit once; return seconds per epoch, test accuracy, and what `fit` adds to epochs."""
    warnings.simplefilter("ignore")  # that the epochs are used up
    x, y, x_test, y_test = load(data, rows)
    # What a process does only once is not part of an epoch.
    estimator_of(peer, threads, options).fit(x[:500], y[:500])
    model = estimator_of(peer, threads, options)
    begin = time.perf_counter()
    model.fit(x, y)
    seconds = time.perf_counter() - begin
    native = sum(row.time for row in model.history_) if peer == OURS else seconds
    return {
        "time": seconds / options["max_iter"],
        "accuracy": float((model.predict(x_test) == y_test).mean()),
        "overhead": seconds / native - 1,
    }


def rounds(name, args):
    """Return each peer's measurements, seed by seed."""
    _, data, options = WORKLOADS[name]
    found = {peer: [] for peer in PEERS[data]}
    for seed in range(args.seeds):
        options = {**options, "max_iter": args.epochs, "random_state": seed}
        for peer, answers in found.items():
            job = json.dumps([peer, data, args.rows, args.threads, options])
            call = [sys.executable, __file__, "--measure", job]
            child = subprocess.run(call, check=True, stdout=subprocess.PIPE)
            answers.append(json.loads(child.stdout))
    return found


def section(name, args):
    """Return a workload's table, and what `fit` adds to its epochs."""
    before = Moment.now()
    found = rounds(name, args)
    lines = [
        f"\n{WORKLOADS[name][0]}; {args.threads} threads, {args.epochs} epochs:\n",
        "| peer | seconds per epoch | times ours | test accuracy, % |",
        "|---|---|---|---|",
    ]
    for peer, answers in found.items():
        ratios = [a["time"] / b["time"] for a, b in zip(answers, found[OURS], strict=True)]
        hits = [100 * a["accuracy"] for a in answers]
        times = [a["time"] for a in answers]
        lines.append(f"| {peer} | {spread(times)} | {spread(ratios)} | {spread(hits)} |")
    overhead = statistics.median(100 * a["overhead"] for a in found[OURS])
    lines.append(
        f"\n`fit` takes {overhead:.2f} % more than its native epochs. "
        f"{load_between(before, Moment.now())}\n"
    )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("workloads", nargs="*", choices=[*WORKLOADS, []], default=[])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=100_000, help="at most")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="into benchmarks/sklearn.md")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(*json.loads(args.measure))))
        return
    text = f"Machine: {machine()}.\n"
    for name in args.workloads or WORKLOADS:
        text += section(name, args)
    print(text)
    if args.write:
        write_into(PAGE, "sklearn_mlp.py", text)


if __name__ == "__main__":
    main()

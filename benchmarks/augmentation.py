"""What distorting images adds to an epoch: `python benchmarks/augmentation.py [--rounds 5]`.

Epochs with and without distortion take turns; the ratio is taken within a round. The images
of later epochs are the same, but distorted ones have less background to leave out.
"""

import argparse
import time

import numpy as np

import rnn_native as rn
from report import machine, spread
from rnn_native.base.runtime import resolve_threads
from rnn_native.settings.recipes import load_recipe
from workloads import WORKLOADS, load

KINDS = {
    "shift, rotation, scale, shear": rn.Augment(shift=2, rotation=10, scale=0.1, shear=0.1),
    "and elastic": rn.Augment(shift=2, rotation=10, scale=0.1, shear=0.1, elastic=1),
}
RECIPE = "../data/recipes/cnn-99.5.json"


def nets():
    """Return name, net and batch size of each CNN."""
    for name in ("cnn", "general-cnn"):
        workload = WORKLOADS[name]
        yield workload.title, workload.network(), workload.batch_size
    recipe = load_recipe(RECIPE)
    layers, shape = recipe.architecture.layers, recipe.architecture.input_shape
    optimizer = recipe.training.optimizer
    net = rn.Network(layers, shape, optimizer=optimizer)
    yield "the recipe cnn-99.5", net, recipe.training.batch_size


def epoch(net, data, batch_size, augment, threads):
    """Return the seconds of an epoch over all rows."""
    order = np.arange(len(data.x), dtype=np.int32)
    spec = None if augment is None else augment.spec(net.input_shape)
    start = time.perf_counter()
    net.native.train(
        data.x, data.y, order, batch_size, 0.001, threads=threads, augment=spec
    )
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=54_000)
    args = parser.parse_args()
    threads, data = resolve_threads(None), load("mnist", args.rows)
    print(f"{machine()}; {threads} threads\n")
    print("| net | distortion | seconds per epoch without | with | times |")
    print("|---|---|---|---|---|")
    for name, net, batch_size in nets():
        epoch(net, data, batch_size, None, threads)
        for kind, augment in KINDS.items():
            rounds = [
                [epoch(net, data, batch_size, a, threads) for a in (None, augment)]
                for _ in range(args.rounds)
            ]
            without, distorted = zip(*rounds, strict=True)
            ratios = [b / a for a, b in rounds]
            row = (name, kind, *map(spread, map(list, (without, distorted, ratios))))
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()

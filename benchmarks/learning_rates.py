"""Whether `lr_find` suggests a good rate: accuracy at its suggestion compared with that of a grid.

python benchmarks/learning_rates.py                     # some minutes
python benchmarks/learning_rates.py --nets mlp cnn --rows 20000 --write

A row for each net and number of epochs: the best rate of the grid with its accuracy on MNIST's
test images, the suggestion with its own, and that of fastai's rule (the valley). --rows learns
from the first images alone; --write puts the rows into learning_rates.md beside this file. The
exit code is 1 if a suggestion is more than a point below the best.
"""

import argparse
import sys
import warnings
from pathlib import Path

import rnn_native as rn
from doc_tables import write_rows
from rnn_native.models import reference

RECIPES = Path(__file__).parents[1] / "data" / "recipes"
SGD = (0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.8)
ADAM = (0.0003, 0.001, 0.003, 0.006, 0.01, 0.02)
# Net, epochs (None: those of its recipe), rates.
CASES = {
    "mlp": (None, 3, 1),
    "cnn": (None, 1),
    "attention": (None, 3),
    "fast-97": (None,),
    "fast-98": (None,),
    "attention-98": (2,),
}
TOLERANCE = 0.01
PAGE = Path(__file__).parents[1] / "benchmarks" / "learning_rates.md"


def source_of(net):
    return net if net in ("mlp", "cnn", "attention") else str(RECIPES / f"{net}.json")


def accuracy(net, data, rate, epochs):
    options = {"lr": rate, "verbose": 0}
    if epochs is not None:
        options["epochs"] = epochs
    try:
        if source_of(net) == net:
            return getattr(rn, f"train_{net}")(data, **options).test_accuracy
        return rn.train(source_of(net), data, **options).test_accuracy
    except rn.TrainingDiverged:
        return 0.0


def suggestions(net, data, epochs):
    """Return what `lr_find` suggests for a number of epochs, and what the valley alone would."""
    given = {} if epochs is None else {"epochs": epochs}
    model, recipe = reference.untrained(source_of(net), **given)
    options = {
        name: getattr(recipe, name)
        for name in (
            "batch_size", "class_weight", "label_smoothing", "clip_norm", "l2", "augment",
            "mixup", "seed", "schedule", "epochs",
        )
    }  # fmt: skip
    found = model.lr_find(*data[0], **options).suggestion
    return found, model.lr_find(*data[0], trial_it=0, **options).suggestion


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nets", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--rows", type=int, default=60_000, help="training images (all)")
    parser.add_argument("--write", action="store_true", help="write the table of the docs")
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # rates that learn nothing are part of a grid
    (x, y), test = rn.datasets.load_mnist()
    data = (x[: args.rows], y[: args.rows]), test
    is_good = True
    print("| net | images | best of the grid | suggested | valley |\n|---|---|---|---|---|")
    for net in args.nets:
        for epochs in CASES[net]:
            found, valley = suggestions(net, data, epochs)
            rates = SGD if source_of(net) == net else ADAM
            grid = {rate: accuracy(net, data, rate, epochs) for rate in rates}
            best = max(grid, key=grid.__getitem__)
            own, old = (accuracy(net, data, rate, epochs) for rate in (found, valley))
            is_good &= own >= grid[best] - TOLERANCE
            shown = [
                f"{100 * value:.2f} % at {rate:.2g}"
                for rate, value in ((best, grid[best]), (found, own), (valley, old))
            ]
            case = f"{net}, {epochs or 'its own'} epochs".replace("1 epochs", "1 epoch")
            cells = [case, f"{args.rows:,}", *shown]
            print(f"| {' | '.join(cells)} |", flush=True)
            if args.write:
                write_rows(PAGE, "learning_rates.py", [cells])
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())

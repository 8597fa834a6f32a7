"""`solver="lbfgs"` compared with scikit-learn's: losses reached, and seconds.

python benchmarks/lbfgs.py
python benchmarks/lbfgs.py --rounding 5 --rows 1000   # what rounding does to both

Both begin with the same weights and have the same limits. Peers take turns, round by round, in
one process with two threads each; the table has medians. For a try: `--rounds 1 --rows 2000`.
With `--rounding`, the california-like table alone is fitted from several seeds: the table shows
by how much the loss of this package, and that of scikit-learn with rows in float32, differ from
that of scikit-learn with rows in float64. The rows' type decides that of the first weights.
"""

import argparse
import statistics
import time
import warnings

import numpy as np
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as ScikitClassifier
from sklearn.neural_network import MLPRegressor as ScikitRegressor
from sklearn.preprocessing import scale
from threadpoolctl import threadpool_limits

from rnn_native.sklearn import MLPClassifier, MLPRegressor

CLASSIFIERS, REGRESSORS = (
    (MLPClassifier, ScikitClassifier),
    (MLPRegressor, ScikitRegressor),
)


def california_like(rows):
    """Return a generated table of 8 columns, and prices with a bend and noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 8))
    y = x[:, 0] + np.sin(x[:, 1]) + 0.5 * x[:, 2] * x[:, 3] + 0.3 * np.abs(x[:, 4])
    return x, y + 0.1 * rng.normal(size=rows)


def workloads(rows):
    """Return name, peers, rows and targets of each data set."""
    (x, y), (iris, kinds) = load_diabetes(return_X_y=True), load_iris(return_X_y=True)
    digits, labels = load_digits(return_X_y=True)
    return [
        ("diabetes", REGRESSORS, scale(x), scale(y)),
        ("iris", CLASSIFIERS, scale(iris), kinds),
        ("digits", CLASSIFIERS, digits / 16, labels),
        ("california-like", REGRESSORS, *california_like(rows)),
    ]


def measure(model, x, y):
    """Fit, and return the model and its seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        begin = time.perf_counter()
        model.fit(x, y)
        return model, time.perf_counter() - begin


def show_rounding(rows, seeds, settings):
    """Print the table of `--rounding`."""
    x, y = california_like(rows)
    narrow = x.astype(np.float32), y.astype(np.float32)
    print("| seed | scikit-learn's loss | difference | scikit-learn's from float32 |")
    print("|---|---|---|---|")
    for seed in range(seeds):
        given = {**settings, "random_state": seed}
        with threadpool_limits(2):
            ours, _ = measure(MLPRegressor(**given, n_threads=2), x, y)
            wide, _ = measure(ScikitRegressor(**given), x, y)
            rounded, _ = measure(ScikitRegressor(**given), *narrow)
        gaps = (model.loss_ / wide.loss_ - 1 for model in (ours, rounded))
        shown = " | ".join(f"{gap:+.1e}" for gap in gaps)
        print(f"| {seed} | {wide.loss_:.6f} | {shown} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--rows", type=int, default=20_640, help="of the california-like table"
    )
    parser.add_argument("--iterations", type=int, default=50)
    parser.add_argument("--rounding", type=int, metavar="SEEDS", help="instead of all this")
    options = parser.parse_args()
    settings = {"solver": "lbfgs", "max_iter": options.iterations, "alpha": 1e-2,
                "activation": "tanh", "random_state": 0}  # fmt: skip
    if options.rounding:
        show_rounding(options.rows, options.rounding, settings)
        return
    print(
        "| data | loss | scikit-learn's | difference | seconds | scikit-learn's | times |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, peers, x, y in workloads(options.rows):
        seconds, losses = ([], []), [0.0, 0.0]
        for _ in range(options.rounds):
            for i, peer in enumerate(peers):
                more = {"n_threads": 2} if i == 0 else {}
                with threadpool_limits(2):
                    model, taken = measure(peer(**settings, **more), x, y)
                seconds[i].append(taken)
                losses[i] = model.loss_
        ours, theirs = map(statistics.median, seconds)
        print(
            f"| {name} | {losses[0]:.6f} | {losses[1]:.6f} | {losses[0] / losses[1] - 1:+.1e} "
            f"| {ours:.3f} | {theirs:.3f} | {theirs / ours:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

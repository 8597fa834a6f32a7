"""`solver="lbfgs"` compared with scikit-learn's: losses reached, and seconds.

python benchmarks/lbfgs.py

Both begin with the same weights and have the same limits. Peers take turns, round by round, in
one process with two threads each; the table has medians. For a try: `--rounds 1 --rows 2000`.
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--rows", type=int, default=20_640, help="of the california-like table"
    )
    parser.add_argument("--iterations", type=int, default=50)
    options = parser.parse_args()
    print(
        "| data | loss | scikit-learn's | difference | seconds | scikit-learn's | times |"
    )
    print("|---|---|---|---|---|---|---|")
    settings = {"solver": "lbfgs", "max_iter": options.iterations, "alpha": 1e-2,
                "activation": "tanh", "random_state": 0}  # fmt: skip
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

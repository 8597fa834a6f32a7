"""TabularNet compared with scikit-learn's pipeline of one-hot columns and MLPClassifier.

    python benchmarks/tabular.py
    python benchmarks/tabular.py --rows 2000 --rounds 1 --epochs 2   # a try

The table is generated, and as large as the Adult data set of the UCI repository: 32,561 rows to
train on, half as many to test; eight columns of words of 2 to 42 categories, some missing, and
six numbers, two of them mostly 0. A quarter of the labels are 1, drawn with probabilities that
follow from categories, numbers, and products of both.

All have a hidden layer of 100 units with ReLU, Adam's rate 0.001, batches of 200 and as many
epochs. Times are of `fit` from data frame to fitted model, and of `predict_proba`; peers take
turns, round by round, and begin with another seed in each. AUC is of the test rows.
"""

import argparse
import statistics
import time
import warnings

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import rnn_native as rn
from rnn_native.sklearn import MLPClassifier as OurMLPClassifier

CATEGORIES = {
    "workclass": 9,
    "education": 16,
    "marital": 7,
    "occupation": 15,
    "relationship": 6,
    "race": 5,
    "sex": 2,
    "country": 42,
}
NUMBERS = {
    "age": 13,
    "weight": 100_000,
    "schooling": 2.5,
    "gain": 7_000,
    "loss": 400,
    "hours": 12,
}  # each with the standard deviation
MOSTLY_ZERO = ("gain", "loss")
HIDDEN, BATCH, RATE = 100, 200, 1e-3


def make_table(rows, rng):
    """Return a data frame, and labels of which a quarter is 1."""
    table, logits = {}, np.zeros(rows)
    numbers = rng.normal(size=(rows, len(NUMBERS)))
    for i, (name, n) in enumerate(CATEGORIES.items()):
        share = rng.dirichlet(np.full(n, 0.7))
        codes = rng.choice(n, rows, p=share)
        logits += rng.normal(0, 0.8, n)[codes]
        logits += rng.normal(0, 0.4, n)[codes] * numbers[:, i % len(NUMBERS)]
        words = np.array([f"{name} {k}" for k in range(n)], object)[codes]
        if i % 3 == 0:
            words[rng.random(rows) < 0.05] = None
        table[name] = words
    logits += numbers @ rng.normal(0, 0.6, len(NUMBERS)) - 0.3 * numbers[:, 0] ** 2
    labels = rng.random(rows) < 1 / (1 + np.exp(np.quantile(logits, 0.75) - logits))
    for (name, scale), values in zip(NUMBERS.items(), numbers.T, strict=True):
        scaled = scale * (3 + values)
        table[name] = np.where(values > 1, scaled, 0) if name in MOSTLY_ZERO else scaled
    return pd.DataFrame(table), labels.astype(int)


def pipeline(epochs, seed):
    """Return scikit-learn's estimator for the table."""
    columns = ColumnTransformer(
        [
            ("words", OneHotEncoder(handle_unknown="ignore"), list(CATEGORIES)),
            ("numbers", StandardScaler(), list(NUMBERS)),
        ]
    )
    options = {"max_iter": epochs, "n_iter_no_change": epochs, "random_state": seed}
    return make_pipeline(columns, MLPClassifier((HIDDEN,), **options))


class OurNet:
    """TabularNet with the fit and predict_proba of an estimator."""

    def __init__(self, epochs, seed):
        layers = [rn.Dense(HIDDEN, "relu"), rn.Dense(1)]
        self.net = rn.TabularNet(layers, "sigmoid_cross_entropy", seed, optimizer="adam")
        self.epochs, self.seed = epochs, seed

    def fit(self, table, labels):
        options = {"lr": RATE, "batch_size": BATCH, "seed": self.seed, "verbose": 0}
        self.net.fit(table, labels, epochs=self.epochs, **options)

    def predict_proba(self, table):
        return np.repeat(self.net.predict_proba(table), 2, axis=1)


def our_estimator(epochs, seed):
    options = {"max_iter": epochs, "n_iter_no_change": epochs, "random_state": seed}
    return OurMLPClassifier((HIDDEN,), **options)


PEERS = {
    "scikit-learn's pipeline": pipeline,
    "rn.TabularNet": OurNet,
    "rnn_native.sklearn.MLPClassifier": our_estimator,
}


def measured(make, train, test, epochs, seed):
    """Return seconds of fit and of predictions, and the AUC."""
    model = make(epochs, seed)
    begin = time.perf_counter()
    model.fit(*train)
    fitted = time.perf_counter()
    probabilities = model.predict_proba(test[0])[:, 1]
    end = time.perf_counter()
    return fitted - begin, end - fitted, roc_auc_score(test[1], probabilities)


def spread(values, digits):
    """Return a median with the least and the greatest, as text."""
    middle, low, high = (
        f"{value:.{digits}f}"
        for value in (statistics.median(values), min(values), max(values))
    )
    return f"{middle} ({low} to {high})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=32_561, help="rows to train on")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    table, labels = make_table(options.rows * 3 // 2, np.random.default_rng(0))
    train = table[: options.rows], labels[: options.rows]
    test = table[options.rows :], labels[options.rows :]
    found = {name: [] for name in PEERS}
    for seed in range(1, options.rounds + 1):
        for name, make in PEERS.items():
            found[name].append(measured(make, train, test, options.epochs, seed))
    theirs = statistics.median(one[0] for one in found["scikit-learn's pipeline"])
    print("| | fit, seconds | times faster | predictions, seconds | AUC |")
    print("|---|---|---|---|---|")
    for name, rounds in found.items():
        fits, predictions, scores = zip(*rounds, strict=True)
        gain = theirs / statistics.median(fits)
        print(
            f"| {name} | {spread(fits, 3)} | {gain:.1f} | {spread(predictions, 3)} "
            f"| {spread(scores, 4)} |"
        )


if __name__ == "__main__":
    main()

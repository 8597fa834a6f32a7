"""Checks of an installation: what it runs on, where data is, whether it computes right."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rnn_native.base import runtime
from rnn_native.base.xorshift import Xorshift
from rnn_native.datasets import named, places, published
from rnn_native.datasets.synthetic import synthetic_digits
from rnn_native.models.network import Network
from rnn_native.models.xor import train_xor
from rnn_native.training.holding_out import split
from rnn_native.training.loop import fit
from rnn_native.training.recipe import Recipe
from rnn_native.training.run import Run


class Finding(NamedTuple):
    """One line of the doctor's report."""

    name: str
    ok: bool
    text: str


def examine(data: str | None = None) -> list[Finding]:
    """Return the findings, in order. Nothing is written and nothing is downloaded."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("core", _core),
        ("threads", _threads),
        ("data", lambda: _data(data)),
        ("xor", _xor),
        ("determinism", _determinism),
    ]
    findings = []
    for name, check in checks:
        try:
            findings.append(Finding(name, True, check()))
        except (OSError, ValueError, ArithmeticError, AssertionError) as error:
            findings.append(Finding(name, False, " ".join(str(error).split())))
    return findings


def _core() -> str:
    found = runtime.config()
    return (
        f"rnn_native {found['version']}, CPU level {found['cpu_level']}, "
        f"{found['blas_config']} from {found['blas_path']}, {found['compiler']}"
    )


def _threads() -> str:
    return f"{runtime.get_num_threads()} of {runtime.available_cpus()} available CPUs"


def _data(name_or_path: str | None) -> str:
    is_name = name_or_path in published.DATASETS
    record = published.DATASETS[str(name_or_path) if is_name else "mnist"]
    place = places.find(record, None if is_name else name_or_path)
    if place is None:
        otherwise = "" if is_name else ", or generate digits"
        return f"no {record.title} files here; training would download them{otherwise}"
    arrays = named.load_from(place, record)
    (_, y_train), (_, y_test) = arrays
    kind = record.title
    if record.name == "mnist":
        is_mnist = published.mnist_hashes_match(arrays)
        kind = "MNIST itself" if is_mnist else "not MNIST's own contents"
    return f"{place}: {len(y_train)} training and {len(y_test)} test images, {kind}"


def _xor() -> str:
    result = train_xor(epochs=200_000, verbose=0)
    if result.test_accuracy != 1:
        raise ValueError(f"XOR was not learnt: accuracy {result.test_accuracy}")
    return f"learnt in 200000 epochs, error {result.test_loss:.6f}"


def _determinism() -> str:
    """Train a small MLP with 1, 2 and 3 threads: the bits must agree."""
    x, y = synthetic_digits(512, seed=1)
    weights = []
    for threads in (1, 2, 3):
        model = Network(
            [{"type": "dense", "units": 256}, {"type": "dense", "units": 10}], (784,)
        )
        data = split(model.as_rows(x), model.as_targets(y, len(y)), 0.0)
        fit(Run(model, data, Recipe(epochs=1), Xorshift(1), threads=threads), verbose=0)
        weights.append(model.params.copy())
    if not all(np.array_equal(weights[0], other) for other in weights[1:]):
        raise ValueError(
            "different bits for different numbers of threads; please report it"
        )
    return "same bits with 1, 2 and 3 threads"

"""One row for each kind of net that every general test walks through."""

from typing import NamedTuple

import numpy as np


class Case(NamedTuple):
    name: str
    layers: list[dict]
    inputs: int
    loss: str
    rows: int

    def __str__(self) -> str:
        return self.name


def dense(units, activation="linear", **more):
    return {"type": "dense", "units": units, "activation": activation, **more}


SOFTMAX, SQUARES = "softmax_cross_entropy", "squared_error"

CASES = [
    Case("one linear layer", [dense(3)], 4, SOFTMAX, 5),
    Case("one row, one input, one output", [dense(1)], 1, SQUARES, 1),
    Case("xor", [dense(4, "sigmoid"), dense(1, "sigmoid")], 2, SQUARES, 4),
    Case("relu, odd sizes", [dense(37, "relu"), dense(11)], 29, SOFTMAX, 7),
    Case("leaky_relu", [dense(17, "leaky_relu"), dense(5)], 9, SOFTMAX, 6),
    Case("leaky_relu alpha", [dense(17, "leaky_relu", alpha=0.3), dense(5)], 9, SOFTMAX, 6),
    Case("elu", [dense(19, "elu", alpha=0.7), dense(4)], 8, SOFTMAX, 6),
    Case("tanh", [dense(16, "tanh"), dense(3, "tanh")], 16, SQUARES, 8),
    Case("silu", [dense(33, "silu"), dense(2)], 5, SOFTMAX, 9),
    Case("gelu", [dense(21, "gelu"), dense(6)], 12, SOFTMAX, 4),
    Case(
        "three layers", [dense(70, "relu"), dense(130, "tanh"), dense(10)], 65, SOFTMAX, 33
    ),
    Case("blocks of 64 and a rest", [dense(200, "relu"), dense(64)], 128, SOFTMAX, 70),
]


def arrays(case, seed=0):
    """Float64 inputs away from zero, targets, and parameters for a case."""
    rng = np.random.default_rng([seed, len(case.name), case.inputs, case.rows])
    x = rng.uniform(0.1, 1, (case.rows, case.inputs)) * rng.choice(
        [-1, 1], (case.rows, case.inputs)
    )
    outputs = case.layers[-1]["units"]
    if case.loss == SOFTMAX:
        y = rng.integers(0, outputs, case.rows)
    else:
        y = rng.uniform(-1, 1, (case.rows, outputs))
    params, fan_in = [], case.inputs
    for layer in case.layers:
        scale = np.sqrt(3 / fan_in)
        params.append(
            {
                "weight": rng.uniform(-scale, scale, (fan_in, layer["units"])),
                "bias": rng.uniform(-0.5, 0.5, layer["units"]),
            }
        )
        fan_in = layer["units"]
    return x, y, params

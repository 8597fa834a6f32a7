"""The body of an exported C file: constants, and a call for each layer."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.export.c_embedding import COLUMNS, EMBEDDING
from rnn_native.export.c_functions import FUNCTIONS
from rnn_native.export.c_recurrent import RECURRENCE, RECURRENT
from rnn_native.export.functions import FUNCTIONS as OF_EACH
from rnn_native.export.int8 import quantised
from rnn_native.export.steps import Step, by_output
from rnn_native.net.layer_specs import WITH_ALPHA

ELEMENTWISE = {name: f.c_name for name, f in OF_EACH.items() if f.c_text}
"""C functions of each element, by their names in specs and `FINAL_FUNCTIONS`."""

WIDTH = 92

CALLED_BY = {
    "attention": "softmax",
    "masked_attention": "softmax",
    "recurrent": "recurrence",
}
"""What some functions call."""


@dataclass(slots=True)
class Fork:
    """Branches under construction: where their input is, and what they gave so far.

    Attributes
    ----------
    given : str
        The array with the input.
    kept : str
        The array to which each branch but the last copies its output.
    ends : list of (str, tuple of int)
        Where these are in it, and their shapes.
    """

    given: str
    kept: str
    ends: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)


@dataclass(slots=True)
class Program:
    """A forward pass under construction.

    Between layers the numbers are in one of two arrays, `a` and `b`; attention has a third,
    `c`. The input is `x`, which nothing may write to; nor to what a fork keeps of its input.

    Attributes
    ----------
    int8 : bool
        Whether matrices are rounded to int8.
    constants : list of str
        Definitions of weights.
    calls : list of str
        Statements, a comment above those of each layer.
    used : set of str
        Functions that are called.
    sizes : dict of int
        Floats that each array has room for.
    at : str
        Where the numbers are.
    prefix : str
        What names of constants begin with.
    forks : list of Fork
        Those that are open.
    """

    int8: bool
    constants: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    sizes: dict[str, int] = field(default_factory=dict)
    at: str = "x"
    prefix: str = ""
    forks: list["Fork"] = field(default_factory=list)

    def call(self, function: str, *arguments: object) -> None:
        """Add a call."""
        self.used.add(function)
        if function in CALLED_BY:
            self.used.add(CALLED_BY[function])
        start = f"    {function}("
        self.calls.append(
            textwrap.fill(
                f"{start}{', '.join(map(str, arguments))});",
                WIDTH,
                subsequent_indent=" " * len(start),
            )
        )

    def move(self, function: str, size: int, *arguments: object) -> None:
        """Add a call whose `size` results go to the other array."""
        out = self.other(size)
        self.call(function, out, self.at, *arguments)
        self.at = out

    def change(self, function: str, size: int, *arguments: object) -> None:
        """Add a call whose `size` results may overwrite its input."""
        out = self.room(self.at if self.at in ("a", "b") else "a", size)
        self.call(function, out, self.at, *arguments)
        self.at = out

    def apply(self, function: str, size: int, alpha: float = 0.0) -> None:
        """Add a function of each element."""
        more = [number(alpha)] if function in WITH_ALPHA else []
        self.change(ELEMENTWISE[function], size, size, *more)

    def end(self, function: str, size: int) -> None:
        """Add what makes probabilities of the last layer's outputs."""
        self.calls.append(
            f"    /* {'the outputs' if function == 'linear' else function} */"
        )
        if function == "softmax":
            self.call("softmax", "probabilities", self.at, 1, size)
        else:
            self.call(ELEMENTWISE[function], "probabilities", self.at, size)

    def other(self, size: int) -> str:
        """Return the array where the numbers are not, with room for `size` of them."""
        return self.room("b" if self.at == "a" else "a", size)

    def room(self, array: str, size: int) -> str:
        """See that an array has room; return its name."""
        self.sizes[array] = max(size, self.sizes.get(array, 0))
        return array

    def array(self, step: Step, name: str) -> str:
        """Add a layer's array; return its name."""
        return self.given(step, name, step.arrays[name])

    def matrix(self, step: Step, prefix: str = "") -> list[str]:
        """Add a layer's matrix, perhaps with scales, and bias; return their names."""
        rows = by_output(step.arrays[f"{prefix}weight"])
        if self.int8:
            values, scales = quantised(rows)
            weights = [
                self.given(step, f"{prefix}weight", values),
                self.given(step, f"{prefix}scale", scales),
            ]
        else:
            weights = [self.given(step, f"{prefix}weight", rows)]
        return [*weights, self.array(step, f"{prefix}bias")]

    def given(self, step: Step, name: str, values: NDArray[Any]) -> str:
        """Add values that belong to a layer; return their name."""
        made = self.name_of(step, name)
        kind = "signed char" if values.dtype == np.int8 else "float"
        shape = " x ".join(map(str, values.shape))
        head = f"/* {shape} */\nstatic const {kind} {made}[{values.size}] = {{"
        self.constants.append("\n".join([head, *_lines(values.ravel()), "};"]))
        return made

    def name_of(self, step: Step, name: str) -> str:
        """Return the C name of a part of a layer."""
        return f"{self.prefix}layer{_number_of(step).replace('.', '_')}_{name}"

    @property
    def bytes(self) -> int:
        """How many bytes the arrays between layers need."""
        return 4 * sum(self.sizes.values())

    def function(self, head: str, storage: str) -> str:
        """Return the definition of a function of these calls, `head` up to its brace."""
        sizes = ", ".join(f"{key}[{n}]" for key, n in sorted(self.sizes.items()))
        arrays = f"    {storage}float {sizes};\n" if sizes else ""
        return f"\n{head}\n{{\n{arrays}{chr(10).join(self.calls)}\n}}"


def functions_of(programs: Sequence[Program]) -> list[str]:
    """Return the text of the functions that programs, all of them int8 or none, call."""
    used = {name for program in programs for name in program.used}
    known = {
        **FUNCTIONS,
        "columns": COLUMNS,
        "embedding": EMBEDDING,
        "recurrence": RECURRENCE,
        "recurrent": RECURRENT,
    }
    found = {name: text for name, text in known.items() if name in used}
    if programs[0].int8:
        return [_with_int8_weights(name, text) for name, text in found.items()]
    return list(found.values())


def _with_int8_weights(name: str, function: str) -> str:
    """Return a function whose matrix is int8 with a scale for each row.

    One that has no matrix is returned as it is.
    """
    if "bias[u] + sum" not in function and " dense(" not in function:
        return function
    indent = " " * len(f"{name}(")
    taken = function.replace(
        f"const float *weight, const float *bias,\n{indent}",
        f"const signed char *weight, const float *scale,\n{indent}const float *bias, ",
    )
    return taken.replace("bias[u] + sum", "bias[u] + scale[u] * sum").replace(
        " weight, bias, ", " weight, scale, bias, "
    )


def number(value: float) -> str:
    """Return the shortest C constant that is exactly a float32."""
    return f"{np.float32(value)!s}f"


def _lines(values: NDArray[Any]) -> Iterable[str]:
    """Yield lines of constants, each ending in a comma."""
    is_float = values.dtype == np.float32
    texts = [number(v) for v in values] if is_float else [str(v) for v in values]
    per_line = 6 if is_float else 17
    for begin in range(0, len(texts), per_line):
        yield f"    {', '.join(texts[begin : begin + per_line])},"


def described(step: Step) -> str:
    """Return what a layer is, and the shapes of what goes in and comes out."""
    function, _ = step.activation
    names = [step.type] if function == "linear" else [step.type, function]
    before, after = (
        " x ".join(map(str, shape)) for shape in (step.input_shape, step.output_shape)
    )
    sizes = before if before == after else f"{before} -> {after}"
    return f"layer {_number_of(step)}, {', '.join(names)}: {sizes}"


def _number_of(step: Step) -> str:
    """Return where a layer is: "2", or in a block "2.residual.0"."""
    return step.name.removeprefix("layers.")

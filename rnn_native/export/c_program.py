"""The body of an exported C file: constants, and a call for each layer."""

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnn_native.export.c_functions import FUNCTIONS, with_int8_weights
from rnn_native.export.functions import FUNCTIONS as OF_EACH
from rnn_native.export.int8 import quantised
from rnn_native.export.steps import Step, by_output
from rnn_native.net.layer_specs import WITH_ALPHA

WIDTH = 92


@dataclass(slots=True)
class Program:
    """A forward pass under construction.

    Between layers the numbers are in one of two arrays, `a` and `b`; attention has a third,
    `c`. The input is `x`, which nothing may write to.

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
    """

    int8: bool
    constants: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    sizes: dict[str, int] = field(default_factory=dict)
    at: str = "x"
    prefix: str = ""

    def add(self, step: Step) -> None:
        """Add a layer.

        Raises
        ------
        ValueError
            If there is no C code for it; names it.
        """
        function, alpha = step.activation
        writer = writer_of(step)
        if writer is None or (function != "linear" and function not in ELEMENTWISE):
            raise step.refusal("C export")
        self.calls.append(f"    /* {described(step)} */")
        writer(self, step)
        if function != "linear":
            self.apply(function, step.outputs, alpha)

    def call(self, function: str, *arguments: object) -> None:
        """Add a call."""
        self.used.add(function)
        if function in ("attention", "masked_attention"):
            self.used.add("softmax")
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
        """Add a call whose `size` results may take the place of its input."""
        out = self.room("a" if self.at == "x" else self.at, size)
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
        made = f"{self.prefix}layer{step.index}_{name}"
        kind = "signed char" if values.dtype == np.int8 else "float"
        shape = " x ".join(map(str, values.shape))
        head = f"/* {shape} */\nstatic const {kind} {made}[{values.size}] = {{"
        self.constants.append("\n".join([head, *_lines(values.ravel()), "};"]))
        return made


def functions_of(programs: Sequence[Program]) -> list[str]:
    """Return the text of the functions that programs, all of them int8 or none, call."""
    used = {name for program in programs for name in program.used}
    found = {name: text for name, text in FUNCTIONS.items() if name in used}
    if programs[0].int8:
        return [with_int8_weights(name, text) for name, text in found.items()]
    return list(found.values())


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
    return f"layer {step.index}, {', '.join(names)}: {sizes}"


# ---- layers ----

ELEMENTWISE = {name: f.c_name for name, f in OF_EACH.items() if f.c_text}
"""C functions of each element, by their names in specs and `FINAL_FUNCTIONS`."""


def _dense(program: Program, step: Step) -> None:
    sizes = (step.tokens, step.input_shape[-1], step.layer.units)
    program.move("dense", step.outputs, *program.matrix(step), *sizes)


def _image(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return channels, height and width; a signal is an image of one row."""
    return (shape[0], 1, shape[1]) if len(shape) == 2 else shape


def _window(step: Step) -> tuple[int, ...]:
    """Return rows and columns of outputs, then the window's numbers, down and right."""
    window, (_, rows, columns) = step.window, _image(step.output_shape)
    pairs = ((window.kernel, 1), (window.stride, 1), (window.before, 0))
    down_and_right = [_both(pair, one) for pair, one in pairs]
    return (rows, columns, *(n for pair in down_and_right for n in pair))


def _both(axes: tuple[int, ...], along_columns: int) -> tuple[int, ...]:
    return axes if len(axes) == 2 else (along_columns, *axes)


def _conv(program: Program, step: Step) -> None:
    sizes = (*_image(step.input_shape), step.layer.filters, step.window.groups)
    window = (*_window(step), *_both(step.window.dilation, 1))
    program.move("conv2d", step.outputs, *program.matrix(step), *sizes, *window)


def _maxpool(program: Program, step: Step) -> None:
    sizes = _image(step.input_shape)
    program.move("maxpool2d", step.outputs, *sizes, *_window(step))


def _avgpool(program: Program, step: Step) -> None:
    more = (*_window(step), int(step.window.counts_padding))
    program.move("avgpool2d", step.outputs, *_image(step.input_shape), *more)


def _global_pool(program: Program, step: Step) -> None:
    channels, *area = step.input_shape
    program.move(step.type[:-2], step.outputs, channels, math.prod(area))


def _nothing(program: Program, step: Step) -> None:
    """Flatten and dropout change no number; activation's function is added as any other."""


def _softmax(program: Program, step: Step) -> None:
    program.change("softmax", step.outputs, step.tokens, step.input_shape[-1])


def _batchnorm(program: Program, step: Step) -> None:
    names = ("weight", "bias", "running_mean", "running_var")
    arrays = [program.array(step, name) for name in names]
    channels, *area = step.input_shape
    sizes = (number(step.layer.epsilon), channels, math.prod(area))
    program.change("batchnorm", step.outputs, *arrays, *sizes)


def _row_norm(program: Program, step: Step) -> None:
    arrays = [program.array(step, name) for name in step.arrays]
    sizes = (number(step.layer.epsilon), step.tokens, step.input_shape[-1])
    program.change(step.type, step.outputs, *arrays, *sizes)


def _normalization(program: Program, step: Step) -> None:
    mean, scale, by_first = step.normalization
    arrays = [program.given(step, "mean", mean), program.given(step, "scale", scale)]
    n, others = len(mean), step.outputs // len(mean)
    sizes = (1, n, others) if by_first else (others, n, 1)
    program.change("normalization", step.outputs, *arrays, *sizes)


def _patch_embed(program: Program, step: Step) -> None:
    image = step.input_shape if len(step.input_shape) == 3 else (1, *step.input_shape)
    sizes = (*image, step.layer.units, step.layer.patch_size)
    program.move("patch_embed", step.outputs, *program.matrix(step), *sizes)


def _position(program: Program, step: Step) -> None:
    table = program.array(step, "table")
    program.change("add", step.outputs, table, step.outputs)


def _self_attention(program: Program, step: Step) -> None:
    tokens, width = step.input_shape
    size = tokens * width
    program.room("c", 3 * size + tokens)
    q, k, v, weights = "c", f"c + {size}", f"c + {2 * size}", f"c + {3 * size}"
    for letter, place in (("q", q), ("k", k), ("v", v)):
        matrix = program.matrix(step, f"{letter}_")
        program.call("dense", place, program.at, *matrix, tokens, width, width)
    out = program.other(size)
    context = q if step.layer.out_proj else out
    arguments = (context, q, k, v, weights, tokens, width, step.layer.heads)
    if step.layer.causal or step.masked_by >= 0:
        program.call("masked_attention", *arguments, int(step.layer.causal), _real(step))
    else:
        program.call("attention", *arguments)
    if step.layer.out_proj:
        matrix = program.matrix(step, "out_")
        program.call("dense", out, context, *matrix, tokens, width, width)
    if step.layer.residual:
        program.call("add", out, out, program.at, size)
    program.at = out


def _real(step: Step) -> str:
    """Return the array of a masking layer's 1 for each real token, 0 for padding."""
    index = step.index if step.type == "masking" else step.masked_by
    return "0" if index < 0 else f"real{index}"


def _masking(program: Program, step: Step) -> None:
    tokens, width = step.input_shape
    real = program.room(_real(step), tokens)
    value = number(step.layer.value)
    program.move("masking", step.outputs, real, value, tokens, width)


def _mean_pool(program: Program, step: Step) -> None:
    if step.masked_by < 0:
        _by_shape(program, step)
    else:
        program.move("masked_mean_pool", step.outputs, _real(step), *step.input_shape)


def _by_shape(program: Program, step: Step) -> None:
    """Call the C function of the type's name with the input's shape."""
    program.move(step.type, step.outputs, *step.input_shape)


Writer: TypeAlias = Callable[[Program, Step], None]

LAYERS: dict[str, Writer] = {
    "dense": _dense,
    "conv2d": _conv,
    "maxpool2d": _maxpool,
    "avgpool2d": _avgpool,
    **{
        f"global_{kind}pool{rank}d": _global_pool
        for kind in ("avg", "max")
        for rank in (1, 2)
    },
    "flatten": _nothing,
    "activation": _nothing,
    "softmax": _softmax,
    "batchnorm": _batchnorm,
    "layernorm": _row_norm,
    "rmsnorm": _row_norm,
    "normalization": _normalization,
    "dropout": _nothing,
    "patch_embed": _patch_embed,
    "position": _position,
    "self_attention": _self_attention,
    "masking": _masking,
    "mean_pool": _mean_pool,
}
"""Where that is not `_by_shape`."""


def writer_of(step: Step) -> Writer | None:
    """Return what adds a layer, None where there is no C code for it."""
    plain = _by_shape if step.type in FUNCTIONS and not step.arrays else None
    return LAYERS.get(step.type, plain)

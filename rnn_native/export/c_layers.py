"""How each layer is written in an exported C file: the calls of its functions."""

import math
from collections.abc import Callable
from typing import TypeAlias

from rnn_native.export.c_functions import FUNCTIONS
from rnn_native.export.c_program import ELEMENTWISE, Fork, Program, described, number
from rnn_native.export.steps import Step


def add_layer(program: Program, step: Step) -> None:
    """Add a layer to a program.

    Raises
    ------
    ValueError
        If there is no C code for it; names it.
    """
    function, alpha = step.activation
    writer = writer_of(step)
    if writer is None or (function != "linear" and function not in ELEMENTWISE):
        raise step.refusal("C export")
    program.calls.append(f"    /* {described(step)} */")
    writer(program, step)
    if function != "linear":
        program.apply(function, step.outputs, alpha)


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
    """Flatten, reshape, dropout and noise change no number; a function is added as any other."""


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


def _prelu(program: Program, step: Step) -> None:
    n = len(step.arrays["weight"])
    sizes = (n, step.outputs // n)
    program.change("prelu", step.outputs, program.array(step, "weight"), *sizes)


def _patch_embed(program: Program, step: Step) -> None:
    size, shape = step.layer.patch_size, step.input_shape
    image = shape if len(shape) == 3 else (1, *shape)
    sizes = (*image, step.layer.units, size, size)
    program.move("patch_embed", step.outputs, *program.matrix(step), *sizes)


def _patch_embed1d(program: Program, step: Step) -> None:
    sizes = (*_image(step.input_shape), step.layer.units, 1, step.layer.patch_size)
    program.move("patch_embed", step.outputs, *program.matrix(step), *sizes)


def _embedding(program: Program, step: Step) -> None:
    sizes = (step.input_shape[0], *step.arrays["weight"].shape)
    program.move("embedding", step.outputs, program.array(step, "weight"), *sizes)


def _columns(program: Program, step: Step) -> None:
    first, count, wide = step.layer.first, step.layer.count, step.input_shape[-1]
    program.move("columns", step.outputs, step.tokens, first, count, wide)


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


def _recurrent(program: Program, step: Step) -> None:
    (steps, width), units = step.input_shape, step.layer.units
    columns = len(step.arrays["input_bias"])
    program.room("c", steps * columns)
    matrix = program.matrix(step, "input_")
    program.call("dense", "c", program.at, *matrix, steps, width, columns)
    of_state = program.matrix(step, "hidden_")
    state = program.room("state", 2 * units + columns)
    out = program.other(step.outputs)
    options = (int(step.layer.return_sequences), int(step.layer.reverse))
    arrays = (*of_state, state, _real(step))
    sizes = (steps, units, columns // units)
    program.call("recurrent", out, "c", *arrays, *sizes, *options)
    program.at = out


def _mean_pool(program: Program, step: Step) -> None:
    if step.masked_by < 0:
        _by_shape(program, step)
    else:
        program.move("masked_mean_pool", step.outputs, _real(step), *step.input_shape)


def _fork(program: Program, step: Step) -> None:
    depth = len(program.forks)
    given = program.at
    if given in ("a", "b"):
        given = program.room(f"in{depth}", step.outputs)
        program.call("copy", given, program.at, step.outputs)
        program.at = given
    program.forks.append(Fork(given, f"out{depth}"))


def _branch(program: Program, step: Step) -> None:
    fork = program.forks[-1]
    used = sum(math.prod(shape) for _, shape in fork.ends)
    size = math.prod(step.input_shape)
    program.room(fork.kept, used + size)
    end = f"{fork.kept} + {used}" if used else fork.kept
    program.call("copy", end, program.at, size)
    fork.ends.append((end, step.input_shape))
    program.at = fork.given


def _add(program: Program, step: Step) -> None:
    end, _ = program.forks.pop().ends[0]
    program.change("add", step.outputs, end, step.outputs)


def _concat(program: Program, step: Step) -> None:
    fork = program.forks.pop()
    wide = math.prod(step.output_shape[step.axis :])
    out, at = program.other(step.outputs), 0
    for end, shape in [*fork.ends, (program.at, step.input_shape)]:
        size = math.prod(shape[step.axis :])
        place = f"{out} + {at}" if at else out
        program.call("place", place, end, step.outputs // wide, size, wide)
        at += size
    program.at = out


def _by_shape(program: Program, step: Step) -> None:
    """Call the C function of the type's name with the input's shape."""
    program.move(step.type, step.outputs, *step.input_shape)


Writer: TypeAlias = Callable[[Program, Step], None]

LAYERS: dict[str, Writer] = {
    "dense": _dense,
    "conv1d": _conv,
    "conv2d": _conv,
    "maxpool1d": _maxpool,
    "maxpool2d": _maxpool,
    "avgpool1d": _avgpool,
    "avgpool2d": _avgpool,
    **{
        f"global_{kind}pool{rank}d": _global_pool
        for kind in ("avg", "max")
        for rank in (1, 2)
    },
    "flatten": _nothing,
    "reshape": _nothing,
    "activation": _nothing,
    "prelu": _prelu,
    "softmax": _softmax,
    "batchnorm": _batchnorm,
    "normalization": _normalization,
    "layernorm": _row_norm,
    "rmsnorm": _row_norm,
    "dropout": _nothing,
    "gaussian_noise": _nothing,
    "columns": _columns,
    "embedding": _embedding,
    "patch_embed": _patch_embed,
    "patch_embed1d": _patch_embed1d,
    "position": _position,
    "self_attention": _self_attention,
    "masking": _masking,
    **dict.fromkeys(("simple_rnn", "gru", "lstm"), _recurrent),
    "mean_pool": _mean_pool,
    "fork": _fork,
    "branch": _branch,
    "add": _add,
    "concat": _concat,
}
"""Where that is not `_by_shape`."""


def writer_of(step: Step) -> Writer | None:
    """Return what adds a layer, None where there is no C code for it."""
    plain = _by_shape if step.type in FUNCTIONS and not step.arrays else None
    return LAYERS.get(step.type, plain)

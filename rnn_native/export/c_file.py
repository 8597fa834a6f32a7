"""One C file: weights and a forward pass that a person can read."""

import hashlib
import math
import re
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from string import Template

from rnn_native.base.files import AnyPath, atomic_write
from rnn_native.base.text import brief
from rnn_native.export.c_layers import add_layer
from rnn_native.export.c_program import Program, described, functions_of
from rnn_native.export.c_stream import COMMENT, MAX_STACK, StreamProgram, stream_of
from rnn_native.export.steps import (
    FINAL_FUNCTIONS,
    has_many_labels,
    nets_of,
    place_named,
    steps_of,
)
from rnn_native.models.ensemble import Ensemble
from rnn_native.models.network import Network
from rnn_native.net.losses import LOSSES


def to_c(
    model: Network | Ensemble,
    path: AnyPath,
    *,
    int8: bool = False,
    name: str | None = None,
) -> None:
    """Write a network as one C file, atomically.

    Parameters
    ----------
    model : Network or Ensemble
        Of an ensemble the file has all nets, and the mean of what they predict.
    path : path
        The file; its name usually ends in ".c".
    int8 : bool
        Whether weight matrices are rounded to int8, with a scale for each output; inputs
        and values between layers stay float. `rounded_to_int8` returns a net that
        computes the same, to see how accurate it is.
    name : str, optional
        A C identifier that public names in the file begin with. By default the file's
        name without its ending.

    Raises
    ------
    TypeError
        If `model` is not a Network or Ensemble.
    ValueError
        If `name` is not an identifier, there is no C code for a layer (which is named), or a
        weight is not finite.
    OSError
        If the file cannot be written.

    Notes
    -----
    The file is C99 and needs <math.h> only. It has

    - ``void NAME_predict(const float *x, float *probabilities)``, which computes the result of
      `Network.predict_proba` for one sample;
    - ``int NAME_classify(const float *x)``, which returns the class that `Network.predict`
      returns (of values the greatest output, or whether the one output is >= 0.5); with
      several yes or no it is ``void NAME_classify(const float *x, int *labels)``.

    Of a net that `Network.stream` accepts it also has, for one step of a sequence at a time,

    - ``NAME_state``, a struct: what a stream keeps from step to step;
    - ``void NAME_stream_init(NAME_state *state)``, which sets it to zero;
    - ``void NAME_step(NAME_state *state, const float *x, float *probabilities)``, which
      computes what `Stream.step` returns after one more step.

    Nothing is allocated. The arrays between layers are on the stack, so that threads may
    call at the same time; beyond 256 KiB they are static, as the file documents.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.export.to_c(rn.Network([rn.Dense(3)], input_shape=(4,)), f"{folder}/net.c")
    """
    chosen = _identifier(Path(path).stem) if name is None else name
    atomic_write(path, c_source(model, chosen, int8=int8).encode())


def c_source(model: Network | Ensemble, name: str, *, int8: bool = False) -> str:
    """Return what `to_c` writes.

    Parameters
    ----------
    model : Network
        As for `to_c`.
    name : str
        What the functions of the file begin with.
    int8 : bool
        As for `to_c`.

    Returns
    -------
    str
        The file's text.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(3)], input_shape=(4,))
    >>> "float" in rn.export.c_source(net, "net")
    True
    """
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
        raise ValueError(f"name: expected a C identifier, got {brief(name)}")
    # Of copies: weights and their digest belong together, even in training.
    nets = [copy(net) for net in nets_of(model)]
    prefixes = [f"net{i}_" if isinstance(model, Ensemble) else "" for i in range(len(nets))]
    programs = []
    for i, (net, prefix) in enumerate(zip(nets, prefixes, strict=True)):
        with place_named(model, i):
            programs.append(_program(net, int8, prefix))
    layers = "".join(
        f"\n *     {prefix.replace('_', ': ')}{described(step)}"
        for net, prefix in zip(nets, prefixes, strict=True)
        for step in steps_of(net)
    )
    stream = stream_of(nets[0], int8) if isinstance(model, Network) else None
    known = {**_known(nets, programs, name), **_streaming(stream, name), "layers": layers}
    top, bottom = (Template(text).substitute(known) for text in (_TOP, _BOTTOM))
    constants = [text for program in programs for text in program.constants]
    predict = _predict(programs, name, isinstance(model, Ensemble))
    steps = [] if stream is None else stream.definitions(name)
    used = programs if stream is None else [*programs, stream.program]
    return "\n".join([top, *functions_of(used), *constants, *predict, *steps, bottom])


def _streaming(stream: StreamProgram | None, name: str) -> dict[str, str]:
    """Return what the head of the file says about steps, "" without a stream."""
    if stream is None:
        return {"stream": "", "stream_declarations": ""}
    comment = Template(COMMENT).substitute(name=name, NAME=name.upper())
    return {"stream": comment, "stream_declarations": stream.declarations(name)}


def _program(net: Network, int8: bool, prefix: str) -> Program:
    """Return the constants and calls of one net."""
    program = Program(int8, prefix=prefix)
    for step in steps_of(net):
        add_layer(program, step)
    program.end(FINAL_FUNCTIONS[net.loss], net.output_shape[0])
    return program


def _predict(programs: Sequence[Program], name: str, is_ensemble: bool) -> list[str]:
    """Return the definition of `NAME_predict`, after those of its nets in an ensemble."""
    if not is_ensemble:
        return [_forward("void", f"{name}_predict", programs[0], name)]
    names = [f"{name}_net{i}" for i in range(len(programs))]
    forwards = [
        _forward("static void", function, program, name)
        for function, program in zip(names, programs, strict=True)
    ]
    texts = {"name": name, "NAME": name.upper(), "count": str(len(names))}
    mean = Template(_MEAN).substitute(texts, nets=",\n        ".join(names))
    return [*forwards, mean]


def _forward(kind: str, function: str, program: Program, name: str) -> str:
    """Return the definition of a function that goes through a net's layers."""
    head = f"{kind}\n{function}(const float *x, float *probabilities)"
    return program.function(head, f"{name.upper()}_STORAGE ")


def _identifier(stem: str) -> str:
    """Return a C identifier for a file's name."""
    name = re.sub(r"\W", "_", stem, flags=re.ASCII)
    return name if name[:1].isalpha() else f"net_{name}"


def _known(
    nets: Sequence[Network], programs: Sequence[Program], name: str
) -> dict[str, str]:
    """Return what the templates below have from the nets and their calls."""
    from rnn_native.base.version import __version__

    model = nets[0]
    size = max(program.bytes for program in programs)
    outputs, many = model.output_shape[0], has_many_labels(model)
    label = _SEVERAL_YES if many else _ONE_YES if outputs == 1 else _GREATEST
    what = (
        "a neural network with its weights"
        if len(nets) == 1
        else f"the mean of {len(nets)} neural networks, with their weights"
    )
    return {
        "name": name,
        "what": what,
        "NAME": name.upper(),
        "version": __version__,
        "inputs": str(math.prod(model.input_shape)),
        "outputs": str(outputs),
        "input_shape": " x ".join(map(str, model.input_shape)),
        "scaling": _SCALING.get(model.input_dtype, _SCALING["uint8"]),
        "meaning": LOSSES[model.loss].predictions,
        "parameters": f"{sum(net.params.size for net in nets):,}",
        "weights": "int8 with a scale for each output" if programs[0].int8 else "float32",
        "sha256": hashlib.sha256(
            b"".join(net.weights.tobytes() for net in nets)
        ).hexdigest(),
        "bytes": f"{size:,}",
        "storage": " static" if size > MAX_STACK else "",
        "kind": "void" if many else "int",
        "labels": ", int *labels" if many else "",
        "label": label.replace("OUTPUTS", f"{name.upper()}_OUTPUTS"),
    }


_SCALING: dict[str | None, str] = {
    "uint8": "Bytes, as of images,\n * must be divided by 255.",
    "float": "They are taken as they\n * are, as in training.",
}

_TOP = """\
/* $name: $what, written by rnn_native $version.
 *
 *     void ${name}_predict(const float *x, float *probabilities);
 *     $kind ${name}_classify(const float *x$labels);
 *
 * Input: $inputs floats ($input_shape), the last index changes fastest. $scaling
 * Output: $outputs $meaning.$stream
 *$layers
 *
 * $parameters parameters; weights are $weights.
 * SHA-256 of the model's float32 weights, in the order of its file:
 *     $sha256
 *
 * C99 with <math.h>: cc -std=c99 -O2 -c $name.c, and -lm when linking. With -D${NAME}_MAIN it
 * is a program that reads samples as raw floats from standard input and prints the outputs
 * of each on a line. What the net computes is at the end of this file.
 */
#include <math.h>

#define ${NAME}_INPUTS $inputs
#define ${NAME}_OUTPUTS $outputs

void ${name}_predict(const float *x, float *probabilities);
$kind ${name}_classify(const float *x$labels);
$stream_declarations
/* The numbers between layers need $bytes bytes. They are on the stack if this is empty; if it
 * is "static" they are not, and only one call at a time may run. */
#ifndef ${NAME}_STORAGE
#define ${NAME}_STORAGE$storage
#endif
"""

_MEAN = """\

void
${name}_predict(const float *x, float *probabilities)
{
    static void (*const nets[])(const float *, float *) = {
        $nets};
    float one[${NAME}_OUTPUTS];
    double sum[${NAME}_OUTPUTS] = {0};
    for (int net = 0; net < $count; net++) {
        nets[net](x, one);
        for (int i = 0; i < ${NAME}_OUTPUTS; i++)
            sum[i] += (double)one[i];
    }
    for (int i = 0; i < ${NAME}_OUTPUTS; i++)
        probabilities[i] = (float)(sum[i] / $count);
}"""

_BOTTOM = """\

$kind
${name}_classify(const float *x$labels)
{
    float probabilities[${NAME}_OUTPUTS];
    ${name}_predict(x, probabilities);
$label
}

#ifdef ${NAME}_MAIN
#include <stdio.h>

int
main(void)
{
    static float x[${NAME}_INPUTS], probabilities[${NAME}_OUTPUTS];
    while (fread(x, sizeof x, 1, stdin) == 1) {
        ${name}_predict(x, probabilities);
        for (int i = 0; i < ${NAME}_OUTPUTS; i++)
            printf("%s%.9g", i > 0 ? " " : "", (double)probabilities[i]);
        printf("\\n");
    }
    return 0;
}
#endif
"""

_ONE_YES = "    return probabilities[0] >= 0.5f;"

_SEVERAL_YES = """\
    for (int i = 0; i < OUTPUTS; i++)
        labels[i] = probabilities[i] >= 0.5f;"""

_GREATEST = """\
    int best = 0;
    for (int i = 1; i < OUTPUTS; i++)
        if (probabilities[i] > probabilities[best])
            best = i;
    return best;"""

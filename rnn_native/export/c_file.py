"""One C file: weights and a forward pass that a person can read."""

import hashlib
import math
import re
from copy import copy
from pathlib import Path
from string import Template

from rnn_native.base.files import AnyPath, atomic_write
from rnn_native.export.c_program import Program, described
from rnn_native.export.steps import FINAL_FUNCTIONS, has_many_labels, steps_of
from rnn_native.models.network import Network
from rnn_native.net.losses import LOSSES

MAX_STACK = 1 << 18  # bytes; larger arrays become static


def to_c(
    model: Network, path: AnyPath, *, int8: bool = False, name: str | None = None
) -> None:
    """Write a network as one C file, atomically.

    Parameters
    ----------
    model : Network
    path : path
        The file; its name usually ends in ".c".
    int8 : bool
        Whether weight matrices are rounded to int8, with a scale for each output; inputs
        and what goes from layer to layer stay float. `rounded_to_int8` gives a net that
        computes the same, to see how accurate it is.
    name : str, optional
        A C identifier that public names in the file begin with. By default the file's
        name without its ending.

    Raises
    ------
    ValueError
        If `name` is no identifier, there is no C code for a layer (which is named), or a
        weight is not finite.
    OSError
        If the file cannot be written.

    Notes
    -----
    The file is C99 and needs <math.h> only. It has

    - ``void NAME_predict(const float *x, float *probabilities)``, which gives what
      `Network.predict_proba` gives for one sample;
    - ``int NAME_classify(const float *x)``, which gives the class that `Network.predict`
      gives (of values the greatest output, or whether the one output is >= 0.5); with
      several yes or no it is ``void NAME_classify(const float *x, int *labels)``.

    Nothing is allocated. The arrays between layers are on the stack, so that threads may
    call at the same time; beyond 256 KiB they are static, and the file says so.
    """
    chosen = _identifier(Path(path).stem) if name is None else name
    atomic_write(path, c_source(model, chosen, int8=int8).encode())


def c_source(model: Network, name: str, *, int8: bool = False) -> str:
    """Return what `to_c` writes."""
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
        raise ValueError(f"name: expected a C identifier, got {name!r}")
    program = Program(int8)
    model = copy(model)  # its weights and their digest belong together, even in training
    steps = steps_of(model)
    for step in steps:
        program.add(step)
    program.end(FINAL_FUNCTIONS[model.loss], model.output_shape[0])
    layers = "".join(f"\n *     {described(step)}" for step in steps)
    known = {**_known(model, program, name), "layers": layers}
    top, bottom = (Template(text).substitute(known) for text in (_TOP, _BOTTOM))
    return "\n".join([top, *program.functions(), *program.constants, bottom])


def _identifier(stem: str) -> str:
    """Return a C identifier for a file's name."""
    name = re.sub(r"\W", "_", stem, flags=re.ASCII)
    return name if name[:1].isalpha() else f"net_{name}"


def _known(model: Network, program: Program, name: str) -> dict[str, str]:
    """Return what the templates below have from the model and its calls."""
    from rnn_native.base.version import __version__

    size = 4 * sum(program.sizes.values())
    arrays = ", ".join(f"{key}[{n}]" for key, n in sorted(program.sizes.items()))
    outputs, many = model.output_shape[0], has_many_labels(model)
    label = _SEVERAL_YES if many else _ONE_YES if outputs == 1 else _GREATEST
    return {
        "name": name,
        "NAME": name.upper(),
        "version": __version__,
        "inputs": str(math.prod(model.input_shape)),
        "outputs": str(outputs),
        "input_shape": " x ".join(map(str, model.input_shape)),
        "scaling": _SCALING.get(model.input_dtype, _SCALING["uint8"]),
        "meaning": LOSSES[model.loss].predictions,
        "parameters": f"{model.params.size:,}",
        "weights": "int8 with a scale for each output" if program.int8 else "float32",
        "sha256": hashlib.sha256(model.weights.tobytes()).hexdigest(),
        "bytes": f"{size:,}",
        "storage": " static" if size > MAX_STACK else "",
        "arrays": f"    {name.upper()}_STORAGE float {arrays};\n" if arrays else "",
        "calls": "\n".join(program.calls),
        "kind": "void" if many else "int",
        "labels": ", int *labels" if many else "",
        "label": label.replace("OUTPUTS", f"{name.upper()}_OUTPUTS"),
    }


_SCALING: dict[str | None, str] = {
    "uint8": "Bytes, as of images,\n * must be divided by 255.",
    "float": "They are taken as they\n * are, as in training.",
}

_TOP = """\
/* $name: a neural network with its weights, written by rnn_native $version.
 *
 *     void ${name}_predict(const float *x, float *probabilities);
 *     $kind ${name}_classify(const float *x$labels);
 *
 * Input: $inputs floats ($input_shape), the last index changes fastest. $scaling
 * Output: $outputs $meaning.
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

/* The numbers between layers take $bytes bytes. They are on the stack if this is empty; if it
 * is "static" they are not, and only one call at a time may run. */
#ifndef ${NAME}_STORAGE
#define ${NAME}_STORAGE$storage
#endif
"""

_BOTTOM = """\

void
${name}_predict(const float *x, float *probabilities)
{
$arrays$calls
}

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

"""The part of an exported C file that predicts one step of a sequence at a time."""

import math
from dataclasses import replace
from string import Template

from rnn_native.export.c_layers import add_layer
from rnn_native.export.c_program import Program, described
from rnn_native.export.steps import FINAL_FUNCTIONS, Step, steps_of
from rnn_native.models.network import Network
from rnn_native.net.stream import PARTS, check_streams, net_of_one_step

MAX_STACK = 1 << 18  # bytes; larger arrays become static


class StreamProgram:
    """The step of a net, which reads and writes a struct with the state.

    Attributes
    ----------
    program : Program
        Its constants are those of the whole net's: they have the same names.
    state : dict of int
        Floats of each of the struct's arrays.
    """

    def __init__(self, net: Network, int8: bool) -> None:
        self.program = Program(int8)
        self.state: dict[str, int] = {}
        steps = _steps_of_one(net)
        for step in steps:
            if step.type in PARTS:
                self._advance(step)
            else:
                add_layer(self.program, step)
        self._inputs = math.prod(steps[0].input_shape)
        self._outputs = steps[-1].output_shape[0]
        self.program.end(FINAL_FUNCTIONS[net.loss], self._outputs)

    def _advance(self, step: Step) -> None:
        """Add the step of a recurrent layer, whose outputs are its state."""
        program = self.program
        width, units = step.input_shape[1], step.layer.units
        columns = len(step.arrays["input_bias"])
        program.calls.append(f"    /* {described(step)} */")
        parts = [program.name_of(step, part) for part in PARTS[step.type]]
        self.state.update(dict.fromkeys(parts, units))
        hidden, cell, *_ = (*(f"state->{part}" for part in parts), "0")
        of_inputs, of_state = program.room("c", columns), program.room("product", columns)
        matrix = program.matrix(step, "input_")
        program.call("dense", of_inputs, program.at, *matrix, 1, width, columns)
        matrix = program.matrix(step, "hidden_")
        program.call("dense", of_state, hidden, *matrix, 1, units, columns)
        gates = columns // units
        program.call("recurrence", hidden, cell, of_inputs, of_state, units, gates)
        program.at = hidden

    def declarations(self, name: str) -> str:
        """Return the struct, sizes and prototypes."""
        arrays = "\n".join(f"    float {key}[{n}];" for key, n in self.state.items())
        return Template(_DECLARATIONS).substitute(
            name=name,
            NAME=name.upper(),
            inputs=self._inputs,
            outputs=self._outputs,
            arrays=arrays,
        )

    def definitions(self, name: str) -> list[str]:
        """Return the functions, and the main function of a program that calls them."""
        zeros = (
            Template(_ZEROS).substitute(array=array, n=n) for array, n in self.state.items()
        )
        names = {"name": name, "NAME": name.upper(), "zeros": "\n".join(zeros)}
        is_large = self.program.bytes > MAX_STACK
        step = self.program.function(
            Template(_STEP).substitute(names), "static " if is_large else ""
        )
        return [Template(_INIT).substitute(names), step, Template(_MAIN).substitute(names)]


def stream_of(net: Network, int8: bool) -> StreamProgram | None:
    """Return the step of a net, None where `Network.stream` has none."""
    try:
        check_streams(net)
    except ValueError:
        return None
    return StreamProgram(net, int8)


def _steps_of_one(net: Network) -> list[Step]:
    """Return the layers of a net as they are over a sequence of one step."""
    shape = (1, *net.input_shape[1:])
    steps = []
    for step, layer in zip(steps_of(net), net_of_one_step(net).layers, strict=True):
        out = tuple(layer["shape"])
        steps.append(replace(step, input_shape=shape, output_shape=out))
        shape = out
    return steps


COMMENT = """
 *
 * Step by step, as the inputs of a sequence come in, after ${name}_stream_init for each sequence:
 *
 *     void ${name}_stream_init(${name}_state *state);
 *     void ${name}_step(${name}_state *state, const float *x, float *probabilities);
 *
 * x has the inputs of one step; probabilities are those of the sequence up to it. Each stream
 * has its own state. With -D${NAME}_STREAM_MAIN it is a program that reads steps."""

_DECLARATIONS = """
#define ${NAME}_STEP_INPUTS $inputs
#define ${NAME}_STEP_OUTPUTS $outputs

/* What a stream keeps from step to step. */
typedef struct {
$arrays
} ${name}_state;

void ${name}_stream_init(${name}_state *state);
void ${name}_step(${name}_state *state, const float *x, float *probabilities);
"""

_INIT = """
void
${name}_stream_init(${name}_state *state)
{
$zeros
}"""

_ZEROS = """\
    for (int i = 0; i < $n; i++)
        state->$array[i] = 0;"""

_STEP = """\
void
${name}_step(${name}_state *state, const float *x, float *probabilities)"""

_MAIN = """
#ifdef ${NAME}_STREAM_MAIN
#include <stdio.h>

int
main(void)
{
    static float x[${NAME}_STEP_INPUTS], probabilities[${NAME}_STEP_OUTPUTS];
    static ${name}_state state;
    ${name}_stream_init(&state);
    while (fread(x, sizeof x, 1, stdin) == 1) {
        ${name}_step(&state, x, probabilities);
        for (int i = 0; i < ${NAME}_STEP_OUTPUTS; i++)
            printf("%s%.9g", i > 0 ? " " : "", (double)probabilities[i]);
        printf("\\n");
        fflush(stdout);
    }
    return 0;
}
#endif"""

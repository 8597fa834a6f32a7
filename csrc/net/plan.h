/* The plan of a net: what its layers become. */
#ifndef RNN_PLAN_H
#define RNN_PLAN_H

#include "net.h"

/* Shapes, parameters and slices of every layer, from the input up. */
rnn_status rnn_plan_layers(rnn_net *net, rnn_error *error);

/* The steps: layers fused where a pattern matches, and those that only rename numbers left
 * out as long as one step remains. */
void rnn_plan_steps(rnn_net *net);

/* Floats of a row's maps. */
size_t rnn_step_maps(const rnn_step *step);

/* Floats that PARAMS by rows adds up for a step: its parameters' gradients, or more. */
size_t rnn_step_sums(const rnn_step *step);

#endif

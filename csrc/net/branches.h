/* Which layers belong together: branches, from the marks between them. */
#ifndef RNN_BRANCHES_H
#define RNN_BRANCHES_H

#include "layer.h"

/* Blocks may be nested so deep. */
#define RNN_MAX_DEPTH 32

/* Fills in `below` and sides->layer of all layers. RNN_EINVAL when marks do not match. */
rnn_status rnn_branches_link(rnn_layer *layers, int n_layers, rnn_error *error);

/* Fills in sides->shape of a mark; layers up to it are set up. */
void rnn_branches_shapes(rnn_layer *mark, const rnn_layer *layers);

/* The join of a fork. */
int rnn_branches_join(const rnn_layer *layers, int fork);

#endif

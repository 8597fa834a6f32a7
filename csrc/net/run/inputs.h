/* What a chain of stages begins with: rows of the data, in training distorted and mixed. */
#ifndef RNN_INPUTS_H
#define RNN_INPUTS_H

#include "run.h"

/* Rows begin..end of the batch to net->inp, or to its lists of nonzeros. */
void rnn_make_inputs(const rnn_run *r, const rnn_batch *batch, int begin, int end,
                     int worker);

/* Each row's share of the mix with the next row of the batch: from Beta(alpha, alpha), as
 * the step's key draws it. */
double rnn_draw_share(double alpha, uint64_t step_key);

/* Rows' losses and gradients, weighted where rows have weights, to those of the mix: share
 * times their own and the rest times those of the next row's target (Zhang et al. 2018). */
void rnn_mix_losses(const rnn_run *r, int begin, int end, int worker);

#endif

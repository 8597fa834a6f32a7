/* The arenas of a net. What makes room returns RNN_ENOMEM if that fails. */
#ifndef RNN_MEMORY_H
#define RNN_MEMORY_H

#include "plan.h"

/* Parameters and moments of a net that has its layers planned, all zero. */
rnn_status rnn_net_make_arenas(rnn_net *net);

/* Frees all memory; of a reader only what is its own. */
void rnn_net_free_memory(rnn_net *net);

/* Room for a copy of parameters and state; or NULL. */
float *rnn_net_new_weights(const rnn_net *net);
void rnn_net_free_weights(float *weights);

/* For a copy of a net's struct: forgets moments and working memory, which the other owns.
 */
void rnn_net_forget_memory(rnn_net *net);

/* Makes room for batches of `rows` rows, for gradients, for this many vectors of moments,
 * for working copies of parameters. */
rnn_status rnn_net_reserve(rnn_net *net, int rows);
rnn_status rnn_net_need_grads(rnn_net *net);
rnn_status rnn_net_need_moments(rnn_net *net, int wanted);
rnn_status rnn_net_need_packed(rnn_net *net);

/* Makes room for lists of nonzeros of `capacity` rows: for any nonzeros;
 * or for compressed rows' lists, of at most `entries` in a batch. */
rnn_status rnn_net_need_nonzeros(rnn_net *net);
rnn_status rnn_net_need_compact(rnn_net *net, int64_t entries);

/* Makes room to distort images (NULL: not to) and mix rows, for each slice of rows. */
rnn_status rnn_net_need_making(rnn_net *net, const rnn_augmentation *augmentation);

#endif

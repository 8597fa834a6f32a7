/* A batch whose slices of rows are in several processes, the ranks of MPI.
 *
 * Rank k of R has slices k S / R .. (k + 1) S / R of the batch's S; both are powers of two,
 * so these are a subtree of the tree that sums slices, or empty. In round i ranks that
 * differ in bit i swap what their groups of 2^i ranks have: sums continue the same tree,
 * and rows come together. Every rank ends with the same bits. */
#ifndef RNN_RANKS_H
#define RNN_RANKS_H

#include "run.h"

/* Elements of `bytes` each: of every row, slice or rank of the batch. */
typedef enum { RNN_OF_ROWS, RNN_OF_SLICES, RNN_OF_RANKS } rnn_owner;

typedef struct {
    void *base;
    size_t bytes;
    rnn_owner of;
    size_t stride; /* bytes from one to the next; 0: there is nothing in between */
} rnn_piece;

/* The slices and rows of the batch that this process has: all of them without ranks. */
void rnn_ranks_share(rnn_run *r);

/* Pieces of which each rank has its own part become whole. */
void rnn_ranks_gather(rnn_run *r, const rnn_piece *pieces, int n);

/* The sum of what the ranks' slices have added up, n floats. */
void rnn_ranks_sum(rnn_run *r, float *values, size_t n);

/* Losses and hits of all rows, and whether a rank wants to stop. */
void rnn_ranks_gather_scores(rnn_run *r);

/* Inputs and output gradients of stages begin..end where PARAMS reads all rows. */
void rnn_ranks_gather_factors(rnn_run *r, int begin, int end);

/* Output gradients and cache where FINISH reads all rows. */
void rnn_ranks_gather_for_finish(rnn_run *r);

/* Whether some PARAMS reads all rows of the data. */
bool rnn_ranks_need_all_inputs(const rnn_run *r);

#endif

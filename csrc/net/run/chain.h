/* A chain of stages that are split by rows: slices of the batch's rows go through all of
 * them, a few rows at a time. */
#ifndef RNN_CHAIN_H
#define RNN_CHAIN_H

#include "run.h"

/* Stages begin..end for the rows of a batch, and what comes before and after them. */
typedef struct {
    rnn_run *run;
    int begin, end;
    const rnn_batch *gather; /* NULL: the inputs are in place */
    bool forward;
    bool statistics; /* those of stage `end`, after the rows' forward */
    bool score;
    bool end_input; /* stage `end` waited for its sums: backward begins with its INPUT */
    bool backward;
    float *predictions; /* NULL: not wanted */
    int chunk;          /* rows at a time */
    bool reuses; /* buffers between the stages have room for a chunk of each worker */
} rnn_chain;

void rnn_run_chain(rnn_run *r, rnn_chain *c);

/* The end of the chain that begins with stage i, or i itself. In training one that waits
 * for the batch begins a chain; `is_ready`: stage i has what it waits for. */
int rnn_chain_end(const rnn_run *r, int i, bool is_ready);

/* Where the backward chain that ends before stage `end` begins: INPUT of a stage that waits
 * is left to the next one. */
int rnn_chain_begin(const rnn_run *r, int end);

#endif

/* A chain of stages that go by rows: slices of the batch's rows go through all of them, a
 * few rows at a time. */
#ifndef RNN_CHAIN_H
#define RNN_CHAIN_H

#include "run.h"

/* Stages begin..end for the rows of a batch, and what comes before and after them. */
typedef struct {
    rnn_run *run;
    int begin, end;
    const rnn_batch *gather; /* NULL: the inputs are in place */
    bool forward;
    bool score;
    bool backward;
    float *predictions; /* NULL: not wanted */
} rnn_chain;

void rnn_run_chain(rnn_run *r, rnn_chain *c);

/* The end of the chain that begins with stage i, or i itself. */
int rnn_chain_end(const rnn_net *net, int i);

#endif

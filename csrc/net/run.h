/* A native call under way: the plan's steps over one batch, cut into slices for the team.
 */
#ifndef RNN_RUN_H
#define RNN_RUN_H

#include "net.h"

typedef struct {
    rnn_net *net;
    rnn_team_lease lease;
    rnn_stop stop;
    double work_a_row; /* forward, in multiply-adds */
    double work_since_clock;
    bool training;
    bool moves_state;
    uint64_t key; /* of the step under way */
    float smoothing;
    int64_t asked; /* when the stop hook was asked last, in nanoseconds */
} rnn_run;

/* `rows` in the whole call: a small one takes no threads. */
rnn_run rnn_run_begin(rnn_net *net, int threads, rnn_stop stop, double rows);
void rnn_run_end(rnn_run *r);

/* After the forward work of `rows` rows: whether the caller of the call wants it to end. */
bool rnn_run_stop_wanted(rnn_run *r, double rows);

/* Puts rows order[0..rows-1], their targets and weights where the plan expects them. */
void rnn_run_gather(rnn_run *r, const rnn_data *data, const int32_t *order, int rows);

/* Rows begin.. of the data as the plan's input: in place when they are floats already. */
const float *rnn_run_input(rnn_run *r, const rnn_data *data, int begin, int rows);

void rnn_run_forward(rnn_run *r, const float *inp, int rows);

/* Losses of the rows (weights NULL: all 1), and their gradient with respect to the last
 * outputs. */
rnn_score rnn_run_score(rnn_run *r, const void *targets, const float *weights, int rows);

/* What predict returns, from the last outputs. */
void rnn_run_predict(rnn_run *r, float *predictions, int rows);

/* From dact[0], the gradient with respect to the last outputs, down:
 * target = beta * target + alpha * gradient. Returns the gradient with respect to inp when
 * that is wanted, else NULL. */
const float *rnn_run_backward(rnn_run *r, const float *inp, int rows, float *target,
                              float alpha, float beta, bool to_input);

/* The optimiser's update from net->grads, the gradient clipped to clip_norm when that is
 * above 0. `step` counts from 1. */
void rnn_run_update(rnn_run *r, double lr, double clip_norm, int64_t step);

#endif

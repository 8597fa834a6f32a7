/* One pass of one stage of the plan, for some rows of the batch under way or for all of
 * them in slices; and the time that it takes. */
#ifndef RNN_PASS_H
#define RNN_PASS_H

#include "run.h"

/* What handling an element costs beside a multiply-add in a product. */
#define ELEMENT_WORK 8.0

/* Multiply-adds below which a job is not worth waking other threads. */
#define MIN_STAGE_WORK 7e5

/* fn(job, 0..slices-1, worker), by the team when this many multiply-adds are worth it. */
void rnn_run_slices(rnn_run *r, rnn_slice_fn fn, void *job, int slices, double work);

/* Around work of some kind: adds its time to the profile when there is one. */
int64_t rnn_profile_begin(const rnn_net *net);
void rnn_profile_end(const rnn_net *net, int worker, int stage, int kind, int64_t begin);

/* The stage where backward ends. */
int rnn_lowest_stage(const rnn_run *r);

/* The working copy where stage i's parameters are current, or NULL: they are in
 * net->params.
 */
float *rnn_run_packed(const rnn_run *r, int i);

/* What a pass sees of rows begin.. of the batch; the gradient's part is the caller's. */
rnn_io rnn_stage_io(const rnn_run *r, int i, int begin, int rows, int worker);

/* Calls the pass, if the layer has it, and the stage is not part of one below. */
void rnn_call_pass(const rnn_run *r, int i, rnn_pass pass, const rnn_io *io, int slice,
                   int worker);

/* How many stages above are part of stage i: their outputs are its own. */
int rnn_folds(const rnn_run *r, int i);

/* Whether stage i is part of one below. */
bool rnn_is_folded(const rnn_run *r, int i);

/* A pass that is cut by columns, over all rows. */
void rnn_run_pass(rnn_run *r, int i, rnn_pass pass);

/* A pass that comes once a batch, in slices if the layer has some. */
void rnn_run_once(rnn_run *r, int i, rnn_pass pass, float *target, float alpha, float beta);

/* PARAMS of stages begin..end where it is cut by columns, in one job: layers that are small
 * one by one keep several threads busy together. */
void rnn_run_params(rnn_run *r, int begin, int end, float *target, float alpha, float beta);

/* Its multiply-adds. */
double rnn_params_work(const rnn_run *r, int begin, int end);

/* Whether stage i learns, and its PARAMS is cut by columns. */
bool rnn_has_params(const rnn_run *r, int i);

/* Whether OUTPUT of stage i is part of its PARAMS: both have the same slices, and nothing
 * in between reads what OUTPUT writes. */
bool rnn_output_joins_params(const rnn_run *r, int i);

#endif

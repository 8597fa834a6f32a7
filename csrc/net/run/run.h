/* A native call under way: the plan's stages over one batch, cut into slices for the team.
 *
 * Neighboring stages that are split by rows make a chain: a slice of the batch's rows goes
 * through all of them, a few rows at a time, while what they leave is still in the cache.
 */
#ifndef RNN_RUN_H
#define RNN_RUN_H

#include "../plan.h"

typedef struct rnn_run {
    rnn_net *net;
    rnn_team_lease lease;
    rnn_stop stop;
    double work_a_row; /* forward, in multiply-adds */
    double work_since_clock;
    bool training;
    bool moves_state;
    bool only_forward; /* no backward follows: nothing is summed over rows */
    bool to_input;     /* backward goes down to the input */
    bool is_sparse;    /* the first stage reads lists of nonzeros */
    bool is_packed;    /* parameters are current in the working copies */
    bool raw;          /* predictions are the last layer's outputs */
    bool keeps_inputs; /* the batch's rows are needed after the caller's are gone */
    uint64_t key;      /* of the step under way */
    float smoothing;
    const rnn_augmentation *augmentation; /* of the batch's inputs; or NULL */
    double share;           /* of a row in its mix with the next one; 1: not mixed */
    rnn_exchange *exchange; /* of a call that trains */
    int64_t asked;          /* when the stop hook was asked last, in nanoseconds */
    rnn_ranks *ranks;       /* of a call that trains in several processes; or NULL */
    bool ranks_stop;        /* one of them wants to end: all know */
    rnn_status status; /* not RNN_OK: a swap failed, and what it was for is not right */

    /* Of the batch under way: */
    int rows;
    int row_slices;
    int own_slice, own_slices; /* those of this process, */
    int own_row, own_rows;     /* and their rows */
    double divisor;            /* of sums over rows, for the mean */
    bool has_weights;          /* in net->weights */
    const float *inp;
    float *maps; /* what stage `maps_of` shows of the rows; NULL: not asked for */
    int maps_of;
    float *carried; /* of `carried_rows` rows, stage by stage, the batch's from
                       `first_carried` on; or NULL */
    int carried_rows, first_carried;
    int backward_from; /* stages from here on have had their OUTPUT and INPUT */
} rnn_run;

/* Rows of a call's data: order[0..rows-1], or with order NULL begin..begin+rows-1. The
 * order continues up to order[following - 1]. */
typedef struct {
    const rnn_data *data;
    const int32_t *order;
    int begin, rows;
    int following;
} rnn_batch;

/* What a batch is sent forward for. For training it is scored, too, and backward begins:
 * slices' own gradients are written, never a target. */
typedef enum { RNN_FOR_OUTPUTS, RNN_FOR_SCORE, RNN_FOR_TRAINING } rnn_purpose;

/* Looks at some of the rows' density and decides on sparse products; RNN_ENOMEM. */
rnn_status rnn_run_begin(rnn_run *r, rnn_net *net, int threads, rnn_stop stop, double rows,
                         const rnn_batch *all);
void rnn_run_end(rnn_run *r);

/* After an end: leases the team again, for `rows` forward passes' work. */
void rnn_run_resume(rnn_run *r, int threads, double rows);

/* After the forward work of `rows` rows: whether the caller wants this call to end. */
bool rnn_run_stop_wanted(rnn_run *r, double rows);

/* From now on parameters that are updated in place are updated in stages' working copies,
 * where they have one; RNN_ENOMEM. */
rnn_status rnn_run_pack(rnn_run *r);

/* Writes the working copies back, which stay current. */
void rnn_run_unpack(rnn_run *r);

/* What follows from the parameters: before the first batch, and again after an update. */
void rnn_run_prepare(rnn_run *r);

/* predictions (rows, out) or NULL. */
void rnn_run_forward(rnn_run *r, const rnn_batch *batch, rnn_purpose purpose,
                     float *predictions);

/* After a forward that is not for outputs alone: adds the scores of its rows, one after the
 * other. A sum over batches is then that of all their rows, however they are cut. */
void rnn_run_add_scores(const rnn_run *r, rnn_score *score);

/* The rest of backward: target = beta * target + alpha * gradient. After a forward for
 * outputs the last stage's dout must hold the gradient with respect to them. */
void rnn_run_backward(rnn_run *r, float *target, float alpha, float beta);

/* Whether each step moves the recipe's average. */
bool rnn_recipe_moves_average(const rnn_recipe *recipe);

/* The optimizer's update from net->grads, clipped and penalized as the recipe says; then
 * the average's. `step` is 1 for the call's first. Returns the penalty before the update.
 */
double rnn_run_update(rnn_run *r, const rnn_recipe *recipe, double lr, int64_t step);

#endif

/* A net: layers compiled to a plan (shapes, offsets) over a few arenas. */
#ifndef RNN_NET_H
#define RNN_NET_H

#include "../base/augmentation.h"
#include "../base/nonzeros.h"
#include "../base/team.h"
#include "layer.h"
#include "level.h"

/* One step of the plan: a layer as given, or one that stands for several. Its memory has
 * room for `capacity` rows. */
typedef struct {
    rnn_layer layer;
    int first; /* index of the first layer in it */
    bool by_rows;
    size_t param_offset, state_offset; /* in floats from params */
    size_t partial_offset;             /* in floats from a slice's partial gradients */
    float *out;
    float *dout;    /* gradient with respect to out */
    float *cache;   /* of all rows */
    float *maps;    /* of all rows */
    float *scratch; /* of all slices of rows */
    float *shared;
    float *sums;
    float *packed; /* its working copy of parameters, in net->packed; or NULL */
} rnn_step;

/* Where the time of a call goes: kinds of work beside the passes of a step. */
enum {
    RNN_WORK_GATHER = RNN_PASSES,
    RNN_WORK_LOSS,
    RNN_WORK_REDUCE,
    RNN_WORK_UPDATE,
    RNN_WORK_KINDS
};

typedef struct {
    const rnn_level *level;
    const rnn_loss_type *loss;
    rnn_optimizer optimizer;
    rnn_shape input;
    rnn_layer *layers;
    int n_layers;
    rnn_step *steps; /* the plan */
    int n_steps;
    int first_trainable; /* step; n_steps when there are no parameters */

    size_t *param_offset; /* of each layer, in floats from params */
    size_t *state_offset; /* the same: state follows the parameters */
    size_t param_count, state_count;
    size_t partial_count; /* what is added up by slices of rows */
    float *params;        /* param_count + state_count floats */
    float *grads;         /* NULL until something needs it */
    float *moments;       /* n_moments * param_count floats: what the optimiser keeps */
    int n_moments;
    int moments_room;     /* vectors that there is memory for */
    float *first_moments; /* the memory of before: views of it may live on; or NULL */

    double
        sparse_below; /* density of inputs from which on their zeros are multiplied too */
    rnn_nonzeros nonzeros;
    void *nonzeros_memory; /* NULL until something needs it */
    float *packed;         /* working copies of steps' parameters; NULL until needed */
    float *making;         /* where slices of rows make their inputs; NULL until needed */
    size_t making_each;    /* floats of it for a slice */

    /* Room for `capacity` rows, in one allocation behind `workspace`. */
    int capacity;
    void *workspace;
    float *inp;     /* gathered rows */
    float *dinp;    /* gradient with respect to them */
    void *targets;  /* gathered */
    float *weights; /* gathered */
    double *loss_of_row;
    uint8_t *hit_of_row;
    double *sums;    /* over slices of parameters */
    float *partials; /* partial_count floats a slice of rows */
    bool is_reader;  /* only what follows `capacity` is its own */
    int64_t
        *profile; /* nanoseconds by slice, step (n_steps: none) and kind of work; or NULL */
} rnn_net;

/* Takes n_layers layers and an optimiser whose type and attr are filled in. On failure *net
 * is NULL and error tells which layer and why. */
rnn_status rnn_net_new(rnn_net **net, const rnn_level *level, const rnn_layer *layers,
                       int n_layers, rnn_shape input, const rnn_loss_type *loss,
                       rnn_optimizer optimizer, rnn_error *error);
void rnn_net_free(rnn_net *net);

/* Another optimiser, whose moments are zero; parameters stay. RNN_ENOMEM changes nothing.
 */
rnn_status rnn_net_set_optimizer(rnn_net *net, rnn_optimizer optimizer);

/* A net with working memory of its own that shares another's plan, for calls beside it; or
 * NULL. Its `params` are set for each call. The other must outlive it. */
rnn_net *rnn_net_new_reader(const rnn_net *net);

/* Room for a copy of parameters and state; or NULL. */
float *rnn_net_new_weights(const rnn_net *net);
void rnn_net_free_weights(float *weights);

int rnn_net_in_size(const rnn_net *net);
int rnn_net_out_size(const rnn_net *net);

/* Multiply-adds of a row's forward pass, about. */
double rnn_net_work(const rnn_net *net);

/* Begins to measure, or ends it. */
rnn_status rnn_net_set_profile(rnn_net *net, bool on);

/* Nanoseconds, summed over threads, in one kind of work of one step (n_steps: of none). */
int64_t rnn_net_profile(const rnn_net *net, int step, int kind);

/* Whether all parameters are finite. */
bool rnn_net_is_finite(const rnn_net *net);

/* Whether all moments are. Adam's become infinite where a square of a gradient does, and
 * then hold a finite weight for good. */
bool rnn_net_moments_are_finite(const rnn_net *net);

/* Rows of x, and their targets: int32_t labels (n) or float values (n, out). */
typedef struct {
    const void *x;
    bool x_is_bytes;           /* uint8_t, divided by 255; else float */
    rnn_compressed compressed; /* or these, x being NULL */
    const void *targets;
    const float *weights; /* of the rows' losses; NULL: all 1 */
    int n;
} rnn_data;

typedef struct rnn_exchange rnn_exchange; /* exchange.h */

/* Asked now and then in the middle of a call; true ends it with RNN_EINTERRUPTED after a
 * whole number of batches. */
typedef struct {
    bool (*wanted)(void *context);
    void *context;
} rnn_stop;

typedef struct {
    double loss; /* summed over rows */
    int64_t hits;
    double weighted_hits; /* each counted as its row's weight */
    double penalty;       /* the part of the loss that is l2's */
} rnn_score;

typedef struct {
    const int32_t *order; /* rows in the order of training, the same in every epoch */
    int n_order;
    int batch_size;
    int epochs;
    const double *lr; /* one learning rate, or one for each step of the call */
    int64_t n_lr;     /* 0: lr[0] is that of all steps */
    double clip_norm; /* of the gradient with l2's, before the update; 0: not clipped */
    double l2; /* penalty l2 / 2 * sum w^2 of a batch's summed loss, w all but vectors */
    bool weighted_mean; /* a batch's mean is by the sum of its weights, not by its rows */
    float smoothing;    /* of labels */
    const rnn_augmentation *augmentation; /* of the inputs; or NULL */
    double mixup;   /* alpha of Beta(alpha, alpha), a row's share in the mix; 0: none */
    float *average; /* param_count floats, moved towards the parameters; or NULL */
    double average_decay;
    bool
        average_is_outside; /* they change places for the call: the net holds the average */
    uint64_t seed;          /* of masks */
    int64_t step;     /* steps since the seed was set, before this call: masks continue */
    int64_t updates;  /* of the optimiser before this call: bias corrections continue */
    int64_t averaged; /* steps that the average has followed before this call */
} rnn_schedule;

/* Largest alpha of mixup that rnn_schedule takes. */
#define RNN_MAX_MIXUP 4

/* Batches in an epoch. */
int64_t rnn_schedule_steps(const rnn_schedule *schedule);

/* Trains schedule->epochs epochs; scores[e] is the sum over epoch e, each row as it stood
 * before its batch's update, penalties included; with weighted_mean a batch counts as often
 * as it has rows. On RNN_ENONFINITE the parameters are those before the batch at (*epoch,
 * *batch), counted from 0; of a net with a fused epoch, those before the epoch.
 * Parameters are looked at before the first epoch and after each: a weight that meets only
 * zeros could otherwise stay NaN unseen. Readers are served through `exchange`, which is
 * open. */
rnn_status rnn_net_train(rnn_net *net, const rnn_data *data, const rnn_schedule *schedule,
                         int threads, rnn_stop stop, rnn_exchange *exchange,
                         rnn_score *scores, int *epoch, int *batch);

rnn_status rnn_net_evaluate(rnn_net *net, const rnn_data *data, int threads, rnn_stop stop,
                            rnn_score *score);

/* predictions (n, out); with `raw` the last layer's outputs, to which the loss has not
 * applied its softmax, sigmoid or exponential. */
rnn_status rnn_net_predict(rnn_net *net, const rnn_data *data, bool raw, int threads,
                           rnn_stop stop, float *predictions);

/* net->grads = gradient of the mean loss over all rows, taken as one batch, in training
 * mode; of the schedule only seed, step and smoothing are used. */
rnn_status rnn_net_gradients(rnn_net *net, const rnn_data *data,
                             const rnn_schedule *schedule, int threads, rnn_score *score);

/* One step in training mode without a loss: data->targets is the gradient with respect to
 * the outputs, float (n, out). out (n, out), dinp (n, in); net->grads = the parameters'
 * gradient, summed over rows. Of the schedule only seed and step are used. */
rnn_status rnn_net_backprop(rnn_net *net, const rnn_data *data,
                            const rnn_schedule *schedule, int threads, float *out,
                            float *dinp);

/* maps (n, layer->maps): what layer `index` shows of each row. */
rnn_status rnn_net_maps(rnn_net *net, const rnn_data *data, int index, int threads,
                        rnn_stop stop, float *maps);

#endif

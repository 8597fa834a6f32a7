/* A net as its callers see it: layers compiled to a plan over a few arenas. The struct is
 * in plan.h. */
#ifndef RNN_NET_H
#define RNN_NET_H

#include "../base/augmentation.h"
#include "../base/nonzeros.h"
#include "layer.h"
#include "level.h"

typedef struct rnn_net rnn_net;

/* Where the time of a call goes: kinds of work beside the passes of a stage. */
enum {
    RNN_WORK_GATHER = RNN_PASSES,
    RNN_WORK_LOSS,
    RNN_WORK_REDUCE,
    RNN_WORK_UPDATE,
    RNN_WORK_KINDS
};

/* Fills in what follows from attributes and the input's shape, shapes and parameters of
 * layers whose type, attr and path are filled in. A loss wants one row of numbers of the
 * last. The error begins with a layer's path. */
rnn_status rnn_layers_set_up(rnn_layer *layers, int n_layers, rnn_shape input,
                             const rnn_loss_type *loss, rnn_error *error);

/* Takes n_layers layers, and an optimizer whose type and attr are filled in. On failure
 * *net is NULL and error names the layer and the reason. */
rnn_status rnn_net_new(rnn_net **net, const rnn_level *level, const rnn_layer *layers,
                       int n_layers, rnn_shape input, const rnn_loss_type *loss,
                       rnn_optimizer optimizer, rnn_error *error);
void rnn_net_free(rnn_net *net);

/* Another optimizer, whose moments are zero; parameters stay. RNN_ENOMEM changes nothing.
 */
rnn_status rnn_net_set_optimizer(rnn_net *net, rnn_optimizer optimizer);

/* Multiplies the learning rate of each of the n_layers layers; 0 freezes it, and costs no
 * gradient. RNN_ENOMEM changes nothing. */
rnn_status rnn_net_set_rates(rnn_net *net, const double *rates);
double rnn_net_rate(const rnn_net *net, int layer);

/* Whether any parameter learns. */
bool rnn_net_learns(const rnn_net *net);

/* A net with its own working memory that shares the plan of another one, for calls beside
 * it; or NULL. The other must outlive it. */
rnn_net *rnn_net_new_reader(const rnn_net *net);

/* For each of its calls a reader is given weights to read: a copy, or with NULL the net's
 * own. Between calls it has none. */
void rnn_net_attach_reader(rnn_net *reader, const rnn_net *net, float *weights);
void rnn_net_detach_reader(rnn_net *reader);

/* For a child of fork, where the call that used it is gone: working memory is made again by
 * the next call, and the old memory stays allocated. */
void rnn_net_forget_working_memory(rnn_net *net);

const rnn_level *rnn_net_level(const rnn_net *net);
const rnn_loss_type *rnn_net_loss(const rnn_net *net);
int rnn_net_in_size(const rnn_net *net);
int rnn_net_out_size(const rnn_net *net);

int rnn_net_n_layers(const rnn_net *net);
const rnn_layer *rnn_net_layer(const rnn_net *net, int index);

/* Where a parameter of layer `index` begins, in floats from rnn_net_params. */
size_t rnn_net_offset(const rnn_net *net, int index, const rnn_param *param);

/* All parameters; after them state, up to `weight_count`. */
float *rnn_net_params(rnn_net *net);
size_t rnn_net_param_count(const rnn_net *net);
size_t rnn_net_weight_count(const rnn_net *net);

/* What rnn_net_gradients and rnn_net_backprop left, param_count floats. */
const float *rnn_net_grads(const rnn_net *net);

/* What the optimizer keeps from update to update. */
float *rnn_net_moments(rnn_net *net);
size_t rnn_net_moment_count(const rnn_net *net);

/* Density of inputs from which on their zeros are multiplied too. */
double rnn_net_sparse_below(const rnn_net *net);
void rnn_net_set_sparse_below(rnn_net *net, double density);

/* Multiply-adds of a row's forward pass, about. */
double rnn_net_work(const rnn_net *net);

/* Begins to measure, or ends it. */
rnn_status rnn_net_set_profile(rnn_net *net, bool on);
bool rnn_net_has_profile(const rnn_net *net);

/* Jobs that were worth the team, by the number of slices that they were cut into: each ends
 * at a barrier. */
typedef struct {
    int64_t count, nanoseconds;
} rnn_job_total;

/* RNN_MAX_SLICES + 1 of them, since the profile was set; NULL without one. */
const rnn_job_total *rnn_net_jobs(const rnn_net *net);

/* The plan's stages, each called after the type of its layer. */
int rnn_net_n_stages(const rnn_net *net);
const char *rnn_net_stage_name(const rnn_net *net, int stage);

/* Nanoseconds, summed over threads, in one kind of work of one stage (n_stages: of none).
 */
int64_t rnn_net_profile(const rnn_net *net, int stage, int kind);

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

/* The processes that train one net together: `size`, a power of two, of which this is
 * `rank`. They have the same net, data and recipe. `swap` sends bytes to a partner and gets
 * as many as the partner sends; false ends the call. */
#define RNN_MAX_RANKS 64

typedef struct {
    int rank, size;
    bool (*swap)(void *context, int partner, const void *out, size_t out_bytes, void *in,
                 size_t in_bytes);
    void *context;
    const uint8_t *stop; /* not 0: this one wants all to end after a batch */
    char *room;          /* malloc's; NULL at first, the caller frees it */
    size_t room_bytes;
} rnn_ranks;

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
    int accumulate; /* batches of an update, which follows their mean over all rows */
    int epochs;
    const double *lr; /* one learning rate, or one for each step of the call */
    int64_t n_lr;     /* 0: lr[0] is that of all steps */
    double clip_norm; /* of the gradient with l2's, before the update; 0: not clipped */
    double l2; /* penalty l2 / 2 * sum w^2 of a batch's summed loss, w all but vectors */
    bool weighted_mean; /* a batch's mean is by the sum of its weights, not by its rows */
    float smoothing;    /* of labels */
    const rnn_augmentation *augmentation; /* of the inputs; or NULL */
    double mixup;   /* alpha of Beta(alpha, alpha), a row's share in the mix; 0: none */
    float *average; /* param_count floats, moved toward the parameters; or NULL */
    double average_decay; /* 1: the average stays as it is */
    bool
        average_is_outside; /* they change places for the call: the net holds the average */
    rnn_ranks *ranks;       /* or NULL: this process alone */
    uint64_t seed;          /* of masks */
    int64_t step;     /* steps since the seed was set, before this call: masks continue */
    int64_t updates;  /* of the optimizer before this call: bias corrections continue */
    int64_t averaged; /* steps that the average has followed before this call */
} rnn_recipe;

/* Largest alpha of mixup in rnn_recipe. */
#define RNN_MAX_MIXUP 4

/* Updates in an epoch. */
int64_t rnn_recipe_steps(const rnn_recipe *recipe);

/* Trains recipe->epochs epochs; to scores[e] the sum over epoch e is added, each row as it
 * stood before its batch's update, penalties included; with weighted_mean a batch counts as
 * often as it has rows. On RNN_ENONFINITE the parameters are those before the batch at
 * (*epoch, *batch), counted from 0; of a net with a fused epoch, those before the epoch.
 * Parameters are looked at before the first epoch and after each: a weight that meets only
 * zeros could otherwise stay NaN unseen. Readers are served through `exchange`, which is
 * open. */
rnn_status rnn_net_train(rnn_net *net, const rnn_data *data, const rnn_recipe *recipe,
                         int threads, rnn_stop stop, rnn_exchange *exchange,
                         rnn_score *scores, int *epoch, int *batch);

/* To score the sum over all rows is added, one row after the other. */
rnn_status rnn_net_evaluate(rnn_net *net, const rnn_data *data, int threads, rnn_stop stop,
                            rnn_score *score);

/* predictions (n, out); with `raw` the last layer's outputs, to which the loss has not
 * applied its softmax, sigmoid or exponential. */
rnn_status rnn_net_predict(rnn_net *net, const rnn_data *data, bool raw, int threads,
                           rnn_stop stop, float *predictions);

/* Floats of a row's states that one call may leave to the next. */
size_t rnn_net_carried(const rnn_net *net);

/* As predict, from the states in `carried` on, layer by layer (n, layer->carried), where
 * those after the last step are left. It cannot be stopped midway. */
rnn_status rnn_net_advance(rnn_net *net, const rnn_data *data, int threads, float *carried,
                           float *predictions);

/* rnn_net_grads = gradient of the mean loss over all rows, taken as one batch, in training
 * mode; of the recipe only seed, step and smoothing are used. */
rnn_status rnn_net_gradients(rnn_net *net, const rnn_data *data, const rnn_recipe *recipe,
                             int threads, rnn_score *score);

/* When a minimization ends, beside a gradient of zeros. */
typedef struct {
    double tolerance; /* of the greatest entry of the gradient */
    int64_t iterations, evaluations;
    double followed; /* the share of the loss whose gradient the core computes */
} rnn_limits;

typedef enum {
    RNN_FLAT,        /* no entry of the gradient is above the tolerance */
    RNN_NO_DECREASE, /* the loss has stopped to fall, in float32 */
    RNN_ITERATIONS,  /* as many as the limit */
    RNN_EVALUATIONS, /* more than the limit */
} rnn_minimum_end;

typedef struct {
    double value;   /* the objective: the followed loss and the penalty */
    double penalty; /* the part of it that is l2's */
    int64_t iterations, evaluations;
    rnn_minimum_end end;
} rnn_minimum;

/* Minimizes the mean loss of all rows, as one batch, by L-BFGS: minimum->value is sum_rows
 * (followed loss) / divisor + l2 / 2 sum w^2 / divisor, the divisor being the sum of the
 * weights with weighted_mean, else the rows. Of the recipe l2, weighted_mean, smoothing,
 * seed and step are used. values[i], i < n_values, is the value after iteration i. Layers
 * of rate 0 stay as they are. RNN_ENONFINITE: at the parameters to begin with. Whatever the
 * status, the parameters are those of the last whole iteration. */
rnn_status rnn_net_minimize(rnn_net *net, const rnn_data *data, const rnn_recipe *recipe,
                            const rnn_limits *limits, int threads, rnn_stop stop,
                            rnn_exchange *exchange, double *values, int64_t n_values,
                            rnn_minimum *minimum);

/* One step in training mode without a loss: data->targets is the gradient with respect to
 * the outputs, float (n, out). out (n, out), dinp (n, in); rnn_net_grads = the parameters'
 * gradient, summed over rows. Of the recipe only seed and step are used. */
rnn_status rnn_net_backprop(rnn_net *net, const rnn_data *data, const rnn_recipe *recipe,
                            int threads, float *out, float *dinp);

/* ---- a step whose loss is the caller's ---- */

/* Working memory and gradients beside the net's, made for the first such step. */
typedef struct rnn_tape rnn_tape;

rnn_tape *rnn_tape_new(const rnn_net *net); /* or NULL; the net must outlive it */
void rnn_tape_free(rnn_tape *tape);

/* out (n, out): the last layer's outputs in training mode, whose statistics move. Of the
 * recipe only seed and step are used. The rows, which are not compressed, are copied.
 */
rnn_status rnn_tape_forward(rnn_tape *tape, const rnn_net *net, const rnn_data *data,
                            const rnn_recipe *recipe, int threads, float *out);

/* Rows of the forward pass that waits for its backward pass; 0: none. Closing forgets it:
 * the weights are about to change. */
int rnn_tape_open_rows(const rnn_tape *tape);
void rnn_tape_close(rnn_tape *tape);

/* From dout (rows, out): gradients of the parameters, which replace what rnn_tape_grads
 * holds or are added to it, and dinp (rows, in) unless that is NULL. */
rnn_status rnn_tape_backward(rnn_tape *tape, const float *dout, bool adds, int threads,
                             float *dinp);

/* param_count floats, which stay where they are; NULL before the first backward pass. */
const float *rnn_tape_grads(const rnn_tape *tape);

/* One update with these gradients. Of the recipe lr, l2, clip_norm, updates and average are
 * used. RNN_ENONFINITE, for gradients, changes nothing. */
rnn_status rnn_net_apply(rnn_net *net, const float *grads, const rnn_recipe *recipe,
                         int threads);

/* maps (n, layer->maps): what layer `index` shows of each row. */
rnn_status rnn_net_maps(rnn_net *net, const rnn_data *data, int index, int threads,
                        rnn_stop stop, float *maps);

/* The distortions of training by themselves: of rows (n, inputs) in place, as of a batch in
 * step `step`. scratch: rnn_augmentation_scratch. */
void rnn_augment_rows(const rnn_level *level, float *rows, int n,
                      const rnn_augmentation *augmentation, uint64_t seed, int64_t step,
                      float *scratch);

#endif

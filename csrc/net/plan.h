/* A net inside, and its plan: what its layers become. */
#ifndef RNN_PLAN_H
#define RNN_PLAN_H

#include "../base/team.h"
#include "net.h"

/* One stage of the plan: a layer as given, or one that stands for several. Its memory has
 * room for `capacity` rows. */
typedef struct {
    rnn_layer layer;
    int first;  /* index of the first layer in it */
    int end;    /* and of the first layer after it; first: it stands for none */
    int below;  /* the stage whose gradient INPUT writes; -1: the net's inputs */
    int source; /* the stage whose outputs it reads: below, or the one that it forwards */
    int mask; /* the stage that distinguishes padding from real tokens; -1: all are real */
    rnn_side sides[RNN_MAX_BRANCHES];
    bool by_rows;
    bool is_frozen;                    /* it has parameters, none of which learns */
    size_t param_offset, state_offset; /* in floats from params */
    size_t partial_offset;             /* in floats from a slice's partial gradients */
    float *out;
    float *dout;    /* gradient with respect to out */
    int dout_of;    /* the sum of branches whose dout it reads, in the same memory; or -1 */
    float *cache;   /* of all rows */
    float *scratch; /* of all workers */
    float *shared;
    float *sums;
    float *statistics; /* of all slices of rows */
    float *packed;     /* its working copy of parameters, in net->packed; or NULL */
    int folds;         /* stages above that it does the work of in inference, as `folded` */
    bool is_folded;    /* a stage below does so */
    rnn_layer folded;
    float *folded_params; /* laid out as the layer's */
} rnn_stage;

struct rnn_net {
    const rnn_level *level;
    const rnn_loss_type *loss;
    rnn_optimizer optimizer;
    rnn_shape input;
    rnn_layer *layers;
    int n_layers;
    rnn_stage *stages; /* the plan */
    int n_stages;
    int first_trainable; /* stage; n_stages when no parameter learns */
    bool joins_inputs;   /* a branch passes the inputs to a join, which reads them in inp */
    double *rates; /* of the layers: the learning rate is multiplied by them, 0 freezes;
                      NULL: all are 1 */
    bool has_own_rates; /* a stage that learns has a layer whose rate is not 1 */

    size_t *param_offset; /* of each layer, in floats from params */
    size_t *state_offset; /* the same: state follows the parameters */
    size_t param_count, state_count;
    size_t partial_count; /* sums by slices of rows */
    int most_row_slices;  /* to leave room for what they add up */
    float *params;        /* param_count + state_count floats */
    float *grads;         /* NULL until something needs it */
    float *moments;       /* n_moments * param_count floats: what the optimizer keeps */
    int n_moments;
    int moments_room;     /* vectors that memory is reserved for */
    float *first_moments; /* the memory of before: views of it may live on; or NULL */

    double
        sparse_below; /* density of inputs from which on their zeros are multiplied too */
    rnn_nonzeros nonzeros;
    void *nonzeros_memory; /* NULL until something needs it */
    float *packed;         /* working copies of stages' parameters; NULL until needed */
    float *making;         /* where workers make inputs; NULL until needed */
    size_t making_each;    /* floats of it for a worker */

    /* Room for `capacity` rows, in one allocation behind `workspace`. */
    int capacity;
    void *workspace;
    float *inp;     /* gathered rows */
    float *dinp;    /* gradient with respect to them */
    void *targets;  /* gathered */
    float *weights; /* gathered */
    double *loss_of_row;
    uint8_t *hit_of_row;
    double *sums;        /* over slices of parameters */
    float *partials;     /* partial_count floats per slice of rows */
    bool is_reader;      /* only what follows `capacity` is its own */
    rnn_job_total *jobs; /* beside the profile */
    int64_t *profile; /* nanoseconds by worker, stage (n_stages: none) and kind of work; or
                         NULL */
};

/* Shapes, parameters and slices of every layer, from the input up. */
rnn_status rnn_plan_layers(rnn_net *net, rnn_error *error);

/* How many stages a net has at most: a layer each, and two that rearrange before
 * and after it. */
static inline size_t
rnn_most_stages(const rnn_net *net)
{
    return 5 * (size_t)net->n_layers;
}

/* The stages: layers fused where a pattern matches, and those that only rename numbers left
 * out as long as one stage remains. */
void rnn_plan_stages(rnn_net *net);

/* The stage whose outputs are those of a layer; -1: they are the net's inputs. */
int rnn_stage_giving(const rnn_net *net, int layer);

/* Whether a layer's outputs are its input, in the same memory. */
static inline bool
rnn_gives_input(const rnn_layer *layer)
{
    return layer->type->mark == RNN_FORK || layer->type->mark == RNN_BRANCH;
}

/* Whether a stage's FORWARD in training and its INPUT wait for all rows of the batch. */
static inline bool
rnn_waits_for_batch(const rnn_stage *stage)
{
    return stage->layer.statistics > 0;
}

/* Which stages learn, from the rates. */
void rnn_plan_rates(rnn_net *net);

/* The same for a reader that was made with other rates. */
void rnn_plan_rates_of(rnn_net *reader, const rnn_net *net);

/* Floats that PARAMS by rows adds up for a stage: its parameters' gradients, or more. */
size_t rnn_stage_sums(const rnn_stage *stage);

#endif

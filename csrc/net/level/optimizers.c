/* Adapters of the optimizers. Part of level.c. */
#include "../optimizer.h"

enum { SGD_MOMENTUM, SGD_NESTEROV, SGD_WEIGHT_DECAY };

static const rnn_attr sgd_attrs[] = {
    [SGD_MOMENTUM] = {"momentum", RNN_FLOAT, false, 0, 0, 1, NULL},
    [SGD_NESTEROV] = {"nesterov", RNN_BOOL, false, 0, 0, 1, NULL},
    [SGD_WEIGHT_DECAY] = {"weight_decay", RNN_FLOAT, false, 0, 0, 1e6, NULL},
    RNN_ATTRS_END,
};

static int
sgd_moments(const double *attr)
{
    return attr[SGD_MOMENTUM] > 0;
}

static bool
sgd_is_plain(const double *attr)
{
    return attr[SGD_MOMENTUM] == 0 && attr[SGD_WEIGHT_DECAY] == 0;
}

static void
sgd_update(const rnn_update *u, size_t begin, size_t end)
{
    sgd_step(u->params + begin, sgd_moments(u->attr) ? u->moments + begin : NULL,
             u->grads + begin, (int)(end - begin), (float)u->lr, u->scale,
             (float)u->attr[SGD_MOMENTUM], u->attr[SGD_NESTEROV] != 0,
             u->penalty + (float)u->attr[SGD_WEIGHT_DECAY]);
}

enum { ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON, ADAM_EPSILON_HAT, ADAM_WEIGHT_DECAY };

/* A smaller epsilon could not hold back a gradient whose square float32 cannot express: the
 * step would be infinite, or 0 / 0. */
#define ADAM_ATTRS(decay)                                                              \
    {                                                                                  \
        [ADAM_BETA_1] = {"beta_1", RNN_FLOAT, false, 0.9, 0, 1 - 1e-9, NULL},          \
        [ADAM_BETA_2] = {"beta_2", RNN_FLOAT, false, 0.999, 0, 1 - 1e-9, NULL},        \
        [ADAM_EPSILON] = {"epsilon", RNN_FLOAT, false, 1e-8, 1e-20, 1, NULL},          \
        [ADAM_EPSILON_HAT] = {"epsilon_hat", RNN_BOOL, false, 0, 0, 1, NULL},          \
        [ADAM_WEIGHT_DECAY] = {"weight_decay", RNN_FLOAT, false, decay, 0, 1e6, NULL}, \
        RNN_ATTRS_END,                                                                 \
    }

static const rnn_attr adam_attrs[] = ADAM_ATTRS(0);
static const rnn_attr adamw_attrs[] = ADAM_ATTRS(0.01);

static int
adam_moments(const double *attr)
{
    (void)attr;
    return 2;
}

static bool
is_never_plain(const double *attr)
{
    (void)attr;
    return false;
}

static void
update_adam(const rnn_update *u, size_t begin, size_t end, float penalty, float decay)
{
    adam_step(u->params + begin, u->moments + begin, u->moments + u->count + begin,
              u->grads + begin, (int)(end - begin), (float)u->lr, u->scale,
              u->attr[ADAM_BETA_1], u->attr[ADAM_BETA_2], (float)u->attr[ADAM_EPSILON],
              u->attr[ADAM_EPSILON_HAT] != 0, u->penalty + penalty, decay, u->step);
}

static void
adam_update(const rnn_update *u, size_t begin, size_t end)
{
    update_adam(u, begin, end, (float)u->attr[ADAM_WEIGHT_DECAY], 0);
}

static void
adamw_update(const rnn_update *u, size_t begin, size_t end)
{
    update_adam(u, begin, end, 0, (float)u->attr[ADAM_WEIGHT_DECAY]);
}

enum {
    RMSPROP_ALPHA,
    RMSPROP_EPSILON,
    RMSPROP_MOMENTUM,
    RMSPROP_CENTERED,
    RMSPROP_WEIGHT_DECAY
};

static const rnn_attr rmsprop_attrs[] = {
    [RMSPROP_ALPHA] = {"alpha", RNN_FLOAT, false, 0.99, 0, 1 - 1e-9, NULL},
    [RMSPROP_EPSILON] = {"epsilon", RNN_FLOAT, false, 1e-8, 1e-20, 1, NULL},
    [RMSPROP_MOMENTUM] = {"momentum", RNN_FLOAT, false, 0, 0, 1, NULL},
    [RMSPROP_CENTERED] = {"centered", RNN_BOOL, false, 0, 0, 1, NULL},
    [RMSPROP_WEIGHT_DECAY] = {"weight_decay", RNN_FLOAT, false, 0, 0, 1e6, NULL},
    RNN_ATTRS_END,
};

/* Squares, then the velocity, then the mean. */
static int
rmsprop_moments(const double *attr)
{
    return 1 + (attr[RMSPROP_MOMENTUM] > 0) + (attr[RMSPROP_CENTERED] != 0);
}

static void
rmsprop_update(const rnn_update *u, size_t begin, size_t end)
{
    float *squares = u->moments + begin, *next = squares + u->count;
    float *velocity = u->attr[RMSPROP_MOMENTUM] > 0 ? next : NULL;
    float *behind = velocity != NULL ? next + u->count : next;
    rmsprop_step(u->params + begin, squares, velocity,
                 u->attr[RMSPROP_CENTERED] != 0 ? behind : NULL, u->grads + begin,
                 (int)(end - begin), (float)u->lr, u->scale, u->attr[RMSPROP_ALPHA],
                 (float)u->attr[RMSPROP_EPSILON], (float)u->attr[RMSPROP_MOMENTUM],
                 u->penalty + (float)u->attr[RMSPROP_WEIGHT_DECAY]);
}

static const rnn_optimizer_type optimizer_types[] = {
    {"sgd", sgd_attrs, sgd_moments, sgd_update, sgd_is_plain},
    {"adam", adam_attrs, adam_moments, adam_update, is_never_plain},
    {"adamw", adamw_attrs, adam_moments, adamw_update, is_never_plain},
    {"rmsprop", rmsprop_attrs, rmsprop_moments, rmsprop_update, is_never_plain},
    {NULL, NULL, NULL, NULL, NULL},
};

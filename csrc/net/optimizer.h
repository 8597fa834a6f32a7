/* Optimizers: one row each, a step over a range of all parameters. */
#ifndef RNN_OPTIMIZER_H
#define RNN_OPTIMIZER_H

#include "layer.h"

/* Most vectors of state that an optimizer keeps. */
#define RNN_MAX_MOMENTS 3

/* One update of parameters [begin, end). moment(k) lies at moments + k * count. */
typedef struct {
    float *params;
    const float *grads; /* of the mean loss */
    float *moments;
    size_t count;
    const double *attr;
    double lr;
    float scale;   /* of the gradients: below 1 when they are clipped */
    float penalty; /* penalty * params is added to the gradients */
    int64_t step;  /* 1 for the first */
} rnn_update;

typedef struct {
    const char *name;
    const rnn_attr *attrs;
    int (*moments)(const double *attr); /* vectors of state that it keeps */
    void (*update)(const rnn_update *u, size_t begin, size_t end);
    /* Whether params -= lr * grads is all it does: then no gradient is stored at all. */
    bool (*is_plain)(const double *attr);
} rnn_optimizer_type;

typedef struct {
    const rnn_optimizer_type *type;
    double attr[RNN_MAX_ATTRS];
} rnn_optimizer;

#endif

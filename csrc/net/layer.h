/* What a layer is to the net: attributes, shapes, parameters, and four passes. */
#ifndef RNN_LAYER_H
#define RNN_LAYER_H

#include "../base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RNN_MAX_RANK 4
#define RNN_MAX_ATTRS 8
#define RNN_MAX_PARAMS 16

/* Shape of one sample, or of a parameter. */
typedef struct {
    int rank;
    int dim[RNN_MAX_RANK];
} rnn_shape;

/* Number of elements; 0 when it exceeds RNN_MAX_EXTENT. */
int rnn_shape_size(const rnn_shape *shape);

typedef enum { RNN_INT, RNN_FLOAT, RNN_CHOICE } rnn_attr_kind;

/* One key of a layer's spec. A choice is given by name and stored as its index. A key
 * whose fallback is NaN may be left out, and the layer then decides. */
typedef struct {
    const char *name;
    rnn_attr_kind kind;
    bool required;
    double fallback;
    double min, max;
    const char *(*choice)(int index); /* NULL past the last one */
} rnn_attr;

typedef enum { RNN_ZEROS, RNN_GLOROT_UNIFORM } rnn_init;

typedef struct {
    const char *name;
    rnn_shape shape;
    size_t offset; /* in floats, from the start of the layer's parameters */
    rnn_init init;
    int fan_in, fan_out;
} rnn_param;

/* Backward runs OUTPUT, INPUT, PARAMS in this order. OUTPUT turns dout, the gradient with
 * respect to what the layer gave, into the one its products need, in place. INPUT is left
 * out when nothing below has parameters. PARAMS comes last because its target may be the
 * parameters themselves. */
typedef enum { RNN_FORWARD, RNN_OUTPUT, RNN_INPUT, RNN_PARAMS, RNN_PASSES } rnn_pass;

typedef struct rnn_layer rnn_layer;

/* A batch as one layer sees it. Pointers that a pass does not use may be NULL. */
typedef struct {
    int rows;
    const float *inp;
    float *out;
    float *cache; /* rows * layer->cache floats that forward keeps for backward */
    float *dout;
    float *dinp;
    const float *params;
    float *target; /* laid out as params: beta * target + alpha * gradient */
    float alpha, beta;
} rnn_io;

typedef void (*rnn_pass_fn)(const rnn_layer *layer, const rnn_io *io, int slice);

typedef struct {
    const char *name;
    const rnn_attr *attrs; /* ends with a NULL name */
    /* Fills out, params, cache, slices and work from attr and in. */
    rnn_status (*setup)(rnn_layer *layer, rnn_error *error);
    rnn_pass_fn pass[RNN_PASSES];
} rnn_layer_type;

struct rnn_layer {
    const rnn_layer_type *type;
    double attr[RNN_MAX_ATTRS]; /* in the order of type->attrs */
    rnn_shape in, out;
    int in_size, out_size;
    rnn_param param[RNN_MAX_PARAMS];
    int n_params;
    size_t param_count;      /* floats in all parameters */
    size_t cache;            /* floats a row */
    int slices[RNN_PASSES];  /* from shapes only; 0: the layer has no such pass */
    double work[RNN_PASSES]; /* multiply-adds a row, to tell when threads do not pay */
};

/* Appends a parameter; false when its size does not fit. */
bool rnn_layer_add_param(rnn_layer *layer, const char *name, rnn_shape shape, rnn_init init,
                         int fan_in, int fan_out);

/* How many slices `extent` columns or rows are cut into, and where slice i begins. A slice
 * is a whole number of 64-element blocks, so that two threads share no cache line. */
int rnn_slice_count(int extent);
int rnn_slice_begin(int extent, int slices, int slice);

#endif

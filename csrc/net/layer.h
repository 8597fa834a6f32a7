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

typedef enum { RNN_INT, RNN_FLOAT, RNN_BOOL, RNN_CHOICE } rnn_attr_kind;

/* One key of a layer's or optimiser's spec. A choice is given by name and stored as its
 * index. A key whose fallback is NaN may be left out, and the layer then decides. */
typedef struct {
    const char *name;
    rnn_attr_kind kind;
    bool required;
    double fallback;
    double min, max;
    const char *(*choice)(int index); /* NULL past the last one */
} rnn_attr;

#define RNN_ATTRS_END {NULL, RNN_INT, false, 0, 0, 0, NULL}

typedef enum {
    RNN_ZEROS,
    RNN_ONES,
    RNN_GLOROT_UNIFORM,
    RNN_UNIFORM,    /* in [-limit, limit] */
    RNN_SINUSOIDAL, /* position table: Vaswani et al. 2017, section 3.5 */
} rnn_init;

typedef struct {
    const char *name;
    rnn_shape shape;
    size_t offset; /* in floats, from the start of the layer's parameters or state */
    rnn_init init;
    int fan_in, fan_out;
    float limit;
    bool is_state; /* running statistics: saved, but not trained */
} rnn_param;

/* Backward runs OUTPUT, INPUT, PARAMS in this order. OUTPUT turns dout, the gradient with
 * respect to what the layer gave, into the one its products need, in place, and may leave
 * partial gradients in scratch. INPUT is left out when nothing below has parameters. PARAMS
 * comes last because its target may be the parameters themselves. */
typedef enum { RNN_FORWARD, RNN_OUTPUT, RNN_INPUT, RNN_PARAMS, RNN_PASSES } rnn_pass;

typedef struct rnn_layer rnn_layer;

/* A batch as one layer sees it. Pointers that a pass does not use may be NULL. */
typedef struct {
    int rows;
    bool training;    /* dropout drops and batch statistics are used */
    bool moves_state; /* PARAMS moves running statistics: the loss was finite by then */
    uint64_t key;     /* of this step and layer, for masks */
    const float *inp;
    float *out;
    float *cache;   /* rows * layer->cache floats that forward keeps for backward */
    float *scratch; /* layer->scratch floats */
    float *dout;
    float *dinp; /* NULL when INPUT is left out */
    const float *params;
    float *state;
    float *target; /* laid out as params: beta * target + alpha * gradient */
    float alpha, beta;
} rnn_io;

typedef void (*rnn_pass_fn)(const rnn_layer *layer, const rnn_io *io, int slice);

typedef struct {
    const char *name;
    const rnn_attr *attrs; /* ends with RNN_ATTRS_END */
    /* Fills out, params, cache, scratch, slices and work from attr and in. */
    rnn_status (*setup)(rnn_layer *layer, rnn_error *error);
    rnn_pass_fn pass[RNN_PASSES];
} rnn_layer_type;

/* In place of a number of slices: the pass takes rows rnn_row_begin(rows, slice) up to
 * rnn_row_begin(rows, slice + 1). */
#define RNN_BY_ROWS (-1)
#define RNN_MAX_ROW_SLICES 8

struct rnn_layer {
    const rnn_layer_type *type;
    double attr[RNN_MAX_ATTRS]; /* in the order of type->attrs */
    rnn_shape in, out;
    int in_size, out_size;
    rnn_param param[RNN_MAX_PARAMS];
    int n_params;
    size_t param_count, state_count; /* floats in all parameters, in all state */
    size_t cache;                    /* floats a row */
    size_t scratch;                  /* floats, whatever the rows */
    int slices[RNN_PASSES];          /* from shapes only, or RNN_BY_ROWS; 0: no such pass */
    double work[RNN_PASSES]; /* multiply-adds a row, to tell when threads do not pay */
    rnn_shape maps;          /* what attention_maps shows of a row; rank 0: nothing */
    size_t maps_offset;      /* where it lies in the row's part of cache, in floats */
};

/* Appends a parameter; false when its size does not fit. */
bool rnn_layer_add_param(rnn_layer *layer, rnn_param param);

/* How many slices `extent` columns are cut into, and where slice i begins. A slice is a
 * whole number of 64-element blocks, so that two threads share no cache line. */
int rnn_slice_count(int extent);
int rnn_slice_begin(int extent, int slices, int slice);

/* The same for rows: the number of slices follows from the number of rows. */
int rnn_row_slices(int rows);
int rnn_row_begin(int rows, int slice);

/* Writes "<key>: <what>" for setup; returns RNN_EINVAL. */
rnn_status rnn_layer_refuse(rnn_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif

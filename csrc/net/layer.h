/* What a layer is to the net: attributes, shapes, parameters, and passes. */
#ifndef RNN_LAYER_H
#define RNN_LAYER_H

#include "../base/status.h"
#include "../base/window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RNN_MAX_RANK 4
#define RNN_MAX_ATTRS 16
#define RNN_MAX_PARAMS 16
#define RNN_MAX_BRANCHES 8

/* Shape of one sample, or of a parameter. */
typedef struct {
    int rank;
    int dim[RNN_MAX_RANK];
} rnn_shape;

/* Number of elements; 0 when it exceeds RNN_MAX_EXTENT. */
int rnn_shape_size(const rnn_shape *shape);

bool rnn_same_shape(const rnn_shape *a, const rnn_shape *b);

typedef enum {
    RNN_INT,
    RNN_FLOAT,
    RNN_BOOL,
    RNN_CHOICE,
    RNN_INTS,  /* a list of integers, or one: NaN after the last */
    RNN_MORE,  /* no key, but room for another integer of the key above */
    RNN_UNUSED /* no key: its place is that of a key in a table like this */
} rnn_attr_kind;

/* One key of a layer's or optimizer's spec. A choice is given by name and stored as its
 * index. A key whose fallback is NaN may be left out, and the layer then decides. An
 * integer may have names, too: stored as -1 for the first, -2 for the second. Where
 * RNN_MORE follows an integer, one stands for all, two for the halves; of a list it is room
 * for one more. */
typedef struct {
    const char *name;
    rnn_attr_kind kind;
    bool required;
    double fallback;
    double min, max;
    const char *(*choice)(int index); /* NULL past the last one */
} rnn_attr;

#define RNN_ATTR_MORE {"", RNN_MORE, false, 0, 0, 0, NULL}
#define RNN_ATTR_UNUSED {"", RNN_UNUSED, false, 0, 0, 0, NULL}
#define RNN_ATTRS_END {NULL, RNN_INT, false, 0, 0, 0, NULL}

/* Whether a row is a key, and how many numbers the key has. */
bool rnn_attr_is_key(const rnn_attr *attr);
int rnn_attr_count(const rnn_attr *attr);

typedef enum {
    RNN_ZEROS,
    RNN_ONES,
    RNN_GLOROT_UNIFORM,
    RNN_UNIFORM,    /* in [-limit, limit] */
    RNN_CONSTANT,   /* the limit */
    RNN_SINUSOIDAL, /* position table: Vaswani et al. 2017, section 3.5 */
} rnn_init;

typedef struct {
    const char *name;
    size_t offset; /* in floats, from the start of the layer's parameters or state */
    rnn_shape shape;
    rnn_init init;
    int fan_in, fan_out;
    float limit;
    bool is_state; /* running statistics: saved, but not trained */
} rnn_param;

/* PREPARE comes once a batch, for what follows from the parameters alone. STATISTICS and
 * MERGE are for a layer whose FORWARD in training needs statistics of the whole batch:
 * STATISTICS, by rows, sees the layer's inputs as soon as they are there, MERGE makes one
 * of what the slices have found. Its INPUT needs PARAMS' sums over the batch. Backward runs
 * OUTPUT, INPUT, PARAMS in this order. OUTPUT turns dout, the gradient with respect to what
 * the layer gave, into the one its products need, in place. INPUT is left out when nothing
 * below has parameters. PARAMS comes last because its target may be the parameters
 * themselves. FINISH comes once a batch, for a layer whose PARAMS adds up something else
 * than its gradients, which follow from that. MOVE comes last, once a batch that trains,
 * for running statistics: they move whether or not the layer learns, once the loss was
 * finite. */
typedef enum {
    RNN_PREPARE,
    RNN_STATISTICS,
    RNN_MERGE,
    RNN_FORWARD,
    RNN_OUTPUT,
    RNN_INPUT,
    RNN_PARAMS,
    RNN_FINISH,
    RNN_MOVE,
    RNN_PASSES
} rnn_pass;

/* Branches of layers stand one after the other, between marks: fork, the layers of the
 * first branch, then `branch` and the layers of the next one, ..., a join. Fork and branch
 * give the fork's input, without a copy; a join combines the outputs of the branches. */
typedef enum { RNN_NO_MARK, RNN_FORK, RNN_BRANCH, RNN_JOIN } rnn_mark;

/* What a mark has to do with beside its input: a join with the last layers of all branches
 * but the last, a fork with the branches that repeat its input. */
typedef struct {
    int n;
    int layer[RNN_MAX_BRANCHES];
    rnn_shape shape[RNN_MAX_BRANCHES]; /* of the outputs of these layers */
} rnn_sides;

/* One of them in a batch, from its first row on. */
typedef struct {
    const float *out;
    float *dout;
} rnn_side;

/* How images and signals lie in memory: plane by plane (C,H,W), as everyone sees them, or
 * within the plan with the channels of a pixel side by side (H,W,C). */
typedef enum { RNN_PLANES, RNN_PIXELS, RNN_ANY_LAYOUT } rnn_layout;

typedef struct rnn_layer rnn_layer;
typedef struct rnn_nonzeros rnn_nonzeros;

/* A batch, or some rows of it, as one layer sees it. Pointers that a pass does not use may
 * be NULL. */
typedef struct {
    int rows;
    int first_row; /* of the batch: masks depend on it */
    bool training; /* dropout drops and batch statistics are used */
    bool to_input; /* dinp is wanted: INPUT will follow OUTPUT */
    uint64_t key;  /* of this step and layer, for masks */
    const float *inp;
    const rnn_nonzeros *nonzeros; /* of inp, which is then not filled in; else NULL */
    const rnn_side *sides;        /* of a fork or a join, layer->sides.n */
    const float *real; /* 1 for each of a row's tokens, 0 if padding; NULL: all are real */
    float *out;
    float *cache;   /* rows * layer->cache floats that forward keeps for backward */
    float *maps;    /* where to write what attention_maps shows; NULL: not asked for */
    float *carried; /* rows * layer->carried floats, the state before the first step, which
                       that after the last one replaces; NULL: it is zero before the first
                     */
    float *scratch; /* layer->scratch floats, of passes by rows one's own */
    float *shared;  /* layer->shared floats for all rows and slices */
    float
        *packed; /* a working copy of the parameters, current instead of params; or NULL */
    float *dout;
    float *dinp;
    const float *params;
    float *state;
    float *target; /* laid out as params: beta * target + alpha * gradient */
    float *sums;   /* layer->sums floats, for FINISH */
    float
        *statistics; /* layer->statistics floats of a slice's rows; MERGE: of all slices */
    bool begins;     /* STATISTICS: these are the slice's first rows */
    int row_slices;
    int batch_rows;
    int slices; /* of a pass by columns */
    float alpha, beta;
} rnn_io;

typedef void (*rnn_pass_fn)(const rnn_layer *layer, const rnn_io *io, int slice);

typedef struct {
    const char *name;
    const rnn_attr *attrs; /* ends with RNN_ATTRS_END */
    /* Facts about each output in inference: it is within the bounds of the inputs, or
     * 0; a factor of the inputs is one of it, without any parameters. */
    bool keeps_bounds, keeps_factors;
    /* Of tokens, the rows of an input of rank 2: each output token is made of the input's
     * at the same place, perhaps with others; real tokens are distinguished from padding
     * here; padding is left out. */
    bool keeps_tokens, makes_mask, takes_mask;
    bool keeps_numbers; /* each output is one of the inputs */
    bool any_slices;    /* a pass by columns has the same bits for any number of slices */
    rnn_mark mark;      /* marks are not layers that a user can name */
    bool sums_branches; /* the gradient of each branch's output is dout */
    /* Fills out, params, cache, scratch, shared, slices and work from attr and in. */
    rnn_status (*setup)(rnn_layer *layer, rnn_error *error);
    rnn_pass_fn pass[RNN_PASSES];
    /* Parameters to the working copy and back: some kernels like another order. */
    void (*pack)(const rnn_layer *layer, float *packed, const float *params);
    void (*unpack)(const rnn_layer *layer, float *params, const float *packed);
} rnn_layer_type;

/* In place of a number of slices: the pass is given some rows of the batch, and
 * neighboring layers of this kind compute rows through all of them before the next rows
 * come; backward is given the same rows at a time as forward. PARAMS by rows is given a
 * target of the slice's own; these partial sums are added up by a binary tree over slices.
 */
#define RNN_BY_ROWS (-1)
#define RNN_CHUNK_ROWS 8 /* at most this many rows at a time, which scratch is for */

struct rnn_layer {
    const rnn_layer_type *type;
    double attr[RNN_MAX_ATTRS]; /* in the order of type->attrs */
    char path[64];              /* for messages: "layers[2].residual[0]" */
    rnn_shape in, out;
    rnn_window window; /* of what slides one over its input */
    rnn_window pool;   /* of a fused convolution: the pool's above it */
    int in_size, out_size;
    int below;         /* the layer whose outputs it reads; -1: the net's inputs */
    rnn_sides sides;   /* of a fork or a join */
    rnn_layout layout; /* of its input, and of its output if that is an image */
    bool is_first;     /* its inputs are the data, at most under another shape */
    bool reads_data;   /* the same, also in a branch, or some of them */
    int mask; /* the layer that marks padding among real tokens in the output of this one,
                 and in its input if it leaves padding out; -1: none */
    int masked_by;
    rnn_param param[RNN_MAX_PARAMS];
    int n_params;
    size_t param_count, state_count; /* floats in all parameters, in all state */
    size_t cache;                    /* floats per row */
    size_t scratch;                  /* floats that a pass may write and forget */
    size_t shared;                   /* floats from PREPARE, or statistics of a batch */
    size_t packed;                   /* floats of a working copy of parameters; 0: none */
    size_t sums;         /* floats that PARAMS by rows adds up for FINISH; 0: no FINISH */
    size_t statistics;   /* floats that STATISTICS leaves of a slice of rows */
    size_t finish_cache; /* floats at the end of the cache that FINISH reads, with dout,
                            of all rows; 0: it reads neither */
    bool takes_nonzeros; /* FORWARD and PARAMS can do with the nonzeros of inp */
    bool is_identity;    /* returns its input: may be skipped */
    bool keeps_dout;     /* no pass writes to dout */
    int slices[RNN_PASSES];  /* from shapes only, or RNN_BY_ROWS; 0: no such pass; with
                                any_slices 1: as many as suit the threads */
    double work[RNN_PASSES]; /* multiply-adds per row, to decide when threads do not pay;
                                PREPARE's are a batch's */
    size_t carried; /* floats of a row's state that one call may leave to the next */
    rnn_shape maps; /* what attention_maps shows of a row; rank 0: nothing */
};

/* The floats that a pass forward keeps of a row. */
double rnn_layer_row_floats(const rnn_layer *layer);

/* Appends a parameter; false when its size does not fit. */
bool rnn_layer_add_param(rnn_layer *layer, rnn_param param);

/* How many slices `extent` columns are cut into at most. */
#define RNN_MAX_COLUMN_SLICES 32

/* How many slices `extent` columns are cut into, and where slice i begins. A slice is a
 * whole number of 64-element blocks, so that two threads share no cache line. */
int rnn_slice_count(int extent);
int rnn_slice_begin(int extent, int slices, int slice);

/* The same for rows: a power of two of slices, of at least 8 rows each while there are
 * two; `most` for any number of rows, a power of two. A slice's rows do not depend on who
 * has the other slices, so that they may be in several places. */
int rnn_row_slices(int rows, int most);
int rnn_row_begin(int rows, int slices, int slice);

/* What setup says of a layer, behind its path; each returns RNN_EINVAL. Of a key,
 * ".<key>: <what>", or ": <what>" without one; of the layer, ": <type> expects <expected>,
 * got an input of 28 x 28", or that a product of n extents is too large. */
rnn_status rnn_layer_refuse(rnn_error *error, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
rnn_status rnn_layer_refuse_input(const rnn_layer *layer, rnn_error *error,
                                  const char *expected);
rnn_status rnn_layer_refuse_size(rnn_error *error, const char *what, const int *extent,
                                 int n);

/* "1 x 28 x 28", for messages. */
typedef struct {
    char text[80];
} rnn_extents;

rnn_extents rnn_describe_extents(const int *extent, int n);

#endif

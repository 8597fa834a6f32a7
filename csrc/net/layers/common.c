/* What several layers' adapters share. Part of level.c. */
#include "../layer.h"

#include "../../base/size.h"
#include "../../kernels/kernels.h"

#include <math.h>
#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static const char *
activation_name(int index)
{
    return index < COUNT(activations) ? activations[index].name : NULL;
}

static const rnn_attr no_attrs[] = {RNN_ATTRS_END};

/* FORWARD and INPUT by rows, `work` multiply-adds per row each. */
static void
take_rows(rnn_layer *layer, double work)
{
    layer->slices[RNN_FORWARD] = layer->slices[RNN_INPUT] = RNN_BY_ROWS;
    layer->work[RNN_FORWARD] = layer->work[RNN_INPUT] = work;
}

static int
last_extent(const rnn_layer *layer)
{
    return layer->in.dim[layer->in.rank - 1];
}

/* Numbers of a channel. */
static int
plane_area(const rnn_layer *layer)
{
    return layer->in_size / layer->in.dim[0];
}

/* Columns, channels or rows of a weight that a slice computes. */
typedef struct {
    int begin, end;
} part;

/* Elements of the current rows, a row being `each`, and where they begin in the batch. */
static size_t
all_elements(const rnn_io *io, int each)
{
    return (size_t)io->rows * (size_t)each;
}

static size_t
first_element(const rnn_io *io, int each)
{
    return (size_t)io->first_row * (size_t)each;
}

/* Copies blocks of `size`, which begin `stride` numbers apart. */
static void
copy_blocks(float *to, int to_stride, const float *from, int from_stride, int size,
            size_t blocks)
{
    for (size_t i = 0; i < blocks; i++, to += to_stride, from += from_stride)
        memcpy(to, from, (size_t)size * sizeof(float));
}

/* Rows of a matrix product: samples, or samples times tokens for an input of rank 2. */
static int
row_count(const rnn_layer *layer, const rnn_io *io)
{
    return layer->in.rank == 2 ? io->rows * layer->in.dim[0] : io->rows;
}

/* target = beta * target + alpha * gradient of a whole dense product. */
static void
dense_backward_params(float *weight_target, float *bias_target, const float *dout,
                      const float *inp, int rows, int in, int units, float alpha,
                      float beta)
{
    dense_backward_weight(weight_target, dout, inp, rows, in, units, 0, in, 0, units, alpha,
                          beta);
    dense_backward_bias(bias_target, dout, rows, units, 0, units, alpha, beta);
}

static const float *
param_of(const rnn_layer *layer, const rnn_io *io, int index)
{
    return io->params + layer->param[index].offset;
}

static float *
target_of(const rnn_layer *layer, const rnn_io *io, int index)
{
    return io->target + layer->param[index].offset;
}

/* The next `count` floats of an area, whose blocks begin at cache lines. */
static float *
take_block(float **area, ptrdiff_t count)
{
    float *block = *area;
    *area += (count + 15) / 16 * 16;
    return block;
}

/* Appends a layer's parameters, which follow in the arena. */
static void
append_params(rnn_layer *fused, const rnn_layer *layer)
{
    for (int i = 0; i < layer->n_params; i++) {
        rnn_param param = layer->param[i];
        param.offset += fused->param_count;
        fused->param[fused->n_params++] = param;
    }
    fused->param_count += layer->param_count;
}

static bool
add_scale_and_shift(rnn_layer *layer, int n)
{
    rnn_param weight = {.name = "weight", .shape = {1, {n}}, .init = RNN_ONES};
    rnn_param bias = {.name = "bias", .shape = {1, {n}}};
    return rnn_layer_add_param(layer, weight) && rnn_layer_add_param(layer, bias);
}

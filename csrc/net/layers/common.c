/* What several layers' adapters share. Part of net/level.c. */
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

/* FORWARD and INPUT by rows, `work` multiply-adds a row each. */
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

/* Where a slice of rows begins and ends, a row being `each` elements. */
typedef struct {
    size_t begin, end;
} span;

static span
row_span(const rnn_io *io, int slice, int each)
{
    return (span){(size_t)rnn_row_begin(io->rows, slice) * (size_t)each,
                  (size_t)rnn_row_begin(io->rows, slice + 1) * (size_t)each};
}

/* Rows of a matrix product: samples, or samples times tokens for an input of rank 2. */
static int
row_count(const rnn_layer *layer, const rnn_io *io)
{
    return layer->in.rank == 2 ? io->rows * layer->in.dim[0] : io->rows;
}

/* target = beta * target + alpha * (partials added in slice order), elements begin..end.
 * partial s lies at partials + s * stride. */
static void
reduce_partials(float *target, const float *partials, size_t stride, int slices, int begin,
                int end, float alpha, float beta)
{
    for (int i = begin; i < end; i++) {
        float sum = partials[i];
        for (int s = 1; s < slices; s++)
            sum += partials[(size_t)s * stride + (size_t)i];
        target[i] = (beta == 0 ? 0 : beta * target[i]) + alpha * sum;
    }
}

/* The PARAMS pass of layers whose OUTPUT pass left a partial gradient of all parameters for
 * each slice of rows at the start of scratch. */
static void
reduce_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    int count = (int)layer->param_count, slices = layer->slices[RNN_PARAMS];
    reduce_partials(io->target, io->scratch, layer->param_count, rnn_row_slices(io->rows),
                    rnn_slice_begin(count, slices, slice),
                    rnn_slice_begin(count, slices, slice + 1), io->alpha, io->beta);
}

#include "layer.h"

#include "../base/size.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SLICE_BLOCK 64

/* Rows of a tile of products; fewer only so that two threads have work. */
#define ROWS_A_SLICE 8

int
rnn_shape_size(const rnn_shape *shape)
{
    return rnn_size_product(shape->dim, shape->rank);
}

bool
rnn_same_shape(const rnn_shape *a, const rnn_shape *b)
{
    return a->rank == b->rank
           && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim) == 0;
}

bool
rnn_attr_is_key(const rnn_attr *attr)
{
    return attr->kind != RNN_MORE && attr->kind != RNN_UNUSED;
}

int
rnn_attr_count(const rnn_attr *attr)
{
    int count = 1;
    while (attr[count].kind == RNN_MORE)
        count++;
    return count;
}

double
rnn_layer_row_floats(const rnn_layer *layer)
{
    return (double)layer->out_size + (double)layer->cache;
}

bool
rnn_layer_add_param(rnn_layer *layer, rnn_param param)
{
    int size = rnn_shape_size(&param.shape);
    size_t *count = param.is_state ? &layer->state_count : &layer->param_count;
    param.offset = *count;
    layer->param[layer->n_params++] = param;
    return size > 0 && rnn_size_add(count, (size_t)size, 1);
}

static int
block_count(int extent)
{
    return extent / SLICE_BLOCK + (extent % SLICE_BLOCK != 0);
}

int
rnn_slice_count(int extent)
{
    int blocks = block_count(extent);
    return blocks < RNN_MAX_COLUMN_SLICES ? blocks : RNN_MAX_COLUMN_SLICES;
}

int
rnn_slice_begin(int extent, int slices, int slice)
{
    long long begin = (long long)block_count(extent) * slice / slices * SLICE_BLOCK;
    return begin < extent ? (int)begin : extent;
}

int
rnn_row_slices(int rows, int most)
{
    int slices = 2;
    while (slices < most && rows / ROWS_A_SLICE >= 2 * slices)
        slices *= 2;
    return rows < 2 ? rows : slices;
}

int
rnn_row_begin(int rows, int slices, int slice)
{
    return (int)((int64_t)rows * slice / slices);
}

rnn_extents
rnn_describe_extents(const int *extent, int n)
{
    rnn_extents described = {""};
    size_t used = 0, room = sizeof described.text;
    for (int i = 0; i < n && used < room; i++)
        used += (size_t)snprintf(described.text + used, room - used, "%s%d",
                                 i > 0 ? " x " : "", extent[i]);
    return described;
}

rnn_status
rnn_layer_refuse(rnn_error *error, const char *key, const char *format, ...)
{
    va_list arguments;
    const char *dot = key != NULL ? "." : "";
    int used =
        snprintf(error->text, sizeof error->text, "%s%s: ", dot, key != NULL ? key : "");
    va_start(arguments, format);
    vsnprintf(error->text + used, sizeof error->text - (size_t)used, format, arguments);
    va_end(arguments);
    return RNN_EINVAL;
}

rnn_status
rnn_layer_refuse_input(const rnn_layer *layer, rnn_error *error, const char *expected)
{
    snprintf(error->text, sizeof error->text, ": %s expects %s, got an input of %s",
             layer->type->name, expected,
             rnn_describe_extents(layer->in.dim, layer->in.rank).text);
    return RNN_EINVAL;
}

rnn_status
rnn_layer_refuse_size(rnn_error *error, const char *what, const int *extent, int n)
{
    snprintf(error->text, sizeof error->text,
             ": expected %s of at most %d elements, got %s", what, RNN_MAX_EXTENT,
             rnn_describe_extents(extent, n).text);
    return RNN_EINVAL;
}

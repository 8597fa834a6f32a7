#include "layer.h"

#include "../base/size.h"
#include "../base/team.h"

#define SLICE_BLOCK 64

int
rnn_shape_size(const rnn_shape *shape)
{
    return rnn_size_product(shape->dim, shape->rank);
}

bool
rnn_layer_add_param(rnn_layer *layer, const char *name, rnn_shape shape, rnn_init init,
                    int fan_in, int fan_out)
{
    int size = rnn_shape_size(&shape);
    rnn_param *param = &layer->param[layer->n_params];
    *param = (rnn_param){name, shape, layer->param_count, init, fan_in, fan_out};
    layer->n_params++;
    return size > 0 && rnn_size_add(&layer->param_count, (size_t)size, 1);
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
    return blocks < RNN_MAX_SLICES ? blocks : RNN_MAX_SLICES;
}

int
rnn_slice_begin(int extent, int slices, int slice)
{
    long long begin = (long long)block_count(extent) * slice / slices * SLICE_BLOCK;
    return begin < extent ? (int)begin : extent;
}

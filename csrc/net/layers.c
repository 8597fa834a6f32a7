/* Adapters: how each layer's kernels fill the four passes. Part of net/level.c. */
#include "layer.h"

#include "../base/size.h"
#include "../kernels/kernels.h"

#include <math.h>
#include <stdio.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* ---- dense: out = f(inp W + b), f the activation ---- */

enum { DENSE_UNITS, DENSE_ACTIVATION, DENSE_ALPHA };

static const char *
activation_name(int index)
{
    return index < COUNT(activations) ? activations[index].name : NULL;
}

static const rnn_attr dense_attrs[] = {
    [DENSE_UNITS] = {"units", RNN_INT, true, NAN, 1, RNN_MAX_EXTENT, NULL},
    [DENSE_ACTIVATION] = {"activation", RNN_CHOICE, false, 0, 0, 0, activation_name},
    [DENSE_ALPHA] = {"alpha", RNN_FLOAT, false, NAN, 0, 1e30, NULL},
    {NULL, RNN_INT, false, 0, 0, 0, NULL},
};

static const activation *
dense_activation(const rnn_layer *layer)
{
    return &activations[(int)layer->attr[DENSE_ACTIVATION]];
}

static rnn_status
dense_setup(rnn_layer *layer, rnn_error *error)
{
    int in = layer->in_size, units = (int)layer->attr[DENSE_UNITS];
    if (layer->in.rank != 1) {
        snprintf(error->text, sizeof error->text,
                 "type: dense takes an input of rank 1, got rank %d", layer->in.rank);
        return RNN_EINVAL;
    }
    const activation *f = dense_activation(layer);
    if (isnan(layer->attr[DENSE_ALPHA]))
        layer->attr[DENSE_ALPHA] = f->alpha;
    layer->out = (rnn_shape){1, {units}};
    bool fits = rnn_layer_add_param(layer, "weight", (rnn_shape){2, {in, units}},
                                    RNN_GLOROT_UNIFORM, in, units);
    if (!fits
        || !rnn_layer_add_param(layer, "bias", (rnn_shape){1, {units}}, RNN_ZEROS, in,
                                units)) {
        snprintf(error->text, sizeof error->text,
                 "units: a weight of %d x %d has more than 2^31 - 1 elements", in, units);
        return RNN_EINVAL;
    }
    layer->cache = f->from_input ? (size_t)units : 0;
    layer->slices[RNN_FORWARD] = layer->slices[RNN_PARAMS] = rnn_slice_count(units);
    layer->slices[RNN_OUTPUT] = f->forward == linear_forward ? 0 : rnn_slice_count(units);
    layer->slices[RNN_INPUT] = rnn_slice_count(in);
    double products = (double)in * units;
    layer->work[RNN_FORWARD] = layer->work[RNN_PARAMS] = layer->work[RNN_INPUT] = products;
    layer->work[RNN_OUTPUT] = units;
    return RNN_OK;
}

static void
dense_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    const activation *f = dense_activation(layer);
    int size = layer->out_size, slices = layer->slices[RNN_FORWARD];
    int begin = rnn_slice_begin(size, slices, slice);
    int end = rnn_slice_begin(size, slices, slice + 1);
    float *z = f->from_input ? io->cache : io->out;
    dense_forward(z, io->inp, io->params + layer->param[0].offset,
                  io->params + layer->param[1].offset, io->rows, layer->in_size, size,
                  begin, end);
    if (f->forward == linear_forward)
        return;
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * size + begin;
        f->forward(io->out + at, z + at, end - begin, (float)layer->attr[DENSE_ALPHA]);
    }
}

static void
dense_output_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    const activation *f = dense_activation(layer);
    int size = layer->out_size, slices = layer->slices[RNN_OUTPUT];
    int begin = rnn_slice_begin(size, slices, slice);
    int end = rnn_slice_begin(size, slices, slice + 1);
    const float *seen = f->from_input ? io->cache : io->out;
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * size + begin;
        f->backward(io->dout + at, io->dout + at, seen + at, end - begin,
                    (float)layer->attr[DENSE_ALPHA]);
    }
}

static void
dense_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    int in = layer->in_size, slices = layer->slices[RNN_INPUT];
    dense_backward_input(io->dinp, io->dout, io->params + layer->param[0].offset, io->rows,
                         in, layer->out_size, rnn_slice_begin(in, slices, slice),
                         rnn_slice_begin(in, slices, slice + 1));
}

static void
dense_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    int size = layer->out_size, slices = layer->slices[RNN_PARAMS];
    dense_backward_params(io->target + layer->param[0].offset,
                          io->target + layer->param[1].offset, io->dout, io->inp, io->rows,
                          layer->in_size, size, rnn_slice_begin(size, slices, slice),
                          rnn_slice_begin(size, slices, slice + 1), io->alpha, io->beta);
}

static const rnn_layer_type dense_layer = {
    .name = "dense",
    .attrs = dense_attrs,
    .setup = dense_setup,
    .pass = {[RNN_FORWARD] = dense_forward_pass,
             [RNN_OUTPUT] = dense_output_pass,
             [RNN_INPUT] = dense_input_pass,
             [RNN_PARAMS] = dense_params_pass},
};

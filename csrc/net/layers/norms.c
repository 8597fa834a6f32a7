/* layernorm over the last axis; cache holds the mean and rstd of each token.
 * Part of level.c. */

enum { LAYERNORM_EPSILON };

static const rnn_attr layernorm_attrs[] = {
    [LAYERNORM_EPSILON] = {"epsilon", RNN_FLOAT, false, 1e-5, 1e-30, 1, NULL},
    RNN_ATTRS_END,
};

static rnn_status
layernorm_setup(rnn_layer *layer, rnn_error *error)
{
    int D = last_extent(layer);
    layer->out = layer->in;
    if (!add_scale_and_shift(layer, D))
        return rnn_layer_refuse_size(error, "parameters", &D, 1);
    layer->cache = 2 * (size_t)(layer->in_size / D);
    take_rows(layer, 8.0 * layer->in_size);
    layer->slices[RNN_PARAMS] = RNN_BY_ROWS;
    layer->work[RNN_PARAMS] = 4.0 * layer->in_size;
    return RNN_OK;
}

static void
layernorm_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int D = last_extent(layer), rows = io->rows * (layer->in_size / D);
    layernorm_forward(io->out, io->cache, io->inp, io->params, io->params + D, rows, D,
                      (float)layer->attr[LAYERNORM_EPSILON]);
}

static void
layernorm_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int D = last_extent(layer), rows = io->rows * (layer->in_size / D);
    layernorm_backward_input(io->dinp, io->dout, io->inp, io->cache, io->params, rows, D);
}

static void
layernorm_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int D = last_extent(layer), rows = io->rows * (layer->in_size / D);
    layernorm_backward_params(io->target, io->target + D, io->dout, io->inp, io->cache,
                              rows, D, io->alpha, io->beta);
}

static const rnn_layer_type layernorm_layer = {
    .name = "layernorm",
    .attrs = layernorm_attrs,
    .keeps_tokens = true,
    .setup = layernorm_setup,
    .pass = {[RNN_FORWARD] = layernorm_forward_pass,
             [RNN_INPUT] = layernorm_input_pass,
             [RNN_PARAMS] = layernorm_params_pass},
};

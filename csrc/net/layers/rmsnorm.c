/* rmsnorm over the last axis; cache of a row holds its tokens' 1/rms.
 * Part of level.c. */

enum { RMSNORM_EPSILON };

static const rnn_attr rmsnorm_attrs[] = {
    [RMSNORM_EPSILON] = {"epsilon", RNN_FLOAT, false, 1e-5, 1e-30, 1, NULL},
    RNN_ATTRS_END,
};

static rnn_status
rmsnorm_setup(rnn_layer *layer, rnn_error *error)
{
    int D = last_extent(layer);
    rnn_param weight = {.name = "weight", .shape = {1, {D}}, .init = RNN_ONES};
    layer->out = layer->in;
    if (!rnn_layer_add_param(layer, weight))
        return rnn_layer_refuse_size(error, "parameters", &D, 1);
    layer->cache = (size_t)(layer->in_size / D);
    take_rows(layer, 6.0 * layer->in_size);
    layer->slices[RNN_PARAMS] = RNN_BY_ROWS;
    layer->work[RNN_PARAMS] = 2.0 * layer->in_size;
    return RNN_OK;
}

static void
rmsnorm_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int D = last_extent(layer), rows = io->rows * (layer->in_size / D);
    rmsnorm_forward(io->out, io->cache, io->inp, io->params, rows, D,
                    (float)layer->attr[RMSNORM_EPSILON]);
}

static void
rmsnorm_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int D = last_extent(layer), rows = io->rows * (layer->in_size / D);
    rmsnorm_backward_input(io->dinp, io->dout, io->inp, io->cache, io->params, rows, D);
}

static void
rmsnorm_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int D = last_extent(layer), rows = io->rows * (layer->in_size / D);
    rmsnorm_backward_params(io->target, io->dout, io->inp, io->cache, rows, D, io->alpha,
                            io->beta);
}

static const rnn_layer_type rmsnorm_layer = {
    .name = "rmsnorm",
    .attrs = rmsnorm_attrs,
    .keeps_tokens = true,
    .setup = rmsnorm_setup,
    .pass = {[RNN_FORWARD] = rmsnorm_forward_pass,
             [RNN_INPUT] = rmsnorm_input_pass,
             [RNN_PARAMS] = rmsnorm_params_pass},
};

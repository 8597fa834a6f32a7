/* prelu: inp where it is positive, else weight * inp, with one weight, or one for each
 * index of the first axis: channels of images and signals. Part of level.c. */

enum { PRELU_PER_CHANNEL, PRELU_INITIAL };

static const rnn_attr prelu_attrs[] = {
    [PRELU_PER_CHANNEL] = {"per_channel", RNN_BOOL, false, 0, 0, 1, NULL},
    [PRELU_INITIAL] = {"initial", RNN_FLOAT, false, 0.25, -1e6, 1e6, NULL},
    RNN_ATTRS_END,
};

static rnn_status
prelu_setup(rnn_layer *layer, rnn_error *error)
{
    int n = layer->attr[PRELU_PER_CHANNEL] != 0 ? layer->in.dim[0] : 1;
    rnn_param weight = {.name = "weight",
                        .shape = {1, {n}},
                        .init = RNN_CONSTANT,
                        .limit = (float)layer->attr[PRELU_INITIAL]};
    layer->out = layer->in;
    layer->layout = RNN_ANY_LAYOUT;
    if (!rnn_layer_add_param(layer, weight))
        return rnn_layer_refuse_size(error, "parameters", &n, 1);
    take_rows(layer, layer->in_size);
    layer->slices[RNN_PARAMS] = RNN_BY_ROWS;
    layer->work[RNN_PARAMS] = layer->in_size;
    return RNN_OK;
}

/* Of some rows. */
static feature_view
prelu_view(const rnn_layer *layer, const rnn_io *io)
{
    int n = (int)layer->param_count, area = layer->in_size / n;
    if (layer->layout == RNN_PIXELS && n > 1)
        return (feature_view){io->rows * area, n, 1};
    return (feature_view){io->rows, n, area};
}

static void
prelu_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    feature_view v = prelu_view(layer, io);
    prelu_forward(io->out, io->inp, io->params, v.outer, v.n, v.area);
}

static void
prelu_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    feature_view v = prelu_view(layer, io);
    prelu_backward_input(io->dinp, io->dout, io->inp, io->params, v.outer, v.n, v.area);
}

static void
prelu_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    feature_view v = prelu_view(layer, io);
    prelu_backward_weight(io->target, io->dout, io->inp, v.outer, v.n, v.area, io->alpha,
                          io->beta);
}

static const rnn_layer_type prelu_layer = {
    .name = "prelu",
    .attrs = prelu_attrs,
    .keeps_tokens = true,
    .setup = prelu_setup,
    .pass = {[RNN_FORWARD] = prelu_forward_pass,
             [RNN_INPUT] = prelu_input_pass,
             [RNN_PARAMS] = prelu_params_pass},
};

/* activation: out = f(inp), element by element. softmax: over the last axis.
 * Part of level.c. */

enum { ACTIVATION_FUNCTION, ACTIVATION_ALPHA };

static const rnn_attr activation_attrs[] = {
    [ACTIVATION_FUNCTION] = {"function", RNN_CHOICE, true, 0, 0, 0, activation_name},
    [ACTIVATION_ALPHA] = {"alpha", RNN_FLOAT, false, NAN, 0, 1e30, NULL},
    RNN_ATTRS_END,
};

static const activation *
activation_of(const rnn_layer *layer)
{
    return &activations[(int)layer->attr[ACTIVATION_FUNCTION]];
}

static rnn_status
activation_setup(rnn_layer *layer, rnn_error *error)
{
    (void)error;
    if (isnan(layer->attr[ACTIVATION_ALPHA]))
        layer->attr[ACTIVATION_ALPHA] = activation_of(layer)->alpha;
    layer->out = layer->in;
    layer->layout = RNN_ANY_LAYOUT;
    take_rows(layer, layer->in_size);
    return RNN_OK;
}

static void
activation_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    activation_of(layer)->forward(io->out, io->inp, (int)all_elements(io, layer->in_size),
                                  (float)layer->attr[ACTIVATION_ALPHA]);
}

static void
activation_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    const activation *f = activation_of(layer);
    f->backward(io->dinp, io->dout, f->from_input ? io->inp : io->out,
                (int)all_elements(io, layer->in_size),
                (float)layer->attr[ACTIVATION_ALPHA]);
}

static const rnn_layer_type activation_layer = {
    .name = "activation",
    .attrs = activation_attrs,
    .keeps_tokens = true,
    .setup = activation_setup,
    .pass = {[RNN_FORWARD] = activation_forward_pass, [RNN_INPUT] = activation_input_pass},
};

static rnn_status
softmax_setup(rnn_layer *layer, rnn_error *error)
{
    (void)error;
    layer->out = layer->in;
    take_rows(layer, 8.0 * layer->in_size);
    return RNN_OK;
}

static void
softmax_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int n = last_extent(layer);
    softmax(io->out, io->inp, n, 0, io->rows * (layer->in_size / n));
}

static void
softmax_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int n = last_extent(layer);
    softmax_backward(io->dinp, io->dout, io->out, n, 0, io->rows * (layer->in_size / n));
}

static const rnn_layer_type softmax_layer = {
    .name = "softmax",
    .attrs = no_attrs,
    .keeps_tokens = true,
    .setup = softmax_setup,
    .pass = {[RNN_FORWARD] = softmax_forward_pass, [RNN_INPUT] = softmax_input_pass},
};

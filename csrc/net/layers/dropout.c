/* dropout: identity in inference. Part of level.c. */

enum { DROPOUT_RATE };

static const rnn_attr dropout_attrs[] = {
    [DROPOUT_RATE] = {"rate", RNN_FLOAT, true, NAN, 0, 1 - 1e-6, NULL},
    RNN_ATTRS_END,
};

static rnn_status
dropout_setup(rnn_layer *layer, rnn_error *error)
{
    (void)error;
    layer->out = layer->in;
    take_rows(layer, 4.0 * layer->in_size);
    return RNN_OK;
}

static void
dropout_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    size_t n = all_elements(io, layer->in_size);
    if (io->training)
        dropout(io->out, io->inp, n, first_element(io, layer->in_size),
                (float)layer->attr[DROPOUT_RATE], io->key);
    else
        memcpy(io->out, io->inp, n * sizeof(float));
}

static void
dropout_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    dropout_backward(io->dinp, io->dout, io->out, all_elements(io, layer->in_size),
                     (float)layer->attr[DROPOUT_RATE]);
}

static const rnn_layer_type dropout_layer = {
    .name = "dropout",
    .attrs = dropout_attrs,
    .keeps_tokens = true,
    .keeps_bounds = true,
    .keeps_factors = true,
    .setup = dropout_setup,
    .pass = {[RNN_FORWARD] = dropout_forward_pass, [RNN_INPUT] = dropout_input_pass},
};

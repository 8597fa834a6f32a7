/* flatten: the same numbers in the same order, as one row. Part of level.c. */

static rnn_status
flatten_setup(rnn_layer *layer, rnn_error *error)
{
    (void)error;
    layer->out = (rnn_shape){1, {layer->in_size}};
    layer->is_identity = true;
    take_rows(layer, layer->in_size);
    return RNN_OK;
}

static void
flatten_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    memcpy(io->out, io->inp, all_elements(io, layer->in_size) * sizeof(float));
}

static void
flatten_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    memcpy(io->dinp, io->dout, all_elements(io, layer->in_size) * sizeof(float));
}

static const rnn_layer_type flatten_layer = {
    .name = "flatten",
    .attrs = no_attrs,
    .keeps_bounds = true,
    .keeps_factors = true,
    .setup = flatten_setup,
    .pass = {[RNN_FORWARD] = flatten_forward_pass, [RNN_INPUT] = flatten_input_pass},
};

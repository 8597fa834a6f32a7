/* flatten: the same numbers in the same order, as one row. Part of net/level.c. */

static rnn_status
flatten_setup(rnn_layer *layer, rnn_error *error)
{
    (void)error;
    layer->out = (rnn_shape){1, {layer->in_size}};
    take_rows(layer, layer->in_size);
    return RNN_OK;
}

static void
flatten_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    span s = row_span(io, slice, layer->in_size);
    memcpy(io->out + s.begin, io->inp + s.begin, (s.end - s.begin) * sizeof(float));
}

static void
flatten_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    span s = row_span(io, slice, layer->in_size);
    memcpy(io->dinp + s.begin, io->dout + s.begin, (s.end - s.begin) * sizeof(float));
}

static const rnn_layer_type flatten_layer = {
    .name = "flatten",
    .attrs = no_attrs,
    .setup = flatten_setup,
    .pass = {[RNN_FORWARD] = flatten_forward_pass, [RNN_INPUT] = flatten_input_pass},
};

/* gaussian_noise: inp + stddev * normal numbers in training, identity in inference.
 * Part of level.c. */

enum { NOISE_STDDEV };

static const rnn_attr noise_attrs[] = {
    [NOISE_STDDEV] = {"stddev", RNN_FLOAT, true, NAN, 0, 1e6, NULL},
    RNN_ATTRS_END,
};

static rnn_status
noise_setup(rnn_layer *layer, rnn_error *error)
{
    (void)error;
    layer->out = layer->in;
    take_rows(layer, 16.0 * layer->in_size);
    return RNN_OK;
}

static void
noise_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    size_t n = all_elements(io, layer->in_size);
    if (io->training)
        add_noise(io->out, io->inp, n, first_element(io, layer->in_size),
                  (float)layer->attr[NOISE_STDDEV], io->key);
    else
        memcpy(io->out, io->inp, n * sizeof(float));
}

static void
noise_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    memcpy(io->dinp, io->dout, all_elements(io, layer->in_size) * sizeof(float));
}

static const rnn_layer_type noise_layer = {
    .name = "gaussian_noise",
    .attrs = noise_attrs,
    .keeps_tokens = true,
    .keeps_bounds = true,
    .keeps_factors = true,
    .setup = noise_setup,
    .pass = {[RNN_FORWARD] = noise_forward_pass, [RNN_INPUT] = noise_input_pass},
};

/* global_avgpool1d, global_avgpool2d, global_maxpool1d, global_maxpool2d: one number for
 * each channel of a signal or an image, whose values are a plane. Part of level.c. */

static rnn_status
global_pool_setup(rnn_layer *layer, rnn_error *error, int rank, const char *expected)
{
    if (layer->in.rank != rank)
        return rnn_layer_refuse_input(layer, error, expected);
    layer->out = (rnn_shape){1, {layer->in.dim[0]}};
    layer->layout = RNN_ANY_LAYOUT;
    take_rows(layer, layer->in_size);
    return RNN_OK;
}

static rnn_status
global_avgpool1d_setup(rnn_layer *layer, rnn_error *error)
{
    return global_pool_setup(layer, error, 2, "channels x length");
}

static rnn_status
global_avgpool2d_setup(rnn_layer *layer, rnn_error *error)
{
    return global_pool_setup(layer, error, 3, "channels x height x width");
}

/* cache holds the index of each maximum in its plane. */
static rnn_status
global_maxpool1d_setup(rnn_layer *layer, rnn_error *error)
{
    rnn_status status = global_avgpool1d_setup(layer, error);
    layer->cache = (size_t)layer->in.dim[0];
    return status;
}

static rnn_status
global_maxpool2d_setup(rnn_layer *layer, rnn_error *error)
{
    rnn_status status = global_avgpool2d_setup(layer, error);
    layer->cache = (size_t)layer->in.dim[0];
    return status;
}

/* The pixels of an image are tokens; so are the values of a plane, of one value each. */
static void
global_avgpool_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    bool pixels = layer->layout == RNN_PIXELS;
    int area = plane_area(layer), C = pixels ? layer->out_size : 1;
    for (int i = 0; i < io->rows * layer->out_size; i += C)
        mean_over_tokens(io->out + i, io->inp + (ptrdiff_t)i * area, area, C);
}

static void
global_avgpool_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    bool pixels = layer->layout == RNN_PIXELS;
    int area = plane_area(layer), C = pixels ? layer->out_size : 1;
    for (int i = 0; i < io->rows * layer->out_size; i += C)
        spread_over_tokens(io->dinp + (ptrdiff_t)i * area, io->dout + i, area, C);
}

static void
global_maxpool_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int area = plane_area(layer), C = layer->out_size;
    if (layer->layout == RNN_PLANES)
        max_of_planes(io->out, (int32_t *)io->cache, io->inp, io->rows * C, area);
    else
        for (int i = 0; i < io->rows * C; i += C)
            max_over_pixels(io->out + i, (int32_t *)io->cache + i,
                            io->inp + (ptrdiff_t)i * area, area, C);
}

static void
global_maxpool_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int area = plane_area(layer), C = layer->out_size;
    if (layer->layout == RNN_PLANES)
        spread_to_maxima(io->dinp, io->dout, (const int32_t *)io->cache, io->rows * C,
                         area);
    else
        for (int i = 0; i < io->rows * C; i += C)
            spread_to_pixels(io->dinp + (ptrdiff_t)i * area, io->dout + i,
                             (const int32_t *)io->cache + i, area, C);
}

static const rnn_layer_type global_avgpool1d_layer = {
    .name = "global_avgpool1d",
    .attrs = no_attrs,
    .keeps_bounds = true,
    .keeps_factors = true,
    .setup = global_avgpool1d_setup,
    .pass = {[RNN_FORWARD] = global_avgpool_forward_pass,
             [RNN_INPUT] = global_avgpool_input_pass},
};

static const rnn_layer_type global_avgpool2d_layer = {
    .name = "global_avgpool2d",
    .attrs = no_attrs,
    .keeps_bounds = true,
    .keeps_factors = true,
    .setup = global_avgpool2d_setup,
    .pass = {[RNN_FORWARD] = global_avgpool_forward_pass,
             [RNN_INPUT] = global_avgpool_input_pass},
};

static const rnn_layer_type global_maxpool1d_layer = {
    .name = "global_maxpool1d",
    .attrs = no_attrs,
    .keeps_bounds = true,
    .setup = global_maxpool1d_setup,
    .pass = {[RNN_FORWARD] = global_maxpool_forward_pass,
             [RNN_INPUT] = global_maxpool_input_pass},
};

static const rnn_layer_type global_maxpool2d_layer = {
    .name = "global_maxpool2d",
    .attrs = no_attrs,
    .keeps_bounds = true,
    .setup = global_maxpool2d_setup,
    .pass = {[RNN_FORWARD] = global_maxpool_forward_pass,
             [RNN_INPUT] = global_maxpool_input_pass},
};

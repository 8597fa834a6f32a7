/* maxpool2d and avgpool2d. Part of level.c. */

enum { POOL_KERNEL, POOL_STRIDE, POOL_PADDING };

static const rnn_attr pool_attrs[] = {
    [POOL_KERNEL] = {"kernel_size", RNN_INT, false, 2, 1, 1 << 15, NULL},
    [POOL_STRIDE] = {"stride", RNN_INT, false, NAN, 1, 1 << 15, NULL},
    [POOL_PADDING] = {"padding", RNN_INT, false, 0, 0, 1 << 15, NULL},
    RNN_ATTRS_END,
};

static window
pool_window(const rnn_layer *layer)
{
    return window_of(layer, layer->attr[POOL_KERNEL], layer->attr[POOL_STRIDE],
                     layer->attr[POOL_PADDING]);
}

static rnn_status
pool_setup(rnn_layer *layer, rnn_error *error)
{
    int kernel = (int)layer->attr[POOL_KERNEL], padding = (int)layer->attr[POOL_PADDING];
    if (isnan(layer->attr[POOL_STRIDE]))
        layer->attr[POOL_STRIDE] = kernel;
    if (check_window(layer, kernel, padding, error) != RNN_OK)
        return RNN_EINVAL;
    if (padding > kernel / 2)
        return rnn_layer_refuse(error, "padding",
                                "expected at most half of the kernel, %d, got %d",
                                kernel / 2, padding);
    window s = pool_window(layer);
    layer->out = (rnn_shape){3, {s.C, s.P, s.Q}};
    take_rows(layer, (double)s.C * s.P * s.Q * kernel * kernel);
    return RNN_OK;
}

static bool
pool_is_2_by_2(const rnn_layer *layer)
{
    return layer->attr[POOL_KERNEL] == 2 && layer->attr[POOL_STRIDE] == 2
           && layer->attr[POOL_PADDING] == 0;
}

/* cache holds the index of each maximum. */
static rnn_status
maxpool2d_setup(rnn_layer *layer, rnn_error *error)
{
    rnn_status status = pool_setup(layer, error);
    layer->cache = (size_t)rnn_shape_size(&layer->out);
    return status;
}

static void
maxpool2d_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    window s = pool_window(layer);
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * layer->out_size;
        maxpool2d_forward(io->out + at, (int32_t *)io->cache + at,
                          io->inp + (ptrdiff_t)b * layer->in_size, &s);
    }
}

static void
maxpool2d_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    window s = pool_window(layer);
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * layer->out_size;
        maxpool2d_backward(io->dinp + (ptrdiff_t)b * layer->in_size, io->dout + at,
                           (const int32_t *)io->cache + at, &s);
    }
}

static const rnn_layer_type maxpool2d_layer = {
    .name = "maxpool2d",
    .attrs = pool_attrs,
    .keeps_bounds = true,
    .setup = maxpool2d_setup,
    .pass = {[RNN_FORWARD] = maxpool2d_forward_pass, [RNN_INPUT] = maxpool2d_input_pass},
};

static void
avgpool2d_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    window s = pool_window(layer);
    for (int b = 0; b < io->rows; b++)
        avgpool2d_forward(io->out + (ptrdiff_t)b * layer->out_size,
                          io->inp + (ptrdiff_t)b * layer->in_size, &s);
}

static void
avgpool2d_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    window s = pool_window(layer);
    for (int b = 0; b < io->rows; b++)
        avgpool2d_backward(io->dinp + (ptrdiff_t)b * layer->in_size,
                           io->dout + (ptrdiff_t)b * layer->out_size, &s);
}

static const rnn_layer_type avgpool2d_layer = {
    .name = "avgpool2d",
    .attrs = pool_attrs,
    .keeps_bounds = true,
    .keeps_factors = true,
    .setup = pool_setup,
    .pass = {[RNN_FORWARD] = avgpool2d_forward_pass, [RNN_INPUT] = avgpool2d_input_pass},
};

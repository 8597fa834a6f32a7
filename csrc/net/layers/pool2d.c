/* maxpool2d and avgpool2d. Part of level.c. */

enum { POOL_KERNEL, POOL_STRIDE = 2, POOL_PADDING = 4 };

static const rnn_attr pool_attrs[] = {
    [POOL_KERNEL] = {"kernel_size", RNN_INT, false, 2, 1, 1 << 15, NULL},
    RNN_ATTR_MORE,
    [POOL_STRIDE] = {"stride", RNN_INT, false, NAN, 1, 1 << 15, NULL},
    RNN_ATTR_MORE,
    [POOL_PADDING] = {"padding", RNN_INT, false, 0, 0, 1 << 15, padding_name},
    RNN_ATTR_MORE,
    RNN_ATTR_MORE,
    RNN_ATTR_MORE,
    RNN_ATTRS_END,
};

static const rnn_attr pool1d_attrs[] = {
    [POOL_KERNEL] = {"kernel_size", RNN_INT, false, 2, 1, 1 << 15, NULL},
    RNN_ATTR_UNUSED,
    [POOL_STRIDE] = {"stride", RNN_INT, false, NAN, 1, 1 << 15, NULL},
    RNN_ATTR_UNUSED,
    [POOL_PADDING] = {"padding", RNN_INT, false, 0, 0, 1 << 15, padding_name},
    RNN_ATTR_MORE,
    RNN_ATTRS_END,
};

static bool
pads_most_of(int kernel, int before, int after)
{
    return before > kernel / 2 || after > kernel / 2;
}

/* A window that lies in the padding alone would have no maximum. */
static rnn_status
check_pool_padding(const rnn_layer *layer, rnn_error *error)
{
    const rnn_window *s = &layer->window;
    int axes = layer->in.rank - 1;
    int half[2] = {s->KH / 2, s->KW / 2},
        padding[4] = {s->top, s->bottom, s->left, s->right};
    bool is_square = axes == 1 || half[0] == half[1];
    bool is_one =
        (axes == 1 || (s->top == s->bottom && s->top == s->left)) && s->left == s->right;
    if (!pads_most_of(s->KH, s->top, s->bottom) && !pads_most_of(s->KW, s->left, s->right))
        return RNN_OK;
    return rnn_layer_refuse(
        error, "padding", "expected at most half of the kernel, %s, got %s",
        rnn_describe_extents(half + 2 - axes, is_square ? 1 : axes).text,
        rnn_describe_extents(padding + 4 - 2 * axes, is_one ? 1 : 2 * axes).text);
}

static rnn_status
set_up_pool(rnn_layer *layer, const window_attrs *at, rnn_error *error)
{
    for (int i = 0; i < at->axes; i++)
        if (isnan(layer->attr[at->stride + i]))
            layer->attr[at->stride + i] = layer->attr[at->kernel + i];
    if (set_up_window(layer, at, error) != RNN_OK
        || check_pool_padding(layer, error) != RNN_OK)
        return RNN_EINVAL;
    const rnn_window *s = &layer->window;
    layer->out = window_shape(layer, s->C);
    layer->layout = RNN_ANY_LAYOUT;
    take_rows(layer, (double)s->C * s->P * s->Q * s->KH * s->KW);
    return RNN_OK;
}

static rnn_status
pool_setup(rnn_layer *layer, rnn_error *error)
{
    static const window_attrs at = {2, POOL_KERNEL, POOL_STRIDE, POOL_PADDING, -1, -1};
    return set_up_pool(layer, &at, error);
}

static rnn_status
pool1d_setup(rnn_layer *layer, rnn_error *error)
{
    static const window_attrs at = {1, POOL_KERNEL, POOL_STRIDE, POOL_PADDING, -1, -1};
    return set_up_pool(layer, &at, error);
}

static bool
pool_is_2_by_2(const rnn_layer *layer)
{
    const rnn_window *s = &layer->window;
    return s->KH == 2 && s->KW == 2 && s->SH == 2 && s->SW == 2 && s->top == 0
           && s->bottom == 0 && s->left == 0 && s->right == 0;
}

/* cache holds the index of each maximum. */
static rnn_status
maxpool2d_setup(rnn_layer *layer, rnn_error *error)
{
    rnn_status status = pool_setup(layer, error);
    layer->cache = (size_t)rnn_shape_size(&layer->out);
    return status;
}

static rnn_status
maxpool1d_setup(rnn_layer *layer, rnn_error *error)
{
    rnn_status status = pool1d_setup(layer, error);
    layer->cache = (size_t)rnn_shape_size(&layer->out);
    return status;
}

static void
maxpool2d_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    bool pixels = layer->layout == RNN_PIXELS;
    void (*forward)(float *, int32_t *, const float *, const rnn_window *) =
        pixels ? pixel_maxpool_forward : maxpool2d_forward;
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * layer->out_size;
        forward(io->out + at, (int32_t *)io->cache + at,
                io->inp + (ptrdiff_t)b * layer->in_size, &layer->window);
    }
}

static void
maxpool2d_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    bool pixels = layer->layout == RNN_PIXELS;
    void (*backward)(float *, const float *, const int32_t *, const rnn_window *) =
        pixels ? pixel_maxpool_backward : maxpool2d_backward;
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * layer->out_size;
        backward(io->dinp + (ptrdiff_t)b * layer->in_size, io->dout + at,
                 (const int32_t *)io->cache + at, &layer->window);
    }
}

static const rnn_layer_type maxpool2d_layer = {
    .name = "maxpool2d",
    .attrs = pool_attrs,
    .keeps_bounds = true,
    .setup = maxpool2d_setup,
    .pass = {[RNN_FORWARD] = maxpool2d_forward_pass, [RNN_INPUT] = maxpool2d_input_pass},
};

static const rnn_layer_type maxpool1d_layer = {
    .name = "maxpool1d",
    .attrs = pool1d_attrs,
    .keeps_bounds = true,
    .setup = maxpool1d_setup,
    .pass = {[RNN_FORWARD] = maxpool2d_forward_pass, [RNN_INPUT] = maxpool2d_input_pass},
};

static void
avgpool2d_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    bool pixels = layer->layout == RNN_PIXELS;
    void (*forward)(float *, const float *, const rnn_window *) =
        pixels ? pixel_avgpool_forward : avgpool2d_forward;
    for (int b = 0; b < io->rows; b++)
        forward(io->out + (ptrdiff_t)b * layer->out_size,
                io->inp + (ptrdiff_t)b * layer->in_size, &layer->window);
}

static void
avgpool2d_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    bool pixels = layer->layout == RNN_PIXELS;
    void (*backward)(float *, const float *, const rnn_window *) =
        pixels ? pixel_avgpool_backward : avgpool2d_backward;
    for (int b = 0; b < io->rows; b++)
        backward(io->dinp + (ptrdiff_t)b * layer->in_size,
                 io->dout + (ptrdiff_t)b * layer->out_size, &layer->window);
}

static const rnn_layer_type avgpool2d_layer = {
    .name = "avgpool2d",
    .attrs = pool_attrs,
    .keeps_bounds = true,
    .keeps_factors = true,
    .setup = pool_setup,
    .pass = {[RNN_FORWARD] = avgpool2d_forward_pass, [RNN_INPUT] = avgpool2d_input_pass},
};

static const rnn_layer_type avgpool1d_layer = {
    .name = "avgpool1d",
    .attrs = pool1d_attrs,
    .keeps_bounds = true,
    .keeps_factors = true,
    .setup = pool1d_setup,
    .pass = {[RNN_FORWARD] = avgpool2d_forward_pass, [RNN_INPUT] = avgpool2d_input_pass},
};

/* Layers that slide a window over an image: conv2d, maxpool2d, avgpool2d.
 * Part of net/level.c. */

static rnn_status
check_window(const rnn_layer *layer, int kernel, int padding, rnn_error *error)
{
    const char *name = layer->type->name;
    if (layer->in.rank != 3)
        return rnn_layer_refuse(error,
                                "type: %s takes an input of rank 3 (channels, height, "
                                "width), got rank %d",
                                name, layer->in.rank);
    long long h = layer->in.dim[1] + 2LL * padding, w = layer->in.dim[2] + 2LL * padding;
    if (kernel > h || kernel > w)
        return rnn_layer_refuse(error,
                                "kernel_size: %d is larger than the padded input, %lld x "
                                "%lld",
                                kernel, h, w);
    return RNN_OK;
}

static window
window_of(const rnn_layer *layer, double kernel, double stride, double padding)
{
    window s = {layer->in.dim[0],
                layer->in.dim[1],
                layer->in.dim[2],
                (int)kernel,
                (int)stride,
                (int)padding,
                0,
                0};
    s.P = (int)((s.H + 2LL * s.padding - s.K) / s.stride) + 1;
    s.Q = (int)((s.W + 2LL * s.padding - s.K) / s.stride) + 1;
    return s;
}

/* ---- conv2d: out = f(cross-correlation + bias), f the activation ---- */

enum { CONV_FILTERS, CONV_KERNEL, CONV_STRIDE, CONV_PADDING, CONV_ACTIVATION, CONV_ALPHA };

static const rnn_attr conv2d_attrs[] = {
    [CONV_FILTERS] = {"filters", RNN_INT, true, NAN, 1, 1 << 20, NULL},
    [CONV_KERNEL] = {"kernel_size", RNN_INT, true, NAN, 1, 1 << 15, NULL},
    [CONV_STRIDE] = {"stride", RNN_INT, false, 1, 1, 1 << 15, NULL},
    [CONV_PADDING] = {"padding", RNN_INT, false, 0, 0, 1 << 15, NULL},
    [CONV_ACTIVATION] = {"activation", RNN_CHOICE, false, 0, 0, 0, activation_name},
    [CONV_ALPHA] = {"alpha", RNN_FLOAT, false, NAN, 0, 1e30, NULL},
    RNN_ATTRS_END,
};

static window
conv2d_window(const rnn_layer *layer)
{
    return window_of(layer, layer->attr[CONV_KERNEL], layer->attr[CONV_STRIDE],
                     layer->attr[CONV_PADDING]);
}

static const activation *
conv2d_activation(const rnn_layer *layer)
{
    return &activations[(int)layer->attr[CONV_ACTIVATION]];
}

/* Floats of one unfolded image, and the room after it that gemm may read. */
static size_t
conv2d_unfolded(const window *s)
{
    return (size_t)s->C * (size_t)s->K * (size_t)s->K * (size_t)s->P * (size_t)s->Q
           + RNN_READ_SLACK;
}

static rnn_status
conv2d_setup(rnn_layer *layer, rnn_error *error)
{
    int filters = (int)layer->attr[CONV_FILTERS], k = (int)layer->attr[CONV_KERNEL];
    const activation *f = conv2d_activation(layer);
    if (isnan(layer->attr[CONV_ALPHA]))
        layer->attr[CONV_ALPHA] = f->alpha;
    if (check_window(layer, k, (int)layer->attr[CONV_PADDING], error) != RNN_OK)
        return RNN_EINVAL;
    window s = conv2d_window(layer);
    layer->out = (rnn_shape){3, {filters, s.P, s.Q}};
    int unfolded[5] = {s.C, k, k, s.P, s.Q}, fans[3] = {filters, k, k};
    rnn_param weight = {.name = "weight",
                        .shape = {4, {filters, s.C, k, k}},
                        .init = RNN_GLOROT_UNIFORM,
                        .fan_in = s.C * k * k,
                        .fan_out = filters * k * k};
    rnn_param bias = {.name = "bias", .shape = {1, {filters}}};
    if (rnn_size_product(unfolded, 5) == 0 || rnn_size_product(fans, 3) == 0
        || !rnn_layer_add_param(layer, weight) || !rnn_layer_add_param(layer, bias))
        return rnn_layer_refuse(error,
                                "kernel_size: the unfolded image or the weight has "
                                "more than 2^31 - 1 elements");
    double products = (double)filters * s.P * s.Q * s.C * k * k;
    layer->cache = f->from_input ? (size_t)rnn_shape_size(&layer->out) : 0;
    layer->scratch = conv2d_unfolded(&s);
    layer->slices[RNN_FORWARD] = layer->slices[RNN_INPUT] = RNN_BY_ROWS;
    layer->slices[RNN_OUTPUT] = f->forward == linear_forward ? 0 : RNN_BY_ROWS;
    layer->slices[RNN_PARAMS] = RNN_BY_ROWS;
    layer->work[RNN_FORWARD] = layer->work[RNN_PARAMS] = layer->work[RNN_INPUT] = products;
    layer->work[RNN_OUTPUT] = rnn_shape_size(&layer->out);
    return RNN_OK;
}

static void
conv2d_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    window s = conv2d_window(layer);
    const activation *f = conv2d_activation(layer);
    float *z = f->from_input ? io->cache : io->out;
    for (int b = 0; b < io->rows; b++)
        conv2d_forward(z + (ptrdiff_t)b * layer->out_size,
                       io->inp + (ptrdiff_t)b * layer->in_size,
                       io->params + layer->param[0].offset,
                       io->params + layer->param[1].offset, io->scratch,
                       (int)layer->attr[CONV_FILTERS], &s);
    if (f->forward != linear_forward)
        f->forward(io->out, z, (int)all_elements(io, layer->out_size),
                   (float)layer->attr[CONV_ALPHA]);
}

static void
conv2d_output_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    const activation *f = conv2d_activation(layer);
    f->backward(io->dout, io->dout, f->from_input ? io->cache : io->out,
                (int)all_elements(io, layer->out_size), (float)layer->attr[CONV_ALPHA]);
}

static void
conv2d_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    window s = conv2d_window(layer);
    for (int b = 0; b < io->rows; b++)
        conv2d_backward_input(
            io->dinp + (ptrdiff_t)b * layer->in_size,
            io->dout + (ptrdiff_t)b * layer->out_size, io->params + layer->param[0].offset,
            io->scratch, (int)layer->attr[CONV_FILTERS], &s);
}

static void
conv2d_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    window s = conv2d_window(layer);
    for (int b = 0; b < io->rows; b++)
        conv2d_backward_params(
            io->target + layer->param[0].offset, io->target + layer->param[1].offset,
            io->dout + (ptrdiff_t)b * layer->out_size,
            io->inp + (ptrdiff_t)b * layer->in_size, io->scratch,
            (int)layer->attr[CONV_FILTERS], &s, io->alpha, b == 0 ? io->beta : 1.0f);
}

static const rnn_layer_type conv2d_layer = {
    .name = "conv2d",
    .attrs = conv2d_attrs,
    .setup = conv2d_setup,
    .pass = {[RNN_FORWARD] = conv2d_forward_pass,
             [RNN_OUTPUT] = conv2d_output_pass,
             [RNN_INPUT] = conv2d_input_pass,
             [RNN_PARAMS] = conv2d_params_pass},
};

/* ---- pools ---- */

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
    if (padding > kernel / 2)
        return rnn_layer_refuse(error, "padding: at most half of kernel_size, got %d of %d",
                                padding, kernel);
    if (check_window(layer, kernel, padding, error) != RNN_OK)
        return RNN_EINVAL;
    window s = pool_window(layer);
    layer->out = (rnn_shape){3, {s.C, s.P, s.Q}};
    take_rows(layer, (double)s.C * s.P * s.Q * kernel * kernel);
    return RNN_OK;
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
    .setup = pool_setup,
    .pass = {[RNN_FORWARD] = avgpool2d_forward_pass, [RNN_INPUT] = avgpool2d_input_pass},
};

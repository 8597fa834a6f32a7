/* conv2d over one channel and maxpool2d 2 x 2 in one, window by window of the pool: of a
 * digit most windows see nothing but background, and these give a constant. Those that see
 * something stand side by side in vectors. Part of net/level.c. */

/* What forward keeps of a row: which windows are live and how many, what they see, and for
 * each filter which of the four outputs it was. */
typedef struct {
    int32_t *n, *window;
    float *patches;
    int32_t *which;
    int stride; /* of patches and which: room for all windows, in whole vectors */
} windows_cache;

static int
windows_stride(int area)
{
    return (area + RNN_READ_SLACK - 1) / RNN_READ_SLACK * RNN_READ_SLACK;
}

static size_t
windows_cache_size(const window *s, int filters, int area)
{
    size_t stride = (size_t)windows_stride(area), size = (size_t)s->K + 1;
    return 1 + (size_t)area + (size * size + (size_t)filters) * stride;
}

static windows_cache
windows_cache_of(const rnn_layer *layer, const rnn_io *io, const window *s, int area, int b)
{
    float *base = io->cache + (size_t)b * layer->cache;
    windows_cache c = {.n = (int32_t *)(void *)base, .stride = windows_stride(area)};
    c.window = c.n + 1;
    c.patches = base + 1 + area;
    c.which =
        (int32_t *)(void *)(c.patches + (ptrdiff_t)(s->K + 1) * (s->K + 1) * c.stride);
    return c;
}

/* Windows in an image. */
static int
windows_area(const rnn_layer *layer)
{
    return layer->out.dim[1] * layer->out.dim[2];
}

static bool
windows_have_relu(const rnn_layer *layer)
{
    return conv2d_activation(layer)->forward == relu_forward;
}

static void
conv2d_windows_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    window s = conv2d_window(layer);
    int filters = (int)layer->attr[CONV_FILTERS], area = windows_area(layer);
    int Q = layer->out.dim[2], pitch = conv2d_pitch(&s);
    for (int b = 0; b < io->rows; b++) {
        windows_cache c = windows_cache_of(layer, io, &s, area, b);
        pad_planes(io->scratch, io->inp + (ptrdiff_t)b * layer->in_size, 1, s.H, s.W,
                   s.H * s.W, s.W, s.padding);
        int n = *c.n =
            windows_live(c.window, io->scratch, s.K, layer->out.dim[1], Q, pitch);
        windows_patches(c.patches, c.stride, c.window, n, io->scratch, s.K, Q, pitch);
        windows_forward(io->out + (ptrdiff_t)b * layer->out_size, c.which, c.patches,
                        c.stride, c.window, n, io->params,
                        io->params + layer->param[1].offset, windows_have_relu(layer),
                        filters, s.K, area);
    }
}

/* As conv2d_pool_input_pass, with `which` spread to all windows first: at the end of
 * scratch. */
static void
conv2d_windows_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    window s = conv2d_window(layer);
    int filters = (int)layer->attr[CONV_FILTERS], area = windows_area(layer);
    int32_t *all = (int32_t *)(void *)(io->scratch + layer->scratch - layer->out_size);
    for (int b = 0; b < io->rows; b++) {
        windows_cache c = windows_cache_of(layer, io, &s, area, b);
        windows_spread_which(all, c.which, c.stride, c.window, *c.n,
                             io->params + layer->param[1].offset, windows_have_relu(layer),
                             filters, area);
        conv2d_pool_row_input(io->dinp + (ptrdiff_t)b * layer->in_size,
                              io->dout + (ptrdiff_t)b * layer->out_size, all, io, &s,
                              filters);
    }
}

static void
conv2d_windows_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    window s = conv2d_window(layer);
    int filters = (int)layer->attr[CONV_FILTERS], area = windows_area(layer);
    size_t sums = (size_t)filters * ((size_t)s.K * (size_t)s.K + 1) * VL;
    const float *bias = io->params + layer->param[1].offset;
    memset(io->scratch, 0, sums * sizeof(float));
    for (int b = 0; b < io->rows; b++) {
        windows_cache c = windows_cache_of(layer, io, &s, area, b);
        windows_backward(io->scratch, io->dout + (ptrdiff_t)b * layer->out_size, c.which,
                         c.patches, c.stride, c.window, *c.n, io->scratch + sums, bias,
                         windows_have_relu(layer), filters, s.K, area);
    }
    windows_add_sums(io->target, io->target + layer->param[1].offset, io->scratch, filters,
                     s.K, io->alpha, io->beta);
}

static const rnn_layer_type conv2d_windows_layer = {
    .name = "conv2d+maxpool2d",
    .pass = {[RNN_PREPARE] = conv2d_pool_prepare_pass,
             [RNN_FORWARD] = conv2d_windows_forward_pass,
             [RNN_INPUT] = conv2d_windows_input_pass,
             [RNN_PARAMS] = conv2d_windows_params_pass},
};

/* Pixels of a row of the padded image that windows_live can look at. */
#define WINDOWS_MAX_PITCH 64

static bool
conv2d_windows_fuse(rnn_layer *fused, const rnn_layer *conv, const rnn_layer *pool)
{
    window s = conv2d_window(conv);
    int filters = (int)conv->attr[CONV_FILTERS];
    if (s.C != 1 || conv2d_pitch(&s) > WINDOWS_MAX_PITCH
        || !conv2d_pool_fuse(fused, conv, pool))
        return false;
    int area = windows_area(fused);
    fused->type = &conv2d_windows_layer;
    fused->cache = windows_cache_size(&s, filters, area);
    fused->scratch = larger(fused->scratch, (size_t)filters * (size_t)(s.K * s.K + 1) * VL)
                     + (size_t)area + (size_t)fused->out_size;
    return true;
}

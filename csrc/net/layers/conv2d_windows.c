/* conv2d over one channel and maxpool2d 2 x 2 in one, window by window of the pool: of a
 * digit most windows see nothing but background, and these give a constant. Those that see
 * something stand side by side in vectors. Part of net/level.c. */

/* What forward keeps of a row: which windows are live and how many, what they see, and for
 * each filter which of the four outputs it was. */
typedef struct {
    int32_t *n;
    uint32_t *live;
    float *patches;
    int32_t *which;
} windows_cache;

/* The sizes that kernels ask for. */
typedef struct {
    window conv;
    int filters, P, Q; /* windows of the pool */
    int stride;        /* of lists: room for all windows and a vector, in whole vectors */
    bool relu;
} windows_sizes;

static windows_sizes
windows_sizes_of(const rnn_layer *layer)
{
    windows_sizes z = {.conv = conv2d_window(layer),
                       .filters = (int)layer->attr[CONV_FILTERS],
                       .P = layer->out.dim[1],
                       .Q = layer->out.dim[2],
                       .relu = conv2d_activation(layer)->forward == relu_forward};
    z.stride = (z.P * z.Q / RNN_READ_SLACK + 2) * RNN_READ_SLACK;
    return z;
}

static size_t
windows_cache_size(const windows_sizes *z)
{
    size_t size = (size_t)z->conv.K + 1;
    return 1 + (size_t)z->P + (size * size + (size_t)z->filters) * (size_t)z->stride;
}

static windows_cache
windows_cache_of(const rnn_layer *layer, const rnn_io *io, const windows_sizes *z, int b)
{
    float *base = io->cache + (size_t)b * layer->cache;
    int size = z->conv.K + 1;
    windows_cache c = {.n = (int32_t *)(void *)base};
    c.live = (uint32_t *)(void *)(base + 1);
    c.patches = base + 1 + z->P;
    c.which = (int32_t *)(void *)(c.patches + (ptrdiff_t)size * size * z->stride);
    return c;
}

/* Scratch: the padded image, then a list. */
static void
conv2d_windows_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    windows_sizes z = windows_sizes_of(layer);
    const window *s = &z.conv;
    int pitch = conv2d_pitch(s);
    float *listed = io->scratch + conv2d_sizes_of(s, z.filters).padded + 2 * RNN_READ_SLACK;
    for (int b = 0; b < io->rows; b++) {
        windows_cache c = windows_cache_of(layer, io, &z, b);
        pad_planes(io->scratch, io->inp + (ptrdiff_t)b * layer->in_size, 1, s->H, s->W,
                   s->H * s->W, s->W, s->padding);
        int n = *c.n = windows_live(c.live, io->scratch, s->K, z.P, z.Q, pitch);
        windows_patches(c.patches, z.stride, c.live, n, io->scratch, s->K, z.P, z.Q, pitch);
        windows_forward(io->out + (ptrdiff_t)b * layer->out_size, c.which, listed,
                        c.patches, z.stride, c.live, n, io->params,
                        io->params + layer->param[1].offset, z.relu, z.filters, s->K, z.P,
                        z.Q);
    }
}

/* As conv2d_pool_input_pass, with `which` spread to all windows first: at the end of
 * scratch. */
static void
conv2d_windows_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    windows_sizes z = windows_sizes_of(layer);
    int32_t *all = (int32_t *)(void *)(io->scratch + layer->scratch - layer->out_size);
    for (int b = 0; b < io->rows; b++) {
        windows_cache c = windows_cache_of(layer, io, &z, b);
        windows_spread_which(all, c.which, z.stride, c.live,
                             io->params + layer->param[1].offset, z.relu, z.filters, z.P,
                             z.Q);
        conv2d_pool_row_input(io->dinp + (ptrdiff_t)b * layer->in_size,
                              io->dout + (ptrdiff_t)b * layer->out_size, all, io, &z.conv,
                              z.filters);
    }
}

/* Scratch: sums by lane, then a list. */
static void
conv2d_windows_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    windows_sizes z = windows_sizes_of(layer);
    int K = z.conv.K;
    size_t sums = (size_t)z.filters * (size_t)(K * K + 1) * VL;
    const float *bias = io->params + layer->param[1].offset;
    memset(io->scratch, 0, sums * sizeof(float));
    for (int b = 0; b < io->rows; b++) {
        windows_cache c = windows_cache_of(layer, io, &z, b);
        windows_backward(io->scratch, io->dout + (ptrdiff_t)b * layer->out_size, c.which,
                         c.patches, z.stride, c.live, *c.n, io->scratch + sums, bias,
                         z.relu, z.filters, K, z.P, z.Q);
    }
    windows_add_sums(io->target, io->target + layer->param[1].offset, io->scratch,
                     z.filters, K, io->alpha, io->beta);
}

static const rnn_layer_type conv2d_windows_layer = {
    .name = "conv2d+maxpool2d",
    .pass = {[RNN_PREPARE] = conv2d_pool_prepare_pass,
             [RNN_FORWARD] = conv2d_windows_forward_pass,
             [RNN_INPUT] = conv2d_windows_input_pass,
             [RNN_PARAMS] = conv2d_windows_params_pass},
};

static bool
conv2d_windows_fuse(rnn_layer *fused, const rnn_layer *conv, const rnn_layer *pool)
{
    window s = conv2d_window(conv);
    if (s.C != 1 || conv2d_pitch(&s) > WINDOWS_MAX_PITCH
        || s.H + 2 * s.padding > WINDOWS_MAX_ROWS || !conv2d_pool_fuse(fused, conv, pool))
        return false;
    windows_sizes z = windows_sizes_of(fused);
    size_t sums = (size_t)z.filters * (size_t)(s.K * s.K + 1) * VL;
    size_t padded = conv2d_sizes_of(&s, z.filters).padded + 2 * RNN_READ_SLACK;
    fused->type = &conv2d_windows_layer;
    fused->cache = windows_cache_size(&z);
    fused->scratch =
        larger(fused->scratch, larger(sums, padded) + WINDOW_FILTERS * (size_t)z.stride)
        + (size_t)fused->out_size;
    return true;
}

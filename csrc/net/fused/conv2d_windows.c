/* conv2d over one channel and maxpool2d 2 x 2 in one, window by window of the pool: of a
 * digit most windows see nothing but background, whose output is a constant. Those that see
 * something stand side by side in vectors. Part of level.c. */

/* What forward keeps of a row: which windows are live, what they see, and for each filter
 * which of the four outputs it was. */
typedef struct {
    live_windows live;
    float *patches;
    int32_t *which;
} windows_cache;

/* The sizes that kernels ask for. */
typedef struct {
    conv2d_group conv;
    int filters, P, Q; /* windows of the pool */
    int stride;        /* of lists: room for all windows and a vector, in whole vectors */
    bool relu;
} windows_sizes;

static windows_sizes
windows_sizes_of(const rnn_layer *layer)
{
    windows_sizes z = {.conv = conv2d_group_of(layer),
                       .filters = (int)layer->attr[CONV_FILTERS],
                       .relu = conv2d_activation(layer)->forward == relu_forward};
    z.P = z.conv.s.P / 2;
    z.Q = z.conv.s.Q / 2;
    z.stride = (z.P * z.Q / RNN_READ_SLACK + 2) * RNN_READ_SLACK;
    return z;
}

/* Vectors that all windows fill. */
static int
windows_vectors(const windows_sizes *z)
{
    return (z->P * z->Q + VL - 1) / VL;
}

/* What comes first, patches and choices. */
static float *
lay_out_patches(const windows_sizes *z, windows_cache *c, float *area)
{
    int size = z->conv.s.KW + 1;
    c->patches = take_block(&area, (ptrdiff_t)size * size * z->stride);
    c->which = (void *)take_block(&area, (ptrdiff_t)z->filters * z->stride);
    return area;
}

/* Its floats. */
static size_t
windows_patches(const windows_sizes *z)
{
    float *begin = NULL;
    return (size_t)(lay_out_patches(z, &(windows_cache){0}, begin) - begin);
}

static size_t
lay_out_windows_cache(const windows_sizes *z, windows_cache *c, float *area)
{
    int vectors = windows_vectors(z);
    float *begin = area;
    area = lay_out_patches(z, c, area);
    c->live.count = z->P * z->Q;
    c->live.bits = (void *)take_block(&area, vectors);
    c->live.begin = (void *)take_block(&area, vectors + 1);
    return (size_t)(area - begin);
}

static windows_cache
windows_cache_of(const rnn_layer *layer, const rnn_io *io, const windows_sizes *z, int b)
{
    windows_cache c;
    lay_out_windows_cache(z, &c, io->cache + (size_t)b * layer->cache);
    return c;
}

/* Scratch of FORWARD: the padded image, the same split, and a list. */
typedef struct {
    size_t padded, split, listed;
} windows_scratch;

static windows_scratch
windows_scratch_of(const windows_sizes *z)
{
    size_t padded = z->conv.z.padded + 2 * RNN_READ_SLACK;
    return (windows_scratch){.padded = padded,
                             .split = padded + (size_t)z->conv.z.padded_rows,
                             .listed = WINDOW_FILTERS * (size_t)z->stride};
}

/* The live windows of an image. */
static void
list_windows(windows_cache *c, const windows_sizes *z, float *padded, float *split,
             const float *image)
{
    const rnn_window *s = &z->conv.s;
    pad_planes(padded, windows_scratch_of(z).padded, image, 1, s->H, s->W, s->H * s->W,
               s->W, conv2d_edges(s));
    windows_list(&c->live, c->patches, z->stride, split, padded, s->KW, z->P, z->Q,
                 conv2d_pitch(s));
}

static void
conv2d_windows_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    windows_sizes z = windows_sizes_of(layer);
    windows_scratch sizes = windows_scratch_of(&z);
    float *padded = io->scratch, *split = padded + sizes.padded,
          *listed = split + sizes.split;
    for (int b = 0; b < io->rows; b++) {
        windows_cache c = windows_cache_of(layer, io, &z, b);
        list_windows(&c, &z, padded, split, io->inp + (ptrdiff_t)b * layer->in_size);
        windows_forward(io->out + (ptrdiff_t)b * layer->out_size, c.which, listed,
                        c.patches, z.stride, &c.live, io->params,
                        io->params + layer->param[1].offset, z.relu, z.filters,
                        z.conv.s.KW);
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
        windows_spread_which(all, c.which, z.stride, &c.live,
                             io->params + layer->param[1].offset, z.relu, z.filters);
        conv2d_pool_row_input(io->dinp + (ptrdiff_t)b * layer->in_size,
                              io->dout + (ptrdiff_t)b * layer->out_size, all, io, &z.conv);
    }
}

/* Floats of sums by lane. */
static size_t
windows_sums(const windows_sizes *z)
{
    return (size_t)z->filters * (size_t)(z->conv.s.KW * z->conv.s.KW + 1) * VL;
}

/* Scratch: sums by lane, then a list. */
static void
conv2d_windows_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    windows_sizes z = windows_sizes_of(layer);
    size_t sums = windows_sums(&z);
    const float *bias = io->params + layer->param[1].offset;
    memset(io->scratch, 0, sums * sizeof(float));
    for (int b = 0; b < io->rows; b++) {
        windows_cache c = windows_cache_of(layer, io, &z, b);
        windows_backward(io->scratch, io->dout + (ptrdiff_t)b * layer->out_size, c.which,
                         c.patches, z.stride, &c.live, io->scratch + sums, bias, z.relu,
                         z.filters, z.conv.s.KW);
    }
    windows_add_sums(io->target, io->target + layer->param[1].offset, io->scratch,
                     z.filters, z.conv.s.KW, io->alpha, io->beta);
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
    const rnn_window *s = &conv->window;
    if (s->C != 1 || conv2d_pitch(s) > WINDOWS_MAX_PITCH
        || s->top + s->H + s->bottom > WINDOWS_MAX_ROWS
        || !conv2d_pool_fuse(fused, conv, pool))
        return false;
    windows_sizes z = windows_sizes_of(fused);
    windows_scratch sizes = windows_scratch_of(&z);
    size_t images = larger(windows_sums(&z), sizes.padded + sizes.split);
    fused->type = &conv2d_windows_layer;
    fused->cache = lay_out_windows_cache(&z, &(windows_cache){0}, NULL);
    fused->scratch =
        larger(fused->scratch, images + sizes.listed) + (size_t)fused->out_size;
    return true;
}

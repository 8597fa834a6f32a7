/* conv2d, linear or with ReLU, and maxpool2d 2 x 2 in one: cache holds which of the four it
 * was. Part of level.c. */

/* Floats of the parts of scratch, and of the weights' runs in shared. */
typedef struct {
    size_t runs;
    size_t lists; /* of places and of numbers, each */
} conv2d_pool_sizes;

static conv2d_pool_sizes
conv2d_pool_sizes_of(const conv2d_group *g)
{
    const rnn_window *s = &g->s;
    size_t area = (size_t)(s->P / 2) * (size_t)(s->Q / 2);
    return (conv2d_pool_sizes){
        .runs = (size_t)g->filters * (size_t)s->KH * (size_t)pooled_run(s),
        .lists = 2 * area + 5 * (size_t)g->filters};
}

static size_t
conv2d_pool_scratch(const conv2d_group *g)
{
    conv2d_pool_sizes z = conv2d_pool_sizes_of(g);
    return larger(g->z.padded + g->z.planes,
                  2 * g->z.padded + z.runs + (size_t)g->filters + 2 * z.lists);
}

/* Offsets as conv2d has them, then the weights' runs. */
static float *
conv2d_pool_runs(const rnn_io *io, const conv2d_group *g)
{
    return io->shared + g->z.fan_in;
}

static void
conv2d_pool_prepare_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    conv2d_group g = conv2d_group_of(layer);
    conv2d_offsets(conv2d_forward_offsets(io), g.s.C, g.z.padded_rows, conv2d_pitch(&g.s),
                   &g.s);
    if (io->training && io->to_input)
        pooled_weight_runs(conv2d_pool_runs(io, &g), io->params, g.filters, &g.s);
}

static void
conv2d_pool_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    conv2d_group g = conv2d_group_of(layer);
    bool relu = conv2d_activation(layer)->forward == relu_forward;
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * layer->out_size;
        pool_planes(io->out + at, (int32_t *)(void *)io->cache + at,
                    conv2d_row_planes(io, &g, io->inp + (ptrdiff_t)b * layer->in_size,
                                      io->params, param_of(layer, io, 1), false),
                    g.filters, g.s.P, g.s.Q, g.z.plane, conv2d_pitch(&g.s), relu);
    }
}

/* dinp of one row; scratch: pixels, planes of them, lists. */
static void
conv2d_pool_row_input(float *dinp, const float *dout, const int32_t *which,
                      const rnn_io *io, const conv2d_group *g)
{
    const rnn_window *s = &g->s;
    conv2d_pool_sizes z = conv2d_pool_sizes_of(g);
    float *pixels = io->scratch, *planes = pixels + g->z.padded;
    float *value = planes + g->z.padded;
    int32_t *filter = (int32_t *)(void *)(value + z.lists);
    int pitch = conv2d_pitch(s), area = g->z.padded_rows * pitch;
    memset(pixels, 0, g->z.padded * sizeof(float));
    pooled_input_gradient(pixels, dout, which, conv2d_pool_runs(io, g), filter, value,
                          g->filters, s);
    transpose(planes, area, pixels, s->C, area, s->C);
    crop_planes(dinp, planes + s->top * pitch + s->left, s->C, s->H, s->W, area, pitch);
}

static void
conv2d_pool_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    conv2d_group g = conv2d_group_of(layer);
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * layer->out_size;
        conv2d_pool_row_input(io->dinp + (ptrdiff_t)b * layer->in_size, io->dout + at,
                              (const int32_t *)(const void *)io->cache + at, io, &g);
    }
}

/* Scratch: padded image, its pixels, runs and biases summed over rows, lists. */
static void
conv2d_pool_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    conv2d_group g = conv2d_group_of(layer);
    conv2d_pool_sizes z = conv2d_pool_sizes_of(&g);
    float *padded = io->scratch, *pixels = padded + g.z.padded;
    float *runs = pixels + g.z.padded, *bias = runs + z.runs, *value = bias + g.filters;
    int32_t *at = (int32_t *)(void *)(value + z.lists);
    int area = g.z.padded_rows * conv2d_pitch(&g.s);
    memset(runs, 0, (z.runs + (size_t)g.filters) * sizeof(float));
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t row = (ptrdiff_t)b * layer->out_size;
        pad_image(padded, io->inp + (ptrdiff_t)b * layer->in_size, &g);
        transpose(pixels, g.s.C, padded, area, g.s.C, area);
        pooled_weight_gradient(runs, bias, io->dout + row,
                               (const int32_t *)(const void *)io->cache + row, pixels, at,
                               value, g.filters, &g.s);
    }
    pooled_add_runs(io->target, runs, g.filters, &g.s, io->alpha, io->beta);
    for (int f = 0; f < g.filters; f++)
        accumulate(&io->target[layer->param[1].offset + (size_t)f], bias[f], io->alpha,
                   io->beta);
}

static const rnn_layer_type conv2d_pool_layer = {
    .name = "conv2d+maxpool2d",
    .pass = {[RNN_PREPARE] = conv2d_pool_prepare_pass,
             [RNN_FORWARD] = conv2d_pool_forward_pass,
             [RNN_INPUT] = conv2d_pool_input_pass,
             [RNN_PARAMS] = conv2d_pool_params_pass},
};

/* What the kernels of a convolution under a pool can do: a square kernel without gaps,
 * moved by 1 over an image that is padded equally on all sides; all channels in one group.
 */
static bool
conv2d_is_plain(const rnn_window *s)
{
    return s->KH == s->KW && s->DH == 1 && s->DW == 1 && s->top == s->bottom
           && s->left == s->right && s->top == s->left && s->groups == 1
           && conv2d_is_direct(s);
}

/* The layer for a conv2d, linear or with ReLU, under a maxpool2d of 2 x 2. */
static bool
conv2d_pool_fuse(rnn_layer *fused, const rnn_layer *conv, const rnn_layer *pool)
{
    const activation *f = conv2d_activation(conv);
    if (!conv2d_is_plain(&conv->window) || !pool_is_2_by_2(pool)
        || (f->forward != relu_forward && f->forward != linear_forward))
        return false;
    conv2d_group g = conv2d_group_of(conv);
    *fused = *conv;
    fused->type = &conv2d_pool_layer;
    fused->out = pool->out;
    fused->out_size = pool->out_size;
    fused->cache = (size_t)pool->out_size;
    fused->scratch = conv2d_pool_scratch(&g);
    fused->shared = (size_t)g.z.fan_in + conv2d_pool_sizes_of(&g).runs;
    fused->slices[RNN_OUTPUT] = 0;
    return true;
}

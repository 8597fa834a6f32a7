/* conv2d, linear or with ReLU, and maxpool2d 2 x 2 in one: cache holds which of the four it
 * was. Part of level.c. */

/* Floats of the parts of scratch, and of the weights' runs in shared. */
typedef struct {
    conv2d_sizes of;
    size_t runs;
    size_t lists; /* of places and of numbers, each */
} conv2d_pool_sizes;

static conv2d_pool_sizes
conv2d_pool_sizes_of(const window *s, int filters)
{
    size_t area = (size_t)(s->P / 2) * (size_t)(s->Q / 2);
    return (conv2d_pool_sizes){
        .of = conv2d_sizes_of(s, filters),
        .runs = (size_t)filters * (size_t)s->K * (size_t)pooled_run(s),
        .lists = 2 * area + 5 * (size_t)filters};
}

static size_t
conv2d_pool_scratch(const window *s, int filters)
{
    conv2d_pool_sizes z = conv2d_pool_sizes_of(s, filters);
    return larger(z.of.padded + z.of.planes,
                  2 * z.of.padded + z.runs + (size_t)filters + 2 * z.lists);
}

/* Offsets as conv2d has them, then the weights' runs. */
static float *
conv2d_pool_runs(const rnn_io *io, const conv2d_sizes *z)
{
    return io->shared + z->fan_in;
}

static void
conv2d_pool_prepare_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    window s = conv2d_window(layer);
    int filters = (int)layer->attr[CONV_FILTERS];
    conv2d_sizes z = conv2d_sizes_of(&s, filters);
    conv2d_offsets(conv2d_forward_offsets(io), s.C, z.padded_rows, conv2d_pitch(&s), s.K);
    if (io->training && io->to_input)
        pooled_weight_runs(conv2d_pool_runs(io, &z), io->params, filters, &s);
}

static void
conv2d_pool_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    window s = conv2d_window(layer);
    int filters = (int)layer->attr[CONV_FILTERS];
    conv2d_sizes z = conv2d_sizes_of(&s, filters);
    bool relu = conv2d_activation(layer)->forward == relu_forward;
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * layer->out_size;
        pool_planes(io->out + at, (int32_t *)(void *)io->cache + at,
                    conv2d_row_planes(layer, io, &s, &z, b, false), filters, s.P, s.Q,
                    z.plane, conv2d_pitch(&s), relu);
    }
}

/* dinp of one row; scratch: pixels, planes of them, lists. */
static void
conv2d_pool_row_input(float *dinp, const float *dout, const int32_t *which,
                      const rnn_io *io, const window *s, int filters)
{
    conv2d_pool_sizes z = conv2d_pool_sizes_of(s, filters);
    float *pixels = io->scratch, *planes = pixels + z.of.padded;
    float *value = planes + z.of.padded;
    int32_t *filter = (int32_t *)(void *)(value + z.lists);
    int pitch = conv2d_pitch(s), area = z.of.padded_rows * pitch;
    memset(pixels, 0, z.of.padded * sizeof(float));
    pooled_input_gradient(pixels, dout, which, conv2d_pool_runs(io, &z.of), filter, value,
                          filters, s);
    transpose(planes, area, pixels, s->C, area, s->C);
    crop_planes(dinp, planes + s->padding * (pitch + 1), s->C, s->H, s->W, area, pitch);
}

static void
conv2d_pool_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    window s = conv2d_window(layer);
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * layer->out_size;
        conv2d_pool_row_input(io->dinp + (ptrdiff_t)b * layer->in_size, io->dout + at,
                              (const int32_t *)(const void *)io->cache + at, io, &s,
                              (int)layer->attr[CONV_FILTERS]);
    }
}

/* Scratch: padded image, its pixels, runs and biases summed over rows, lists. */
static void
conv2d_pool_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    window s = conv2d_window(layer);
    int filters = (int)layer->attr[CONV_FILTERS];
    conv2d_pool_sizes z = conv2d_pool_sizes_of(&s, filters);
    float *padded = io->scratch, *pixels = padded + z.of.padded;
    float *runs = pixels + z.of.padded, *bias = runs + z.runs, *value = bias + filters;
    int32_t *at = (int32_t *)(void *)(value + z.lists);
    int area = z.of.padded_rows * conv2d_pitch(&s);
    memset(runs, 0, (z.runs + (size_t)filters) * sizeof(float));
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t row = (ptrdiff_t)b * layer->out_size;
        pad_planes(padded, z.of.padded, io->inp + (ptrdiff_t)b * layer->in_size, s.C, s.H,
                   s.W, s.H * s.W, s.W, s.padding);
        transpose(pixels, s.C, padded, area, s.C, area);
        pooled_weight_gradient(runs, bias, io->dout + row,
                               (const int32_t *)(const void *)io->cache + row, pixels, at,
                               value, filters, &s);
    }
    pooled_add_runs(io->target, runs, filters, &s, io->alpha, io->beta);
    for (int f = 0; f < filters; f++)
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

/* The layer for a conv2d, linear or with ReLU, under a maxpool2d of 2 x 2. */
static bool
conv2d_pool_fuse(rnn_layer *fused, const rnn_layer *conv, const rnn_layer *pool)
{
    window s = conv2d_window(conv);
    int filters = (int)conv->attr[CONV_FILTERS];
    const activation *f = conv2d_activation(conv);
    if (!conv2d_is_direct(&s) || !pool_is_2_by_2(pool)
        || (f->forward != relu_forward && f->forward != linear_forward))
        return false;
    conv2d_pool_sizes z = conv2d_pool_sizes_of(&s, filters);
    *fused = *conv;
    fused->type = &conv2d_pool_layer;
    fused->out = pool->out;
    fused->out_size = pool->out_size;
    fused->cache = (size_t)pool->out_size;
    fused->scratch = conv2d_pool_scratch(&s, filters);
    fused->shared = (size_t)z.of.fan_in + z.runs;
    fused->slices[RNN_OUTPUT] = 0;
    return true;
}

/* conv2d over one channel with eight filters, maxpool2d 2 x 2, flatten and a small linear
 * dense layer in one. As in conv2d_windows.c only live windows are computed, here in the
 * dense layer too: the share of all blank windows in a unit is the sum over filters of
 * their constant times the sum of their weights, which PREPARE makes once a batch. Training
 * wants the dense weight in blocks, a window's numbers side by side. A single prediction
 * would not pay for that: inference uses the weight as it is. Part of level.c. */

/* Parameters, in the order of the layers. */
enum { BLOCKS_CONV, BLOCKS_CONV_BIAS, BLOCKS_WEIGHT, BLOCKS_BIAS };

typedef struct {
    windows_sizes of;
    int windows, units;
} blocks_sizes;

static blocks_sizes
blocks_sizes_of(const rnn_layer *layer)
{
    blocks_sizes z = {.of = windows_sizes_of(layer), .units = layer->out_size};
    z.windows = z.of.P * z.of.Q;
    return z;
}

/* What follows from the parameters: first what conv2d_pool_prepare_pass makes; what filters
 * give for a blank window and units for a blank image; the sum of all blocks. The blocks,
 * and room for their gradients, where there is no working copy. */
typedef struct {
    float *constant, *blank, *sum, *blocks, *gradients;
} blocks_shared;

static size_t
lay_out_blocks_shared(const blocks_sizes *z, blocks_shared *s, float *area)
{
    conv2d_pool_sizes pool = conv2d_pool_sizes_of(&z->of.conv);
    ptrdiff_t size = block_size(z->units);
    float *begin = area;
    take_block(&area, z->of.conv.z.fan_in + (ptrdiff_t)pool.runs);
    s->constant = take_block(&area, BLOCK_FILTERS);
    s->blank = take_block(&area, z->units);
    s->sum = take_block(&area, size);
    s->blocks = take_block(&area, z->windows * size);
    s->gradients = take_block(&area, z->windows * size);
    return (size_t)(area - begin);
}

static const float *
current_blocks(const rnn_io *io, const blocks_sizes *z)
{
    blocks_shared s;
    lay_out_blocks_shared(z, &s, io->shared);
    return io->packed != NULL ? io->packed : s.blocks;
}

/* What forward keeps of a row: the same as conv2d_windows.c, the live windows' numbers and
 * the output of the pool there; and from backward the gradient of the outputs, spread. */
typedef struct {
    windows_cache of;
    int32_t *index;
    float *pooled, *spread;
} blocks_cache;

static size_t
lay_out_blocks_cache(const blocks_sizes *z, blocks_cache *c, float *area)
{
    float *begin = area;
    area += lay_out_windows_cache(&z->of, &c->of, area);
    c->index = (void *)take_block(&area, z->of.stride);
    c->pooled = take_block(&area, BLOCK_FILTERS * (ptrdiff_t)z->of.stride);
    c->spread = take_block(&area, block_size(z->units));
    return (size_t)(area - begin);
}

static blocks_cache
blocks_cache_of(const rnn_layer *layer, const rnn_io *io, const blocks_sizes *z, int b)
{
    blocks_cache c;
    lay_out_blocks_cache(z, &c, io->cache + (size_t)b * layer->cache);
    return c;
}

/* Scratch: first that of conv2d_pool_row_input; the padded image and the same split; lists
 * of all filters, by filter and by window; sums by lane; the pool's outputs of all current
 * rows, or a row's gradients of them; which of four they were. */
typedef struct {
    float *padded, *split, *listed, *together, *sums, *pooled;
    int32_t *which;
} blocks_scratch;

static size_t
lay_out_blocks_scratch(const blocks_sizes *z, blocks_scratch *s, float *area)
{
    windows_scratch sizes = windows_scratch_of(&z->of);
    ptrdiff_t lists = BLOCK_FILTERS * (ptrdiff_t)z->of.stride;
    ptrdiff_t pooled = BLOCK_FILTERS * (ptrdiff_t)z->windows;
    float *begin = area;
    take_block(&area, (ptrdiff_t)conv2d_pool_scratch(&z->of.conv));
    s->padded = take_block(&area, (ptrdiff_t)sizes.padded);
    s->split = take_block(&area, (ptrdiff_t)sizes.split);
    s->listed = take_block(&area, lists);
    s->together = take_block(&area, lists);
    s->sums = take_block(&area, (ptrdiff_t)windows_sums(&z->of));
    s->pooled = take_block(&area, RNN_CHUNK_ROWS * pooled + RNN_READ_SLACK);
    s->which = (void *)take_block(&area, pooled + RNN_READ_SLACK);
    return (size_t)(area - begin);
}

static blocks_scratch
blocks_scratch_of(const rnn_io *io, const blocks_sizes *z)
{
    blocks_scratch s;
    lay_out_blocks_scratch(z, &s, io->scratch);
    return s;
}

static void
window_blocks_prepare_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    conv2d_pool_prepare_pass(layer, io, slice);
    if (!io->training)
        return;
    blocks_sizes z = blocks_sizes_of(layer);
    blocks_shared s;
    lay_out_blocks_shared(&z, &s, io->shared);
    const float *bias = param_of(layer, io, BLOCKS_CONV_BIAS);
    if (io->packed == NULL)
        blocks_pack(s.blocks, param_of(layer, io, BLOCKS_WEIGHT), z.windows, z.units);
    blocks_sum(s.sum, current_blocks(io, &z), z.windows, z.units);
    memcpy(s.blank, param_of(layer, io, BLOCKS_BIAS), (size_t)z.units * sizeof(float));
    for (int f = 0; f < BLOCK_FILTERS; f++) {
        s.constant[f] = z.of.relu && bias[f] < 0 ? 0 : bias[f];
        for (int j = 0; j < z.units; j++)
            s.blank[j] += s.constant[f] * s.sum[j * BLOCK_FILTERS + f];
    }
}

/* A row through all layers, live windows only. */
static void
forward_live_windows(const rnn_layer *layer, const rnn_io *io, const blocks_sizes *z,
                     const blocks_cache *c, const blocks_scratch *s, float *out)
{
    static const float nothing[BLOCK_FILTERS] = {0};
    blocks_shared shared;
    lay_out_blocks_shared(z, &shared, io->shared);
    int n = live_count(&c->of.live);
    bool has_blank = n < z->windows;
    windows_index(c->index, &c->of.live);
    windows_pooled(c->pooled, c->of.which, s->listed, c->of.patches, z->of.stride, n,
                   param_of(layer, io, BLOCKS_CONV), param_of(layer, io, BLOCKS_CONV_BIAS),
                   z->of.relu, z->of.conv.s.KW);
    blocks_forward(out, c->pooled, has_blank ? shared.constant : nothing, c->index, n,
                   current_blocks(io, z),
                   has_blank ? shared.blank : param_of(layer, io, BLOCKS_BIAS), z->units);
}

static void
window_blocks_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    blocks_sizes z = blocks_sizes_of(layer);
    blocks_scratch s = blocks_scratch_of(io, &z);
    int pooled = BLOCK_FILTERS * z.windows;
    for (int b = 0; b < io->rows; b++) {
        blocks_cache c = blocks_cache_of(layer, io, &z, b);
        list_windows(&c.of, &z.of, s.padded, s.split,
                     io->inp + (ptrdiff_t)b * layer->in_size);
        if (io->training)
            forward_live_windows(layer, io, &z, &c, &s, io->out + (ptrdiff_t)b * z.units);
        else
            windows_forward(s.pooled + (ptrdiff_t)b * pooled, c.of.which, s.listed,
                            c.of.patches, z.of.stride, &c.of.live,
                            param_of(layer, io, BLOCKS_CONV),
                            param_of(layer, io, BLOCKS_CONV_BIAS), z.of.relu, BLOCK_FILTERS,
                            z.of.conv.s.KW);
    }
    if (!io->training)
        dense_forward(io->out, s.pooled, param_of(layer, io, BLOCKS_WEIGHT),
                      param_of(layer, io, BLOCKS_BIAS), false, false, io->rows, pooled,
                      z.units, 0, z.units);
}

/* A row's gradients at all windows, blank ones too, by filter. */
static void
backward_all_windows(float *pooled, const float *blocks, const float *spread,
                     const blocks_sizes *z)
{
    ptrdiff_t size = block_size(z->units);
    for (int w = 0; w < z->windows; w++) {
        float one[BLOCK_FILTERS];
        block_backward(one, blocks + w * size, spread, z->units);
        for (int f = 0; f < BLOCK_FILTERS; f++)
            pooled[(ptrdiff_t)f * z->windows + w] = one[f];
    }
}

static void
window_blocks_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    blocks_sizes z = blocks_sizes_of(layer);
    blocks_scratch s = blocks_scratch_of(io, &z);
    for (int b = 0; b < io->rows; b++) {
        blocks_cache c = blocks_cache_of(layer, io, &z, b);
        blocks_spread(c.spread, io->dout + (ptrdiff_t)b * z.units, z.units);
        backward_all_windows(s.pooled, current_blocks(io, &z), c.spread, &z);
        windows_spread_which(s.which, c.of.which, z.of.stride, &c.of.live,
                             param_of(layer, io, BLOCKS_CONV_BIAS), z.of.relu,
                             BLOCK_FILTERS);
        conv2d_pool_row_input(io->dinp + (ptrdiff_t)b * layer->in_size, s.pooled, s.which,
                              io, &z.of.conv);
    }
}

/* Blank windows' part of the biases' gradients: what all windows get, less the live ones.
 */
static void
add_blank_windows(float *sums, const float *live, const blocks_shared *shared,
                  const float *spread, const float *bias, const blocks_sizes *z)
{
    int taps = z->of.conv.s.KW * z->of.conv.s.KW;
    float all[BLOCK_FILTERS];
    block_backward(all, shared->sum, spread, z->units);
    for (int f = 0; f < BLOCK_FILTERS; f++)
        if (!z->of.relu || bias[f] > 0)
            sums[(f * (taps + 1) + taps) * VL] += all[f] - live[f];
}

static void
window_blocks_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    blocks_sizes z = blocks_sizes_of(layer);
    blocks_scratch s = blocks_scratch_of(io, &z);
    blocks_shared shared;
    lay_out_blocks_shared(&z, &shared, io->shared);
    const float *blocks = current_blocks(io, &z);
    memset(s.sums, 0, windows_sums(&z.of) * sizeof(float));
    for (int b = 0; b < io->rows; b++) {
        blocks_cache c = blocks_cache_of(layer, io, &z, b);
        int n = live_count(&c.of.live);
        float live[BLOCK_FILTERS];
        blocks_spread(c.spread, io->dout + (ptrdiff_t)b * z.units, z.units);
        blocks_backward(s.listed, z.of.stride, live, s.together, blocks, c.index, n,
                        c.spread, z.units);
        blocks_windows_backward(s.sums, s.listed, c.of.which, c.of.patches, z.of.stride, n,
                                z.of.conv.s.KW);
        if (n < z.windows)
            add_blank_windows(s.sums, live, &shared, c.spread,
                              param_of(layer, io, BLOCKS_CONV_BIAS), &z);
    }
    windows_add_sums(io->target, target_of(layer, io, BLOCKS_CONV_BIAS), s.sums,
                     BLOCK_FILTERS, z.of.conv.s.KW, io->alpha, io->beta);
}

/* The dense weight's gradient for some vectors of windows. */
static bool
is_zero(const float *x, int n)
{
    while (n > 0 && x[n - 1] == 0)
        n--;
    return n == 0;
}

/* Rows without a gradient are skipped: they must add exactly zero to a window, not the
 * rounding error of a difference. */
static void
finish_blocks(const rnn_layer *layer, const rnn_io *io, const blocks_sizes *z,
              const blocks_shared *shared, float *blocks, int first, int last, float alpha,
              float beta)
{
    for (int begin = 0; begin < io->rows; begin += BLOCK_ROWS) {
        block_row rows[BLOCK_ROWS];
        int end = io->rows - begin < BLOCK_ROWS ? io->rows : begin + BLOCK_ROWS, n = 0;
        for (int b = begin; b < end; b++) {
            blocks_cache c = blocks_cache_of(layer, io, z, b);
            if (!is_zero(io->dout + (ptrdiff_t)b * z->units, z->units))
                rows[n++] = (block_row){c.of.live, c.pooled, c.spread};
        }
        blocks_gradient(blocks, shared->constant, rows, n, z->windows, first, last,
                        z->units, alpha, begin == 0 ? beta : 1.0f);
    }
}

static void
window_blocks_finish_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    blocks_sizes z = blocks_sizes_of(layer);
    blocks_shared shared;
    lay_out_blocks_shared(&z, &shared, io->shared);
    int slices = layer->slices[RNN_FINISH], vectors = windows_vectors(&z.of);
    int first = vectors * slice / slices, last = vectors * (slice + 1) / slices;
    if (io->packed != NULL)
        finish_blocks(layer, io, &z, &shared, io->packed, first, last, io->alpha, io->beta);
    else
        finish_blocks(layer, io, &z, &shared, shared.gradients, first, last, 1.0f, 0.0f);
    if (io->packed == NULL)
        blocks_unpack(target_of(layer, io, BLOCKS_WEIGHT), shared.gradients, z.windows,
                      first * VL, last * VL, z.units, io->alpha, io->beta);
    if (slice > 0)
        return;
    reduce(io->target, io->sums, 0, 1, (int)layer->sums, io->alpha, io->beta);
    dense_backward_bias(target_of(layer, io, BLOCKS_BIAS), io->dout, io->rows, z.units, 0,
                        z.units, io->alpha, io->beta);
}

static void
window_blocks_pack(const rnn_layer *layer, float *packed, const float *params)
{
    blocks_sizes z = blocks_sizes_of(layer);
    blocks_pack(packed, params + layer->param[BLOCKS_WEIGHT].offset, z.windows, z.units);
}

static void
window_blocks_unpack(const rnn_layer *layer, float *params, const float *packed)
{
    blocks_sizes z = blocks_sizes_of(layer);
    blocks_unpack(params + layer->param[BLOCKS_WEIGHT].offset, packed, z.windows, 0,
                  z.windows, z.units, 1.0f, 0.0f);
}

static const rnn_layer_type window_blocks_layer = {
    .name = "conv2d+maxpool2d+dense",
    .pass = {[RNN_PREPARE] = window_blocks_prepare_pass,
             [RNN_FORWARD] = window_blocks_forward_pass,
             [RNN_INPUT] = window_blocks_input_pass,
             [RNN_PARAMS] = window_blocks_params_pass,
             [RNN_FINISH] = window_blocks_finish_pass},
    .pack = window_blocks_pack,
    .unpack = window_blocks_unpack,
};

static bool
window_blocks_fuse(rnn_layer *fused, const rnn_layer *conv, const rnn_layer *pool,
                   const rnn_layer *dense)
{
    rnn_layer windows;
    if ((int)conv->attr[CONV_FILTERS] != BLOCK_FILTERS
        || !conv2d_windows_fuse(&windows, conv, pool) || !dense_is_by_rows(dense)
        || dense_activation(dense)->forward != linear_forward
        || block_size(dense->out_size) > BLOCK_MAX)
        return false;
    *fused = windows;
    fused->type = &window_blocks_layer;
    fused->out = dense->out;
    fused->out_size = dense->out_size;
    fused->sums = conv->param_count;
    append_params(fused, dense);
    blocks_sizes z = blocks_sizes_of(fused);
    fused->cache = lay_out_blocks_cache(&z, &(blocks_cache){0}, NULL);
    fused->finish_cache = fused->cache - windows_patches(&z.of);
    fused->scratch = lay_out_blocks_scratch(&z, &(blocks_scratch){0}, NULL);
    fused->shared = lay_out_blocks_shared(&z, &(blocks_shared){0}, NULL);
    fused->packed = (size_t)z.windows * (size_t)block_size(z.units);
    fused->slices[RNN_FINISH] = windows_vectors(&z.of) < 4 ? 1 : 4;
    fused->work[RNN_FORWARD] += dense->work[RNN_FORWARD];
    fused->work[RNN_PARAMS] += dense->work[RNN_INPUT];
    fused->work[RNN_FINISH] = dense->work[RNN_PARAMS];
    return true;
}

/* A convolution in pixels, linear or with ReLU, and the max pool above it in one: what the
 * convolution computes never leaves the cache. cache holds which output of a window it was.
 * The gradients are taken from lists of these outputs where that spares work, else from an
 * image of the convolution's outputs. Part of level.c. */

/* Time of a vector of a list, compared with one of a whole image, and the time that an
 * entry of a list needs before its vectors, in vectors. */
#define LISTED_VECTOR 1.5
#define LISTED_ENTRY 4

static int
windows_of_pool(const rnn_window *pool)
{
    return pool->P * pool->Q;
}

static bool
goes_by_lists(const rnn_layer *layer)
{
    const rnn_window *pool = &layer->pool;
    pixel_sizes z = pixel_sizes_of(&layer->window, (int)layer->attr[CONV_FILTERS]);
    double whole = (double)z.pixels * z.taps * (z.wide / VL);
    double entries = (double)windows_of_pool(pool) * z.filters;
    double listed = LISTED_VECTOR * entries * (pixel_list_size(&z) / VL + LISTED_ENTRY);
    int taps = pool->KH * pool->KW;
    return layer->window.groups == 1 && taps <= PIXEL_POOL_TAPS && listed < whole
           && entries * (taps + 1) < RNN_MAX_EXTENT;
}

/* Behind a convolution's tables in shared: offsets of lists. */
typedef struct {
    int32_t *place, *vector;
} list_tables;

static float *
lay_out_list_tables(list_tables *t, const pixel_sizes *z, const rnn_window *pool,
                    float *area)
{
    int taps = pool->KH * pool->KW;
    t->place = (int32_t *)(void *)take_block(&area, windows_of_pool(pool) * (taps + 1));
    t->vector = (int32_t *)(void *)take_block(&area, pixel_list_size(z) / VL);
    return area;
}

static list_tables
list_tables_of(const rnn_layer *layer, const rnn_io *io, const pixel_conv *c)
{
    pixel_tables before;
    list_tables t;
    float *area = lay_out_pixel_tables(&before, &c->z, c->s->groups, io->shared);
    lay_out_list_tables(&t, &c->z, &layer->pool, area);
    return t;
}

/* Scratch: the padded image, then outputs of the convolution or a list. */
static float *
behind_image(const rnn_io *io, const pixel_conv *c)
{
    return io->scratch + pixel_padded(&c->z);
}

static void
conv_pixels_pool_prepare_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    pixel_conv c = pixel_conv_of(layer, io);
    bool lists = goes_by_lists(layer);
    pixel_prepare(io, &c, lists ? pixel_filters_first(&c.z) : pixel_runs_first(&c.z));
    if (!io->training || !lists)
        return;
    list_tables t = list_tables_of(layer, io, &c);
    pixel_list_offsets(t.place, t.vector, c.t.pixel, c.t.run, &c.z, &layer->pool);
}

static void
conv_pixels_pool_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    pixel_conv c = pixel_conv_of(layer, io);
    float *image = behind_image(io, &c);
    bool relu = conv2d_activation(layer)->forward == relu_forward;
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * layer->out_size;
        pixel_forward_row(layer, io, &c, image, false, b);
        pixel_maxpool(io->out + at, (int32_t *)(void *)io->cache + at, image, relu,
                      &layer->pool);
    }
}

/* Row b's gradient with respect to the pool, and which outputs it goes to. */
typedef struct {
    const float *dout;
    const int32_t *which;
} pool_gradient;

static pool_gradient
pool_gradient_of(const rnn_layer *layer, const rnn_io *io, int b)
{
    ptrdiff_t at = (ptrdiff_t)b * layer->out_size;
    return (pool_gradient){io->dout + at, (const int32_t *)(const void *)io->cache + at};
}

/* The same as an image of the convolution's outputs. */
static const float *
spread_pool_gradient(const rnn_layer *layer, const rnn_io *io, const pixel_conv *c, int b)
{
    pool_gradient d = pool_gradient_of(layer, io, b);
    float *image = behind_image(io, c);
    pixel_maxpool_backward(image, d.dout, d.which, &layer->pool);
    return image;
}

static void
listed_input(const rnn_layer *layer, const rnn_io *io, const pixel_conv *c, float *dinp,
             int b)
{
    const rnn_window *pool = &layer->pool;
    pool_gradient d = pool_gradient_of(layer, io, b);
    list_tables t = list_tables_of(layer, io, c);
    float *value = behind_image(io, c);
    int room = (pool->KH * pool->KW + 1) * c->z.filters;
    pixel_listed_input_gradient(dinp, d.dout, d.which, t.place, t.vector,
                                (int32_t *)(void *)(value + room), value, c->t.turned,
                                &c->z, pool);
}

static void
conv_pixels_pool_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    pixel_conv c = pixel_conv_of(layer, io);
    bool lists = goes_by_lists(layer);
    for (int b = 0; b < io->rows; b++) {
        float *dinp = begin_input_sums(layer, io, &c, b);
        if (lists)
            listed_input(layer, io, &c, dinp, b);
        else
            add_input_sums(dinp, spread_pool_gradient(layer, io, &c, b), &c);
        end_input_sums(layer, io, &c, dinp, b);
    }
}

static void
listed_params(const rnn_layer *layer, const rnn_io *io, const pixel_conv *c,
              const float *inp, int b)
{
    const rnn_window *pool = &layer->pool;
    pool_gradient d = pool_gradient_of(layer, io, b);
    list_tables t = list_tables_of(layer, io, c);
    float *value = behind_image(io, c);
    int32_t *at = (int32_t *)(void *)(value + windows_of_pool(pool));
    pixel_listed_weight_gradient(io->target,
                                 io->target + c->z.filters * pixel_list_size(&c->z), d.dout,
                                 d.which, inp, t.place, t.vector, at, value, &c->z, pool);
}

static void
conv_pixels_pool_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    pixel_conv c = pixel_conv_of(layer, io);
    bool lists = goes_by_lists(layer);
    if (io->beta == 0)
        memset(io->target, 0, layer->sums * sizeof(float));
    for (int b = 0; b < io->rows; b++) {
        const float *inp = padded_row(layer, io, &c, b);
        if (lists)
            listed_params(layer, io, &c, inp, b);
        else
            add_params_sums(io->target, spread_pool_gradient(layer, io, &c, b), inp, &c);
    }
}

static void
conv_pixels_pool_finish_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    if (!goes_by_lists(layer)) {
        conv_pixels_finish_pass(layer, io, slice);
        return;
    }
    pixel_conv c = pixel_conv_of(layer, io);
    pixel_finish(layer, io, &c, 0, io->sums, pixel_filters_first(&c.z),
                 io->sums + c.z.filters * pixel_list_size(&c.z));
}

static const rnn_layer_type conv_pixels_pool_layer = {
    .name = "conv+maxpool in pixels",
    .pass = {[RNN_PREPARE] = conv_pixels_pool_prepare_pass,
             [RNN_FORWARD] = conv_pixels_pool_forward_pass,
             [RNN_INPUT] = conv_pixels_pool_input_pass,
             [RNN_PARAMS] = conv_pixels_pool_params_pass,
             [RNN_FINISH] = conv_pixels_pool_finish_pass},
};

/* Floats behind the padded image in scratch: outputs of the convolution, or lists. */
static size_t
pooled_scratch(const rnn_layer *layer, const pixel_sizes *z)
{
    const rnn_window *pool = &layer->pool;
    size_t of_windows = 2 * (size_t)windows_of_pool(pool);
    size_t of_window = 2 * (size_t)(pool->KH * pool->KW + 1) * (size_t)z->filters;
    size_t image = (size_t)z->pixels * (size_t)layer->attr[CONV_FILTERS];
    return larger(image, goes_by_lists(layer) ? larger(of_windows, of_window) : 0);
}

static bool
conv_pixels_pool_fuse(rnn_layer *fused, const rnn_layer *conv, const rnn_layer *pool)
{
    const activation *f = conv2d_activation(conv);
    bool is_kinked = f->forward == relu_forward || f->forward == linear_forward;
    if (!is_kinked || !conv_pixels_fuse(fused, conv))
        return false;
    pixel_sizes z = pixel_sizes_of(&conv->window, (int)conv->attr[CONV_FILTERS]);
    list_tables tables;
    fused->type = &conv_pixels_pool_layer;
    fused->pool = pool->window;
    fused->out = pool->out;
    fused->out_size = pool->out_size;
    fused->cache = (size_t)pool->out_size;
    fused->scratch = pixel_padded(&z) + pooled_scratch(fused, &z) + RNN_READ_SLACK;
    fused->slices[RNN_OUTPUT] = 0;
    if (!goes_by_lists(fused))
        return true;
    float *area = lay_out_list_tables(&tables, &z, &fused->pool, NULL);
    fused->shared += (size_t)(area - (float *)NULL);
    fused->sums = (size_t)z.filters * ((size_t)pixel_list_size(&z) + 1);
    return true;
}

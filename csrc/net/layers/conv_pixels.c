/* conv2d and conv1d over images that have the channels of a pixel side by side: vectors
 * go along the filters, so that any stride, kernel and dilation is the same product. Part
 * of level.c. */

/* Filters of a group fill this share of their vectors, or their convolution stays in
 * planes.
 */
#define PIXELS_FILLED 0.3

/* Whether an int counts the floats of a padded image, and of the weights in whole vectors.
 */
static bool
pixels_fit(const rnn_window *s, int filters)
{
    int padded[3] = {s->top + s->H + s->bottom, s->left + s->W + s->right, s->C};
    int packed[4] = {s->C, s->KH, s->KW, s->groups * pixel_wide(filters / s->groups)};
    int turned[4] = {filters, s->KH, s->KW, pixel_wide(s->C / s->groups)};
    int size[2] = {rnn_size_product(padded, 3), RNN_READ_SLACK};
    return size[0] > 0 && rnn_size_sum(size, 2) > 0 && rnn_size_product(packed, 4) > 0
           && rnn_size_product(turned, 4) > 0;
}

static bool
conv_likes_pixels(const rnn_layer *layer)
{
    const rnn_window *s = &layer->window;
    int filters = (int)layer->attr[CONV_FILTERS], of_group = filters / s->groups;
    return of_group >= PIXELS_FILLED * pixel_wide(of_group) && pixels_fit(s, filters);
}

/* What PREPARE leaves in shared: tables, and the weights of group k behind those of the
 * ones before. */
typedef struct {
    int32_t *pixel, *run, *tap;
    float *packed, *turned;
    ptrdiff_t of_packed, of_turned; /* floats of a group */
} pixel_tables;

/* Lays them out from `area` on; returns its end. */
static float *
lay_out_pixel_tables(pixel_tables *t, const pixel_sizes *z, int groups, float *area)
{
    t->of_packed = (ptrdiff_t)z->taps * z->wide;
    t->of_turned = (ptrdiff_t)z->runs * z->filters * z->run_wide;
    t->pixel = (int32_t *)(void *)take_block(&area, z->pixels);
    t->run = (int32_t *)(void *)take_block(&area, z->runs);
    t->tap = (int32_t *)(void *)take_block(&area, z->taps);
    t->packed = take_block(&area, groups * t->of_packed);
    t->turned = take_block(&area, groups * t->of_turned);
    return area;
}

/* Sums of a group of filters: over taps, and of the bias. */
static ptrdiff_t
pixel_sums_of_group(const pixel_sizes *z)
{
    return (ptrdiff_t)(z->taps + 1) * z->wide;
}

static size_t
pixel_padded(const pixel_sizes *z)
{
    return (size_t)z->rows * (size_t)z->pitch + RNN_READ_SLACK;
}

/* A convolution's geometry, and its tables. */
typedef struct {
    const rnn_window *s;
    pixel_sizes z;
    pixel_tables t;
    int step;          /* floats of a pixel of outputs, of all groups */
    int channels;      /* of a group */
    ptrdiff_t weights; /* of a group */
    bool copies;       /* images to scratch */
} pixel_conv;

static bool
pads(const rnn_window *s)
{
    return s->top > 0 || s->bottom > 0 || s->left > 0 || s->right > 0;
}

/* Whether images are copied to scratch: to be padded, or because lists read to the end of
 * the last vector. */
static bool
conv_copies(const rnn_layer *layer)
{
    return pads(&layer->window) || layer->pool.C > 0;
}

static pixel_conv
pixel_conv_of(const rnn_layer *layer, const rnn_io *io)
{
    const rnn_window *s = &layer->window;
    int filters = (int)layer->attr[CONV_FILTERS];
    pixel_conv c = {.s = s,
                    .z = pixel_sizes_of(s, filters),
                    .step = filters,
                    .channels = s->C / s->groups,
                    .copies = conv_copies(layer)};
    c.weights = (ptrdiff_t)c.z.filters * c.z.taps;
    lay_out_pixel_tables(&c.t, &c.z, s->groups, io->shared);
    return c;
}

/* Tables and weights; those of backward in the order in which it reads them. */
static void
pixel_prepare(const rnn_io *io, const pixel_conv *c, pixel_order backward)
{
    pixel_offsets(c->t.pixel, c->t.run, c->t.tap, &c->z, c->s);
    for (int k = 0; k < c->s->groups; k++) {
        const float *weight = io->params + k * c->weights;
        pixel_pack(c->t.packed + k * c->t.of_packed, weight, &c->z, c->s);
        if (io->training && io->to_input)
            pixel_lay_out(c->t.turned + k * c->t.of_turned, weight, backward, &c->z, c->s);
    }
}

static void
conv_pixels_prepare_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    pixel_conv c = pixel_conv_of(layer, io);
    pixel_prepare(io, &c, pixel_runs_first(&c.z));
}

/* The image of row b with zeros around. */
static const float *
padded_row(const rnn_layer *layer, const rnn_io *io, const pixel_conv *c, int b)
{
    const float *inp = io->inp + (ptrdiff_t)b * layer->in_size;
    if (!c->copies)
        return inp;
    pad_pixels(io->scratch, inp, &c->z, c->s);
    return io->scratch;
}

/* out (P*Q, filters) of row b */
static void
pixel_forward_row(const rnn_layer *layer, const rnn_io *io, const pixel_conv *c, float *out,
                  bool relu, int b)
{
    const float *inp = padded_row(layer, io, c, b), *bias = param_of(layer, io, 1);
    for (int k = 0; k < c->s->groups; k++)
        pixel_forward(out + k * c->z.filters, c->step, inp + k * c->channels, c->t.pixel,
                      c->t.tap, c->t.packed + k * c->t.of_packed, bias + k * c->z.filters,
                      relu, &c->z);
}

static void
conv_pixels_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    pixel_conv c = pixel_conv_of(layer, io);
    const activation *f = conv2d_activation(layer);
    bool relu = f->forward == relu_forward;
    float *z = f->from_input ? io->cache : io->out;
    for (int b = 0; b < io->rows; b++)
        pixel_forward_row(layer, io, &c, z + (ptrdiff_t)b * layer->out_size, relu, b);
    if (!relu && f->forward != linear_forward)
        f->forward(io->out, z, (int)all_elements(io, layer->out_size),
                   (float)layer->attr[CONV_ALPHA]);
}

/* Zeros, in scratch if the image is padded, to add row b's gradients to. */
static float *
begin_input_sums(const rnn_layer *layer, const rnn_io *io, const pixel_conv *c, int b)
{
    float *sums = c->copies ? io->scratch : io->dinp + (ptrdiff_t)b * layer->in_size;
    memset(sums, 0, (size_t)c->z.rows * (size_t)c->z.pitch * sizeof(float));
    return sums;
}

static void
end_input_sums(const rnn_layer *layer, const rnn_io *io, const pixel_conv *c,
               const float *sums, int b)
{
    if (c->copies)
        crop_pixels(io->dinp + (ptrdiff_t)b * layer->in_size, sums, &c->z, c->s);
}

/* dinp (padded) += gradients from dout (P*Q, filters) */
static void
add_input_sums(float *dinp, const float *dout, const pixel_conv *c)
{
    for (int k = 0; k < c->s->groups; k++)
        pixel_input_gradient(dinp + k * c->channels, dout + k * c->z.filters, c->step,
                             c->t.pixel, c->t.run, c->t.turned + k * c->t.of_turned, &c->z);
}

static void
conv_pixels_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    pixel_conv c = pixel_conv_of(layer, io);
    for (int b = 0; b < io->rows; b++) {
        const float *dout = io->dout + (ptrdiff_t)b * layer->out_size;
        float *sums = begin_input_sums(layer, io, &c, b);
        add_input_sums(sums, dout, &c);
        end_input_sums(layer, io, &c, sums, b);
    }
}

/* sums += gradients from dout (P*Q, filters) and a padded image, group by group */
static void
add_params_sums(float *sums, const float *dout, const float *inp, const pixel_conv *c)
{
    for (int k = 0; k < c->s->groups; k++, sums += pixel_sums_of_group(&c->z))
        pixel_weight_gradient(sums, sums + (ptrdiff_t)c->z.taps * c->z.wide,
                              dout + k * c->z.filters, c->step, inp + k * c->channels,
                              c->t.pixel, c->t.tap, &c->z);
}

static void
conv_pixels_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    pixel_conv c = pixel_conv_of(layer, io);
    if (io->beta == 0)
        memset(io->target, 0, layer->sums * sizeof(float));
    for (int b = 0; b < io->rows; b++)
        add_params_sums(io->target, io->dout + (ptrdiff_t)b * layer->out_size,
                        padded_row(layer, io, &c, b), &c);
}

/* Targets of group k from sums in an order, and those of its bias. */
static void
pixel_finish(const rnn_layer *layer, const rnn_io *io, const pixel_conv *c, int k,
             const float *sums, pixel_order order, const float *bias_sums)
{
    float *bias = target_of(layer, io, 1) + (ptrdiff_t)k * c->z.filters;
    pixel_add_sums(io->target + k * c->weights, sums, order, &c->z, c->s, io->alpha,
                   io->beta);
    for (int f = 0; f < c->z.filters; f++)
        accumulate(&bias[f], bias_sums[f], io->alpha, io->beta);
}

static void
conv_pixels_finish_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    pixel_conv c = pixel_conv_of(layer, io);
    for (int k = 0; k < c.s->groups; k++) {
        const float *sums = io->sums + k * pixel_sums_of_group(&c.z);
        pixel_finish(layer, io, &c, k, sums, pixel_taps_first(&c.z),
                     sums + (ptrdiff_t)c.z.taps * c.z.wide);
    }
}

static const rnn_layer_type conv_pixels_layer = {
    .name = "conv in pixels",
    .pass = {[RNN_PREPARE] = conv_pixels_prepare_pass,
             [RNN_FORWARD] = conv_pixels_forward_pass,
             [RNN_OUTPUT] = conv2d_output_pass,
             [RNN_INPUT] = conv_pixels_input_pass,
             [RNN_PARAMS] = conv_pixels_params_pass,
             [RNN_FINISH] = conv_pixels_finish_pass},
};

/* The stage of a convolution whose filters fill vectors. */
static bool
conv_pixels_fuse(rnn_layer *fused, const rnn_layer *conv)
{
    pixel_tables tables;
    if (!conv_likes_pixels(conv))
        return false;
    const rnn_window *s = &conv->window;
    pixel_sizes z = pixel_sizes_of(s, (int)conv->attr[CONV_FILTERS]);
    *fused = *conv;
    fused->type = &conv_pixels_layer;
    fused->layout = RNN_PIXELS;
    fused->scratch = pads(s) ? pixel_padded(&z) : 0;
    fused->shared =
        (size_t)(lay_out_pixel_tables(&tables, &z, s->groups, NULL) - (float *)NULL)
        + RNN_READ_SLACK;
    fused->sums = (size_t)(s->groups * pixel_sums_of_group(&z));
    fused->slices[RNN_PREPARE] = fused->slices[RNN_FINISH] = 1;
    fused->work[RNN_FINISH] = (double)conv->param_count;
    return true;
}

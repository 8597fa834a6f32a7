/* conv2d: out = f(cross-correlation + bias), f the activation. Part of level.c. */

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

/* Stride 1 works in planes of the padded image, anything else unfolds it. */
static bool
conv2d_is_direct(const window *s)
{
    return s->stride == 1 && s->padding < s->K;
}

/* From so many channels on pixels are put side by side for the weight gradient. */
#define CONV_PIXEL_CHANNELS 4

static bool
conv2d_has_pixels(const window *s)
{
    return s->C >= CONV_PIXEL_CHANNELS;
}

/* Sizes in floats, slack included where vectors read or write past the end. */
typedef struct {
    int fan_in, padded_rows, plane, positions;
    int back_padding, back_pitch, back_rows; /* of padded dout */
    size_t padded;                           /* image, and the same as pixels */
    size_t planes;                           /* of outputs or their gradients */
    size_t back;                             /* padded dout */
    size_t back_planes;                      /* of dinp */
    size_t row_sums;
} conv2d_sizes;

static conv2d_sizes
conv2d_sizes_of(const window *s, int filters)
{
    conv2d_sizes z = {.fan_in = s->C * s->K * s->K,
                      .padded_rows = s->H + 2 * s->padding,
                      .plane = conv2d_plane(s),
                      .back_padding = conv2d_back_padding(s)};
    /* The last tap reads K - 1 floats further than the first. */
    const size_t slack = 2 * RNN_READ_SLACK + (size_t)s->K;
    z.positions = (s->P - 1) * conv2d_pitch(s) + s->Q;
    z.back_pitch = s->Q + 2 * z.back_padding;
    z.back_rows = s->P + 2 * z.back_padding;
    z.padded = (size_t)s->C * (size_t)z.padded_rows * (size_t)conv2d_pitch(s) + slack;
    z.planes = (size_t)filters * (size_t)z.plane + slack;
    z.back = (size_t)filters * (size_t)z.back_rows * (size_t)z.back_pitch + slack;
    z.back_planes = (size_t)s->C * (size_t)s->H * (size_t)z.back_pitch + slack;
    z.row_sums = (size_t)filters * (size_t)z.fan_in;
    return z;
}

/* Floats of one unfolded image, and the room after it that gemm may read. */
static size_t
conv2d_unfolded(const window *s)
{
    return (size_t)s->C * (size_t)s->K * (size_t)s->K * (size_t)s->P * (size_t)s->Q
           + RNN_READ_SLACK;
}

static size_t
larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Whether an int counts the elements of all planes, padded for forward or backward. */
static bool
conv2d_planes_fit(const window *s, int filters)
{
    conv2d_sizes z = conv2d_sizes_of(s, 1);
    int planes[2] = {filters, z.plane}, back[3] = {filters, z.back_rows, z.back_pitch};
    return rnn_size_product(planes, 2) > 0 && rnn_size_product(back, 3) > 0;
}

/* Scratch of the direct passes, the greatest of: padded image and planes; padded dout and
 * planes of dinp; padded image, planes, pixels and sums by kernel rows.
 * Shared: offsets of forward and backward, then the turned weight. */
static void
conv2d_go_direct(rnn_layer *layer, const window *s, int filters)
{
    conv2d_sizes z = conv2d_sizes_of(s, filters);
    size_t gradient = z.padded + z.planes;
    if (conv2d_has_pixels(s))
        gradient += z.padded + z.row_sums;
    layer->scratch = larger(gradient, z.back + z.back_planes);
    layer->shared = (size_t)z.fan_in + (size_t)(filters * s->K * s->K) + z.row_sums;
    layer->slices[RNN_PREPARE] = 1;
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
    if (rnn_size_product(fans, 3) == 0 || !rnn_layer_add_param(layer, weight)
        || !rnn_layer_add_param(layer, bias))
        return rnn_layer_refuse_size(error, "a weight", weight.shape.dim, 4);
    if (rnn_size_product(unfolded, 5) == 0)
        return rnn_layer_refuse_size(error, "an unfolded image", unfolded, 5);
    if (conv2d_is_direct(&s) && !conv2d_planes_fit(&s, filters))
        return rnn_layer_refuse(error, "filters",
                                "expected padded planes of at most %d elements, got %d "
                                "planes of %d x %d and their padding",
                                RNN_MAX_EXTENT, filters, s.P, s.Q);
    double products = (double)filters * s.P * s.Q * s.C * k * k;
    layer->cache = f->from_input ? (size_t)rnn_shape_size(&layer->out) : 0;
    if (conv2d_is_direct(&s))
        conv2d_go_direct(layer, &s, filters);
    else
        layer->scratch = conv2d_unfolded(&s);
    layer->slices[RNN_FORWARD] = layer->slices[RNN_INPUT] = RNN_BY_ROWS;
    layer->slices[RNN_OUTPUT] = f->forward == linear_forward ? 0 : RNN_BY_ROWS;
    layer->slices[RNN_PARAMS] = RNN_BY_ROWS;
    layer->work[RNN_FORWARD] = layer->work[RNN_PARAMS] = layer->work[RNN_INPUT] = products;
    layer->work[RNN_OUTPUT] = rnn_shape_size(&layer->out);
    return RNN_OK;
}

/* ---- what the passes of conv2d and its fused forms share ---- */

static int32_t *
conv2d_forward_offsets(const rnn_io *io)
{
    return (int32_t *)(void *)io->shared;
}

static int32_t *
conv2d_backward_offsets(const rnn_io *io, const conv2d_sizes *z)
{
    return conv2d_forward_offsets(io) + z->fan_in;
}

static float *
conv2d_turned_weight(const rnn_io *io, const window *s, const conv2d_sizes *z, int filters)
{
    return io->shared + z->fan_in + (ptrdiff_t)filters * s->K * s->K;
}

static void
conv2d_prepare_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    window s = conv2d_window(layer);
    int filters = (int)layer->attr[CONV_FILTERS];
    conv2d_sizes z = conv2d_sizes_of(&s, filters);
    conv2d_offsets(conv2d_forward_offsets(io), s.C, z.padded_rows, conv2d_pitch(&s), s.K);
    if (!io->training || !io->to_input)
        return;
    conv2d_offsets(conv2d_backward_offsets(io, &z), filters, z.back_rows, z.back_pitch,
                   s.K);
    conv2d_turn_weight(conv2d_turned_weight(io, &s, &z, filters), io->params, filters, s.C,
                       s.K);
}

/* Planes of row b's outputs, behind the padded image in scratch. */
static float *
conv2d_row_planes(const rnn_layer *layer, const rnn_io *io, const window *s,
                  const conv2d_sizes *z, int b, bool relu)
{
    const float *inp = io->inp + (ptrdiff_t)b * layer->in_size;
    const float *bias = io->params + layer->param[1].offset;
    float *padded = io->scratch, *planes = padded + z->padded;
    int filters = (int)layer->attr[CONV_FILTERS], pitch = conv2d_pitch(s);
    live_rows live = conv2d_live_rows(inp, s);
    int begin = live.begin * pitch, end = live.end * pitch;
    pad_planes(padded, z->padded, inp, s->C, s->H, s->W, s->H * s->W, s->W, s->padding);
    fill_rows(planes, bias, relu, filters, z->plane, 0, begin);
    fill_rows(planes, bias, relu, filters, z->plane, end, z->plane);
    if (live.begin < live.end)
        conv2d_planes(planes + begin, z->plane, padded + begin, conv2d_forward_offsets(io),
                      io->params, bias, relu, filters, z->fan_in,
                      end - begin - pitch + s->Q);
    return planes;
}

/* Row b's gradients from planes of its dout, which lie behind the padded image. */
static void
conv2d_row_params(const rnn_layer *layer, const rnn_io *io, const window *s,
                  const conv2d_sizes *z, int b)
{
    float *padded = io->scratch, *planes = padded + z->padded;
    float *pixels = planes + z->planes, *sums = pixels + z->padded;
    float beta = b == 0 ? io->beta : 1.0f;
    int filters = (int)layer->attr[CONV_FILTERS], pitch = conv2d_pitch(s);
    const float *inp = io->inp + (ptrdiff_t)b * layer->in_size;
    pad_planes(padded, z->padded, inp, s->C, s->H, s->W, s->H * s->W, s->W, s->padding);
    conv2d_bias_gradient(io->target + layer->param[1].offset, planes, z->plane, filters,
                         io->alpha, beta);
    if (!conv2d_has_pixels(s)) {
        vector_range live = conv2d_live_vectors(conv2d_live_rows(inp, s), s);
        conv2d_weight_gradient(io->target, planes + live.begin, z->plane,
                               padded + live.begin, conv2d_forward_offsets(io), filters,
                               z->fan_in, live.end - live.begin, io->alpha, beta);
        return;
    }
    int area = z->padded_rows * pitch;
    transpose(pixels, s->C, padded, area, s->C, area);
    conv2d_weight_gradient_by_rows(sums, planes, z->plane, pixels, filters, s->C, s->K,
                                   pitch, z->positions, b == 0 ? 0.0f : 1.0f);
    if (b + 1 == io->rows)
        conv2d_add_row_sums(io->target, sums, filters, s->C, s->K, io->alpha, io->beta);
}

/* Row b's dinp from its padded dout at the start of scratch. */
static void
conv2d_row_input(const rnn_layer *layer, const rnn_io *io, const window *s,
                 const conv2d_sizes *z, int b)
{
    float *back = io->scratch, *planes = back + z->back;
    int filters = (int)layer->attr[CONV_FILTERS], plane = s->H * z->back_pitch;
    conv2d_planes(planes, plane, back, conv2d_backward_offsets(io, z),
                  conv2d_turned_weight(io, s, z, filters), NULL, false, s->C,
                  filters * s->K * s->K, plane - z->back_pitch + s->W);
    crop_planes(io->dinp + (ptrdiff_t)b * layer->in_size, planes, s->C, s->H, s->W, plane,
                z->back_pitch);
}

/* ---- passes ---- */

static void
conv2d_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    window s = conv2d_window(layer);
    int filters = (int)layer->attr[CONV_FILTERS];
    conv2d_sizes sizes = conv2d_sizes_of(&s, filters);
    const activation *f = conv2d_activation(layer);
    bool relu = f->forward == relu_forward && conv2d_is_direct(&s);
    float *z = f->from_input ? io->cache : io->out;
    for (int b = 0; b < io->rows; b++) {
        float *to = z + (ptrdiff_t)b * layer->out_size;
        if (conv2d_is_direct(&s))
            crop_planes(to, conv2d_row_planes(layer, io, &s, &sizes, b, relu), filters, s.P,
                        s.Q, sizes.plane, conv2d_pitch(&s));
        else
            unfolded_forward(to, io->inp + (ptrdiff_t)b * layer->in_size, io->params,
                             io->params + layer->param[1].offset, io->scratch, filters, &s);
    }
    if (!relu && f->forward != linear_forward)
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
    int filters = (int)layer->attr[CONV_FILTERS];
    conv2d_sizes z = conv2d_sizes_of(&s, filters);
    for (int b = 0; b < io->rows; b++) {
        const float *dout = io->dout + (ptrdiff_t)b * layer->out_size;
        if (conv2d_is_direct(&s)) {
            pad_planes(io->scratch, z.back, dout, filters, s.P, s.Q, s.P * s.Q, s.Q,
                       z.back_padding);
            conv2d_row_input(layer, io, &s, &z, b);
        }
        else {
            unfolded_backward_input(io->dinp + (ptrdiff_t)b * layer->in_size, dout,
                                    io->params, io->scratch, filters, &s);
        }
    }
}

static void
conv2d_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    window s = conv2d_window(layer);
    int filters = (int)layer->attr[CONV_FILTERS];
    conv2d_sizes z = conv2d_sizes_of(&s, filters);
    for (int b = 0; b < io->rows; b++) {
        const float *dout = io->dout + (ptrdiff_t)b * layer->out_size;
        if (conv2d_is_direct(&s)) {
            spread_planes(io->scratch + z.padded, dout, filters, s.P, s.Q, z.plane,
                          conv2d_pitch(&s));
            conv2d_row_params(layer, io, &s, &z, b);
        }
        else {
            unfolded_backward_params(io->target, io->target + layer->param[1].offset, dout,
                                     io->inp + (ptrdiff_t)b * layer->in_size, io->scratch,
                                     filters, &s, io->alpha, b == 0 ? io->beta : 1.0f);
        }
    }
}

static const rnn_layer_type conv2d_layer = {
    .name = "conv2d",
    .attrs = conv2d_attrs,
    .setup = conv2d_setup,
    .pass = {[RNN_PREPARE] = conv2d_prepare_pass,
             [RNN_FORWARD] = conv2d_forward_pass,
             [RNN_OUTPUT] = conv2d_output_pass,
             [RNN_INPUT] = conv2d_input_pass,
             [RNN_PARAMS] = conv2d_params_pass},
};

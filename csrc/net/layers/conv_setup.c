/* What a convolution's spec says, and the room that its passes need. Part of level.c. */

enum {
    CONV_FILTERS,
    CONV_KERNEL,
    CONV_STRIDE = 3,
    CONV_PADDING = 5,
    CONV_ACTIVATION = 9,
    CONV_ALPHA,
    CONV_DILATION,
    CONV_GROUPS = 13
};

static const rnn_attr conv2d_attrs[] = {
    [CONV_FILTERS] = {"filters", RNN_INT, true, NAN, 1, 1 << 20, NULL},
    [CONV_KERNEL] = {"kernel_size", RNN_INT, true, NAN, 1, 1 << 15, NULL},
    RNN_ATTR_MORE,
    [CONV_STRIDE] = {"stride", RNN_INT, false, 1, 1, 1 << 15, NULL},
    RNN_ATTR_MORE,
    [CONV_PADDING] = {"padding", RNN_INT, false, 0, 0, 1 << 15, padding_name},
    RNN_ATTR_MORE,
    RNN_ATTR_MORE,
    RNN_ATTR_MORE,
    [CONV_ACTIVATION] = {"activation", RNN_CHOICE, false, 0, 0, 0, activation_name},
    [CONV_ALPHA] = {"alpha", RNN_FLOAT, false, NAN, 0, 1e30, NULL},
    [CONV_DILATION] = {"dilation", RNN_INT, false, 1, 1, 1 << 15, NULL},
    RNN_ATTR_MORE,
    [CONV_GROUPS] = {"groups", RNN_INT, false, 1, 1, 1 << 20, NULL},
    RNN_ATTRS_END,
};

/* The same keys in the same places: passes look at filters, activation and alpha. */
static const rnn_attr conv1d_attrs[] = {
    [CONV_FILTERS] = {"filters", RNN_INT, true, NAN, 1, 1 << 20, NULL},
    [CONV_KERNEL] = {"kernel_size", RNN_INT, true, NAN, 1, 1 << 15, NULL},
    RNN_ATTR_UNUSED,
    [CONV_STRIDE] = {"stride", RNN_INT, false, 1, 1, 1 << 15, NULL},
    RNN_ATTR_UNUSED,
    [CONV_PADDING] = {"padding", RNN_INT, false, 0, 0, 1 << 15, padding_name},
    RNN_ATTR_MORE,
    RNN_ATTR_UNUSED,
    RNN_ATTR_UNUSED,
    [CONV_ACTIVATION] = {"activation", RNN_CHOICE, false, 0, 0, 0, activation_name},
    [CONV_ALPHA] = {"alpha", RNN_FLOAT, false, NAN, 0, 1e30, NULL},
    [CONV_DILATION] = {"dilation", RNN_INT, false, 1, 1, 1 << 15, NULL},
    RNN_ATTR_UNUSED,
    [CONV_GROUPS] = {"groups", RNN_INT, false, 1, 1, 1 << 20, NULL},
    RNN_ATTRS_END,
};

static const activation *
conv2d_activation(const rnn_layer *layer)
{
    return &activations[(int)layer->attr[CONV_ACTIVATION]];
}

/* Stride 1 works in planes of the padded image, anything else unfolds it. */
static bool
conv2d_is_direct(const rnn_window *s)
{
    edges back = conv2d_back_edges(s);
    return s->SH == 1 && s->SW == 1 && back.top >= 0 && back.bottom >= 0 && back.left >= 0
           && back.right >= 0;
}

/* From this many channels on, pixels are put side by side for the weight gradient. */
#define CONV_PIXEL_CHANNELS 4

static bool
conv2d_has_pixels(const rnn_window *s)
{
    return s->C >= CONV_PIXEL_CHANNELS;
}

/* Sizes in floats, slack included where vectors read or write past the end. */
typedef struct {
    int fan_in, padded_rows, plane, positions;
    int back_pitch, back_rows; /* of padded dout */
    size_t padded;             /* image, and the same as pixels */
    size_t planes;             /* of outputs or their gradients */
    size_t back;               /* padded dout */
    size_t back_planes;        /* of dinp */
    size_t row_sums;
} conv2d_sizes;

static conv2d_sizes
conv2d_sizes_of(const rnn_window *s, int filters)
{
    edges back = conv2d_back_edges(s);
    conv2d_sizes z = {.fan_in = s->C * s->KH * s->KW,
                      .padded_rows = s->top + s->H + s->bottom,
                      .plane = conv2d_plane(s)};
    /* The last tap of a row reads this many floats further than the first. */
    const size_t slack = 2 * RNN_READ_SLACK + (size_t)rnn_window_wide(s);
    z.positions = (s->P - 1) * conv2d_pitch(s) + s->Q;
    z.back_pitch = back.left + s->Q + back.right;
    z.back_rows = back.top + s->P + back.bottom;
    z.padded = (size_t)s->C * (size_t)z.padded_rows * (size_t)conv2d_pitch(s) + slack;
    z.planes = (size_t)filters * (size_t)z.plane + slack;
    z.back = (size_t)filters * (size_t)z.back_rows * (size_t)z.back_pitch + slack;
    z.back_planes = (size_t)s->C * (size_t)s->H * (size_t)z.back_pitch + slack;
    z.row_sums = (size_t)filters * (size_t)z.fan_in;
    return z;
}

/* A group of channels and the filters over them, which are a separate convolution. */
typedef struct {
    rnn_window s; /* of one group */
    int filters;
    conv2d_sizes z;                  /* where the convolution is direct */
    ptrdiff_t inputs, outputs, taps; /* floats of a group's image, outputs and weight */
} conv2d_group;

static conv2d_group
conv2d_group_of(const rnn_layer *layer)
{
    conv2d_group g = {.s = layer->window};
    g.s.C /= layer->window.groups;
    g.s.groups = 1;
    g.filters = (int)layer->attr[CONV_FILTERS] / layer->window.groups;
    if (conv2d_is_direct(&g.s))
        g.z = conv2d_sizes_of(&g.s, g.filters);
    g.inputs = (ptrdiff_t)g.s.C * g.s.H * g.s.W;
    g.outputs = (ptrdiff_t)g.filters * g.s.P * g.s.Q;
    g.taps = (ptrdiff_t)g.filters * g.s.C * g.s.KH * g.s.KW;
    return g;
}

/* Floats of one unfolded image, and the room after it that gemm may read. */
static size_t
conv2d_unfolded(const rnn_window *s)
{
    return (size_t)s->C * (size_t)s->KH * (size_t)s->KW * (size_t)s->P * (size_t)s->Q
           + RNN_READ_SLACK;
}

static size_t
larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Whether an int counts the elements of n planes of rows x columns and a vector more. */
static bool
planes_fit(int n, int rows, int columns)
{
    int plane[2] = {rows, columns}, size = rnn_size_product(plane, 2);
    int rounded[2] = {size, RNN_READ_SLACK}, all[2] = {n, rnn_size_sum(rounded, 2)};
    return size > 0 && all[1] > 0 && rnn_size_product(all, 2) > 0;
}

/* Whether an int counts the elements of all planes, padded for forward or backward. */
static bool
conv2d_planes_fit(const rnn_window *s, int filters)
{
    int high = s->top + s->H + s->bottom, wide = s->left + s->W + s->right;
    int columns[2] = {s->W, rnn_window_wide(s) - 1}, pitch = rnn_size_sum(columns, 2);
    int rows[2] = {s->H, rnn_window_high(s) - 1}, back = rnn_size_sum(rows, 2);
    return pitch > 0 && back > 0 && planes_fit(s->C, high, wide)
           && planes_fit(filters, s->P, wide) && planes_fit(filters, back, pitch)
           && planes_fit(s->C, s->H, pitch);
}

/* Scratch of the direct passes, the greatest of: padded image and planes; padded dout and
 * planes of dinp; padded image, planes, pixels and sums by kernel rows; of one group.
 * Shared: offsets of forward and backward, then the turned weight of all. */
static void
conv2d_go_direct(rnn_layer *layer, const conv2d_group *g)
{
    const conv2d_sizes *z = &g->z;
    size_t gradient = z->padded + z->planes;
    if (conv2d_has_pixels(&g->s))
        gradient += z->padded + z->row_sums;
    layer->scratch = larger(gradient, z->back + z->back_planes);
    layer->shared = (size_t)z->fan_in + (size_t)(g->filters * g->s.KH * g->s.KW)
                    + z->row_sums * (size_t)layer->window.groups;
    layer->slices[RNN_PREPARE] = 1;
}

static rnn_status
check_groups(const rnn_layer *layer, int filters, rnn_error *error)
{
    const rnn_window *s = &layer->window;
    if (s->C % s->groups == 0 && filters % s->groups == 0)
        return RNN_OK;
    return rnn_layer_refuse(error, "groups",
                            "expected a divisor of channels and filters, %d and %d, got %d",
                            s->C, filters, s->groups);
}

/* Of all groups; its parameters are the layer's first. */
static rnn_status
add_filters(rnn_layer *layer, rnn_error *error)
{
    const rnn_window *s = &layer->window;
    int filters = (int)layer->attr[CONV_FILTERS], channels = s->C / s->groups;
    int fan_in[3] = {channels, s->KH, s->KW};
    int fan_out[3] = {filters / s->groups, s->KH, s->KW};
    rnn_shape image = {4, {filters, channels, s->KH, s->KW}};
    rnn_shape signal = {3, {filters, channels, s->KW}};
    rnn_param weight = {.name = "weight",
                        .shape = layer->in.rank == 2 ? signal : image,
                        .init = RNN_GLOROT_UNIFORM,
                        .fan_in = rnn_size_product(fan_in, 3),
                        .fan_out = rnn_size_product(fan_out, 3)};
    rnn_param bias = {.name = "bias", .shape = {1, {filters}}};
    if (weight.fan_in == 0 || weight.fan_out == 0 || !rnn_layer_add_param(layer, weight)
        || !rnn_layer_add_param(layer, bias))
        return rnn_layer_refuse_size(error, "a weight", weight.shape.dim,
                                     weight.shape.rank);
    return RNN_OK;
}

/* Scratch, shared, and the work of all passes. */
static rnn_status
make_room(rnn_layer *layer, rnn_error *error)
{
    const activation *f = conv2d_activation(layer);
    rnn_window s = layer->window;
    int filters = (int)layer->attr[CONV_FILTERS], of_group = filters / s.groups;
    s.C /= s.groups;
    int unfolded[5] = {s.C, s.KH, s.KW, s.P, s.Q};
    if (rnn_size_product(unfolded, 5) == 0)
        return rnn_layer_refuse_size(error, "an unfolded image", unfolded, 5);
    if (conv2d_is_direct(&s) && !conv2d_planes_fit(&s, of_group))
        return rnn_layer_refuse(error, "filters",
                                "expected padded planes of at most %d elements, got %d "
                                "planes of %d x %d and their padding",
                                RNN_MAX_EXTENT, filters, s.P, s.Q);
    conv2d_group g = conv2d_group_of(layer);
    double products = (double)filters * s.P * s.Q * s.C * s.KH * s.KW;
    layer->cache = f->from_input ? (size_t)rnn_shape_size(&layer->out) : 0;
    if (conv2d_is_direct(&s))
        conv2d_go_direct(layer, &g);
    else
        layer->scratch = conv2d_unfolded(&s);
    layer->slices[RNN_FORWARD] = layer->slices[RNN_INPUT] = RNN_BY_ROWS;
    layer->slices[RNN_OUTPUT] = f->forward == linear_forward ? 0 : RNN_BY_ROWS;
    layer->slices[RNN_PARAMS] = RNN_BY_ROWS;
    layer->work[RNN_FORWARD] = layer->work[RNN_PARAMS] = layer->work[RNN_INPUT] = products;
    layer->work[RNN_OUTPUT] = rnn_shape_size(&layer->out);
    return RNN_OK;
}

static rnn_status
set_up_conv(rnn_layer *layer, const window_attrs *at, rnn_error *error)
{
    int filters = (int)layer->attr[CONV_FILTERS];
    if (isnan(layer->attr[CONV_ALPHA]))
        layer->attr[CONV_ALPHA] = conv2d_activation(layer)->alpha;
    if (set_up_window(layer, at, error) != RNN_OK
        || check_groups(layer, filters, error) != RNN_OK)
        return RNN_EINVAL;
    layer->out = window_shape(layer, filters);
    if (add_filters(layer, error) != RNN_OK)
        return RNN_EINVAL;
    return make_room(layer, error);
}

static rnn_status
conv2d_setup(rnn_layer *layer, rnn_error *error)
{
    static const window_attrs at = {
        2, CONV_KERNEL, CONV_STRIDE, CONV_PADDING, CONV_DILATION, CONV_GROUPS};
    return set_up_conv(layer, &at, error);
}

static rnn_status
conv1d_setup(rnn_layer *layer, rnn_error *error)
{
    static const window_attrs at = {
        1, CONV_KERNEL, CONV_STRIDE, CONV_PADDING, CONV_DILATION, CONV_GROUPS};
    return set_up_conv(layer, &at, error);
}

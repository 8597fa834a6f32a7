/* What layers that slide a window over an image share. Part of level.c. */

/* Over how many axes a window slides, and where a table of attributes has its numbers; -1:
 * nowhere. */
typedef struct {
    int axes, kernel, stride, padding, dilation, groups;
} window_attrs;

enum { PADDING_SAME = -1, PADDING_VALID = -2 };

static const char *
padding_name(int index)
{
    static const char *const names[] = {"same", "valid"};
    return index < COUNT(names) ? names[index] : NULL;
}

/* Kernel, step and tap distance along one axis, and how far the input is padded. */
typedef struct {
    int size, kernel, stride, dilation, before, after, outputs;
} window_axis;

/* Padding by name to numbers: as many outputs as steps begin inside the input, the odd row
 * or column of zeros at the end. */
static void
settle_padding(window_axis *a, int reach)
{
    if (a->before == PADDING_VALID)
        a->before = a->after = 0;
    if (a->before != PADDING_SAME)
        return;
    long long outputs = a->size / a->stride + (a->size % a->stride != 0);
    long long lacking = (outputs - 1) * a->stride + reach - a->size;
    a->before = lacking > 0 ? (int)(lacking / 2) : 0;
    a->after = lacking > 0 ? (int)(lacking - lacking / 2) : 0;
}

enum { WINDOW_TOO_LARGE = 0, KERNEL_TOO_LARGE = -1 };

/* Finds the number of outputs, or one of the two above. */
static void
slide(window_axis *a)
{
    int reach = (a->kernel - 1) * a->dilation + 1;
    settle_padding(a, reach);
    int parts[3] = {a->before, a->size, a->after}, padded = rnn_size_sum(parts, 3);
    if (padded == 0)
        a->outputs = WINDOW_TOO_LARGE;
    else if (reach > padded)
        a->outputs = KERNEL_TOO_LARGE;
    else
        a->outputs = (padded - reach) / a->stride + 1;
}

/* What attributes say of axis i. */
static window_axis
window_axis_of(const rnn_layer *layer, const window_attrs *at, int i)
{
    const double *attr = layer->attr;
    window_axis axis = {
        .size = layer->in.dim[1 + i],
        .kernel = (int)attr[at->kernel + i],
        .stride = (int)attr[at->stride + i],
        .dilation = at->dilation < 0 ? 1 : (int)attr[at->dilation + i],
        .before = (int)attr[at->padding + 2 * i],
        .after = (int)attr[at->padding + 2 * i + 1],
    };
    slide(&axis);
    return axis;
}

static rnn_status
refuse_kernel(rnn_error *error, const window_axis *axis, int axes)
{
    int padded[2] = {0}, kernel[2] = {0}, dilation[2] = {0};
    bool is_square = true, is_dilated = false;
    for (int i = 0; i < axes; i++) {
        padded[i] = axis[i].before + axis[i].size + axis[i].after;
        kernel[i] = axis[i].kernel;
        dilation[i] = axis[i].dilation;
        is_square = is_square && kernel[i] == kernel[0];
        is_dilated = is_dilated || dilation[i] != 1;
    }
    return rnn_layer_refuse(error, "kernel_size",
                            "expected at most the padded input, %s, got %s%s%s",
                            rnn_describe_extents(padded, axes).text,
                            rnn_describe_extents(kernel, is_square ? 1 : axes).text,
                            is_dilated ? " with dilation " : "",
                            rnn_describe_extents(dilation, is_dilated ? axes : 0).text);
}

/* The axes' numbers together; along a signal the image has one row. */
static rnn_window
window_of(const rnn_layer *layer, const window_attrs *at, const window_axis *y,
          const window_axis *x)
{
    return (rnn_window){
        .C = layer->in.dim[0],
        .H = y->size,
        .W = x->size,
        .KH = y->kernel,
        .KW = x->kernel,
        .SH = y->stride,
        .SW = x->stride,
        .DH = y->dilation,
        .DW = x->dilation,
        .top = y->before,
        .bottom = y->after,
        .left = x->before,
        .right = x->after,
        .P = y->outputs,
        .Q = x->outputs,
        .groups = at->groups < 0 ? 1 : (int)layer->attr[at->groups],
        .counts_padding = layer->attr[at->padding] != PADDING_SAME,
    };
}

/* Fills in layer->window from the attributes and the input. */
static rnn_status
set_up_window(rnn_layer *layer, const window_attrs *at, rnn_error *error)
{
    static const window_axis one = {
        .size = 1, .kernel = 1, .stride = 1, .dilation = 1, .outputs = 1};
    window_axis axis[2];
    if (layer->in.rank != 1 + at->axes)
        return rnn_layer_refuse_input(
            layer, error,
            at->axes == 1 ? "channels x length" : "channels x height x width");
    for (int i = 0; i < at->axes; i++) {
        axis[i] = window_axis_of(layer, at, i);
        if (axis[i].outputs == WINDOW_TOO_LARGE)
            return rnn_layer_refuse_size(error, "a padded input", layer->in.dim,
                                         layer->in.rank);
    }
    for (int i = 0; i < at->axes; i++)
        if (axis[i].outputs == KERNEL_TOO_LARGE)
            return refuse_kernel(error, axis, at->axes);
    layer->window =
        window_of(layer, at, at->axes == 1 ? &one : &axis[0], &axis[at->axes - 1]);
    return RNN_OK;
}

/* The shape of `channels` planes of outputs. */
static rnn_shape
window_shape(const rnn_layer *layer, int channels)
{
    const rnn_window *s = &layer->window;
    if (layer->in.rank == 2)
        return (rnn_shape){2, {channels, s->Q}};
    return (rnn_shape){3, {channels, s->P, s->Q}};
}

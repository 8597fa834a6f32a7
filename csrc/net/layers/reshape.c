/* reshape: the same numbers in the same order, under another shape. Part of level.c. */

enum { RESHAPE_SHAPE };

static const rnn_attr reshape_attrs[] = {
    [RESHAPE_SHAPE] = {"target_shape", RNN_INTS, true, NAN, -1, RNN_MAX_EXTENT, NULL},
    RNN_ATTR_MORE,
    RNN_ATTR_MORE,
    RNN_ATTR_MORE,
    RNN_ATTRS_END,
};

/* The target shape; *fixed: the product of all but -1, *unknown: where that is, or -1.
 * False with a 0 or a second -1. */
static bool
read_target(rnn_shape *shape, double *fixed, int *unknown, const double *given)
{
    bool is_shape = true;
    *shape = (rnn_shape){0, {0}};
    *fixed = 1;
    *unknown = -1;
    for (int i = 0; i < RNN_MAX_RANK && !isnan(given[i]); i++) {
        shape->dim[shape->rank++] = (int)given[i];
        is_shape = is_shape && given[i] != 0 && (given[i] > 0 || *unknown < 0);
        if (given[i] < 0)
            *unknown = i;
        else
            *fixed *= given[i];
    }
    return is_shape;
}

static rnn_status
reshape_setup(rnn_layer *layer, rnn_error *error)
{
    double fixed;
    int unknown;
    rnn_shape shape;
    if (!read_target(&shape, &fixed, &unknown, layer->attr + RESHAPE_SHAPE))
        return rnn_layer_refuse(error, "target_shape",
                                "expected extents above 0, and one -1 at most, got %s",
                                rnn_describe_extents(shape.dim, shape.rank).text);
    bool fits = unknown < 0 ? fixed == layer->in_size : fmod(layer->in_size, fixed) == 0;
    if (!fits)
        return rnn_layer_refuse(
            error, "target_shape",
            "the input has %d numbers, %s; expected a shape of as many, got %s",
            layer->in_size, rnn_describe_extents(layer->in.dim, layer->in.rank).text,
            rnn_describe_extents(shape.dim, shape.rank).text);
    if (unknown >= 0)
        shape.dim[unknown] = (int)(layer->in_size / fixed);
    layer->out = shape;
    layer->is_identity = true;
    take_rows(layer, layer->in_size);
    return RNN_OK;
}

static const rnn_layer_type reshape_layer = {
    .name = "reshape",
    .attrs = reshape_attrs,
    .keeps_bounds = true,
    .keeps_factors = true,
    .setup = reshape_setup,
    .pass = {[RNN_FORWARD] = flatten_forward_pass, [RNN_INPUT] = flatten_input_pass},
};

/* normalization: (inp - mean) / sqrt(variance) for each feature, with statistics that adapt
 * found and training leaves alone; shared holds 1 / sqrt(variance). Part of level.c. */

enum { NORMALIZATION_AXIS };

static const rnn_attr normalization_attrs[] = {
    [NORMALIZATION_AXIS] = {"axis", RNN_INT, false, NAN, -1, 0, NULL},
    RNN_ATTRS_END,
};

/* Parameters; count is that of the values of a feature, 0 before adapt. */
enum { NORMALIZATION_MEAN, NORMALIZATION_VARIANCE, NORMALIZATION_COUNT };

/* A row as (outer, n, area): n features, along the first axis or the last. */
typedef struct {
    int outer, n, area;
} feature_view;

static feature_view
features_of(const rnn_layer *layer)
{
    double axis = layer->attr[NORMALIZATION_AXIS];
    bool is_first = isnan(axis) ? layer->in.rank == 3 : axis == 0;
    int n = is_first ? layer->in.dim[0] : last_extent(layer);
    int others = layer->in_size / n;
    return (feature_view){is_first ? 1 : others, n, is_first ? others : 1};
}

static rnn_status
normalization_setup(rnn_layer *layer, rnn_error *error)
{
    int n = features_of(layer).n;
    rnn_param mean = {.name = "mean", .shape = {1, {n}}, .is_state = true};
    rnn_param variance = {
        .name = "variance", .shape = {1, {n}}, .init = RNN_ONES, .is_state = true};
    rnn_param count = {.name = "count", .shape = {1, {1}}, .is_state = true};
    layer->out = layer->in;
    if (!rnn_layer_add_param(layer, mean) || !rnn_layer_add_param(layer, variance)
        || !rnn_layer_add_param(layer, count))
        return rnn_layer_refuse_size(error, "statistics", &n, 1);
    layer->shared = (size_t)n;
    layer->slices[RNN_PREPARE] = 1;
    layer->work[RNN_PREPARE] = n;
    take_rows(layer, layer->in_size);
    return RNN_OK;
}

static void
normalization_prepare_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    normalization_scales(io->shared,
                         io->state + layer->param[NORMALIZATION_VARIANCE].offset,
                         features_of(layer).n);
}

static void
normalization_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    feature_view v = features_of(layer);
    normalize(io->out, io->inp, io->state, io->shared, io->rows * v.outer, v.n, v.area);
}

static void
normalization_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    feature_view v = features_of(layer);
    scale_features(io->dinp, io->dout, io->shared, io->rows * v.outer, v.n, v.area);
}

static const rnn_layer_type normalization_layer = {
    .name = "normalization",
    .attrs = normalization_attrs,
    .keeps_tokens = true,
    .takes_mask = true, /* adapt leaves padding out */
    .setup = normalization_setup,
    .pass = {[RNN_PREPARE] = normalization_prepare_pass,
             [RNN_FORWARD] = normalization_forward_pass,
             [RNN_INPUT] = normalization_input_pass},
};

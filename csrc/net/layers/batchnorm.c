/* batchnorm for each feature or channel; shared holds means, their rstd, and the batch's
 * variances. Part of level.c. */

enum { BATCHNORM_EPSILON, BATCHNORM_MOMENTUM };

static const rnn_attr batchnorm_attrs[] = {
    [BATCHNORM_EPSILON] = {"epsilon", RNN_FLOAT, false, 1e-5, 1e-30, 1, NULL},
    [BATCHNORM_MOMENTUM] = {"momentum", RNN_FLOAT, false, 0.9, 0, 1, NULL},
    RNN_ATTRS_END,
};

static rnn_status
batchnorm_setup(rnn_layer *layer, rnn_error *error)
{
    int C = layer->in.dim[0];
    rnn_param mean = {.name = "running_mean", .shape = {1, {C}}, .is_state = true};
    rnn_param variance = {
        .name = "running_var", .shape = {1, {C}}, .init = RNN_ONES, .is_state = true};
    layer->out = layer->in;
    layer->layout = RNN_ANY_LAYOUT;
    if (!add_scale_and_shift(layer, C) || !rnn_layer_add_param(layer, mean)
        || !rnn_layer_add_param(layer, variance))
        return rnn_layer_refuse_size(error, "parameters", &C, 1);
    layer->shared = 3 * (size_t)C;
    layer->statistics = BATCHNORM_MOMENTS_AT + 3 * (size_t)C;
    layer->sums = 2 * (size_t)C;
    take_rows(layer, 4.0 * layer->in_size);
    layer->slices[RNN_STATISTICS] = layer->slices[RNN_PARAMS] = RNN_BY_ROWS;
    layer->work[RNN_STATISTICS] = layer->work[RNN_PARAMS] = 4.0 * layer->in_size;
    layer->slices[RNN_MERGE] = rnn_slice_count(C);
    layer->work[RNN_MERGE] = 2.0 * C;
    layer->slices[RNN_PREPARE] = layer->slices[RNN_FINISH] = layer->slices[RNN_MOVE] = 1;
    return RNN_OK;
}

static float
batchnorm_epsilon(const rnn_layer *layer)
{
    return (float)layer->attr[BATCHNORM_EPSILON];
}

/* Of the batch, or in inference the running ones. */
typedef struct {
    int C, area;
    bool pixels;
    float *mean, *rstd, *variance;
    const float *weight, *bias;
} batchnorm_view;

static batchnorm_view
batchnorm_view_of(const rnn_layer *layer, const rnn_io *io)
{
    int C = layer->in.dim[0];
    return (batchnorm_view){.C = C,
                            .area = plane_area(layer),
                            .pixels = layer->layout == RNN_PIXELS,
                            .mean = io->shared,
                            .rstd = io->shared + C,
                            .variance = io->shared + 2 * (ptrdiff_t)C,
                            .weight = io->params,
                            .bias = io->params + C};
}

static void
batchnorm_prepare_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    batchnorm_view v = batchnorm_view_of(layer, io);
    if (!io->training)
        batchnorm_running(v.mean, v.rstd, io->state, io->state + v.C, v.C,
                          batchnorm_epsilon(layer));
}

static void
batchnorm_statistics_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    batchnorm_view v = batchnorm_view_of(layer, io);
    batchnorm_moments(io->statistics, io->inp, io->begins, io->rows, v.C, v.area, v.pixels);
}

static void
batchnorm_merge_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    batchnorm_view v = batchnorm_view_of(layer, io);
    int slices = layer->slices[RNN_MERGE];
    batchnorm_merge(v.mean, v.rstd, v.variance, io->statistics, layer->statistics,
                    io->row_slices, v.C, rnn_slice_begin(v.C, slices, slice),
                    rnn_slice_begin(v.C, slices, slice + 1), batchnorm_epsilon(layer));
}

static void
batchnorm_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    batchnorm_view v = batchnorm_view_of(layer, io);
    batchnorm_forward(io->out, io->inp, v.mean, v.rstd, v.weight, v.bias, io->rows, v.C,
                      v.area, v.pixels);
}

static void
batchnorm_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    batchnorm_view v = batchnorm_view_of(layer, io);
    batchnorm_backward_input(
        io->dinp, io->dout, io->inp, v.mean, v.rstd, v.weight, io->sums, io->sums + v.C,
        (float)((double)io->batch_rows * v.area), io->rows, v.C, v.area, v.pixels);
}

static void
batchnorm_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    batchnorm_view v = batchnorm_view_of(layer, io);
    batchnorm_sums(io->target, io->target + v.C, io->dout, io->inp, v.mean, v.rstd,
                   io->rows, v.C, v.area, v.pixels, io->beta);
}

/* running = momentum * running + (1 - momentum) * batch */
static void
move_running(float *running, const float *batch, int n, float momentum)
{
    for (int c = 0; c < n; c++)
        running[c] = momentum * running[c] + (1.0f - momentum) * batch[c];
}

static void
batchnorm_finish_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    for (int c = 0; c < 2 * layer->in.dim[0]; c++)
        accumulate(&io->target[c], io->sums[c], io->alpha, io->beta);
}

static void
batchnorm_move_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    batchnorm_view v = batchnorm_view_of(layer, io);
    float momentum = (float)layer->attr[BATCHNORM_MOMENTUM];
    move_running(io->state, v.mean, v.C, momentum);
    move_running(io->state + v.C, v.variance, v.C, momentum);
}

static const rnn_layer_type batchnorm_layer = {
    .name = "batchnorm",
    .attrs = batchnorm_attrs,
    .setup = batchnorm_setup,
    .pass = {[RNN_PREPARE] = batchnorm_prepare_pass,
             [RNN_STATISTICS] = batchnorm_statistics_pass,
             [RNN_MERGE] = batchnorm_merge_pass,
             [RNN_FORWARD] = batchnorm_forward_pass,
             [RNN_INPUT] = batchnorm_input_pass,
             [RNN_PARAMS] = batchnorm_params_pass,
             [RNN_FINISH] = batchnorm_finish_pass,
             [RNN_MOVE] = batchnorm_move_pass},
};

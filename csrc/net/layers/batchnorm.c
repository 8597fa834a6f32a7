/* batchnorm for each feature or channel; shared holds the batch's means, their rstd, and
 * the variances. Part of level.c. */

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
    if (!add_scale_and_shift(layer, C) || !rnn_layer_add_param(layer, mean)
        || !rnn_layer_add_param(layer, variance))
        return rnn_layer_refuse_size(error, "parameters", &C, 1);
    layer->shared = 3 * (size_t)C;
    int slices = rnn_slice_count(layer->in.rank > 1 ? 64 * C : C);
    const rnn_pass passes[] = {RNN_FORWARD, RNN_INPUT, RNN_PARAMS};
    for (int i = 0; i < COUNT(passes); i++) {
        layer->slices[passes[i]] = slices < C ? slices : C;
        layer->work[passes[i]] = 6.0 * layer->in_size;
    }
    return RNN_OK;
}

/* Channels of a slice; a channel is summed by one thread, in row order. */
static part
batchnorm_channels(const rnn_layer *layer, int slice)
{
    long long C = layer->in.dim[0], slices = layer->slices[RNN_FORWARD];
    return (part){(int)(C * slice / slices), (int)(C * (slice + 1) / slices)};
}

static void
batchnorm_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    int C = layer->in.dim[0], area = layer->in_size / C;
    float epsilon = (float)layer->attr[BATCHNORM_EPSILON];
    float *mean = io->shared, *rstd = mean + C, *variance = rstd + C;
    const float *running_mean = io->state, *running_var = io->state + C;
    part s = batchnorm_channels(layer, slice);
    for (int c = s.begin; c < s.end; c++) {
        if (io->training) {
            batchnorm_statistics(&mean[c], &rstd[c], &variance[c], io->inp, io->rows, C,
                                 area, c, epsilon);
        }
        else {
            mean[c] = running_mean[c];
            rstd[c] = 1.0f / sqrtf(running_var[c] + epsilon);
        }
        batchnorm_forward(io->out, io->inp, mean[c], rstd[c], io->params[c],
                          io->params[C + c], io->rows, C, area, c);
    }
}

static void
batchnorm_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    int C = layer->in.dim[0], area = layer->in_size / C;
    part s = batchnorm_channels(layer, slice);
    for (int c = s.begin; c < s.end; c++)
        batchnorm_backward_input(io->dinp, io->dout, io->inp, io->shared[c],
                                 io->shared[C + c], io->params[c], io->rows, C, area, c);
}

/* running = momentum * running + (1 - momentum) * batch */
static void
move_running(float *running, float batch, float momentum)
{
    *running = momentum * *running + (1.0f - momentum) * batch;
}

static void
batchnorm_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    int C = layer->in.dim[0], area = layer->in_size / C;
    part s = batchnorm_channels(layer, slice);
    for (int c = s.begin; c < s.end; c++) {
        double dweight, dbias;
        batchnorm_sums(&dweight, &dbias, io->dout, io->inp, io->shared[c],
                       io->shared[C + c], io->rows, C, area, c);
        accumulate(&io->target[c], (float)dweight, io->alpha, io->beta);
        accumulate(&io->target[C + c], (float)dbias, io->alpha, io->beta);
        if (io->moves_state) {
            float momentum = (float)layer->attr[BATCHNORM_MOMENTUM];
            move_running(&io->state[c], io->shared[c], momentum);
            move_running(&io->state[C + c], io->shared[2 * C + c], momentum);
        }
    }
}

static const rnn_layer_type batchnorm_layer = {
    .name = "batchnorm",
    .attrs = batchnorm_attrs,
    .setup = batchnorm_setup,
    .pass = {[RNN_FORWARD] = batchnorm_forward_pass,
             [RNN_INPUT] = batchnorm_input_pass,
             [RNN_PARAMS] = batchnorm_params_pass},
};

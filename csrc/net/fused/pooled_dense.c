/* A linear dense layer over tokens and the mean over tokens above it, in one: the mean
 * comes first, which is the same, mean_t(x_t W + b) = mean_t(x_t) W + b, for one row
 * instead of T. Cache holds the means. Part of level.c. */

static void
pooled_dense_prepare_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int in = layer->in.dim[1], units = layer->out_size;
    if (io->training && io->to_input)
        transpose(io->shared, in, io->params, units, in, units);
}

static void
pooled_dense_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int T = layer->in.dim[0], in = layer->in.dim[1], units = layer->out_size;
    for (int b = 0; b < io->rows; b++)
        mean_over_tokens(io->cache + (ptrdiff_t)b * in,
                         io->inp + (ptrdiff_t)b * layer->in_size, T, in);
    dense_forward(io->out, io->cache, io->params, io->params + layer->param[1].offset,
                  false, false, io->rows, in, units, 0, units);
}

static void
pooled_dense_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int T = layer->in.dim[0], in = layer->in.dim[1], units = layer->out_size;
    for (int b = 0; b < io->rows; b++) {
        gemm(io->scratch, in, io->dout + (ptrdiff_t)b * units, units, 1, io->shared, in, 1,
             in, units, 1.0f, 0.0f);
        spread_over_tokens(io->dinp + (ptrdiff_t)b * layer->in_size, io->scratch, T, in);
    }
}

static void
pooled_dense_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    dense_backward_params(io->target, io->target + layer->param[1].offset, io->dout,
                          io->cache, io->rows, layer->in.dim[1], layer->out_size, io->alpha,
                          io->beta);
}

static const rnn_layer_type pooled_dense_layer = {
    .name = "dense+mean_pool",
    .pass = {[RNN_PREPARE] = pooled_dense_prepare_pass,
             [RNN_FORWARD] = pooled_dense_forward_pass,
             [RNN_INPUT] = pooled_dense_input_pass,
             [RNN_PARAMS] = pooled_dense_params_pass},
};

static bool
pooled_dense_fuse(rnn_layer *fused, const rnn_layer *dense, const rnn_layer *pool)
{
    if (dense->in.rank != 2 || !dense_is_by_rows(dense)
        || dense_activation(dense)->forward != linear_forward)
        return false;
    double work = (double)dense->in.dim[1] * dense->out.dim[1];
    *fused = *dense;
    fused->type = &pooled_dense_layer;
    fused->out = pool->out;
    fused->out_size = pool->out_size;
    fused->cache = (size_t)dense->in.dim[1];
    fused->scratch = (size_t)dense->in.dim[1];
    fused->work[RNN_PARAMS] = work;
    fused->work[RNN_FORWARD] = fused->work[RNN_INPUT] = work + dense->in_size;
    return true;
}

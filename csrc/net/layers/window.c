/* What layers that slide a window over an image share. Part of level.c. */

static rnn_status
check_window(const rnn_layer *layer, int kernel, int padding, rnn_error *error)
{
    if (layer->in.rank != 3)
        return rnn_layer_refuse_input(layer, error, "channels x height x width");
    long long h = layer->in.dim[1] + 2LL * padding, w = layer->in.dim[2] + 2LL * padding;
    if (kernel > h || kernel > w)
        return rnn_layer_refuse(error, "kernel_size",
                                "expected at most the padded input, %lld x %lld, got %d", h,
                                w, kernel);
    return RNN_OK;
}

static window
window_of(const rnn_layer *layer, double kernel, double stride, double padding)
{
    window s = {layer->in.dim[0],
                layer->in.dim[1],
                layer->in.dim[2],
                (int)kernel,
                (int)stride,
                (int)padding,
                0,
                0};
    s.P = (int)((s.H + 2LL * s.padding - s.K) / s.stride) + 1;
    s.Q = (int)((s.W + 2LL * s.padding - s.K) / s.stride) + 1;
    return s;
}

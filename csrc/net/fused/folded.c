/* In inference batchnorm is one factor and one shift for each channel: a linear convolution
 * below folds them into its weights, and the activation above into its outputs. Part of
 * level.c. */

/* The weights are computed in each call, which must not cost more than what it saves with
 * a single row. */
#define FOLDED_WEIGHTS 2 /* for each output */

static bool
is_linear_conv(const rnn_layer *layer)
{
    bool is_conv = layer->type == &conv_pixels_layer || layer->type == &conv2d_layer
                   || layer->type == &conv1d_layer;
    return is_conv && conv2d_activation(layer)->forward == linear_forward;
}

/* Fills in the convolution that does all, and returns how many of the n layers above it
 * does; 0: none. */
static int
folds_above(rnn_layer *folded, const rnn_layer *layer, const rnn_layer *const *above, int n)
{
    size_t most = FOLDED_WEIGHTS * (size_t)layer->out_size;
    if (n == 0 || above[0]->type != &batchnorm_layer || !is_linear_conv(layer)
        || layer->param_count > most)
        return 0;
    *folded = *layer;
    if (n == 1 || above[1]->type != &activation_layer
        || activation_of(above[1])->from_input)
        return 1;
    folded->attr[CONV_ACTIVATION] = above[1]->attr[ACTIVATION_FUNCTION];
    folded->attr[CONV_ALPHA] = above[1]->attr[ACTIVATION_ALPHA];
    return 2;
}

/* z = w x + b, out = g (z - mean) rstd + h, so with s = g rstd: w' = s w, b' = s (b - mean)
 * + h */
static void
fold_batchnorm(float *to, const rnn_layer *conv, const float *params, const rnn_layer *norm,
               const float *norm_params, const float *state)
{
    int filters = norm->in.dim[0];
    size_t taps = conv->param[1].offset / (size_t)filters;
    const float *bias = params + conv->param[1].offset;
    for (int f = 0; f < filters; f++) {
        double mean = state[f], variance = state[filters + f];
        double scale = norm_params[f] / sqrt(variance + batchnorm_epsilon(norm));
        for (size_t t = f * taps; t < (f + 1) * taps; t++)
            to[t] = (float)scale * params[t];
        to[conv->param[1].offset + f] =
            (float)(scale * (bias[f] - mean) + norm_params[filters + f]);
    }
}

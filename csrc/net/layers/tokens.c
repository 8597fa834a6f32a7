/* Layers around tokens, (T,D): patch_embed, position, masking, mean_pool. Part of level.c.
 */

/* ---- patch_embed and patch_embed1d: patches of an image or signal, each through one dense
 * layer; cache holds them ---- */

enum { PATCH_SIZE, PATCH_UNITS };

static const rnn_attr patch_embed_attrs[] = {
    [PATCH_SIZE] = {"patch_size", RNN_INT, true, NAN, 1, 1 << 15, NULL},
    [PATCH_UNITS] = {"units", RNN_INT, true, NAN, 1, RNN_MAX_EXTENT, NULL},
    RNN_ATTRS_END,
};

/* Patches lie side by side: a window that steps by its own size. */
static void
cut_into_patches(rnn_layer *layer, int C, int H, int W, int high, int wide)
{
    layer->window = (rnn_window){.C = C,
                                 .H = H,
                                 .W = W,
                                 .KH = high,
                                 .KW = wide,
                                 .SH = high,
                                 .SW = wide,
                                 .DH = 1,
                                 .DW = 1,
                                 .P = H / high,
                                 .Q = W / wide,
                                 .groups = 1};
}

static int
patch_length(const rnn_layer *layer)
{
    return layer->param[0].shape.dim[0];
}

/* A token of each patch of the window. */
static rnn_status
set_up_patches(rnn_layer *layer, rnn_error *error)
{
    const rnn_window *s = &layer->window;
    int length = s->C * s->KH * s->KW, tokens = s->P * s->Q;
    int units = (int)layer->attr[PATCH_UNITS];
    layer->out = (rnn_shape){2, {tokens, units}};
    rnn_param weight = {.name = "weight",
                        .shape = {2, {length, units}},
                        .init = RNN_GLOROT_UNIFORM,
                        .fan_in = length,
                        .fan_out = units};
    rnn_param bias = {.name = "bias", .shape = {1, {units}}};
    if (!rnn_layer_add_param(layer, weight) || !rnn_layer_add_param(layer, bias))
        return rnn_layer_refuse_size(error, "a weight", weight.shape.dim, 2);
    layer->cache = (size_t)layer->in_size;
    layer->scratch = (size_t)layer->in_size;
    take_rows(layer, (double)layer->in_size * units);
    layer->slices[RNN_PARAMS] = RNN_BY_ROWS;
    layer->work[RNN_PARAMS] = layer->work[RNN_FORWARD];
    return RNN_OK;
}

static rnn_status
patch_embed_setup(rnn_layer *layer, rnn_error *error)
{
    const rnn_shape *in = &layer->in;
    int size = (int)layer->attr[PATCH_SIZE];
    if (in->rank != 2 && in->rank != 3)
        return rnn_layer_refuse_input(layer, error,
                                      "height x width, with or without channels");
    int C = in->rank == 3 ? in->dim[0] : 1;
    int H = in->dim[in->rank - 2], W = in->dim[in->rank - 1];
    if (H % size != 0 || W % size != 0)
        return rnn_layer_refuse(error, "patch_size",
                                "expected a divisor of height and width, %d x %d, got %d",
                                H, W, size);
    cut_into_patches(layer, C, H, W, size, size);
    return set_up_patches(layer, error);
}

static rnn_status
patch_embed1d_setup(rnn_layer *layer, rnn_error *error)
{
    int size = (int)layer->attr[PATCH_SIZE];
    if (layer->in.rank != 2)
        return rnn_layer_refuse_input(layer, error, "channels x length");
    int length = layer->in.dim[1];
    if (length % size != 0)
        return rnn_layer_refuse(error, "patch_size",
                                "expected a divisor of the length, %d, got %d", length,
                                size);
    cut_into_patches(layer, layer->in.dim[0], 1, length, 1, size);
    return set_up_patches(layer, error);
}

static void
patch_embed_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    const rnn_window *s = &layer->window;
    int units = layer->out.dim[1];
    (void)slice;
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * layer->in_size;
        patches_from_image(io->cache + at, io->inp + at, s->C, s->H, s->W, s->KH, s->KW);
        dense_forward(io->out + (ptrdiff_t)b * layer->out_size, io->cache + at, io->params,
                      io->params + layer->param[1].offset, false, false, layer->out.dim[0],
                      patch_length(layer), units, 0, units);
    }
}

static void
patch_embed_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    const rnn_window *s = &layer->window;
    int length = patch_length(layer);
    float *patches = io->scratch;
    (void)slice;
    for (int b = 0; b < io->rows; b++) {
        dense_backward_input(patches, io->dout + (ptrdiff_t)b * layer->out_size, io->params,
                             layer->out.dim[0], length, layer->out.dim[1], 0, length);
        image_from_patches(io->dinp + (ptrdiff_t)b * layer->in_size, patches, s->C, s->H,
                           s->W, s->KH, s->KW);
    }
}

static void
patch_embed_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    dense_backward_params(io->target, io->target + layer->param[1].offset, io->dout,
                          io->cache, io->rows * layer->out.dim[0], patch_length(layer),
                          layer->out.dim[1], io->alpha, io->beta);
}

static const rnn_layer_type patch_embed_layer = {
    .name = "patch_embed",
    .attrs = patch_embed_attrs,
    .setup = patch_embed_setup,
    .pass = {[RNN_FORWARD] = patch_embed_forward_pass,
             [RNN_INPUT] = patch_embed_input_pass,
             [RNN_PARAMS] = patch_embed_params_pass},
};

static const rnn_layer_type patch_embed1d_layer = {
    .name = "patch_embed1d",
    .attrs = patch_embed_attrs,
    .setup = patch_embed1d_setup,
    .pass = {[RNN_FORWARD] = patch_embed_forward_pass,
             [RNN_INPUT] = patch_embed_input_pass,
             [RNN_PARAMS] = patch_embed_params_pass},
};

/* ---- position: out = inp + table ---- */

enum { POSITION_INIT, POSITION_TRAINABLE };

/* The reference system's five. */
static const char *const position_inits[] = {"sinusoidal", "small_random", "larger_random",
                                             "zero", "xavier"};

static const char *
position_init_name(int index)
{
    return index < COUNT(position_inits) ? position_inits[index] : NULL;
}

static const rnn_attr position_attrs[] = {
    [POSITION_INIT] = {"init", RNN_CHOICE, false, 0, 0, 0, position_init_name},
    [POSITION_TRAINABLE] = {"trainable", RNN_BOOL, false, 1, 0, 1, NULL},
    RNN_ATTRS_END,
};

static rnn_status
position_setup(rnn_layer *layer, rnn_error *error)
{
    if (layer->in.rank != 2)
        return rnn_layer_refuse_input(layer, error, "tokens x values");
    int T = layer->in.dim[0], D = layer->in.dim[1];
    const rnn_init inits[] = {RNN_SINUSOIDAL, RNN_UNIFORM, RNN_UNIFORM, RNN_ZEROS,
                              RNN_GLOROT_UNIFORM};
    const float limits[] = {0.0f, 0.1f, 0.5f, 0.0f, 0.0f};
    int chosen = (int)layer->attr[POSITION_INIT];
    bool trainable = layer->attr[POSITION_TRAINABLE] != 0;
    rnn_param table = {.name = "table",
                       .shape = {2, {T, D}},
                       .init = inits[chosen],
                       .fan_in = T,
                       .fan_out = D,
                       .limit = limits[chosen],
                       .is_state = !trainable};
    layer->out = layer->in;
    if (!rnn_layer_add_param(layer, table))
        return rnn_layer_refuse_size(error, "a table", table.shape.dim, 2);
    take_rows(layer, layer->in_size);
    layer->slices[RNN_PARAMS] = trainable ? RNN_BY_ROWS : 0;
    layer->work[RNN_PARAMS] = layer->in_size;
    return RNN_OK;
}

static void
position_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    const float *table = layer->param[0].is_state ? io->state : io->params;
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * layer->in_size;
        add(io->out + at, io->inp + at, table, layer->in_size);
    }
}

static void
position_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    dense_backward_bias(io->target, io->dout, io->rows, layer->in_size, 0, layer->in_size,
                        io->alpha, io->beta);
}

static const rnn_layer_type position_layer = {
    .name = "position",
    .attrs = position_attrs,
    .keeps_tokens = true,
    .setup = position_setup,
    .pass = {[RNN_FORWARD] = position_forward_pass,
             [RNN_INPUT] = flatten_input_pass,
             [RNN_PARAMS] = position_params_pass},
};

/* ---- masking: which tokens are padding; cache holds 1 for each real one, else 0 ---- */

enum { MASKING_VALUE };

static const rnn_attr masking_attrs[] = {
    [MASKING_VALUE] = {"value", RNN_FLOAT, false, 0, -1e30, 1e30, NULL},
    RNN_ATTRS_END,
};

static rnn_status
masking_setup(rnn_layer *layer, rnn_error *error)
{
    if (layer->in.rank != 2)
        return rnn_layer_refuse_input(layer, error, "tokens x values");
    layer->out = layer->in;
    layer->cache = (size_t)layer->in.dim[0];
    take_rows(layer, layer->in_size);
    return RNN_OK;
}

static void
masking_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int T = layer->in.dim[0], D = layer->in.dim[1];
    mask_tokens(io->out, io->cache, io->inp, (float)layer->attr[MASKING_VALUE],
                io->rows * T, D);
}

static void
masking_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int T = layer->in.dim[0], D = layer->in.dim[1];
    keep_real_tokens(io->dinp, io->dout, io->cache, io->rows * T, D);
}

static const rnn_layer_type masking_layer = {
    .name = "masking",
    .attrs = masking_attrs,
    .keeps_bounds = true,
    .makes_mask = true,
    .setup = masking_setup,
    .pass = {[RNN_FORWARD] = masking_forward_pass, [RNN_INPUT] = masking_input_pass},
};

/* ---- mean_pool: the mean over tokens, padding left out ---- */

static rnn_status
mean_pool_setup(rnn_layer *layer, rnn_error *error)
{
    if (layer->in.rank != 2)
        return rnn_layer_refuse_input(layer, error, "tokens x values");
    layer->out = (rnn_shape){1, {layer->in.dim[1]}};
    take_rows(layer, layer->in_size);
    return RNN_OK;
}

static void
mean_pool_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int T = layer->in.dim[0], D = layer->in.dim[1];
    for (int b = 0; b < io->rows; b++) {
        float *out = io->out + (ptrdiff_t)b * D;
        const float *inp = io->inp + (ptrdiff_t)b * layer->in_size;
        if (io->real != NULL)
            mean_over_real(out, inp, io->real + (ptrdiff_t)b * T, T, D);
        else
            mean_over_tokens(out, inp, T, D);
    }
}

static void
mean_pool_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int T = layer->in.dim[0], D = layer->in.dim[1];
    for (int b = 0; b < io->rows; b++) {
        float *dinp = io->dinp + (ptrdiff_t)b * layer->in_size;
        const float *dout = io->dout + (ptrdiff_t)b * D;
        if (io->real != NULL)
            spread_over_real(dinp, dout, io->real + (ptrdiff_t)b * T, T, D);
        else
            spread_over_tokens(dinp, dout, T, D);
    }
}

static const rnn_layer_type mean_pool_layer = {
    .name = "mean_pool",
    .attrs = no_attrs,
    .takes_mask = true,
    .keeps_bounds = true,
    .keeps_factors = true,
    .setup = mean_pool_setup,
    .pass = {[RNN_FORWARD] = mean_pool_forward_pass, [RNN_INPUT] = mean_pool_input_pass},
};

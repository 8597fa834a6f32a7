/* conv2d, and conv1d over images of one row: out = f(cross-correlation + bias), f the
 * activation. Part of level.c. */

/* ---- what the passes of conv2d and its fused forms share ---- */

static int32_t *
conv2d_forward_offsets(const rnn_io *io)
{
    return (int32_t *)(void *)io->shared;
}

static int32_t *
conv2d_backward_offsets(const rnn_io *io, const conv2d_group *g)
{
    return conv2d_forward_offsets(io) + g->z.fan_in;
}

/* Of group k. */
static float *
conv2d_turned_weight(const rnn_io *io, const conv2d_group *g, int k)
{
    return io->shared + g->z.fan_in + (ptrdiff_t)g->filters * g->s.KH * g->s.KW
           + k * g->taps;
}

static void
conv2d_prepare_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    conv2d_group g = conv2d_group_of(layer);
    const rnn_window *s = &g.s;
    conv2d_offsets(conv2d_forward_offsets(io), s->C, g.z.padded_rows, conv2d_pitch(s), s);
    if (!io->training || !io->to_input)
        return;
    conv2d_offsets(conv2d_backward_offsets(io, &g), g.filters, g.z.back_rows,
                   g.z.back_pitch, s);
    for (int k = 0; k < layer->window.groups; k++)
        conv2d_turn_weight(conv2d_turned_weight(io, &g, k), io->params + k * g.taps,
                           g.filters, s->C, s->KH * s->KW);
}

static void
pad_image(float *padded, const float *inp, const conv2d_group *g)
{
    const rnn_window *s = &g->s;
    pad_planes(padded, g->z.padded, inp, s->C, s->H, s->W, s->H * s->W, s->W,
               conv2d_edges(s));
}

/* Planes of a group's outputs from its image, behind the padded image in scratch. */
static float *
conv2d_row_planes(const rnn_io *io, const conv2d_group *g, const float *inp,
                  const float *weight, const float *bias, bool relu)
{
    const rnn_window *s = &g->s;
    const conv2d_sizes *z = &g->z;
    float *padded = io->scratch, *planes = padded + z->padded;
    int filters = g->filters, pitch = conv2d_pitch(s);
    live_rows live = conv2d_live_rows(inp, s);
    int begin = live.begin * pitch, end = live.end * pitch;
    pad_image(padded, inp, g);
    fill_rows(planes, bias, relu, filters, z->plane, 0, begin);
    fill_rows(planes, bias, relu, filters, z->plane, end, z->plane);
    if (live.begin < live.end)
        conv2d_planes(planes + begin, z->plane, padded + begin, conv2d_forward_offsets(io),
                      weight, bias, relu, filters, z->fan_in, end - begin - pitch + s->Q);
    return planes;
}

/* ---- passes: a group's part of row b ---- */

/* Targets from planes of dout, which follow the padded image. */
static void
direct_params(const rnn_io *io, const conv2d_group *g, const float *inp, float *target,
              float *bias_target, int b)
{
    const rnn_window *s = &g->s;
    const conv2d_sizes *z = &g->z;
    float *padded = io->scratch, *planes = padded + z->padded;
    float *pixels = planes + z->planes, *sums = pixels + z->padded;
    float beta = b == 0 ? io->beta : 1.0f;
    int filters = g->filters, pitch = conv2d_pitch(s), area = z->padded_rows * pitch;
    pad_image(padded, inp, g);
    conv2d_bias_gradient(bias_target, planes, z->plane, filters, io->alpha, beta);
    if (!conv2d_has_pixels(s)) {
        vector_range live = conv2d_live_vectors(conv2d_live_rows(inp, s), s);
        conv2d_weight_gradient(target, planes + live.begin, z->plane, padded + live.begin,
                               conv2d_forward_offsets(io), filters, z->fan_in,
                               live.end - live.begin, io->alpha, beta);
        return;
    }
    transpose(pixels, s->C, padded, area, s->C, area);
    conv2d_weight_gradient_by_rows(sums, planes, z->plane, pixels, filters, s, z->positions,
                                   b == 0 ? 0.0f : 1.0f);
    if (b + 1 == io->rows)
        conv2d_add_row_sums(target, sums, filters, s, io->alpha, io->beta);
}

/* dinp from padded dout at the start of scratch. */
static void
direct_input(const rnn_io *io, const conv2d_group *g, float *dinp, const float *turned)
{
    const rnn_window *s = &g->s;
    const conv2d_sizes *z = &g->z;
    float *back = io->scratch, *planes = back + z->back;
    int plane = s->H * z->back_pitch;
    conv2d_planes(planes, plane, back, conv2d_backward_offsets(io, g), turned, NULL, false,
                  s->C, g->filters * s->KH * s->KW, plane - z->back_pitch + s->W);
    crop_planes(dinp, planes, s->C, s->H, s->W, plane, z->back_pitch);
}

static void
group_forward(const rnn_layer *layer, const rnn_io *io, const conv2d_group *g, float *out,
              int b, int k, bool relu)
{
    const float *inp = io->inp + (ptrdiff_t)b * layer->in_size + k * g->inputs;
    const float *weight = io->params + k * g->taps;
    const float *bias = param_of(layer, io, 1) + (ptrdiff_t)k * g->filters;
    float *to = out + (ptrdiff_t)b * layer->out_size + k * g->outputs;
    if (conv2d_is_direct(&g->s))
        crop_planes(to, conv2d_row_planes(io, g, inp, weight, bias, relu), g->filters,
                    g->s.P, g->s.Q, g->z.plane, conv2d_pitch(&g->s));
    else
        unfolded_forward(to, inp, weight, bias, io->scratch, g->filters, &g->s);
}

static void
group_input(const rnn_layer *layer, const rnn_io *io, const conv2d_group *g, int b, int k)
{
    const rnn_window *s = &g->s;
    const float *dout = io->dout + (ptrdiff_t)b * layer->out_size + k * g->outputs;
    float *dinp = io->dinp + (ptrdiff_t)b * layer->in_size + k * g->inputs;
    if (conv2d_is_direct(s)) {
        pad_planes(io->scratch, g->z.back, dout, g->filters, s->P, s->Q, s->P * s->Q, s->Q,
                   conv2d_back_edges(s));
        direct_input(io, g, dinp, conv2d_turned_weight(io, g, k));
    }
    else {
        unfolded_backward_input(dinp, dout, io->params + k * g->taps, io->scratch,
                                g->filters, s);
    }
}

static void
group_params(const rnn_layer *layer, const rnn_io *io, const conv2d_group *g, int b, int k)
{
    const rnn_window *s = &g->s;
    const float *dout = io->dout + (ptrdiff_t)b * layer->out_size + k * g->outputs;
    const float *inp = io->inp + (ptrdiff_t)b * layer->in_size + k * g->inputs;
    float *target = io->target + k * g->taps;
    float *bias_target = target_of(layer, io, 1) + (ptrdiff_t)k * g->filters;
    if (conv2d_is_direct(s)) {
        spread_planes(io->scratch + g->z.padded, dout, g->filters, s->P, s->Q, g->z.plane,
                      conv2d_pitch(s));
        direct_params(io, g, inp, target, bias_target, b);
    }
    else {
        unfolded_backward_params(target, bias_target, dout, inp, io->scratch, g->filters, s,
                                 io->alpha, b == 0 ? io->beta : 1.0f);
    }
}

static void
conv2d_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    conv2d_group g = conv2d_group_of(layer);
    const activation *f = conv2d_activation(layer);
    bool relu = f->forward == relu_forward && conv2d_is_direct(&g.s);
    float *z = f->from_input ? io->cache : io->out;
    for (int b = 0; b < io->rows; b++)
        for (int k = 0; k < layer->window.groups; k++)
            group_forward(layer, io, &g, z, b, k, relu);
    if (!relu && f->forward != linear_forward)
        f->forward(io->out, z, (int)all_elements(io, layer->out_size),
                   (float)layer->attr[CONV_ALPHA]);
}

static void
conv2d_output_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    const activation *f = conv2d_activation(layer);
    f->backward(io->dout, io->dout, f->from_input ? io->cache : io->out,
                (int)all_elements(io, layer->out_size), (float)layer->attr[CONV_ALPHA]);
}

static void
conv2d_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    conv2d_group g = conv2d_group_of(layer);
    for (int b = 0; b < io->rows; b++)
        for (int k = 0; k < layer->window.groups; k++)
            group_input(layer, io, &g, b, k);
}

/* Group by group: sums of rows are kept in scratch from row to row. */
static void
conv2d_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    conv2d_group g = conv2d_group_of(layer);
    for (int k = 0; k < layer->window.groups; k++)
        for (int b = 0; b < io->rows; b++)
            group_params(layer, io, &g, b, k);
}

static const rnn_layer_type conv2d_layer = {
    .name = "conv2d",
    .attrs = conv2d_attrs,
    .setup = conv2d_setup,
    .pass = {[RNN_PREPARE] = conv2d_prepare_pass,
             [RNN_FORWARD] = conv2d_forward_pass,
             [RNN_OUTPUT] = conv2d_output_pass,
             [RNN_INPUT] = conv2d_input_pass,
             [RNN_PARAMS] = conv2d_params_pass},
};

static const rnn_layer_type conv1d_layer = {
    .name = "conv1d",
    .attrs = conv1d_attrs,
    .setup = conv1d_setup,
    .pass = {[RNN_PREPARE] = conv2d_prepare_pass,
             [RNN_FORWARD] = conv2d_forward_pass,
             [RNN_OUTPUT] = conv2d_output_pass,
             [RNN_INPUT] = conv2d_input_pass,
             [RNN_PARAMS] = conv2d_params_pass},
};

/* Between images as everyone sees them, plane by plane, and those with the channels of a
 * pixel side by side: stages that the planner puts in. Part of level.c. */

/* to (columns, rows) = from (rows, columns) of each row of the batch */
static void
rearrange(float *to, const float *from, int n, int rows, int columns)
{
    for (int b = 0; b < n; b++, to += rows * columns, from += rows * columns)
        transpose(to, rows, from, columns, rows, columns);
}

static int
channels_of(const rnn_layer *layer)
{
    return layer->in.dim[0];
}

static int
area_of(const rnn_layer *layer)
{
    return layer->in_size / layer->in.dim[0];
}

static void
to_pixels_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    rearrange(io->out, io->inp, io->rows, channels_of(layer), area_of(layer));
}

static void
to_pixels_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    rearrange(io->dinp, io->dout, io->rows, area_of(layer), channels_of(layer));
}

static void
to_planes_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    rearrange(io->out, io->inp, io->rows, area_of(layer), channels_of(layer));
}

static void
to_planes_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    rearrange(io->dinp, io->dout, io->rows, channels_of(layer), area_of(layer));
}

static const rnn_layer_type to_pixels_layer = {
    .name = "to pixels",
    .pass = {[RNN_FORWARD] = to_pixels_forward_pass, [RNN_INPUT] = to_pixels_input_pass},
};

static const rnn_layer_type to_planes_layer = {
    .name = "to planes",
    .pass = {[RNN_FORWARD] = to_planes_forward_pass, [RNN_INPUT] = to_planes_input_pass},
};

/* The layer that gives images of a shape in another layout. */
static void
rearranging_layer(rnn_layer *layer, rnn_shape shape, rnn_layout layout)
{
    *layer = (rnn_layer){
        .type = layout == RNN_PIXELS ? &to_pixels_layer : &to_planes_layer,
        .in = shape,
        .out = shape,
        .in_size = rnn_shape_size(&shape),
        .out_size = rnn_shape_size(&shape),
        .mask = -1,
        .masked_by = -1,
        .layout = layout,
    };
    take_rows(layer, layer->in_size);
}

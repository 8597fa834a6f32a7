/* Between images as everyone sees them, plane by plane, and those with the channels of a
 * pixel side by side: stages that the planner puts in. Part of level.c. */

/* to (columns, rows) = from (rows, columns) of each row of the batch */
static void
rearrange(float *to, const float *from, int n, int rows, int columns)
{
    for (int b = 0; b < n; b++, to += rows * columns, from += rows * columns)
        transpose(to, rows, from, columns, rows, columns);
}

/* to = from, which is in the layout of the stage's input, or in that of its output. */
static void
rearrange_images(const rnn_layer *layer, const rnn_io *io, float *to, const float *from,
                 bool is_input)
{
    int C = layer->in.dim[0], area = plane_area(layer);
    bool planes = (layer->layout == RNN_PIXELS) == is_input;
    rearrange(to, from, io->rows, planes ? C : area, planes ? area : C);
}

static void
rearrange_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    rearrange_images(layer, io, io->out, io->inp, true);
}

static void
rearrange_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    rearrange_images(layer, io, io->dinp, io->dout, false);
}

static const rnn_layer_type rearrange_layer = {
    .name = "rearrange",
    .pass = {[RNN_FORWARD] = rearrange_forward_pass, [RNN_INPUT] = rearrange_input_pass},
};

/* The layer that copies images of a shape to another layout. */
static void
rearranging_layer(rnn_layer *layer, rnn_shape shape, rnn_layout layout)
{
    *layer = (rnn_layer){
        .type = &rearrange_layer,
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

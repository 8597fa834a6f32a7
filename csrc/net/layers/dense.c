/* dense: out = f(inp W + b), f the activation; an input of rank 2 is taken token by token.
 * Part of net/level.c. */

enum { DENSE_UNITS, DENSE_ACTIVATION, DENSE_ALPHA };

static const rnn_attr dense_attrs[] = {
    [DENSE_UNITS] = {"units", RNN_INT, true, NAN, 1, RNN_MAX_EXTENT, NULL},
    [DENSE_ACTIVATION] = {"activation", RNN_CHOICE, false, 0, 0, 0, activation_name},
    [DENSE_ALPHA] = {"alpha", RNN_FLOAT, false, NAN, 0, 1e30, NULL},
    RNN_ATTRS_END,
};

static const activation *
dense_activation(const rnn_layer *layer)
{
    return &activations[(int)layer->attr[DENSE_ACTIVATION]];
}

static rnn_status
dense_setup(rnn_layer *layer, rnn_error *error)
{
    int rank = layer->in.rank, units = (int)layer->attr[DENSE_UNITS];
    if (rank > 2)
        return rnn_layer_refuse(error,
                                "type: dense takes an input of rank 1 or 2, got "
                                "rank %d; put flatten before it",
                                rank);
    int in = layer->in.dim[rank - 1], tokens = rank == 2 ? layer->in.dim[0] : 1;
    const activation *f = dense_activation(layer);
    if (isnan(layer->attr[DENSE_ALPHA]))
        layer->attr[DENSE_ALPHA] = f->alpha;
    layer->out = layer->in;
    layer->out.dim[rank - 1] = units;
    rnn_param weight = {.name = "weight",
                        .shape = {2, {in, units}},
                        .init = RNN_GLOROT_UNIFORM,
                        .fan_in = in,
                        .fan_out = units};
    rnn_param bias = {.name = "bias", .shape = {1, {units}}};
    if (!rnn_layer_add_param(layer, weight) || !rnn_layer_add_param(layer, bias))
        return rnn_layer_refuse(
            error, "units: a weight of %d x %d has more than 2^31 - 1 elements", in, units);
    layer->cache = f->from_input ? (size_t)tokens * (size_t)units : 0;
    int slices = rnn_slice_count(units);
    layer->slices[RNN_FORWARD] = layer->slices[RNN_PARAMS] = slices;
    layer->slices[RNN_OUTPUT] = f->forward == linear_forward ? 0 : slices;
    layer->slices[RNN_INPUT] = rnn_slice_count(in);
    double products = (double)tokens * in * units;
    layer->work[RNN_FORWARD] = layer->work[RNN_PARAMS] = layer->work[RNN_INPUT] = products;
    layer->work[RNN_OUTPUT] = (double)tokens * units;
    return RNN_OK;
}

static int
dense_units(const rnn_layer *layer)
{
    return layer->out.dim[layer->out.rank - 1];
}

static void
dense_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    const activation *f = dense_activation(layer);
    int units = dense_units(layer), slices = layer->slices[RNN_FORWARD];
    int begin = rnn_slice_begin(units, slices, slice);
    int end = rnn_slice_begin(units, slices, slice + 1);
    int rows = row_count(layer, io);
    float *z = f->from_input ? io->cache : io->out;
    dense_forward(z, io->inp, io->params + layer->param[0].offset,
                  io->params + layer->param[1].offset, rows, last_extent(layer), units,
                  begin, end);
    if (f->forward == linear_forward)
        return;
    for (int b = 0; b < rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * units + begin;
        f->forward(io->out + at, z + at, end - begin, (float)layer->attr[DENSE_ALPHA]);
    }
}

static void
dense_output_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    const activation *f = dense_activation(layer);
    int units = dense_units(layer), slices = layer->slices[RNN_OUTPUT];
    int begin = rnn_slice_begin(units, slices, slice);
    int end = rnn_slice_begin(units, slices, slice + 1);
    const float *seen = f->from_input ? io->cache : io->out;
    for (int b = 0; b < row_count(layer, io); b++) {
        ptrdiff_t at = (ptrdiff_t)b * units + begin;
        f->backward(io->dout + at, io->dout + at, seen + at, end - begin,
                    (float)layer->attr[DENSE_ALPHA]);
    }
}

static void
dense_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    int in = last_extent(layer), slices = layer->slices[RNN_INPUT];
    dense_backward_input(io->dinp, io->dout, io->params + layer->param[0].offset,
                         row_count(layer, io), in, dense_units(layer),
                         rnn_slice_begin(in, slices, slice),
                         rnn_slice_begin(in, slices, slice + 1));
}

static void
dense_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    int units = dense_units(layer), slices = layer->slices[RNN_PARAMS];
    dense_backward_params(io->target + layer->param[0].offset,
                          io->target + layer->param[1].offset, io->dout, io->inp,
                          row_count(layer, io), last_extent(layer), units,
                          rnn_slice_begin(units, slices, slice),
                          rnn_slice_begin(units, slices, slice + 1), io->alpha, io->beta);
}

static const rnn_layer_type dense_layer = {
    .name = "dense",
    .attrs = dense_attrs,
    .setup = dense_setup,
    .pass = {[RNN_FORWARD] = dense_forward_pass,
             [RNN_OUTPUT] = dense_output_pass,
             [RNN_INPUT] = dense_input_pass,
             [RNN_PARAMS] = dense_params_pass},
};

/* columns: some of the last axis, one after the other. Part of level.c. */

enum { COLUMNS_FIRST, COLUMNS_COUNT };

static const rnn_attr columns_attrs[] = {
    [COLUMNS_FIRST] = {"first", RNN_INT, true, NAN, 0, RNN_MAX_EXTENT, NULL},
    [COLUMNS_COUNT] = {"count", RNN_INT, true, NAN, 1, RNN_MAX_EXTENT, NULL},
    RNN_ATTRS_END,
};

static rnn_status
columns_setup(rnn_layer *layer, rnn_error *error)
{
    int64_t first = (int64_t)layer->attr[COLUMNS_FIRST];
    int64_t count = (int64_t)layer->attr[COLUMNS_COUNT];
    int wide = last_extent(layer);
    if (first + count > wide)
        return rnn_layer_refuse(error, NULL,
                                "expected columns of an input of %s, which has %d, got "
                                "first %lld and count %lld",
                                rnn_describe_extents(layer->in.dim, layer->in.rank).text,
                                wide, (long long)first, (long long)count);
    layer->out = layer->in;
    layer->out.dim[layer->in.rank - 1] = (int)count;
    take_rows(layer, (double)count * (layer->in_size / wide));
    return RNN_OK;
}

static void
columns_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int first = (int)layer->attr[COLUMNS_FIRST], count = (int)layer->attr[COLUMNS_COUNT];
    int wide = last_extent(layer);
    copy_blocks(io->out, count, io->inp + first, wide, count,
                all_elements(io, layer->in_size / wide));
}

static void
columns_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int first = (int)layer->attr[COLUMNS_FIRST], count = (int)layer->attr[COLUMNS_COUNT];
    int wide = last_extent(layer);
    memset(io->dinp, 0, all_elements(io, layer->in_size) * sizeof(float));
    copy_blocks(io->dinp + first, wide, io->dout, count, count,
                all_elements(io, layer->in_size / wide));
}

static const rnn_layer_type columns_layer = {
    .name = "columns",
    .attrs = columns_attrs,
    .keeps_bounds = true,
    .keeps_factors = true,
    .keeps_tokens = true,
    .keeps_numbers = true,
    .setup = columns_setup,
    .pass = {[RNN_FORWARD] = columns_forward_pass, [RNN_INPUT] = columns_input_pass},
};

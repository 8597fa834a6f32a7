/* embedding: each number is the index of a row of a table. Part of level.c. */

enum { EMBEDDING_ROWS, EMBEDDING_WIDTH };

/* The kernel adds 0.5 to indices, which is exact in float32 below 2^23. */
#define EMBEDDING_MOST_ROWS (1 << 23)
#define EMBEDDING_LIMIT 0.05f

static const rnn_attr embedding_attrs[] = {
    [EMBEDDING_ROWS] = {"num_embeddings", RNN_INT, true, NAN, 1, EMBEDDING_MOST_ROWS, NULL},
    [EMBEDDING_WIDTH] = {"embedding_dim", RNN_INT, true, NAN, 1, RNN_MAX_EXTENT, NULL},
    RNN_ATTRS_END,
};

static rnn_status
embedding_setup(rnn_layer *layer, rnn_error *error)
{
    int N = (int)layer->attr[EMBEDDING_ROWS], D = (int)layer->attr[EMBEDDING_WIDTH];
    if (!layer->reads_data)
        return rnn_layer_refuse(
            error, NULL,
            "embedding expects indices, which are the net's inputs; put "
            "it first, or first in a branch of the inputs");
    if (layer->in.rank != 1)
        return rnn_layer_refuse_input(layer, error, "n indices");
    int T = layer->in.dim[0];
    layer->out = (rnn_shape){2, {T, D}};
    rnn_param weight = {.name = "weight",
                        .shape = {2, {N, D}},
                        .init = RNN_UNIFORM,
                        .fan_in = N,
                        .fan_out = D,
                        .limit = EMBEDDING_LIMIT};
    if (!rnn_layer_add_param(layer, weight))
        return rnn_layer_refuse_size(error, "a weight", weight.shape.dim, 2);
    take_rows(layer, (double)T * D);
    layer->keeps_dout = true;
    layer->slices[RNN_PARAMS] = rnn_slice_count(D);
    layer->work[RNN_PARAMS] = (double)T * D;
    layer->shared = layer->param_count;
    return RNN_OK;
}

static void
embedding_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    const rnn_shape *table = &layer->param[0].shape;
    embedding_forward(io->out, io->inp, param_of(layer, io, 0), io->rows * layer->in_size,
                      table->dim[0], table->dim[1]);
}

/* The output has steps in its indices, and no slope between them. */
static void
embedding_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    memset(io->dinp, 0, all_elements(io, layer->in_size) * sizeof(float));
}

/* By columns: a partial table for each slice of the rows could be larger than all else. */
static void
embedding_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    const rnn_shape *table = &layer->param[0].shape;
    int N = table->dim[0], D = table->dim[1], slices = layer->slices[RNN_PARAMS];
    embedding_backward_table(target_of(layer, io, 0), io->shared, io->dout, io->inp,
                             io->rows * layer->in_size, N, D,
                             rnn_slice_begin(D, slices, slice),
                             rnn_slice_begin(D, slices, slice + 1), io->alpha, io->beta);
}

static const rnn_layer_type embedding_layer = {
    .name = "embedding",
    .attrs = embedding_attrs,
    .setup = embedding_setup,
    .pass = {[RNN_FORWARD] = embedding_forward_pass,
             [RNN_INPUT] = embedding_input_pass,
             [RNN_PARAMS] = embedding_params_pass},
};

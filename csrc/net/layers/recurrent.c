/* simple_rnn, gru, lstm: a state that goes through the steps of a sequence (T,D), to the
 * gates of PyTorch. Above a masking layer padding leaves the state as it is. Part of
 * level.c. */

enum { RECURRENT_UNITS, RECURRENT_SEQUENCES, RECURRENT_REVERSE, RECURRENT_TRUNCATE };

static const rnn_attr recurrent_attrs[] = {
    [RECURRENT_UNITS] = {"units", RNN_INT, true, NAN, 1, 1 << 15, NULL},
    [RECURRENT_SEQUENCES] = {"return_sequences", RNN_BOOL, false, 0, 0, 1, NULL},
    [RECURRENT_REVERSE] = {"reverse", RNN_BOOL, false, 0, 0, 1, NULL},
    [RECURRENT_TRUNCATE] = {"truncate", RNN_INT, false, 0, 0, RNN_MAX_EXTENT, NULL},
    RNN_ATTRS_END,
};

enum { INPUT_WEIGHT, HIDDEN_WEIGHT, INPUT_BIAS, HIDDEN_BIAS };

static int
recurrent_units(const rnn_layer *layer)
{
    return (int)layer->attr[RECURRENT_UNITS];
}

/* What forward keeps of the current rows for backward: gates and states before each step.
 */
static size_t
lay_out_recurrent_cache(const rnn_layer *layer, const recurrent_cell *cell, int rows,
                        recurrent_sequence *q, float *area)
{
    float *begin = area;
    ptrdiff_t states = (ptrdiff_t)rows * layer->in.dim[0] * recurrent_units(layer);
    q->gates = take_block(&area, cell->kept * states);
    q->states = take_block(&area, states);
    q->cells = take_block(&area, cell->has_cell ? states : 0);
    return (size_t)(area - begin);
}

static size_t
lay_out_recurrent_scratch(const rnn_layer *layer, const recurrent_cell *cell,
                          recurrent_sequence *q, float *area)
{
    float *begin = area;
    ptrdiff_t states = (ptrdiff_t)RNN_CHUNK_ROWS * recurrent_units(layer);
    q->product = take_block(&area, cell->gates * states);
    q->dstate = take_block(&area, states);
    q->dcell = take_block(&area, states);
    return (size_t)(area - begin);
}

/* The transposes of the weights: (gates H, D) and (gates H, H). */
typedef struct {
    float *input, *hidden;
} recurrent_shared;

static size_t
lay_out_recurrent_shared(const rnn_layer *layer, const recurrent_cell *cell,
                         recurrent_shared *s, float *area)
{
    float *begin = area;
    ptrdiff_t H = recurrent_units(layer), columns = cell->gates * H;
    s->input = take_block(&area, columns * layer->in.dim[1]);
    s->hidden = take_block(&area, columns * H);
    return (size_t)(area - begin) + RNN_READ_SLACK;
}

static rnn_status
add_recurrent_params(rnn_layer *layer, rnn_error *error, int D, int H, int columns)
{
    const rnn_param params[] = {
        [INPUT_WEIGHT] = {.name = "input_weight", .shape = {2, {D, columns}}},
        [HIDDEN_WEIGHT] = {.name = "hidden_weight", .shape = {2, {H, columns}}},
        [INPUT_BIAS] = {.name = "input_bias", .shape = {1, {columns}}},
        [HIDDEN_BIAS] = {.name = "hidden_bias", .shape = {1, {columns}}},
    };
    for (int i = 0; i < COUNT(params); i++) {
        rnn_param param = params[i];
        param.init = RNN_UNIFORM;
        param.limit = 1.0f / sqrtf((float)H);
        if (!rnn_layer_add_param(layer, param))
            return rnn_layer_refuse_size(error, "a weight", param.shape.dim,
                                         param.shape.rank);
    }
    return RNN_OK;
}

static rnn_status
recurrent_setup(rnn_layer *layer, rnn_error *error, const recurrent_cell *cell)
{
    if (layer->in.rank != 2)
        return rnn_layer_refuse_input(layer, error, "steps x values");
    int T = layer->in.dim[0], D = layer->in.dim[1], H = recurrent_units(layer);
    int columns = cell->gates * H, kept[3] = {T, cell->kept, H};
    if (rnn_size_product(kept, 3) == 0)
        return rnn_layer_refuse_size(error, "gates", kept, 3);
    rnn_status status = add_recurrent_params(layer, error, D, H, columns);
    if (status != RNN_OK)
        return status;
    bool sequences = layer->attr[RECURRENT_SEQUENCES] != 0;
    layer->out = sequences ? (rnn_shape){2, {T, H}} : (rnn_shape){1, {H}};
    layer->cache = lay_out_recurrent_cache(layer, cell, 1, &(recurrent_sequence){0}, NULL);
    layer->scratch = lay_out_recurrent_scratch(layer, cell, &(recurrent_sequence){0}, NULL);
    layer->shared = lay_out_recurrent_shared(layer, cell, &(recurrent_shared){0}, NULL);
    layer->carried = (size_t)H * (cell->has_cell ? 2 : 1);
    layer->keeps_dout = true;
    layer->slices[RNN_PREPARE] = 1;
    layer->slices[RNN_FORWARD] = layer->slices[RNN_OUTPUT] = RNN_BY_ROWS;
    layer->slices[RNN_INPUT] = layer->slices[RNN_PARAMS] = RNN_BY_ROWS;
    double input = (double)T * D * columns, hidden = (double)T * H * columns;
    layer->work[RNN_FORWARD] = layer->work[RNN_PARAMS] = input + hidden;
    layer->work[RNN_OUTPUT] = hidden;
    layer->work[RNN_INPUT] = input;
    return RNN_OK;
}

static recurrent_sequence
recurrent_sequence_of(const rnn_layer *layer, const rnn_io *io, const recurrent_cell *cell)
{
    recurrent_sequence q = {.cell = cell,
                            .rows = io->rows,
                            .T = layer->in.dim[0],
                            .H = recurrent_units(layer),
                            .sequences = layer->attr[RECURRENT_SEQUENCES] != 0,
                            .reverse = layer->attr[RECURRENT_REVERSE] != 0,
                            .real = io->real,
                            .carried = io->carried};
    lay_out_recurrent_cache(layer, cell, io->rows, &q, io->cache);
    lay_out_recurrent_scratch(layer, cell, &q, io->scratch);
    return q;
}

static void
recurrent_prepare(const rnn_layer *layer, const rnn_io *io, const recurrent_cell *cell)
{
    int D = layer->in.dim[1], H = recurrent_units(layer), columns = cell->gates * H;
    recurrent_shared s;
    if (!io->training)
        return;
    lay_out_recurrent_shared(layer, cell, &s, io->shared);
    if (io->to_input)
        transpose(s.input, D, param_of(layer, io, INPUT_WEIGHT), columns, D, columns);
    transpose(s.hidden, H, param_of(layer, io, HIDDEN_WEIGHT), columns, H, columns);
}

/* The inputs' products of all steps are one product. */
static void
recurrent_forward_of(const rnn_layer *layer, const rnn_io *io, const recurrent_cell *cell)
{
    int D = layer->in.dim[1], columns = cell->gates * recurrent_units(layer);
    recurrent_sequence q = recurrent_sequence_of(layer, io, cell);
    gemm_bias(q.gates, cell->kept * q.H, io->inp, D, param_of(layer, io, INPUT_WEIGHT),
              columns, param_of(layer, io, INPUT_BIAS), false, true, io->rows * q.T,
              columns, D);
    recurrent_forward(io->out, param_of(layer, io, HIDDEN_WEIGHT),
                      param_of(layer, io, HIDDEN_BIAS), &q);
}

static void
recurrent_output_of(const rnn_layer *layer, const rnn_io *io, const recurrent_cell *cell)
{
    recurrent_shared s;
    lay_out_recurrent_shared(layer, cell, &s, io->shared);
    recurrent_sequence q = recurrent_sequence_of(layer, io, cell);
    recurrent_backward(io->dout, s.hidden, (int)layer->attr[RECURRENT_TRUNCATE], &q);
}

static void
recurrent_input_of(const rnn_layer *layer, const rnn_io *io, const recurrent_cell *cell)
{
    int D = layer->in.dim[1], columns = cell->gates * recurrent_units(layer);
    recurrent_shared s;
    lay_out_recurrent_shared(layer, cell, &s, io->shared);
    recurrent_sequence q = recurrent_sequence_of(layer, io, cell);
    gemm(io->dinp, D, q.gates, cell->kept * q.H, 1, s.input, D, io->rows * q.T, D, columns,
         1.0f, 0.0f);
}

static void
recurrent_params_of(const rnn_layer *layer, const rnn_io *io, const recurrent_cell *cell)
{
    int D = layer->in.dim[1], columns = cell->gates * recurrent_units(layer);
    recurrent_sequence q = recurrent_sequence_of(layer, io, cell);
    int stride = cell->kept * q.H, steps = io->rows * q.T;
    gemm(target_of(layer, io, INPUT_WEIGHT), columns, io->inp, 1, D, q.gates, stride, D,
         columns, steps, io->alpha, io->beta);
    recurrent_backward_params(target_of(layer, io, HIDDEN_WEIGHT), &q, io->alpha, io->beta);
    recurrent_backward_biases(target_of(layer, io, INPUT_BIAS),
                              target_of(layer, io, HIDDEN_BIAS), &q, io->alpha, io->beta);
}

/* The passes of one type, whose cell is known. */
#define RECURRENT_PASS(type, pass)                                                        \
    static void type##_##pass##_pass(const rnn_layer *layer, const rnn_io *io, int slice) \
    {                                                                                     \
        (void)slice;                                                                      \
        recurrent_##pass(layer, io, &type##_cell);                                        \
    }

#define RECURRENT_LAYER(type)                                          \
    static rnn_status type##_setup(rnn_layer *layer, rnn_error *error) \
    {                                                                  \
        return recurrent_setup(layer, error, &type##_cell);            \
    }                                                                  \
    RECURRENT_PASS(type, prepare)                                      \
    RECURRENT_PASS(type, forward_of)                                   \
    RECURRENT_PASS(type, output_of)                                    \
    RECURRENT_PASS(type, input_of)                                     \
    RECURRENT_PASS(type, params_of)                                    \
    static const rnn_layer_type type##_layer = {                       \
        .name = #type,                                                 \
        .attrs = recurrent_attrs,                                      \
        .keeps_tokens = true,                                          \
        .takes_mask = true,                                            \
        .setup = type##_setup,                                         \
        .pass = {[RNN_PREPARE] = type##_prepare_pass,                  \
                 [RNN_FORWARD] = type##_forward_of_pass,               \
                 [RNN_OUTPUT] = type##_output_of_pass,                 \
                 [RNN_INPUT] = type##_input_of_pass,                   \
                 [RNN_PARAMS] = type##_params_of_pass},                \
    }

RECURRENT_LAYER(simple_rnn);
RECURRENT_LAYER(gru);
RECURRENT_LAYER(lstm);

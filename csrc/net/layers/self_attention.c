/* self_attention: out = attention(inp Wq + bq, inp Wk + bk, inp Wv + bv), with out_proj
 * times Wo + bo, with residual plus inp. Tokens see themselves and those before them if
 * causal; none sees padding under a masking layer. A sequence at a time, forward and
 * backward. Part of level.c. */

enum { ATTENTION_HEADS, ATTENTION_OUT_PROJ, ATTENTION_RESIDUAL, ATTENTION_CAUSAL };

static const rnn_attr self_attention_attrs[] = {
    [ATTENTION_HEADS] = {"heads", RNN_INT, false, 1, 1, 1 << 20, NULL},
    [ATTENTION_OUT_PROJ] = {"out_proj", RNN_BOOL, false, 0, 0, 1, NULL},
    [ATTENTION_RESIDUAL] = {"residual", RNN_BOOL, false, 0, 0, 1, NULL},
    [ATTENTION_CAUSAL] = {"causal", RNN_BOOL, false, 0, 0, 1, NULL},
    RNN_ATTRS_END,
};

/* Parameters come in pairs of weight and bias. */
enum { ATTENTION_Q, ATTENTION_K, ATTENTION_V, ATTENTION_OUT };

static const char *const attention_names[] = {"q_weight",   "q_bias",   "k_weight",
                                              "k_bias",     "v_weight", "v_bias",
                                              "out_weight", "out_bias"};

/* What forward keeps of a sequence: q, k, v, context (T,D) each, and alpha (heads,T,T). */
typedef struct {
    float *q, *k, *v, *context, *alpha;
} attention_cache;

static attention_cache
attention_cache_of(const rnn_layer *layer, const rnn_io *io, int b)
{
    float *base = io->cache + (size_t)b * layer->cache;
    ptrdiff_t size = layer->in_size;
    return (attention_cache){base, base + size, base + 2 * size, base + 3 * size,
                             io->maps + (ptrdiff_t)b * rnn_shape_size(&layer->maps)};
}

/* Scratch: a transposed head, dscores (T,T), dcontext (T,D), and the slack of gemm. */
typedef struct {
    float *held, *dscores, *dcontext;
} attention_scratch;

static attention_scratch
attention_scratch_of(const rnn_layer *layer, float *scratch)
{
    int T = layer->in.dim[0], d = layer->in.dim[1] / (int)layer->attr[ATTENTION_HEADS];
    attention_scratch s = {.held = scratch};
    s.dscores = s.held + attention_held(T, d);
    s.dcontext = s.dscores + (ptrdiff_t)T * T;
    return s;
}

static size_t
attention_scratch_size(const rnn_layer *layer)
{
    attention_scratch s = attention_scratch_of(layer, NULL);
    return (size_t)(s.dcontext - s.held) + (size_t)layer->in_size + RNN_READ_SLACK;
}

static rnn_status
self_attention_setup(rnn_layer *layer, rnn_error *error)
{
    if (layer->in.rank != 2)
        return rnn_layer_refuse_input(layer, error, "tokens x values");
    int T = layer->in.dim[0], D = layer->in.dim[1];
    int heads = (int)layer->attr[ATTENTION_HEADS], alpha[3] = {heads, T, T};
    if (D % heads != 0)
        return rnn_layer_refuse(error, "heads", "expected a divisor of %d, got %d", D,
                                heads);
    if (rnn_size_product(alpha, 3) == 0)
        return rnn_layer_refuse_size(error, "attention maps", alpha, 3);
    int pairs = layer->attr[ATTENTION_OUT_PROJ] != 0 ? 4 : 3;
    for (int i = 0; i < pairs; i++) {
        rnn_param weight = {.name = attention_names[2 * i],
                            .shape = {2, {D, D}},
                            .init = RNN_GLOROT_UNIFORM,
                            .fan_in = D,
                            .fan_out = D};
        rnn_param bias = {.name = attention_names[2 * i + 1], .shape = {1, {D}}};
        if (!rnn_layer_add_param(layer, weight) || !rnn_layer_add_param(layer, bias))
            return rnn_layer_refuse_size(error, "a weight", weight.shape.dim, 2);
    }
    layer->out = layer->in;
    layer->maps = heads == 1 ? (rnn_shape){2, {T, T}} : (rnn_shape){3, {heads, T, T}};
    layer->cache = 4 * (size_t)layer->in_size;
    layer->scratch = attention_scratch_size(layer);
    layer->shared = (size_t)pairs * (size_t)D * (size_t)D;
    layer->slices[RNN_PREPARE] = 1;
    layer->slices[RNN_FORWARD] = layer->slices[RNN_OUTPUT] = RNN_BY_ROWS;
    layer->slices[RNN_INPUT] = layer->slices[RNN_PARAMS] = RNN_BY_ROWS;
    double projections = (double)T * D * pairs * D, scores = 2.0 * T * T * D;
    layer->work[RNN_FORWARD] = projections + scores;
    layer->work[RNN_OUTPUT] = 2 * scores;
    layer->work[RNN_INPUT] = layer->work[RNN_PARAMS] = projections;
    return RNN_OK;
}

static const float *
attention_weight(const rnn_layer *layer, const rnn_io *io, int pair)
{
    return io->params + layer->param[2 * pair].offset;
}

/* The transpose of a pair's weight, in shared. */
static float *
attention_transposed(const rnn_layer *layer, const rnn_io *io, int pair)
{
    return io->shared + (ptrdiff_t)pair * layer->in.dim[1] * layer->in.dim[1];
}

static void
self_attention_prepare_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int D = layer->in.dim[1];
    for (int pair = 0; io->training && pair < layer->n_params / 2; pair++)
        transpose(attention_transposed(layer, io, pair), D,
                  attention_weight(layer, io, pair), D, D, D);
}

/* out = inp W + b */
static void
attention_project(float *out, const rnn_layer *layer, const rnn_io *io, int pair,
                  const float *inp)
{
    int T = layer->in.dim[0], D = layer->in.dim[1];
    dense_forward(out, inp, attention_weight(layer, io, pair),
                  io->params + layer->param[2 * pair + 1].offset, false, false, T, D, D, 0,
                  D);
}

/* dinp = beta * dinp + dout W^T */
static void
attention_project_back(float *dinp, const rnn_layer *layer, const rnn_io *io, int pair,
                       const float *dout, float beta)
{
    int T = layer->in.dim[0], D = layer->in.dim[1];
    gemm(dinp, D, dout, D, 1, attention_transposed(layer, io, pair), D, T, D, D, 1.0f,
         beta);
}

static void
self_attention_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int T = layer->in.dim[0], D = layer->in.dim[1],
        heads = (int)layer->attr[ATTENTION_HEADS];
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * layer->in_size;
        const float *inp = io->inp + at;
        float *out = io->out + at;
        attention_cache c = attention_cache_of(layer, io, b);
        attention_project(c.q, layer, io, ATTENTION_Q, inp);
        attention_project(c.k, layer, io, ATTENTION_K, inp);
        attention_project(c.v, layer, io, ATTENTION_V, inp);
        attention_forward(c.context, c.alpha, c.q, c.k, c.v, D, io->scratch, T, D, heads,
                          io->real != NULL ? io->real + (ptrdiff_t)b * T : NULL,
                          layer->attr[ATTENTION_CAUSAL] != 0);
        if (layer->attr[ATTENTION_OUT_PROJ] != 0)
            attention_project(out, layer, io, ATTENTION_OUT, c.context);
        else
            memcpy(out, c.context, (size_t)layer->in_size * sizeof(float));
        if (layer->attr[ATTENTION_RESIDUAL] != 0)
            add(out, out, inp, layer->in_size);
    }
}

/* q, k and v are not needed any more afterwards: their gradients take their places. */
static void
self_attention_output_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int T = layer->in.dim[0], D = layer->in.dim[1],
        heads = (int)layer->attr[ATTENTION_HEADS];
    ptrdiff_t size = layer->in_size;
    attention_scratch s = attention_scratch_of(layer, io->scratch);
    for (int b = 0; b < io->rows; b++) {
        attention_cache c = attention_cache_of(layer, io, b);
        const float *dc = io->dout + b * size;
        if (layer->attr[ATTENTION_OUT_PROJ] != 0) {
            attention_project_back(s.dcontext, layer, io, ATTENTION_OUT, dc, 0.0f);
            dc = s.dcontext;
        }
        attention_backward(c.q, c.k, c.v, D, dc, c.alpha, s.dscores, s.held, T, D, heads);
    }
}

static void
self_attention_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    ptrdiff_t size = layer->in_size;
    for (int b = 0; b < io->rows; b++) {
        attention_cache c = attention_cache_of(layer, io, b);
        float *dinp = io->dinp + b * size;
        attention_project_back(dinp, layer, io, ATTENTION_Q, c.q, 0.0f);
        attention_project_back(dinp, layer, io, ATTENTION_K, c.k, 1.0f);
        attention_project_back(dinp, layer, io, ATTENTION_V, c.v, 1.0f);
        if (layer->attr[ATTENTION_RESIDUAL] != 0)
            add(dinp, dinp, io->dout + b * size, layer->in_size);
    }
}

static void
attention_pair_params(const rnn_layer *layer, const rnn_io *io, int pair, const float *dout,
                      const float *inp, float beta)
{
    int T = layer->in.dim[0], D = layer->in.dim[1];
    dense_backward_params(io->target + layer->param[2 * pair].offset,
                          io->target + layer->param[2 * pair + 1].offset, dout, inp, T, D,
                          D, io->alpha, beta);
}

static void
self_attention_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    ptrdiff_t size = layer->in_size;
    for (int b = 0; b < io->rows; b++) {
        attention_cache c = attention_cache_of(layer, io, b);
        const float *inp = io->inp + b * size;
        float beta = b == 0 ? io->beta : 1.0f;
        attention_pair_params(layer, io, ATTENTION_Q, c.q, inp, beta);
        attention_pair_params(layer, io, ATTENTION_K, c.k, inp, beta);
        attention_pair_params(layer, io, ATTENTION_V, c.v, inp, beta);
        if (layer->attr[ATTENTION_OUT_PROJ] != 0)
            attention_pair_params(layer, io, ATTENTION_OUT, io->dout + b * size, c.context,
                                  beta);
    }
}

static const rnn_layer_type self_attention_layer = {
    .name = "self_attention",
    .attrs = self_attention_attrs,
    .keeps_tokens = true,
    .takes_mask = true,
    .setup = self_attention_setup,
    .pass = {[RNN_PREPARE] = self_attention_prepare_pass,
             [RNN_FORWARD] = self_attention_forward_pass,
             [RNN_OUTPUT] = self_attention_output_pass,
             [RNN_INPUT] = self_attention_input_pass,
             [RNN_PARAMS] = self_attention_params_pass},
};

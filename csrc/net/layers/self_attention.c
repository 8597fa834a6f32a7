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

static int
attention_heads(const rnn_layer *layer)
{
    return (int)layer->attr[ATTENTION_HEADS];
}

/* Whether forward keeps alpha itself: up to this many floats per row are read again faster
 * than they are computed. */
#define KEPT_FLOATS 49152

static bool
attention_keeps_weights(int T, int heads)
{
    return (double)heads * T * attention_stride(T) <= KEPT_FLOATS;
}

/* Floats of alpha, or of what it is computed from again. */
static ptrdiff_t
attention_kept_size(int T, int heads)
{
    ptrdiff_t each = attention_keeps_weights(T, heads) ? attention_stride(T) : 2;
    return each * heads * T;
}

/* What forward keeps of row b, given where that of all rows begins. */
static attention_kept
attention_kept_of(const rnn_layer *layer, const rnn_io *io, float *all, int T, int heads,
                  int b)
{
    float *kept = all + b * attention_kept_size(T, heads);
    bool weights = attention_keeps_weights(T, heads);
    return (attention_kept){
        .weights = weights ? kept : NULL,
        .moments = weights ? NULL : kept,
        .maps = io->maps != NULL ? io->maps + (ptrdiff_t)b * rnn_shape_size(&layer->maps)
                                 : NULL};
}

/* What forward keeps of the current rows: q, k and v side by side (rows T, 3D), context
 * (rows T, D), and alpha. */
typedef struct {
    float *qkv, *context, *kept;
} attention_cache;

static size_t
lay_out_attention_cache(const rnn_layer *layer, int rows, attention_cache *c, float *area)
{
    float *begin = area;
    ptrdiff_t each = attention_kept_size(layer->in.dim[0], attention_heads(layer));
    c->qkv = take_block(&area, 3 * (ptrdiff_t)rows * layer->in_size);
    c->context = take_block(&area, (ptrdiff_t)rows * layer->in_size);
    c->kept = take_block(&area, rows * each);
    return (size_t)(area - begin);
}

static attention_cache
attention_cache_of(const rnn_layer *layer, const rnn_io *io)
{
    attention_cache c;
    lay_out_attention_cache(layer, io->rows, &c, io->cache);
    return c;
}

/* Scratch: the kernel's own, and the gradient of a row's context. */
typedef struct {
    float *kernel, *dcontext;
} attention_work;

static size_t
lay_out_attention_scratch(const rnn_layer *layer, attention_work *w, float *area)
{
    float *begin = area;
    int d = layer->in.dim[1] / attention_heads(layer);
    w->kernel = take_block(&area, (ptrdiff_t)attention_scratch(layer->in.dim[0], d));
    w->dcontext = take_block(&area, layer->in_size + RNN_READ_SLACK);
    return (size_t)(area - begin);
}

/* Made of the parameters: q's, k's and v's weights and biases side by side, and the
 * transposes of these and of the output's weight. */
typedef struct {
    float *weight, *bias, *transposed, *out_transposed; /* (D,3D), (3D), (3D,D), (D,D) */
} attention_shared;

static size_t
lay_out_attention_shared(const rnn_layer *layer, attention_shared *s, float *area)
{
    float *begin = area;
    ptrdiff_t D = layer->in.dim[1];
    s->weight = take_block(&area, 3 * D * D);
    s->bias = take_block(&area, 3 * D);
    s->transposed = take_block(&area, 3 * D * D);
    s->out_transposed = take_block(&area, D * D);
    return (size_t)(area - begin) + RNN_READ_SLACK;
}

static attention_shared
attention_shared_of(const rnn_layer *layer, const rnn_io *io)
{
    attention_shared s;
    lay_out_attention_shared(layer, &s, io->shared);
    return s;
}

static rnn_status
self_attention_setup(rnn_layer *layer, rnn_error *error)
{
    if (layer->in.rank != 2)
        return rnn_layer_refuse_input(layer, error, "tokens x values");
    int T = layer->in.dim[0], D = layer->in.dim[1];
    int heads = attention_heads(layer), alpha[3] = {heads, T, T};
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
    layer->cache = lay_out_attention_cache(layer, 1, &(attention_cache){0}, NULL);
    layer->scratch = lay_out_attention_scratch(layer, &(attention_work){0}, NULL);
    layer->shared = lay_out_attention_shared(layer, &(attention_shared){0}, NULL);
    layer->keeps_dout = true;
    layer->slices[RNN_PREPARE] = 1;
    layer->slices[RNN_FORWARD] = layer->slices[RNN_OUTPUT] = RNN_BY_ROWS;
    layer->slices[RNN_INPUT] = layer->slices[RNN_PARAMS] = RNN_BY_ROWS;
    double projections = (double)T * D * pairs * D, scores = 2.0 * T * T * D;
    layer->work[RNN_FORWARD] = projections + scores;
    layer->work[RNN_OUTPUT] = 2 * scores;
    layer->work[RNN_INPUT] = layer->work[RNN_PARAMS] = projections;
    return RNN_OK;
}

/* q's, k's and v's weights and biases, from parameter `first` on, side by side. */
static void
join_projections(float *weight, float *bias, const rnn_layer *layer, const rnn_io *io,
                 int first, int D)
{
    size_t row = (size_t)D * sizeof(float);
    for (int pair = 0; pair < 3; pair++) {
        const float *from = param_of(layer, io, first + 2 * pair);
        for (int i = 0; i < D; i++)
            memcpy(weight + (3 * (ptrdiff_t)i + pair) * D, from + (ptrdiff_t)i * D, row);
        memcpy(bias + (ptrdiff_t)pair * D, param_of(layer, io, first + 2 * pair + 1), row);
    }
}

static void
self_attention_prepare_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int D = layer->in.dim[1];
    attention_shared s = attention_shared_of(layer, io);
    join_projections(s.weight, s.bias, layer, io, 0, D);
    if (!io->training)
        return;
    transpose(s.transposed, D, s.weight, 3 * D, D, 3 * D);
    if (layer->attr[ATTENTION_OUT_PROJ] != 0)
        transpose(s.out_transposed, D, param_of(layer, io, 2 * ATTENTION_OUT), D, D, D);
}

/* Row b, whose q, k and v are in the cache. */
static attention_sequence
attention_sequence_of(const rnn_layer *layer, const rnn_io *io, int b)
{
    int T = layer->in.dim[0], D = layer->in.dim[1];
    return (attention_sequence){
        .T = T,
        .D = D,
        .heads = attention_heads(layer),
        .stride = 3 * D,
        .real = io->real != NULL ? io->real + (ptrdiff_t)b * T : NULL,
        .causal = layer->attr[ATTENTION_CAUSAL] != 0};
}

static void
self_attention_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int T = layer->in.dim[0], D = layer->in.dim[1], heads = attention_heads(layer);
    attention_cache c = attention_cache_of(layer, io);
    attention_shared shared = attention_shared_of(layer, io);
    dense_forward(c.qkv, io->inp, shared.weight, shared.bias, false, false, io->rows * T, D,
                  3 * D, 0, 3 * D);
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * layer->in_size;
        const float *q = c.qkv + 3 * at;
        attention_kept kept = attention_kept_of(layer, io, c.kept, T, heads, b);
        attention_sequence s = attention_sequence_of(layer, io, b);
        attention_forward(c.context + at, &kept, q, q + D, q + 2 * D, io->scratch, &s);
    }
    if (layer->attr[ATTENTION_OUT_PROJ] != 0)
        dense_forward(io->out, c.context, param_of(layer, io, 2 * ATTENTION_OUT),
                      param_of(layer, io, 2 * ATTENTION_OUT + 1), false, false,
                      io->rows * T, D, D, 0, D);
    else
        memcpy(io->out, c.context, all_elements(io, layer->in_size) * sizeof(float));
    if (layer->attr[ATTENTION_RESIDUAL] != 0)
        add(io->out, io->out, io->inp, (int)all_elements(io, layer->in_size));
}

/* q, k and v are not needed after this: their gradients overwrite them. */
static void
self_attention_output_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int T = layer->in.dim[0], D = layer->in.dim[1], heads = attention_heads(layer);
    attention_cache c = attention_cache_of(layer, io);
    attention_shared shared = attention_shared_of(layer, io);
    attention_work work;
    lay_out_attention_scratch(layer, &work, io->scratch);
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * layer->in_size;
        float *q = c.qkv + 3 * at;
        const float *dc = io->dout + at;
        if (layer->attr[ATTENTION_OUT_PROJ] != 0) {
            gemm(work.dcontext, D, dc, D, 1, shared.out_transposed, D, T, D, D, 1.0f, 0.0f);
            dc = work.dcontext;
        }
        attention_kept kept = attention_kept_of(layer, io, c.kept, T, heads, b);
        attention_sequence s = attention_sequence_of(layer, io, b);
        attention_backward(q, q + D, q + 2 * D, dc, &kept, work.kernel, &s);
    }
}

static void
self_attention_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int tokens = io->rows * layer->in.dim[0], D = layer->in.dim[1];
    bool adds = layer->attr[ATTENTION_RESIDUAL] != 0;
    if (adds)
        memcpy(io->dinp, io->dout, all_elements(io, layer->in_size) * sizeof(float));
    gemm(io->dinp, D, attention_cache_of(layer, io).qkv, 3 * D, 1,
         attention_shared_of(layer, io).transposed, D, tokens, D, 3 * D, 1.0f,
         adds ? 1.0f : 0.0f);
}

/* Of a pair's weight and bias, given the gradients of what they gave: rows `stride` apart.
 */
static void
projection_params(const rnn_layer *layer, const rnn_io *io, int pair, const float *dout,
                  int stride, const float *inp)
{
    int tokens = io->rows * layer->in.dim[0], D = layer->in.dim[1];
    gemm(target_of(layer, io, 2 * pair), D, inp, 1, D, dout, stride, D, D, tokens,
         io->alpha, io->beta);
    sum_rows(target_of(layer, io, 2 * pair + 1), dout, stride, tokens, D, io->alpha,
             io->beta);
}

static void
self_attention_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int D = layer->in.dim[1];
    attention_cache c = attention_cache_of(layer, io);
    for (int pair = ATTENTION_Q; pair <= ATTENTION_V; pair++)
        projection_params(layer, io, pair, c.qkv + pair * D, 3 * D, io->inp);
    if (layer->attr[ATTENTION_OUT_PROJ] != 0)
        projection_params(layer, io, ATTENTION_OUT, io->dout, D, c.context);
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

/* self_attention: out = attention(inp Wq + bq, inp Wk + bk, inp Wv + bv), with out_proj
 * times Wo + bo, with residual plus inp. A sequence at a time, forward and backward.
 * Part of net/level.c. */

enum { ATTENTION_HEADS, ATTENTION_OUT_PROJ, ATTENTION_RESIDUAL };

static const rnn_attr self_attention_attrs[] = {
    [ATTENTION_HEADS] = {"heads", RNN_INT, false, 1, 1, 1 << 20, NULL},
    [ATTENTION_OUT_PROJ] = {"out_proj", RNN_BOOL, false, 0, 0, 1, NULL},
    [ATTENTION_RESIDUAL] = {"residual", RNN_BOOL, false, 0, 0, 1, NULL},
    RNN_ATTRS_END,
};

/* Parameters come in pairs of weight and bias. */
enum { ATTENTION_Q, ATTENTION_K, ATTENTION_V, ATTENTION_OUT };

static const char *const attention_names[] = {"q_weight",   "q_bias",   "k_weight",
                                              "k_bias",     "v_weight", "v_bias",
                                              "out_weight", "out_bias"};

/* What forward keeps of a sequence: q, k, v, context (T,D) each, then alpha (heads,T,T). */
typedef struct {
    float *q, *k, *v, *context, *alpha;
} attention_cache;

static attention_cache
attention_cache_of(const rnn_layer *layer, const rnn_io *io, int b)
{
    float *base = io->cache + (size_t)b * layer->cache;
    ptrdiff_t size = layer->in_size;
    return (attention_cache){base, base + size, base + 2 * size, base + 3 * size,
                             base + 4 * size};
}

/* A slice's own scratch, after the partial gradients of all slices: dq, dk, dv, dcontext
 * (T,D), dscores (T,T), a transposed head, and the slack that gemm may read. */
static size_t
attention_scratch_size(const rnn_layer *layer)
{
    size_t T = (size_t)layer->in.dim[0], size = (size_t)layer->in_size;
    return 4 * size + T * T + size + RNN_READ_SLACK;
}

static float *
attention_scratch(const rnn_layer *layer, const rnn_io *io, int slice)
{
    return io->scratch + RNN_MAX_ROW_SLICES * layer->param_count
           + (size_t)slice * attention_scratch_size(layer);
}

static rnn_status
self_attention_setup(rnn_layer *layer, rnn_error *error)
{
    if (layer->in.rank != 2)
        return rnn_layer_refuse(error,
                                "type: self_attention takes tokens, rank 2, got rank %d",
                                layer->in.rank);
    int T = layer->in.dim[0], D = layer->in.dim[1];
    int heads = (int)layer->attr[ATTENTION_HEADS], alpha[3] = {heads, T, T};
    if (D % heads != 0)
        return rnn_layer_refuse(error, "heads: %d does not divide %d", heads, D);
    if (rnn_size_product(alpha, 3) == 0)
        return rnn_layer_refuse(error, "heads: %d maps of %d x %d do not fit", heads, T, T);
    int pairs = layer->attr[ATTENTION_OUT_PROJ] != 0 ? 4 : 3;
    for (int i = 0; i < pairs; i++) {
        rnn_param weight = {.name = attention_names[2 * i],
                            .shape = {2, {D, D}},
                            .init = RNN_GLOROT_UNIFORM,
                            .fan_in = D,
                            .fan_out = D};
        rnn_param bias = {.name = attention_names[2 * i + 1], .shape = {1, {D}}};
        if (!rnn_layer_add_param(layer, weight) || !rnn_layer_add_param(layer, bias))
            return rnn_layer_refuse(error, "type: a weight of %d x %d does not fit", D, D);
    }
    layer->out = layer->in;
    layer->maps = heads == 1 ? (rnn_shape){2, {T, T}} : (rnn_shape){3, {heads, T, T}};
    layer->maps_offset = 4 * (size_t)layer->in_size;
    layer->cache = layer->maps_offset + (size_t)rnn_shape_size(&layer->maps);
    layer->scratch =
        RNN_MAX_ROW_SLICES * (layer->param_count + attention_scratch_size(layer));
    layer->slices[RNN_FORWARD] = layer->slices[RNN_OUTPUT] = RNN_BY_ROWS;
    layer->slices[RNN_PARAMS] = rnn_slice_count((int)layer->param_count);
    double products = (double)T * D * (pairs * (double)D + 2.0 * T);
    layer->work[RNN_FORWARD] = products;
    layer->work[RNN_OUTPUT] = 2 * products;
    return RNN_OK;
}

/* out = inp W + b with pair i of the parameters. */
static void
attention_project(float *out, const rnn_layer *layer, const rnn_io *io, int pair,
                  const float *inp)
{
    int T = layer->in.dim[0], D = layer->in.dim[1];
    dense_forward(out, inp, io->params + layer->param[2 * pair].offset,
                  io->params + layer->param[2 * pair + 1].offset, T, D, D, 0, D);
}

static void
self_attention_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    int T = layer->in.dim[0], D = layer->in.dim[1],
        heads = (int)layer->attr[ATTENTION_HEADS];
    float *transposed = attention_scratch(layer, io, slice);
    for (int b = rnn_row_begin(io->rows, slice); b < rnn_row_begin(io->rows, slice + 1);
         b++) {
        ptrdiff_t at = (ptrdiff_t)b * layer->in_size;
        const float *inp = io->inp + at;
        float *out = io->out + at;
        attention_cache c = attention_cache_of(layer, io, b);
        attention_project(c.q, layer, io, ATTENTION_Q, inp);
        attention_project(c.k, layer, io, ATTENTION_K, inp);
        attention_project(c.v, layer, io, ATTENTION_V, inp);
        attention_forward(c.context, c.alpha, c.q, c.k, c.v, transposed, T, D, heads);
        if (layer->attr[ATTENTION_OUT_PROJ] != 0)
            attention_project(out, layer, io, ATTENTION_OUT, c.context);
        else
            memcpy(out, c.context, (size_t)layer->in_size * sizeof(float));
        if (layer->attr[ATTENTION_RESIDUAL] != 0)
            add(out, out, inp, layer->in_size);
    }
}

/* Gradients of pair i, added to the slice's partial; dinp += dout W^T unless it is NULL. */
static void
attention_project_backward(float *partial, float *dinp, const rnn_layer *layer,
                           const rnn_io *io, int pair, const float *dout, const float *inp)
{
    int T = layer->in.dim[0], D = layer->in.dim[1];
    size_t weight = layer->param[2 * pair].offset;
    dense_backward_params(partial + weight, partial + layer->param[2 * pair + 1].offset,
                          dout, inp, T, D, D, 0, D, 1.0f, 1.0f);
    if (dinp != NULL)
        rnn_gemm_nt(T, D, D, 1.0f, dout, D, io->params + weight, D, 1.0f, dinp, D);
}

static void
self_attention_output_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    int T = layer->in.dim[0], D = layer->in.dim[1],
        heads = (int)layer->attr[ATTENTION_HEADS];
    ptrdiff_t size = layer->in_size;
    float *partial = io->scratch + (size_t)slice * layer->param_count;
    float *dq = attention_scratch(layer, io, slice), *dk = dq + size, *dv = dk + size;
    float *dprojected = dv + size, *dscores = dprojected + size;
    float *transposed = dscores + (ptrdiff_t)T * T;
    memset(partial, 0, layer->param_count * sizeof(float));
    for (int b = rnn_row_begin(io->rows, slice); b < rnn_row_begin(io->rows, slice + 1);
         b++) {
        const float *inp = io->inp + b * size, *dcontext = io->dout + b * size;
        float *dinp = io->dinp != NULL ? io->dinp + b * size : NULL;
        attention_cache c = attention_cache_of(layer, io, b);
        if (dinp != NULL && layer->attr[ATTENTION_RESIDUAL] != 0)
            memcpy(dinp, dcontext, (size_t)size * sizeof(float));
        else if (dinp != NULL)
            memset(dinp, 0, (size_t)size * sizeof(float));
        if (layer->attr[ATTENTION_OUT_PROJ] != 0) {
            memset(dprojected, 0, (size_t)size * sizeof(float));
            attention_project_backward(partial, dprojected, layer, io, ATTENTION_OUT,
                                       dcontext, c.context);
            dcontext = dprojected;
        }
        attention_backward(dq, dk, dv, dcontext, c.alpha, c.q, c.k, c.v, dscores,
                           transposed, T, D, heads);
        attention_project_backward(partial, dinp, layer, io, ATTENTION_Q, dq, inp);
        attention_project_backward(partial, dinp, layer, io, ATTENTION_K, dk, inp);
        attention_project_backward(partial, dinp, layer, io, ATTENTION_V, dv, inp);
    }
}

static const rnn_layer_type self_attention_layer = {
    .name = "self_attention",
    .attrs = self_attention_attrs,
    .setup = self_attention_setup,
    .pass = {[RNN_FORWARD] = self_attention_forward_pass,
             [RNN_OUTPUT] = self_attention_output_pass,
             [RNN_PARAMS] = reduce_params_pass},
};

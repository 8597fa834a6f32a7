/* patch_embed, position, ReLU, self_attention with one head and the dense layer above it in
 * one, with fewer products than the layers have. With x the tokens,
 *
 *     (x Wq + bq) (x Wk + bk)^T = (x A + u) x^T + terms that are the same along a row,
 *                                 A = Wq Wk^T, u = Wk bq,
 *     (alpha (x Wv + bv)) W + b = (alpha x) M + c,      M = Wv W, c = bv W + b:
 *
 * softmax does not see such terms, and rows of alpha add up to 1. Keys and values are then
 * the tokens themselves. PREPARE makes A, u, M and c once a batch, PARAMS adds up their
 * gradients, from which those of the factors follow in FINISH. Blank patches' tokens and
 * queries, the same in every image, are computed by PREPARE too, and what comes to them
 * goes through products in FINISH. Part of level.c. */

/* A parameter before the update, from Q on. */
static const float *
tied_old_param(const rnn_layer *layer, const tied_shared *s, int index)
{
    return s->params + (layer->param[index].offset - layer->param[TIED_Q].offset);
}

/* A, u and what blank patches become. */
static void
prepare_queries(const rnn_layer *layer, const rnn_io *io, const tied_sizes *z,
                const tied_shared *s)
{
    int D = z->D;
    transpose(s->K_t, D, param_of(layer, io, TIED_K), D, D, D);
    gemm(s->A, D, param_of(layer, io, TIED_Q), D, 1, s->K_t, D, D, D, D, 1.0f, 0.0f);
    gemm(s->u, D, param_of(layer, io, TIED_Q_BIAS), D, 1, s->K_t, D, 1, D, D, 1.0f, 0.0f);
    /* A key's bias changes nothing, but what is not finite must be seen. */
    for (int i = 0; i < D; i++)
        s->u[0] += 0.0f * param_of(layer, io, TIED_K_BIAS)[i];
    for (int t = 0; t < z->T; t++)
        memcpy(s->tokens + (ptrdiff_t)t * D, param_of(layer, io, TIED_PATCH_BIAS),
               (size_t)D * sizeof(float));
    add_positions(s->tokens, param_of(layer, io, TIED_TABLE), NULL, z->T, D);
    dense_forward(s->queries, s->tokens, s->A, s->u, false, false, z->T, D, D, 0, D);
    if (io->training)
        transpose(s->A_t, D, s->A, D, D, D);
}

/* M, c and what FINISH needs. */
static void
prepare_outputs(const rnn_layer *layer, const rnn_io *io, const tied_sizes *z,
                const tied_shared *s)
{
    const float *W = param_of(layer, io, TIED_W);
    int D = z->D, units = z->units;
    gemm(s->M, units, param_of(layer, io, TIED_V), D, 1, W, units, D, units, D, 1.0f, 0.0f);
    dense_forward(s->c, param_of(layer, io, TIED_V_BIAS), W,
                  param_of(layer, io, TIED_W_BIAS), false, false, 1, D, units, 0, units);
    if (!io->training)
        return;
    transpose(s->M_t, D, s->M, units, D, units);
    transpose(s->W_t, D, W, units, D, units);
    memcpy(s->params, param_of(layer, io, TIED_Q), (size_t)z->factors * sizeof(float));
}

static void
tied_prepare_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    tied_sizes z = tied_sizes_of(layer);
    tied_shared s;
    lay_out_tied_shared(&z, &s, io->shared);
    if (slice == 0)
        prepare_outputs(layer, io, &z, &s);
    else
        prepare_queries(layer, io, &z, &s);
}

/* The live patches of all rows, their tokens and, in scratch, their queries. */
static void
embed_live_patches(const rnn_layer *layer, const rnn_io *io, const tied_memory *m)
{
    const tied_sizes *z = &m->z;
    const tied_cache *c = &m->c;
    const float *table = param_of(layer, io, TIED_TABLE);
    int n = 0;
    for (int b = 0; b < io->rows; b++)
        n += c->n[b] = live_patches(
            c->live + (ptrdiff_t)b * z->T, c->patches + (ptrdiff_t)n * z->length,
            io->inp + (ptrdiff_t)b * layer->in_size, z->C, z->H, z->W, z->size);
    dense_forward(c->live_tokens, c->patches, param_of(layer, io, TIED_PATCH),
                  param_of(layer, io, TIED_PATCH_BIAS), false, false, n, z->length, z->D, 0,
                  z->D);
    float *tokens = c->live_tokens;
    for (int b = 0; b < io->rows; tokens += (ptrdiff_t)c->n[b++] * z->D)
        add_positions(tokens, table, c->live + (ptrdiff_t)b * z->T, c->n[b], z->D);
    dense_forward(m->s.live_queries, c->live_tokens, m->shared.A, m->shared.u, false, false,
                  n, z->D, z->D, 0, z->D);
}

static void
tied_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    tied_memory m = tied_memory_of(layer, io);
    tied_sizes z = m.z;
    embed_live_patches(layer, io, &m);
    const float *live_tokens = m.c.live_tokens, *live_queries = m.s.live_queries;
    attention_sequence sequence = {.T = z.T, .D = z.D, .heads = 1, .stride = z.D};
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * z.T * z.D, live = (ptrdiff_t)m.c.n[b] * z.D;
        const int32_t *which = m.c.live + (ptrdiff_t)b * z.T;
        float *tokens = m.c.tokens + at, *queries = m.c.queries + at;
        merge_tokens(tokens, live_tokens, m.shared.tokens, which, m.c.n[b], z.T, z.D);
        merge_tokens(queries, live_queries, m.shared.queries, which, m.c.n[b], z.T, z.D);
        attention_kept kept = attention_kept_of(layer, io, m.c.kept, z.T, 1, b);
        attention_forward(m.c.mixed + at, &kept, queries, tokens, tokens, m.s.attention,
                          &sequence);
        live_tokens += live;
        live_queries += live;
    }
    const activation *f = tied_activation(layer);
    bool relu = f->forward == relu_forward;
    dense_forward(io->out, m.c.mixed, m.shared.M, m.shared.c, relu, false, io->rows * z.T,
                  z.D, z.units, 0, z.units);
    if (!relu)
        f->forward(io->out, io->out, io->rows * layer->out_size, 0.0f);
}

/* Queries and tokens of each row become their gradients. */
static void
tied_output_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    tied_memory m = tied_memory_of(layer, io);
    tied_sizes z = m.z;
    const activation *f = tied_activation(layer);
    attention_sequence sequence = {.T = z.T, .D = z.D, .heads = 1, .stride = z.D};
    for (int b = 0; b < io->rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * z.T * z.D, out = (ptrdiff_t)b * layer->out_size;
        f->backward(io->dout + out, io->dout + out, io->out + out, layer->out_size, 0.0f);
        gemm(m.s.dmixed, z.D, io->dout + out, z.units, 1, m.shared.M_t, z.D, z.T, z.D,
             z.units, 1.0f, 0.0f);
        attention_kept kept = attention_kept_of(layer, io, m.c.kept, z.T, 1, b);
        float *tokens = m.c.tokens + at;
        attention_backward(m.c.queries + at, tokens, tokens, m.s.dmixed, &kept,
                           m.s.attention, &sequence);
    }
}

/* Gradients of n tokens before ReLU: dtokens so far, and what comes through their queries.
 */
static void
through_queries(float *dtokens, const float *dqueries, const float *tokens,
                const tied_shared *shared, int n, int D)
{
    gemm(dtokens, D, dqueries, D, 1, shared->A_t, D, n, D, D, 1.0f, 1.0f);
    relu_backward(dtokens, dtokens, tokens, n * D, 0.0f);
}

/* dinp of patches, blank ones too. */
static void
tied_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    tied_memory m = tied_memory_of(layer, io);
    tied_sizes z = m.z;
    const float *live_tokens = m.c.live_tokens;
    float *tokens = m.s.live_queries, *dtokens = m.s.live_tokens, *dpatches = m.s.dmixed;
    for (int b = 0; b < io->rows; live_tokens += (ptrdiff_t)m.c.n[b++] * z.D) {
        ptrdiff_t at = (ptrdiff_t)b * z.T * z.D;
        merge_tokens(tokens, live_tokens, m.shared.tokens, m.c.live + (ptrdiff_t)b * z.T,
                     m.c.n[b], z.T, z.D);
        memcpy(dtokens, m.c.tokens + at, (size_t)(z.T * z.D) * sizeof(float));
        through_queries(dtokens, m.c.queries + at, tokens, &m.shared, z.T, z.D);
        dense_backward_input(dpatches, dtokens, param_of(layer, io, TIED_PATCH), z.T,
                             z.length, z.D, 0, z.length);
        image_from_patches(io->dinp + (ptrdiff_t)b * layer->in_size, dpatches, z.C, z.H,
                           z.W, z.size, z.size);
    }
}

/* Live tokens' gradients of all rows side by side in scratch, the others added to sums;
 * returns how many are live. */
static int
part_gradients(const rnn_io *io, const tied_memory *m, const tied_sums *sums)
{
    const tied_sizes *z = &m->z;
    const tied_cache *c = &m->c;
    int n = 0;
    for (int b = 0; b < io->rows; n += c->n[b++]) {
        ptrdiff_t at = (ptrdiff_t)b * z->T * z->D, to = (ptrdiff_t)n * z->D;
        const int32_t *live = c->live + (ptrdiff_t)b * z->T;
        part_tokens(m->s.live_queries + to, sums->queries, c->queries + at, live, c->n[b],
                    z->T, z->D);
        part_tokens(m->s.live_tokens + to, sums->tokens, c->tokens + at, live, c->n[b],
                    z->T, z->D);
    }
    return n;
}

static void
tied_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    tied_memory m = tied_memory_of(layer, io);
    tied_sizes z = m.z;
    tied_sums sums;
    size_t size = lay_out_tied_sums(&z, &sums, io->target);
    if (io->beta == 0)
        memset(io->target, 0, size * sizeof(float));
    dense_backward_params(sums.M, sums.c, io->dout, m.c.mixed, io->rows * z.T, z.D, z.units,
                          1.0f, 1.0f);
    int n = part_gradients(io, &m, &sums);
    dense_backward_params(sums.A, sums.u, m.s.live_queries, m.c.live_tokens, n, z.D, z.D,
                          1.0f, 1.0f);
    through_queries(m.s.live_tokens, m.s.live_queries, m.c.live_tokens, &m.shared, n, z.D);
    dense_backward_params(sums.patch, sums.patch_bias, m.s.live_tokens, m.c.patches, n,
                          z.length, z.D, 1.0f, 1.0f);
    const float *dtoken = m.s.live_tokens;
    for (int b = 0; b < io->rows; b++)
        for (int k = 0; k < m.c.n[b]; k++, dtoken += z.D) {
            float *row = sums.table + (ptrdiff_t)m.c.live[b * z.T + k] * z.D;
            add(row, row, dtoken, z.D);
        }
}

/* Blank patches' part of A and u, then their part of queries and keys: a key's bias
 * changes nothing. */
static void
finish_queries(const rnn_layer *layer, const rnn_io *io, const tied_sizes *z,
               const tied_shared *s, const tied_sums *sums)
{
    int D = z->D;
    const float *Q = tied_old_param(layer, s, TIED_Q);
    const float *K = tied_old_param(layer, s, TIED_K);
    float *dQ = target_of(layer, io, TIED_Q);
    float *dK = target_of(layer, io, TIED_K);
    dense_backward_params(sums->A, sums->u, sums->queries, s->tokens, z->T, D, D, 1.0f,
                          1.0f);
    gemm(dQ, D, sums->A, D, 1, K, D, D, D, D, io->alpha, io->beta);
    gemm(target_of(layer, io, TIED_Q_BIAS), D, sums->u, D, 1, K, D, 1, D, D, io->alpha,
         io->beta);
    gemm(dK, D, sums->A, 1, D, Q, D, D, D, D, io->alpha, io->beta);
    gemm(dK, D, sums->u, 1, 1, tied_old_param(layer, s, TIED_Q_BIAS), D, D, D, 1, io->alpha,
         1.0f);
    for (int i = 0; io->beta == 0 && i < D; i++)
        target_of(layer, io, TIED_K_BIAS)[i] = 0.0f;
}

static void
finish_values(const rnn_layer *layer, const rnn_io *io, const tied_sizes *z,
              const tied_shared *s, const tied_sums *sums)
{
    int D = z->D, units = z->units;
    gemm(target_of(layer, io, TIED_V), D, sums->M, units, 1, s->W_t, D, D, D, units,
         io->alpha, io->beta);
    gemm(target_of(layer, io, TIED_V_BIAS), D, sums->c, units, 1, s->W_t, D, 1, D, units,
         io->alpha, io->beta);
}

static void
finish_outputs(const rnn_layer *layer, const rnn_io *io, const tied_sizes *z,
               const tied_shared *s, const tied_sums *sums)
{
    int D = z->D, units = z->units;
    float *dW = target_of(layer, io, TIED_W);
    gemm(dW, units, tied_old_param(layer, s, TIED_V), 1, D, sums->M, units, D, units, D,
         io->alpha, io->beta);
    gemm(dW, units, tied_old_param(layer, s, TIED_V_BIAS), 1, 1, sums->c, units, D, units,
         1, io->alpha, 1.0f);
    reduce(target_of(layer, io, TIED_W_BIAS), sums->c, 0, 1, units, io->alpha, io->beta);
}

/* Blank patches' part of the table and the bias, and these and the patches' weight. */
static void
finish_tokens(const rnn_layer *layer, const rnn_io *io, const tied_sizes *z,
              const tied_shared *s, const tied_sums *sums)
{
    int D = z->D;
    through_queries(sums->tokens, sums->queries, s->tokens, s, z->T, D);
    add(sums->table, sums->table, sums->tokens, z->T * D);
    dense_backward_bias(sums->patch_bias, sums->tokens, z->T, D, 0, D, 1.0f, 1.0f);
    reduce(target_of(layer, io, TIED_PATCH), sums->patch, 0, 1, z->length * D, io->alpha,
           io->beta);
    reduce(target_of(layer, io, TIED_PATCH_BIAS), sums->patch_bias, 0, 1, D, io->alpha,
           io->beta);
    reduce(target_of(layer, io, TIED_TABLE), sums->table, 0, 1, z->T * D, io->alpha,
           io->beta);
}

/* Slices by parameters; the longest first. */
static void
tied_finish_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    static void (*const finish[])(const rnn_layer *, const rnn_io *, const tied_sizes *,
                                  const tied_shared *, const tied_sums *) = {
        finish_queries, finish_values, finish_outputs, finish_tokens};
    tied_sizes z = tied_sizes_of(layer);
    tied_shared shared;
    tied_sums sums;
    lay_out_tied_shared(&z, &shared, io->shared);
    lay_out_tied_sums(&z, &sums, io->sums);
    finish[slice](layer, io, &z, &shared, &sums);
}

static const rnn_layer_type tied_attention_layer = {
    .name = "patch_embed+self_attention+dense",
    .pass = {[RNN_PREPARE] = tied_prepare_pass,
             [RNN_FORWARD] = tied_forward_pass,
             [RNN_OUTPUT] = tied_output_pass,
             [RNN_INPUT] = tied_input_pass,
             [RNN_PARAMS] = tied_params_pass,
             [RNN_FINISH] = tied_finish_pass},
};

/* Whether making the products of weights once a batch costs less than it saves from batches
 * of some ten images on. */
static bool
tying_pays(int T, int D, int units)
{
    return D + units <= 16 * T;
}

static bool
tied_attention_fuse(rnn_layer *fused, const rnn_layer *embed, const rnn_layer *position,
                    const rnn_layer *attention, const rnn_layer *dense)
{
    int T = attention->out.dim[0], D = attention->out.dim[1], units = dense->out.dim[1];
    const activation *f = dense_activation(dense);
    if (position->state_count > 0 || attention->attr[ATTENTION_HEADS] != 1
        || attention->attr[ATTENTION_OUT_PROJ] != 0
        || attention->attr[ATTENTION_RESIDUAL] != 0 || !dense_is_by_rows(dense)
        || f->from_input || f->forward == linear_forward || !tying_pays(T, D, units)
        || RNN_CHUNK_ROWS * (double)T * (D > units ? D : units) > RNN_MAX_EXTENT)
        return false;
    *fused = *embed;
    fused->type = &tied_attention_layer;
    fused->attr[TIED_SIZE] = embed->attr[PATCH_SIZE];
    fused->attr[TIED_ACTIVATION] = dense->attr[DENSE_ACTIVATION];
    fused->out = dense->out;
    fused->out_size = dense->out_size;
    fused->maps = attention->maps;
    append_params(fused, position);
    append_params(fused, attention);
    append_params(fused, dense);
    tied_sizes z = tied_sizes_of(fused);
    fused->cache = lay_out_tied_cache(&z, 1, &(tied_cache){0}, NULL);
    fused->scratch = lay_out_tied_scratch(&z, &(tied_scratch){0}, NULL);
    fused->shared = lay_out_tied_shared(&z, &(tied_shared){0}, NULL);
    fused->sums = lay_out_tied_sums(&z, &(tied_sums){0}, NULL);
    fused->slices[RNN_PREPARE] = 2;
    fused->slices[RNN_OUTPUT] = RNN_BY_ROWS;
    fused->slices[RNN_FINISH] = 4;
    double weights = (double)D * D * (D + units), scores = 2.0 * T * T * D;
    double products = (double)T * D * units;
    fused->work[RNN_PREPARE] = weights;
    fused->work[RNN_FORWARD] = scores + products;
    fused->work[RNN_OUTPUT] = 2 * scores + products;
    fused->work[RNN_PARAMS] = products;
    /* Of a batch, whatever its rows. */
    fused->work[RNN_FINISH] = 2 * weights / RNN_CHUNK_ROWS;
    return true;
}

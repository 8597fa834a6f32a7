/* patch_embed, position, ReLU and self_attention in one, for images with blank patches: a
 * blank patch at one place is the same token, and has the same query, key and value, in
 * every image. These are computed once a batch, by PREPARE; backward adds up what comes to
 * them and goes through the products once for a slice's rows. Part of level.c. */

/* The widths of the layers in it. */
typedef struct {
    int C, H, W, size; /* image and patch */
    int T, length, D;  /* tokens, numbers in a patch, numbers in a token */
    int qkv;           /* 3 D: q, k and v of a token lie side by side */
    int heads;
} patch_attention_sizes;

enum { PA_SIZE, PA_HEADS };

/* Parameters, in the order of the layers. */
enum { PA_PATCH, PA_PATCH_BIAS, PA_TABLE, PA_Q, PA_Q_BIAS };

static patch_attention_sizes
patch_attention_sizes_of(const rnn_layer *layer)
{
    patch_attention_sizes z = {.size = (int)layer->attr[PA_SIZE],
                               .T = layer->out.dim[0],
                               .length = layer->param[PA_PATCH].shape.dim[0],
                               .D = layer->out.dim[1],
                               .heads = (int)layer->attr[PA_HEADS]};
    z.C = layer->window.C;
    z.H = layer->window.H;
    z.W = layer->window.W;
    z.qkv = 3 * z.D;
    return z;
}

/* From the parameters: the three weights and biases side by side, the weights' transpose,
 * and tokens and q, k, v of blank patches. */
typedef struct {
    float *weight, *bias, *transposed; /* (D, 3D), (3D), (3D, D) */
    float *tokens, *qkv;               /* (T, D), (T, 3D) */
} patch_attention_shared;

static patch_attention_shared
patch_attention_shared_of(const rnn_io *io, const patch_attention_sizes *z)
{
    patch_attention_shared s = {.weight = io->shared};
    s.bias = s.weight + (ptrdiff_t)z->D * z->qkv;
    s.transposed = s.bias + z->qkv;
    s.tokens = s.transposed + (ptrdiff_t)z->D * z->qkv;
    s.qkv = s.tokens + (ptrdiff_t)z->T * z->D;
    return s;
}

/* What forward keeps of a row: which patches are not blank, how many, these patches and
 * their tokens side by side, q, k, v of all tokens, and alpha. */
typedef struct {
    int32_t *live, *n;
    float *patches, *tokens, *qkv;
    attention_kept kept;
} patch_attention_cache;

static size_t
lay_out_patch_attention_cache(const patch_attention_sizes *z, patch_attention_cache *c,
                              float **kept, float *area)
{
    float *begin = area;
    ptrdiff_t T = z->T;
    c->live = (void *)take_block(&area, T);
    c->n = (void *)take_block(&area, 1);
    c->patches = take_block(&area, T * z->length);
    c->tokens = take_block(&area, T * z->D);
    c->qkv = take_block(&area, T * z->qkv);
    *kept = take_block(&area, attention_kept_size(z->T, z->heads));
    return (size_t)(area - begin);
}

static patch_attention_cache
patch_attention_cache_of(const rnn_layer *layer, const rnn_io *io,
                         const patch_attention_sizes *z, int b)
{
    patch_attention_cache c;
    float *kept;
    lay_out_patch_attention_cache(z, &c, &kept, io->cache + (size_t)b * layer->cache);
    c.kept = attention_kept_of(layer, io, kept, z->T, z->heads, 0);
    if (io->maps != NULL)
        c.kept.maps += (ptrdiff_t)b * rnn_shape_size(&layer->maps);
    return c;
}

/* Scratch of a slice: q, k, v or their gradients for live tokens; gradients of tokens and
 * patches; attention's own; then sums over rows: of gradients of blank tokens' q,
 * k, v, and of those of the weights and biases side by side. */
typedef struct {
    float *live_qkv, *dtokens, *dpatches, *attention, *blank_qkv, *weight, *bias;
} patch_attention_scratch;

static patch_attention_scratch
patch_attention_scratch_of(const rnn_io *io, const patch_attention_sizes *z)
{
    patch_attention_scratch s = {.live_qkv = io->scratch};
    s.dtokens = s.live_qkv + (ptrdiff_t)z->T * z->qkv;
    s.dpatches = s.dtokens + (ptrdiff_t)z->T * z->D;
    s.attention = s.dpatches + (ptrdiff_t)z->T * z->length;
    s.blank_qkv = s.attention + attention_scratch(z->T, z->D / z->heads);
    s.weight = s.blank_qkv + (ptrdiff_t)z->T * z->qkv;
    s.bias = s.weight + (ptrdiff_t)z->D * z->qkv;
    return s;
}

static size_t
patch_attention_scratch_size(const patch_attention_sizes *z)
{
    rnn_io none = {.scratch = NULL};
    patch_attention_scratch s = patch_attention_scratch_of(&none, z);
    return (size_t)(s.bias - s.live_qkv) + (size_t)z->qkv + RNN_READ_SLACK;
}

/* Tokens += their rows of the position table, then ReLU; live NULL: all of them. */
static void
add_positions(float *tokens, const float *table, const int32_t *live, int n, int D)
{
    for (int t = 0; t < n; t++) {
        float *token = tokens + (ptrdiff_t)t * D;
        add(token, token, table + (ptrdiff_t)(live != NULL ? live[t] : t) * D, D);
    }
    relu_forward(tokens, tokens, n * D, 0.0f);
}

static void
patch_attention_prepare_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    patch_attention_sizes z = patch_attention_sizes_of(layer);
    patch_attention_shared s = patch_attention_shared_of(io, &z);
    size_t row = (size_t)z.D * sizeof(float);
    join_projections(s.weight, s.bias, layer, io, PA_Q, z.D);
    if (io->training)
        transpose(s.transposed, z.D, s.weight, z.qkv, z.D, z.qkv);
    for (int t = 0; t < z.T; t++)
        memcpy(s.tokens + (ptrdiff_t)t * z.D, param_of(layer, io, PA_PATCH_BIAS), row);
    add_positions(s.tokens, param_of(layer, io, PA_TABLE), NULL, z.T, z.D);
    dense_forward(s.qkv, s.tokens, s.weight, s.bias, false, false, z.T, z.D, z.qkv, 0,
                  z.qkv);
}

/* Live tokens' q, k, v among those of blank ones. */
static void
merge_tokens(float *all, const float *live_qkv, const float *blank_qkv, const int32_t *live,
             int n, int T, int width)
{
    for (int t = 0, k = 0; t < T; t++) {
        bool is_live = k < n && live[k] == t;
        memcpy(all + (ptrdiff_t)t * width,
               is_live ? live_qkv + (ptrdiff_t)k * width : blank_qkv + (ptrdiff_t)t * width,
               (size_t)width * sizeof(float));
        k += is_live;
    }
}

/* The reverse: live tokens' gradients side by side, blank ones' added to their sums. */
static void
part_tokens(float *live_qkv, float *blank_qkv, const float *all, const int32_t *live, int n,
            int T, int width)
{
    for (int t = 0, k = 0; t < T; t++) {
        const float *from = all + (ptrdiff_t)t * width;
        float *sums = blank_qkv + (ptrdiff_t)t * width;
        if (k < n && live[k] == t)
            memcpy(live_qkv + (ptrdiff_t)k++ * width, from, (size_t)width * sizeof(float));
        else
            add(sums, sums, from, width);
    }
}

static attention_sequence
patch_attention_sequence(const patch_attention_sizes *z)
{
    return (attention_sequence){.T = z->T, .D = z->D, .heads = z->heads, .stride = z->qkv};
}

static void
patch_attention_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    patch_attention_sizes z = patch_attention_sizes_of(layer);
    patch_attention_shared shared = patch_attention_shared_of(io, &z);
    patch_attention_scratch s = patch_attention_scratch_of(io, &z);
    attention_sequence sequence = patch_attention_sequence(&z);
    for (int b = 0; b < io->rows; b++) {
        patch_attention_cache c = patch_attention_cache_of(layer, io, &z, b);
        int n = *c.n =
            live_patches(c.live, c.patches, io->inp + (ptrdiff_t)b * layer->in_size, z.C,
                         z.H, z.W, z.size);
        dense_forward(c.tokens, c.patches, param_of(layer, io, PA_PATCH),
                      param_of(layer, io, PA_PATCH_BIAS), false, false, n, z.length, z.D, 0,
                      z.D);
        add_positions(c.tokens, param_of(layer, io, PA_TABLE), c.live, n, z.D);
        dense_forward(s.live_qkv, c.tokens, shared.weight, shared.bias, false, false, n,
                      z.D, z.qkv, 0, z.qkv);
        merge_tokens(c.qkv, s.live_qkv, shared.qkv, c.live, n, z.T, z.qkv);
        attention_forward(io->out + (ptrdiff_t)b * layer->out_size, &c.kept, c.qkv,
                          c.qkv + z.D, c.qkv + 2 * z.D, s.attention, &sequence);
    }
}

/* q, k, v of each row become their gradients. */
static void
patch_attention_output_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    patch_attention_sizes z = patch_attention_sizes_of(layer);
    patch_attention_scratch s = patch_attention_scratch_of(io, &z);
    attention_sequence sequence = patch_attention_sequence(&z);
    for (int b = 0; b < io->rows; b++) {
        patch_attention_cache c = patch_attention_cache_of(layer, io, &z, b);
        attention_backward(c.qkv, c.qkv + z.D, c.qkv + 2 * z.D,
                           io->dout + (ptrdiff_t)b * layer->out_size, &c.kept, s.attention,
                           &sequence);
    }
}

/* Gradients of n tokens before ReLU from those of their q, k, v. */
static void
tokens_backward(float *dtokens, const float *dqkv, const float *tokens,
                const patch_attention_shared *shared, int n, const patch_attention_sizes *z)
{
    gemm(dtokens, z->D, dqkv, z->qkv, 1, shared->transposed, z->D, n, z->D, z->qkv, 1.0f,
         0.0f);
    relu_backward(dtokens, dtokens, tokens, n * z->D, 0.0f);
}

/* dinp of patches, blank ones too. */
static void
patch_attention_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    patch_attention_sizes z = patch_attention_sizes_of(layer);
    patch_attention_shared shared = patch_attention_shared_of(io, &z);
    patch_attention_scratch s = patch_attention_scratch_of(io, &z);
    float *tokens = s.live_qkv;
    for (int b = 0; b < io->rows; b++) {
        patch_attention_cache c = patch_attention_cache_of(layer, io, &z, b);
        merge_tokens(tokens, c.tokens, shared.tokens, c.live, *c.n, z.T, z.D);
        tokens_backward(s.dtokens, c.qkv, tokens, &shared, z.T, &z);
        dense_backward_input(s.dpatches, s.dtokens, param_of(layer, io, PA_PATCH), z.T,
                             z.length, z.D, 0, z.length);
        image_from_patches(io->dinp + (ptrdiff_t)b * layer->in_size, s.dpatches, z.C, z.H,
                           z.W, z.size, z.size);
    }
}

/* Adds to sums of the weights' gradients, and to the target of the layer below the tokens:
 * n tokens, with patches NULL blank ones. */
static void
add_token_gradients(const rnn_layer *layer, const rnn_io *io,
                    const patch_attention_sizes *z, const float *tokens,
                    const float *patches, const int32_t *live, const float *dqkv, int n)
{
    patch_attention_shared shared = patch_attention_shared_of(io, z);
    patch_attention_scratch s = patch_attention_scratch_of(io, z);
    float *table = target_of(layer, io, PA_TABLE);
    dense_backward_params(s.weight, s.bias, dqkv, tokens, n, z->D, z->qkv, 1.0f, 1.0f);
    tokens_backward(s.dtokens, dqkv, tokens, &shared, n, z);
    for (int t = 0; t < n; t++) {
        float *row = table + (ptrdiff_t)(live != NULL ? live[t] : t) * z->D;
        add(row, row, s.dtokens + (ptrdiff_t)t * z->D, z->D);
    }
    if (patches != NULL)
        dense_backward_weight(target_of(layer, io, PA_PATCH), s.dtokens, patches, n,
                              z->length, z->D, 0, z->length, 0, z->D, 1.0f, 1.0f);
    dense_backward_bias(target_of(layer, io, PA_PATCH_BIAS), s.dtokens, n, z->D, 0, z->D,
                        1.0f, 1.0f);
}

/* The sums of q, k, v side by side to their places in the target. */
static void
add_qkv_gradients(const rnn_layer *layer, const rnn_io *io, const patch_attention_sizes *z)
{
    patch_attention_scratch s = patch_attention_scratch_of(io, z);
    for (int pair = 0; pair < 3; pair++) {
        float *weight = target_of(layer, io, PA_Q + 2 * pair);
        float *bias = target_of(layer, io, PA_Q_BIAS + 2 * pair);
        for (int i = 0; i < z->D; i++)
            add(weight + (ptrdiff_t)i * z->D, weight + (ptrdiff_t)i * z->D,
                s.weight + (ptrdiff_t)i * z->qkv + pair * z->D, z->D);
        add(bias, bias, s.bias + pair * z->D, z->D);
    }
}

static void
patch_attention_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    patch_attention_sizes z = patch_attention_sizes_of(layer);
    patch_attention_shared shared = patch_attention_shared_of(io, &z);
    patch_attention_scratch s = patch_attention_scratch_of(io, &z);
    if (io->beta == 0)
        memset(io->target, 0, layer->param_count * sizeof(float));
    memset(s.blank_qkv, 0, (size_t)(s.bias + z.qkv - s.blank_qkv) * sizeof(float));
    for (int b = 0; b < io->rows; b++) {
        patch_attention_cache c = patch_attention_cache_of(layer, io, &z, b);
        part_tokens(s.live_qkv, s.blank_qkv, c.qkv, c.live, *c.n, z.T, z.qkv);
        if (*c.n > 0)
            add_token_gradients(layer, io, &z, c.tokens, c.patches, c.live, s.live_qkv,
                                *c.n);
    }
    add_token_gradients(layer, io, &z, shared.tokens, NULL, NULL, s.blank_qkv, z.T);
    add_qkv_gradients(layer, io, &z);
}

static const rnn_layer_type patch_attention_layer = {
    .name = "patch_embed+self_attention",
    .pass = {[RNN_PREPARE] = patch_attention_prepare_pass,
             [RNN_FORWARD] = patch_attention_forward_pass,
             [RNN_OUTPUT] = patch_attention_output_pass,
             [RNN_INPUT] = patch_attention_input_pass,
             [RNN_PARAMS] = patch_attention_params_pass},
};

static bool
patch_attention_fuse(rnn_layer *fused, const rnn_layer *embed, const rnn_layer *position,
                     const rnn_layer *attention)
{
    if (position->state_count > 0 || attention->attr[ATTENTION_OUT_PROJ] != 0
        || attention->attr[ATTENTION_RESIDUAL] != 0)
        return false;
    *fused = *embed;
    fused->type = &patch_attention_layer;
    fused->attr[PA_SIZE] = embed->attr[PATCH_SIZE];
    fused->attr[PA_HEADS] = attention->attr[ATTENTION_HEADS];
    fused->out = attention->out;
    fused->out_size = attention->out_size;
    append_params(fused, position);
    append_params(fused, attention);
    patch_attention_sizes z = patch_attention_sizes_of(fused);
    size_t T = (size_t)z.T, D = (size_t)z.D, qkv = (size_t)z.qkv;
    fused->maps = attention->maps;
    fused->cache = lay_out_patch_attention_cache(&z, &(patch_attention_cache){0},
                                                 &(float *){NULL}, NULL);
    fused->scratch = patch_attention_scratch_size(&z);
    fused->shared = 2 * D * qkv + qkv + T * D + T * qkv;
    fused->slices[RNN_PREPARE] = 1;
    fused->slices[RNN_OUTPUT] = RNN_BY_ROWS;
    for (int pass = RNN_FORWARD; pass < RNN_PASSES; pass++)
        fused->work[pass] = embed->work[pass] + attention->work[pass];
    return true;
}

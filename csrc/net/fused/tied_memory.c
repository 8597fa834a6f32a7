/* What tied_attention.c works in: sizes, and the parts of its memory. Part of level.c. */

/* The widths of the layers in it. */
typedef struct {
    int C, H, W, size; /* image and patch */
    int T, length, D;  /* tokens, numbers in a patch, numbers in a token */
    int units;         /* of the dense layer */
    ptrdiff_t factors; /* parameters from Q on */
} tied_sizes;

enum { TIED_SIZE, TIED_ACTIVATION };

/* Parameters, in the order of the layers. */
enum {
    TIED_PATCH,
    TIED_PATCH_BIAS,
    TIED_TABLE,
    TIED_Q,
    TIED_Q_BIAS,
    TIED_K,
    TIED_K_BIAS,
    TIED_V,
    TIED_V_BIAS,
    TIED_W,
    TIED_W_BIAS
};

static tied_sizes
tied_sizes_of(const rnn_layer *layer)
{
    tied_sizes z = {.size = (int)layer->attr[TIED_SIZE],
                    .T = layer->out.dim[0],
                    .length = layer->param[TIED_PATCH].shape.dim[0],
                    .D = layer->param[TIED_PATCH].shape.dim[1],
                    .units = layer->out.dim[1]};
    z.factors = (ptrdiff_t)(layer->param_count - layer->param[TIED_Q].offset);
    z.C = layer->window.C;
    z.H = layer->window.H;
    z.W = layer->window.W;
    return z;
}

static const activation *
tied_activation(const rnn_layer *layer)
{
    return &activations[(int)layer->attr[TIED_ACTIVATION]];
}

/* What follows from the parameters: A, u, M, c; blank patches' tokens and queries; for
 * backward the transposes of A and M, the parameters from Q on as they were before the
 * update, and the transposes of Wk and W. */
typedef struct {
    float *A, *u, *M, *c, *tokens, *queries;
    float *A_t, *M_t, *params, *K_t, *W_t;
} tied_shared;

static size_t
lay_out_tied_shared(const tied_sizes *z, tied_shared *s, float *area)
{
    float *begin = area;
    ptrdiff_t D = z->D, units = z->units;
    s->A = take_block(&area, D * D);
    s->u = take_block(&area, D);
    s->M = take_block(&area, D * units);
    s->c = take_block(&area, units);
    s->tokens = take_block(&area, z->T * D);
    s->queries = take_block(&area, z->T * D);
    s->A_t = take_block(&area, D * D);
    s->M_t = take_block(&area, D * units);
    s->params = take_block(&area, z->factors);
    s->K_t = take_block(&area, D * D);
    s->W_t = take_block(&area, D * units);
    return (size_t)(area - begin);
}

/* What forward keeps of the current rows: where each row's patches are not blank and how
 * many; these patches and their tokens, all rows' side by side; row by row all tokens,
 * their queries, the mixed tokens alpha x, and alpha. */
typedef struct {
    int32_t *live, *n;
    float *patches, *live_tokens, *tokens, *queries, *mixed, *kept;
} tied_cache;

static size_t
lay_out_tied_cache(const tied_sizes *z, int rows, tied_cache *c, float *area)
{
    float *begin = area;
    ptrdiff_t tokens = (ptrdiff_t)rows * z->T;
    c->live = (void *)take_block(&area, tokens);
    c->n = (void *)take_block(&area, rows);
    c->patches = take_block(&area, tokens * z->length);
    c->live_tokens = take_block(&area, tokens * z->D);
    c->tokens = take_block(&area, tokens * z->D);
    c->queries = take_block(&area, tokens * z->D);
    c->mixed = take_block(&area, tokens * z->D);
    c->kept = take_block(&area, rows * attention_kept_size(z->T, 1));
    return (size_t)(area - begin);
}

/* What PARAMS adds up: gradients of A, u, M, c and below; and those that came to blank
 * patches' queries and tokens. */
typedef struct {
    float *A, *u, *M, *c, *patch, *patch_bias, *table, *queries, *tokens;
} tied_sums;

static size_t
lay_out_tied_sums(const tied_sizes *z, tied_sums *s, float *area)
{
    float *begin = area;
    ptrdiff_t D = z->D;
    s->A = take_block(&area, D * D);
    s->u = take_block(&area, D);
    s->M = take_block(&area, D * z->units);
    s->c = take_block(&area, z->units);
    s->patch = take_block(&area, z->length * D);
    s->patch_bias = take_block(&area, D);
    s->table = take_block(&area, z->T * D);
    s->queries = take_block(&area, z->T * D);
    s->tokens = take_block(&area, z->T * D);
    return (size_t)(area - begin);
}

/* Scratch of a slice. */
typedef struct {
    float *live_queries, *live_tokens; /* of all current rows, or their gradients */
    float *dmixed, *attention;         /* of a row */
} tied_scratch;

static size_t
lay_out_tied_scratch(const tied_sizes *z, tied_scratch *s, float *area)
{
    float *begin = area;
    ptrdiff_t T = z->T, tokens = RNN_CHUNK_ROWS * T;
    ptrdiff_t widest = z->D > z->length ? z->D : z->length;
    s->live_queries = take_block(&area, tokens * z->D);
    s->live_tokens = take_block(&area, tokens * z->D);
    s->dmixed = take_block(&area, T * widest);
    s->attention = take_block(&area, (ptrdiff_t)attention_scratch(z->T, z->D));
    return (size_t)(area - begin);
}

/* All memory of a pass over the current rows. */
typedef struct {
    tied_sizes z;
    tied_shared shared;
    tied_cache c;
    tied_scratch s;
} tied_memory;

static tied_memory
tied_memory_of(const rnn_layer *layer, const rnn_io *io)
{
    tied_memory m = {.z = tied_sizes_of(layer)};
    lay_out_tied_shared(&m.z, &m.shared, io->shared);
    lay_out_tied_cache(&m.z, io->rows, &m.c, io->cache);
    lay_out_tied_scratch(&m.z, &m.s, io->scratch);
    return m;
}

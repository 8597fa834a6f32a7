#include "kernels.h"

#include "../base/simd.h"

#include <math.h>
#include <string.h>

/* Whole vectors: rows of scores, and of transposed heads, cross no cache line. */
static int
attention_stride(int T)
{
    return (T + VL - 1) / VL * VL;
}

static size_t
attention_held(int T, int d)
{
    return (size_t)attention_stride(T) * (size_t)d;
}

/* Scores of this many rows of queries are computed at a time, so that they stay in the
 * cache: there is no T x T matrix. */
#define SCORES_AT_HAND 8192
#define QUERY_ROWS 8

static int
query_rows(int T)
{
    int rows = SCORES_AT_HAND / attention_stride(T) / QUERY_ROWS * QUERY_ROWS;
    rows = rows < QUERY_ROWS ? QUERY_ROWS : rows;
    return rows < T ? rows : T;
}

/* Scratch of a head: keys and values transposed, the keys' gradient, scores, and theirs. */
typedef struct {
    float *keys, *values, *dkeys, *scores, *dscores;
} attention_area;

static attention_area
attention_area_of(float *scratch, int T, int d)
{
    size_t head = attention_held(T, d);
    attention_area a = {.keys = scratch, .values = scratch + head};
    a.dkeys = a.values + head;
    a.scores = a.dkeys + head;
    a.dscores = a.scores + query_rows(T) * attention_stride(T);
    return a;
}

static size_t
attention_scratch(int T, int d)
{
    size_t scores = (size_t)query_rows(T) * (size_t)attention_stride(T);
    return 3 * attention_held(T, d) + 2 * scores + RNN_READ_SLACK;
}

/* to (d, attention_stride(T)) = the transpose of a head, zeros after it. */
static void
transpose_head(float *to, const float *head, int stride, int T, int d)
{
    int wide = attention_stride(T);
    for (int i = 0; wide > T && i < d; i++)
        v_store(to + (ptrdiff_t)(i + 1) * wide - VL, (vf){0});
    transpose(to, wide, head, stride, T, d);
}

/* Scores of keys j.., -infinity in place of those past the n first and of padding. */
static inline __attribute__((always_inline)) vf
seen_scores(const float *scores, const float *real, int j, int n)
{
    vf s = v_load(scores + j);
    int lanes = n - j < VL ? n - j : VL;
    if (lanes < VL)
        s = v_first(s, lanes, -INFINITY);
    if (real == NULL)
        return s;
    return v_select(v_greater(v_load_lanes(real + j, lanes), v_set(0.0f)), s,
                    v_set(-INFINITY));
}

/* The greatest of a row's scores, and 1 / the sum of e^(score - greatest). */
typedef struct {
    float greatest, inverse;
} row_moments;

/* Vectors that are taken side by side: a maximum or a sum would wait for itself. */
#define KEY_VECTORS 4

static inline __attribute__((always_inline)) float
greatest_seen(const float *scores, const float *real, int n)
{
    vf most[KEY_VECTORS];
    for (int i = 0; i < KEY_VECTORS; i++)
        most[i] = v_set(-INFINITY);
    for (int j = 0; j < n; j += KEY_VECTORS * VL)
        for (int i = 0; i < KEY_VECTORS && j + i * VL < n; i++)
            most[i] = v_max(seen_scores(scores, real, j + i * VL, n), most[i]);
    return v_greatest(v_max(v_max(most[0], most[1]), v_max(most[2], most[3])));
}

/* A row's scores of n keys become weights, zeros for padding and after them. */
static inline __attribute__((always_inline)) row_moments
weigh_keys(float *a, const float *real, int n)
{
    row_moments m = {greatest_seen(a, real, n), 0.0f};
    vf sum[KEY_VECTORS] = {0};
    for (int j = 0; j < n; j += KEY_VECTORS * VL)
        for (int i = 0; i < KEY_VECTORS && j + i * VL < n; i++) {
            vf e = v_exp(seen_scores(a, real, j + i * VL, n) - m.greatest);
            v_store(a + j + i * VL, e);
            sum[i] += e;
        }
    m.inverse = 1.0f / v_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
    for (int j = 0; j < n; j += VL)
        v_store(a + j, v_load(a + j) * m.inverse);
    return m;
}

/* The same again, to the same bits. */
static inline __attribute__((always_inline)) void
weigh_keys_again(float *a, const float *real, int n, row_moments m)
{
    for (int j = 0; j < n; j += VL)
        v_store(a + j, v_exp(seen_scores(a, real, j, n) - m.greatest) * m.inverse);
}

/* Rows begin.. of queries, of which none sees more than the first `keys` keys. */
typedef struct {
    int begin, rows, keys;
} query_block;

static query_block
query_block_of(const attention_sequence *s, int begin)
{
    int rows = query_rows(s->T);
    rows = s->T - begin < rows ? s->T - begin : rows;
    return (query_block){begin, rows, s->causal ? begin + rows : s->T};
}

/* How many keys, from the first on, token t sees, padding among them; 0 if all of them are
 * padding. */
static int
keys_before(const attention_sequence *s, int t)
{
    int n = s->causal ? t + 1 : s->T;
    for (int j = 0; j < n; j++)
        if (s->real == NULL || s->real[j] != 0)
            return n;
    return 0;
}

/* Scores become weights; with `again` by the moments of the rows, else these are set. */
static void
weigh_block(float *a, row_moments *moments, bool again, const attention_sequence *s,
            query_block b)
{
    int wide = attention_stride(s->T), end = attention_stride(b.keys);
    for (int i = 0; i < b.rows; i++, a += wide) {
        int n = keys_before(s, b.begin + i), whole = attention_stride(n);
        row_moments m = {0, 0};
        if (again)
            weigh_keys_again(a, s->real, n, moments[i]);
        else if (n > 0)
            m = s->real != NULL ? weigh_keys(a, s->real, n) : weigh_keys(a, NULL, n);
        if (!again && moments != NULL)
            moments[i] = m;
        memset(a + whole, 0, (size_t)(end - whole) * sizeof(float));
    }
}

/* maps (T,T), rows begin.. */
static void
show_weights(float *maps, const float *a, int T, query_block b)
{
    for (int i = 0; i < b.rows; i++) {
        float *row = maps + ((ptrdiff_t)b.begin + i) * T;
        memcpy(row, a + (ptrdiff_t)i * attention_stride(T), (size_t)b.keys * sizeof(float));
        memset(row + b.keys, 0, (size_t)(T - b.keys) * sizeof(float));
    }
}

/* Where a head's weights and moments are; the weights' first row is that of the block. */
static float *
weights_of(const attention_kept *kept, const attention_area *area, int T, int head,
           int begin)
{
    ptrdiff_t row = (ptrdiff_t)head * T + begin;
    return kept->weights != NULL ? kept->weights + row * attention_stride(T) : area->scores;
}

static row_moments *
moments_of_block(const attention_kept *kept, int T, int head, int begin)
{
    ptrdiff_t row = (ptrdiff_t)head * T + begin;
    return kept->moments != NULL ? (row_moments *)(void *)(kept->moments + 2 * row) : NULL;
}

static void
attention_forward(float *context, const attention_kept *kept, const float *q,
                  const float *k, const float *v, float *scratch,
                  const attention_sequence *s)
{
    int T = s->T, D = s->D, d = D / s->heads, wide = attention_stride(T);
    float scale = 1.0f / sqrtf((float)d);
    attention_area area = attention_area_of(scratch, T, d);
    for (int h = 0; h < s->heads; h++) {
        transpose_head(area.keys, k + h * d, s->stride, T, d);
        for (int begin = 0; begin < T; begin += query_rows(T)) {
            query_block b = query_block_of(s, begin);
            const float *queries = q + (ptrdiff_t)begin * s->stride + h * d;
            float *a = weights_of(kept, &area, T, h, begin);
            gemm(a, wide, queries, s->stride, 1, area.keys, wide, b.rows,
                 attention_stride(b.keys), d, scale, 0.0f);
            weigh_block(a, moments_of_block(kept, T, h, begin), false, s, b);
            if (kept->maps != NULL)
                show_weights(kept->maps + (ptrdiff_t)h * T * T, a, T, b);
            gemm(context + (ptrdiff_t)begin * D + h * d, D, a, wide, 1, v + h * d,
                 s->stride, b.rows, d, b.keys, 1.0f, 0.0f);
        }
    }
}

/* dS = softmax'(dA) = A (dA - sum of A dA), row by row. */
static void
scores_backward(float *ds, const float *a, int wide, int rows, int keys)
{
    for (int i = 0; i < rows; i++, ds += wide, a += wide) {
        vf products = {0};
        for (int j = 0; j < keys; j += VL)
            products += v_load(ds + j) * v_load(a + j);
        float dot = v_sum(products);
        for (int j = 0; j < keys; j += VL)
            v_store(ds + j, v_load(a + j) * (v_load(ds + j) - dot));
    }
}

/* A block's A, computed again unless it was kept. */
static const float *
weights_again(const attention_kept *kept, const attention_area *area, const float *queries,
              const attention_sequence *s, int head, query_block b)
{
    int T = s->T, d = s->D / s->heads, wide = attention_stride(T);
    float *a = weights_of(kept, area, T, head, b.begin);
    if (kept->weights != NULL)
        return a;
    gemm(a, wide, queries, s->stride, 1, area->keys, wide, b.rows, attention_stride(b.keys),
         d, 1.0f / sqrtf((float)d), 0.0f);
    weigh_block(a, moments_of_block(kept, T, head, b.begin), true, s, b);
    return a;
}

/* dV = A^T dC, dA = dC V^T, dS = softmax'(dA), dQ = dS K, dK = dS^T Q of a head, block by
 * block of queries. The last block goes first: it begins the sums of all keys. dV takes V's
 * place, whose transpose serves dA; dK waits until all blocks have used K. Where keys and
 * values are the same, dV begins what dK is added to. */
static void
head_backward(float *q, float *k, float *v, const float *dcontext,
              const attention_kept *kept, const attention_area *area,
              const attention_sequence *s, int head)
{
    int T = s->T, D = s->D, d = D / s->heads, wide = attention_stride(T);
    int stride = s->stride, each = query_rows(T);
    bool tied = k == v;
    float scale = 1.0f / sqrtf((float)d), *ds = area->dscores;
    float *dv = tied ? area->dkeys : v;
    transpose_head(area->values, v, stride, T, d);
    if (kept->weights == NULL)
        transpose_head(area->keys, k, stride, T, d);
    for (int begin = (T - 1) / each * each; begin >= 0; begin -= each) {
        query_block b = query_block_of(s, begin);
        float *queries = q + (ptrdiff_t)begin * stride;
        const float *dc = dcontext + (ptrdiff_t)begin * D;
        const float *a = weights_again(kept, area, queries, s, head, b);
        int keys = attention_stride(b.keys);
        float beta = begin + b.rows < T ? 1.0f : 0.0f;
        gemm(ds, wide, dc, D, 1, area->values, wide, b.rows, keys, d, 1.0f, 0.0f);
        gemm(dv, tied ? d : stride, a, 1, wide, dc, D, b.keys, d, b.rows, 1.0f, beta);
        scores_backward(ds, a, wide, b.rows, keys);
        gemm(area->dkeys, d, ds, 1, wide, queries, stride, b.keys, d, b.rows, scale,
             tied ? 1.0f : beta);
        gemm(queries, stride, ds, wide, 1, k, stride, b.rows, d, b.keys, scale, 0.0f);
    }
    for (int t = 0; t < T; t++)
        memcpy(k + (ptrdiff_t)t * stride, area->dkeys + (ptrdiff_t)t * d,
               (size_t)d * sizeof(float));
}

static void
attention_backward(float *q, float *k, float *v, const float *dcontext,
                   const attention_kept *kept, float *scratch, const attention_sequence *s)
{
    int d = s->D / s->heads;
    attention_area area = attention_area_of(scratch, s->T, d);
    for (int h = 0; h < s->heads; h++)
        head_backward(q + h * d, k + h * d, v + h * d, dcontext + h * d, kept, &area, s, h);
}

#include "gemm_tile.h"

#include <string.h>

static int
smaller_of(int a, int b)
{
    return a < b ? a : b;
}

/* Rows of C that tiles of several rows cover; the others go one by one. */
static int
tiled_rows(int M)
{
    int rest = M % TILE_ROWS;
    return M - (rest >= TILE_ROWS / 2 ? rest - TILE_ROWS / 2 : rest);
}

/* Strips of either kind of B. */
#define ANY(name, ...) (p->offset != NULL ? name##_offset : name)(p, __VA_ARGS__)

/* All rows of the columns from n on, which are fewer than a tile's. */
static void
gemm_last_columns(const gemm_operands *p, int n, const gemm_rule *rule)
{
    for (; n < p->N; n += VL) {
        if (rule->splits) {
            int m = gemm_split_strip(p, p->B + n, p->ldb, 0, n, TILE_ROWS / 2, rule);
            gemm_split_strip(p, p->B + n, p->ldb, m, n, 1, rule);
        }
        else {
            int m = ANY(narrow, 0, n, rule);
            m = ANY(narrow_half, m, n, rule);
            ANY(row_narrow, m, n, rule);
        }
    }
}

/* One block of K, with A and B as they stand. */
static void
gemm_block(const gemm_operands *p, const gemm_rule *rule)
{
    const int width = TILE_VECTORS * VL, wide = WIDE_VECTORS * VL, half = wide / 2;
    int n = 0, rest = tiled_rows(p->M);
    for (; n + width <= p->N; n += width)
        ANY(strip_half, ANY(strip, 0, n, rule), n, rule);
    gemm_last_columns(p, n, rule);
    if (rest == p->M)
        return;
    for (n = 0; n + wide <= p->N; n += wide)
        ANY(row_wide, rest, n, rule);
    for (; n + half <= p->N; n += half)
        ANY(row_half, rest, n, rule);
    for (; n + width <= p->N; n += width)
        ANY(row_strip, rest, n, rule);
}

/* Large products. A piece of A, some rows of a block of K, is copied to where it stays in
 * the second-level cache, a panel of B to where it stays in the first, and a block of C
 * stays in the second until K is through. */
#define PIECE_ROWS (80 / TILE_ROWS * TILE_ROWS)
#define BLOCK_N 256
#define BLOCK_ELEMENTS (192 * BLOCK_N) /* of C */

/* Multiply-adds from which on the copies pay, and sooner where B's columns are a few of a
 * wide matrix: its rows then lie in a page each. */
#define COPIES_PAY 8e6
#define COPIES_OF_FEW_PAY 2e6

/* Copied rows of A, or strips of a tile's rows, are apart by an odd number of lines: at a
 * power of two they would push each other out of the cache. */
#define ROW_STRIDE (BLOCK_K + 16)
#define STRIP_STRIDE (BLOCK_K * TILE_ROWS + 16)

/* A's piece as rows, or where its columns are consecutive as strips of a tile's rows, each
 * with the k-th elements of its rows side by side. */
typedef struct {
    float a[PIECE_ROWS * ROW_STRIDE] __attribute__((aligned(64)));
    float panel[BLOCK_K * TILE_VECTORS * VL] __attribute__((aligned(64)));
} gemm_copies;

static void
copy_rows(float *to, const float *A, int stride_m, int rows, int K)
{
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < K; k += VL) {
            int lanes = K - k < VL ? K - k : VL;
            v_store(to + i * ROW_STRIDE + k,
                    v_load_lanes(A + (ptrdiff_t)i * stride_m + k, lanes));
        }
}

static void
copy_strips(float *to, const float *A, int stride_m, int stride_k, int rows, int K)
{
    int whole = stride_m == 1 ? rows / TILE_ROWS * TILE_ROWS : 0;
    for (int k = 0; k < K; k++) {
        const float *from = A + (ptrdiff_t)k * stride_k;
        for (int i = 0; i < whole; i += TILE_ROWS)
            memcpy(to + i / TILE_ROWS * STRIP_STRIDE + k * TILE_ROWS, from + i,
                   TILE_ROWS * sizeof(float));
        for (int i = whole; i < rows; i++)
            to[i / TILE_ROWS * STRIP_STRIDE + k * TILE_ROWS + i % TILE_ROWS] =
                from[(ptrdiff_t)i * stride_m];
    }
}

static void
copy_panel(float *panel, const float *B, int ldb, int K)
{
    for (int k = 0; k < K; k++)
        for (int v = 0; v < TILE_VECTORS; v++)
            v_store(panel + (k * TILE_VECTORS + v) * VL,
                    v_load(B + (ptrdiff_t)k * ldb + v * VL));
}

/* Row i of the piece times the panel. */
static inline __attribute__((always_inline)) tile_factors
copied_factors(const gemm_copies *c, bool by_rows, int i)
{
    tile_factors f = {.B = c->panel, .ldb = TILE_VECTORS * VL};
    f.A = c->a + (by_rows ? i * ROW_STRIDE : i / TILE_ROWS * STRIP_STRIDE + i % TILE_ROWS);
    f.stride_m = by_rows ? ROW_STRIDE : 1;
    f.stride_k = by_rows ? 1 : TILE_ROWS;
    return f;
}

/* Strips from row m on; the piece begins with row `first`. */
#define COPIED_STRIP(name, rows, by_rows)                                                 \
    static __attribute__((noinline)) int name(const gemm_operands *p,                     \
                                              const gemm_copies *c, int first, int m,     \
                                              int n, const gemm_rule *rule)               \
    {                                                                                     \
        int step = by_rows ? rows * ROW_STRIDE : rows == TILE_ROWS ? STRIP_STRIDE : rows; \
        return sum_strip(p, copied_factors(c, by_rows, m - first), step, m, n, rows,      \
                         TILE_VECTORS, rule);                                             \
    }
COPIED_STRIP(rows_strip, TILE_ROWS, true)
COPIED_STRIP(rows_strip_half, (TILE_ROWS / 2), true)
COPIED_STRIP(rows_strip_one, 1, true)
COPIED_STRIP(columns_strip, TILE_ROWS, false)
COPIED_STRIP(columns_strip_half, (TILE_ROWS / 2), false)
COPIED_STRIP(columns_strip_one, 1, false)

/* Rows m..p->M, a copied piece of A, times the panels of columns n..end. */
static void
multiply_piece(const gemm_operands *p, gemm_copies *c, int m, int n, int end,
               const gemm_rule *rule)
{
    for (; n < end; n += TILE_VECTORS * VL) {
        copy_panel(c->panel, p->B + n, p->ldb, p->K);
        if (p->stride_k == 1) {
            int i = rows_strip(p, c, m, m, n, rule);
            rows_strip_one(p, c, m, rows_strip_half(p, c, m, i, n, rule), n, rule);
        }
        else {
            int i = columns_strip(p, c, m, m, n, rule);
            columns_strip_one(p, c, m, columns_strip_half(p, c, m, i, n, rule), n, rule);
        }
    }
}

/* One block of K, of rows m..m_end and columns n..n_end. */
static void
multiply_block(gemm_operands p, gemm_copies *c, int m, int m_end, int n, int n_end,
               const gemm_rule *rule)
{
    int pieces = (m_end - m + PIECE_ROWS - 1) / PIECE_ROWS;
    int each = ((m_end - m + pieces - 1) / pieces + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
    for (; m < m_end; m += each) {
        const float *A = p.A + (ptrdiff_t)m * p.stride_m;
        int rows = smaller_of(each, m_end - m);
        p.M = m + rows;
        if (p.stride_k == 1)
            copy_rows(c->a, A, p.stride_m, rows, p.K);
        else
            copy_strips(c->a, A, p.stride_m, p.stride_k, rows, p.K);
        multiply_piece(&p, c, m, n, n_end, rule);
    }
}

/* The block of K from k on, and its rule. */
static gemm_operands
block_of(const gemm_operands *whole, int k)
{
    gemm_operands p = *whole;
    p.K = smaller_of(BLOCK_K, whole->K - k);
    p.A += (ptrdiff_t)k * whole->stride_k;
    p.B += (ptrdiff_t)k * whole->ldb;
    return p;
}

static gemm_rule
rule_of(const gemm_operands *whole, const gemm_rule *first, const gemm_rule *later, int k)
{
    gemm_rule rule = k == 0 ? *first : *later;
    rule.relu = first->relu && k + BLOCK_K >= whole->K;
    return rule;
}

/* Blocks of C, each through all of K; then the columns that are left. In a function of its
 * own, as small products need not make room for the copies. */
static __attribute__((noinline)) void
gemm_copied(const gemm_operands *whole, const gemm_rule *first, const gemm_rule *later)
{
    gemm_copies c;
    int N = whole->N / (TILE_VECTORS * VL) * (TILE_VECTORS * VL);
    for (int n = 0, n_end; n < N; n = n_end) {
        n_end = smaller_of(n + BLOCK_N, N);
        int high = BLOCK_ELEMENTS / (n_end - n);
        for (int m = 0, m_end; m < whole->M; m = m_end) {
            m_end = smaller_of(m + high, whole->M);
            for (int k = 0; k < whole->K; k += BLOCK_K) {
                gemm_rule rule = rule_of(whole, first, later, k);
                rule.fetches = true;
                multiply_block(block_of(whole, k), &c, m, m_end, n, n_end, &rule);
            }
        }
    }
    for (int k = 0; N < whole->N && k < whole->K; k += BLOCK_K) {
        gemm_operands p = block_of(whole, k);
        gemm_rule rule = rule_of(whole, first, later, k);
        gemm_last_columns(&p, N, &rule);
    }
}

static bool
copies_pay(const gemm_operands *p)
{
    bool few = p->ldb > 2 * p->N;
    return p->M >= 32 && p->N >= 64 && p->K >= 32
           && (double)p->M * p->N * p->K >= (few ? COPIES_OF_FEW_PAY : COPIES_PAY);
}

/* `first` holds for the first block of K, `later` for the others, and only the last has a
 * ReLU. */
static void
gemm_blocks(const gemm_operands *whole, gemm_rule first, gemm_rule later)
{
    if (copies_pay(whole)) {
        gemm_copied(whole, &first, &later);
        return;
    }
    for (int k = 0; k < whole->K; k += BLOCK_K) {
        gemm_operands p = block_of(whole, k);
        gemm_rule rule = rule_of(whole, &first, &later, k);
        gemm_block(&p, &rule);
    }
}

/* Rows whose products with a column are summed side by side. */
#define COLUMN_ROWS 4

static inline __attribute__((always_inline)) void
column_products(float *C, int ldc, const float *A, int stride_m, const float *column, int K,
                int rows, float alpha, float beta)
{
    vf sum[COLUMN_ROWS];
    for (int i = 0; i < rows; i++)
        sum[i] = (vf){0};
    for (int k = 0; k < K; k += VL) {
        int lanes = K - k < VL ? K - k : VL;
        vf b = v_load_lanes(column + k, lanes);
        for (int i = 0; i < rows; i++)
            sum[i] += v_load_lanes(A + (ptrdiff_t)i * stride_m + k, lanes) * b;
    }
    for (int i = 0; i < rows; i++)
        accumulate(C + (ptrdiff_t)i * ldc, v_sum(sum[i]), alpha, beta);
}

/* The last column of C: a vector of columns would be empty but for that one. */
static void
gemm_last_column(const gemm_operands *p, float alpha, float beta)
{
    float column[BLOCK_K];
    float *C = p->C + p->N - 1;
    int m = 0;
    for (int k = 0; k < p->K; k++)
        column[k] = p->B[(ptrdiff_t)k * p->ldb + p->N - 1];
    for (; m + COLUMN_ROWS <= p->M; m += COLUMN_ROWS)
        column_products(C + (ptrdiff_t)m * p->ldc, p->ldc,
                        p->A + (ptrdiff_t)m * p->stride_m, p->stride_m, column, p->K,
                        COLUMN_ROWS, alpha, beta);
    for (; m < p->M; m++)
        column_products(C + (ptrdiff_t)m * p->ldc, p->ldc,
                        p->A + (ptrdiff_t)m * p->stride_m, p->stride_m, column, p->K, 1,
                        alpha, beta);
}

static void
gemm(float *C, int ldc, const float *A, int stride_m, int stride_k, const float *B, int ldb,
     int M, int N, int K, float alpha, float beta)
{
    gemm_operands p = {C, ldc, A, stride_m, stride_k, B, ldb, NULL, M, N, K};
    gemm_rule first = {.alpha = alpha, .beta = beta};
    gemm_rule later = {.alpha = alpha, .beta = 1.0f};
    if (N > 1 && N % VL == 1 && stride_k == 1 && K <= BLOCK_K) {
        gemm_last_column(&p, alpha, beta);
        p.N--;
    }
    gemm_blocks(&p, first, later);
}

static void
gemm_bias(float *C, int ldc, const float *A, int lda, const float *B, int ldb,
          const float *bias, bool relu, bool in_order, int M, int N, int K)
{
    gemm_operands p = {C, ldc, A, lda, 1, B, ldb, NULL, M, N, K};
    gemm_rule first = {.bias = bias, .relu = relu, .splits = !in_order};
    gemm_rule later = {.continues = true, .splits = !in_order};
    gemm_blocks(&p, first, later);
}

static void
gemm_offsets(float *C, int ldc, const float *A, const float *B, const int32_t *offset,
             const float *row_bias, bool relu, int M, int N, int K)
{
    gemm_operands p = {C, ldc, A, K, 1, B, 0, offset, M, N, K};
    gemm_rule rule = {.alpha = 1.0f, .row_bias = row_bias, .relu = relu};
    gemm_block(&p, &rule);
}

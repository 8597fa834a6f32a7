/* Large products: blocks of A and B are copied to where caches keep them. Part of gemm.c.
 *
 * A block of B, some columns of a block of K, is copied as panels of a tile's columns, and
 * a piece of A, some rows of it, in the order of the tiles: both stay in the L2
 * cache, and a panel in the first while the piece's tiles pass. */
#ifndef RNN_KERNELS_GEMM_COPIED_H
#define RNN_KERNELS_GEMM_COPIED_H

#include "gemm_tile.h"

#define PANEL_WIDTH (TILE_VECTORS * VL)
#define PIECE_ROWS (96 / TILE_ROWS * TILE_ROWS)
#define BLOCK_N 512

/* Columns of B are read once for this many rows of C, which should not leave the cache
 * before the next block of K adds to them. */
#define BLOCK_M 2048

/* Terms of a block where sums continue from block to block, to the same bits for any
 * number: C is read and written half as often. */
#define LONG_BLOCK_K (2 * BLOCK_K)

/* Rows, strips and panels are apart by an odd number of lines: at a power of two they would
 * push each other out of the cache. */
#define ROW_STRIDE (LONG_BLOCK_K + 16)
#define STRIP_STRIDE (LONG_BLOCK_K * TILE_ROWS + 16)
#define PANEL_STRIDE (LONG_BLOCK_K * PANEL_WIDTH + 16)

/* A's piece as rows, or where its columns are consecutive as strips of a tile's rows, each
 * with the k-th elements of its rows side by side. */
typedef struct {
    float a[(PIECE_ROWS + 1) * ROW_STRIDE] __attribute__((aligned(64)));
    float b[BLOCK_N / PANEL_WIDTH * PANEL_STRIDE] __attribute__((aligned(64)));
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
copy_panels(float *to, const float *B, int ldb, int K, int N)
{
    for (int k = 0; k < K; k++)
        for (int n = 0; n < N; n += PANEL_WIDTH)
            for (int v = 0; v < TILE_VECTORS; v++)
                v_store(to + n / PANEL_WIDTH * PANEL_STRIDE + k * PANEL_WIDTH + v * VL,
                        v_load(B + (ptrdiff_t)k * ldb + n + v * VL));
}

/* The same of a B whose element (k,n) is B[n * ldb + k]; a last panel may be cut short. */
static void
copy_transposed_panels(float *to, const float *B, int ldb, int K, int N)
{
    for (int n = 0; n < N; n += PANEL_WIDTH, to += PANEL_STRIDE) {
        int columns = N - n < PANEL_WIDTH ? N - n : PANEL_WIDTH;
        transpose(to, PANEL_WIDTH, B + (ptrdiff_t)n * ldb, ldb, columns, K);
    }
}

/* Strips of the piece's rows from m on, the first of which is a[0]. */
#define COPIED_STRIP(name, rows, by_rows)                                                 \
    static __attribute__((noinline)) int name(const gemm_operands *p, const float *a,     \
                                              const float *panel, int m, int n,           \
                                              const gemm_rule *rule)                      \
    {                                                                                     \
        int step = by_rows ? rows * ROW_STRIDE : rows == TILE_ROWS ? STRIP_STRIDE : rows; \
        tile_factors f = {.A = a,                                                         \
                          .stride_m = by_rows ? ROW_STRIDE : 1,                           \
                          .stride_k = by_rows ? 1 : TILE_ROWS,                            \
                          .B = panel,                                                     \
                          .ldb = PANEL_WIDTH};                                            \
        return sum_strip(p, f, step, m, n, rows, TILE_VECTORS, rule);                     \
    }
COPIED_STRIP(rows_strip, TILE_ROWS, true)
COPIED_STRIP(rows_strip_half, (TILE_ROWS / 2), true)
COPIED_STRIP(rows_strip_one, 1, true)
COPIED_STRIP(columns_strip, TILE_ROWS, false)
COPIED_STRIP(columns_strip_half, (TILE_ROWS / 2), false)
COPIED_STRIP(columns_strip_one, 1, false)

/* Rows m..p->M, a copied piece of A, times a panel, columns n.. of C. */
static void
multiply_panel(const gemm_operands *p, const float *a, const float *panel, int m, int n,
               const gemm_rule *rule)
{
    if (p->stride_k == 1) {
        int half = rows_strip(p, a, panel, m, n, rule);
        int one = rows_strip_half(p, a + (half - m) * ROW_STRIDE, panel, half, n, rule);
        rows_strip_one(p, a + (one - m) * ROW_STRIDE, panel, one, n, rule);
    }
    else {
        int half = columns_strip(p, a, panel, m, n, rule);
        a += (half - m) / TILE_ROWS * STRIP_STRIDE;
        int one = columns_strip_half(p, a, panel, half, n, rule);
        columns_strip_one(p, a + (one - half), panel, one, n, rule);
    }
}

/* One block of K, of rows m..m_end and columns n..n_end, whole panels. */
static void
multiply_block(gemm_operands p, gemm_copies *c, int m, int m_end, int n, int n_end,
               const gemm_rule *rule)
{
    if (p.is_transposed)
        copy_transposed_panels(c->b, p.B + (ptrdiff_t)n * p.ldb, p.ldb, p.K, n_end - n);
    else
        copy_panels(c->b, p.B + n, p.ldb, p.K, n_end - n);
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
        const float *panel = c->b;
        for (int j = n; j < n_end; j += PANEL_WIDTH, panel += PANEL_STRIDE)
            multiply_panel(&p, c->a, panel, m, j, rule);
    }
}

/* One block of K, of the columns from n on, fewer than a panel's. */
static void
multiply_last_columns(gemm_operands p, gemm_copies *c, int n, const gemm_rule *rule)
{
    if (p.is_transposed) {
        memset(c->b, 0, sizeof c->b / (BLOCK_N / PANEL_WIDTH));
        copy_transposed_panels(c->b, p.B + (ptrdiff_t)n * p.ldb, p.ldb, p.K, p.N - n);
        p.C += n;
        p.N -= n;
        p.B = c->b;
        p.ldb = PANEL_WIDTH;
        n = 0;
    }
    gemm_last_columns(&p, n, rule);
}

/* Blocks of C, each through all of K; then the columns that are left. In a separate
 * function, as small products need not make room for the copies. */
static __attribute__((noinline)) void
gemm_copied(const gemm_operands *whole, const gemm_rule *first, const gemm_rule *later)
{
    gemm_copies c;
    int N = whole->N / PANEL_WIDTH * PANEL_WIDTH;
    int each = later->continues ? LONG_BLOCK_K : BLOCK_K;
    for (int n = 0, n_end; n < N; n = n_end) {
        n_end = smaller_of(n + BLOCK_N, N);
        for (int m = 0, m_end; m < whole->M; m = m_end) {
            m_end = smaller_of(m + BLOCK_M, whole->M);
            for (int k = 0; k < whole->K; k += each) {
                gemm_rule rule = rule_of(whole, first, later, k, each);
                rule.fetches = true;
                multiply_block(block_of(whole, k, each), &c, m, m_end, n, n_end, &rule);
            }
        }
    }
    for (int k = 0; N < whole->N && k < whole->K; k += BLOCK_K) {
        gemm_rule rule = rule_of(whole, first, later, k, BLOCK_K);
        multiply_last_columns(block_of(whole, k, BLOCK_K), &c, N, &rule);
    }
}

#endif

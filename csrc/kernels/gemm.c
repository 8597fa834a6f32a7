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

/* All rows of the columns from n on, which are fewer than a tile's: of two vectors in one
 * tile, which reads each element of A once. */
static void
gemm_last_columns(const gemm_operands *p, int n, const gemm_rule *rule)
{
    if (p->N - n > VL && !rule->splits) {
        int m = ANY(strip_half, ANY(strip, 0, n, rule), n, rule);
        ANY(row_strip, m, n, rule);
        return;
    }
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

/* Rows of B that a single row's sums read at a time, whole: in strips each would be read in
 * pieces, a page apart, which is slow where B is too large for the caches. */
#define STREAMED_ROWS 8
#define STREAMED_COLUMNS 512 /* at least */

static inline __attribute__((always_inline)) void
stream_rows(const gemm_operands *p, const gemm_rule *rule, const float *from, int k,
            int rows, int columns)
{
    float a[STREAMED_ROWS];
    const float *B = p->B + (ptrdiff_t)k * p->ldb;
    bool relu = rule->relu && k + rows == p->K;
    for (int i = 0; i < rows; i++)
        a[i] = p->A[(ptrdiff_t)(k + i) * p->stride_k];
    for (int n = 0; n < columns; n += VL) {
        vf sum = v_load(from + n);
        for (int i = 0; i < rows; i++)
            sum += a[i] * v_load(B + (ptrdiff_t)i * p->ldb + n);
        v_store(p->C + n, relu ? v_at_least(sum, 0.0f) : sum);
    }
}

/* The only row of C, of whole vectors. */
static void
stream_row(const gemm_operands *p, const gemm_rule *rule, int columns)
{
    int k = 0;
    const float *from = rule->bias != NULL ? rule->bias : p->C;
    for (; k + STREAMED_ROWS <= p->K; k += STREAMED_ROWS, from = p->C)
        stream_rows(p, rule, from, k, STREAMED_ROWS, columns);
    for (; k < p->K; k++, from = p->C)
        stream_rows(p, rule, from, k, 1, columns);
}

static bool
is_streamed(const gemm_operands *p, const gemm_rule *rule)
{
    return p->M == 1 && p->N >= STREAMED_COLUMNS && p->offset == NULL
           && (rule->bias != NULL || rule->continues);
}

/* One block of K, with A and B as they stand. */
static void
gemm_block(const gemm_operands *p, const gemm_rule *rule)
{
    const int width = TILE_VECTORS * VL, wide = WIDE_VECTORS * VL, half = wide / 2;
    int n = 0, rest = tiled_rows(p->M);
    if (is_streamed(p, rule)) {
        stream_row(p, rule, p->N / width * width);
        gemm_last_columns(p, p->N / width * width, rule);
        return;
    }
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

/* The block of K from k on, of `each` terms at most, and its rule. */
static gemm_operands
block_of(const gemm_operands *whole, int k, int each)
{
    gemm_operands p = *whole;
    p.K = smaller_of(each, whole->K - k);
    p.A += (ptrdiff_t)k * whole->stride_k;
    p.B += whole->is_transposed ? k : (ptrdiff_t)k * whole->ldb;
    return p;
}

static gemm_rule
rule_of(const gemm_operands *whole, const gemm_rule *first, const gemm_rule *later, int k,
        int each)
{
    gemm_rule rule = k == 0 ? *first : *later;
    rule.relu = first->relu && k + each >= whole->K;
    return rule;
}

#include "gemm_copied.h"

/* Multiply-adds from which on the copies pay, and sooner where B's columns are a few of a
 * wide matrix: its rows then lie in a page each. */
#define COPIES_PAY 8e6
#define COPIES_OF_FEW_PAY 2e6

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
        gemm_operands p = block_of(whole, k, BLOCK_K);
        gemm_rule rule = rule_of(whole, &first, &later, k, BLOCK_K);
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

/* The last column of C: a vector of columns would be empty except for that one. */
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
    gemm_operands p = {C, ldc, A, stride_m, stride_k, B, ldb, NULL, M, N, K, false};
    gemm_rule first = {.alpha = alpha, .beta = beta};
    gemm_rule later = {.alpha = alpha, .beta = 1.0f};
    if (N % VL == 1 && stride_k == 1 && K <= BLOCK_K) {
        gemm_last_column(&p, alpha, beta);
        p.N--;
    }
    gemm_blocks(&p, first, later);
}

static void
gemm_transposed(float *C, int ldc, const float *A, int lda, const float *B, int ldb, int M,
                int N, int K)
{
    gemm_operands p = {C, ldc, A, lda, 1, B, ldb, NULL, M, N, K, true};
    gemm_rule first = {.alpha = 1.0f}, later = {.continues = true};
    gemm_copied(&p, &first, &later);
}

static void
gemm_bias(float *C, int ldc, const float *A, int lda, const float *B, int ldb,
          const float *bias, bool relu, bool in_order, int M, int N, int K)
{
    gemm_operands p = {C, ldc, A, lda, 1, B, ldb, NULL, M, N, K, false};
    gemm_rule first = {.bias = bias, .relu = relu, .splits = !in_order};
    gemm_rule later = {.continues = true, .splits = !in_order};
    gemm_blocks(&p, first, later);
}

static void
gemm_offsets(float *C, int ldc, const float *A, const float *B, const int32_t *offset,
             const float *row_bias, bool relu, int M, int N, int K)
{
    gemm_operands p = {C, ldc, A, K, 1, B, 0, offset, M, N, K, false};
    gemm_rule rule = {.alpha = 1.0f, .row_bias = row_bias, .relu = relu};
    gemm_block(&p, &rule);
}

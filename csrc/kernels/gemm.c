#include "kernels.h"

#include "../base/simd.h"

/* Rows and vectors of the register tile: TILE_ROWS * TILE_VECTORS accumulators, the row of
 * B and one broadcast of A fill the level's 16 or 32 registers. */
#if VL == 16
#define TILE_ROWS 8
#define TILE_VECTORS 2
#elif VL == 8
#define TILE_ROWS 6
#define TILE_VECTORS 2
#else
#define TILE_ROWS 4
#define TILE_VECTORS 2
#endif

/* A row that is left over takes more vectors at once: one row of a tile alone would wait
 * for its own sums. */
#define WIDE_VECTORS 8

/* C (M,N) = A B. Element (m,k) of A is A[m * stride_m + k * stride_k]; row k of B begins at
 * B[offset[k]], or at B[k * ldb] when offset is NULL. */
typedef struct {
    float *C;
    int ldc;
    const float *A;
    int stride_m, stride_k;
    const float *B;
    int ldb;
    const int32_t *offset;
    int M, N, K;
} gemm_operands;

/* How a product meets what it is added to. */
typedef struct {
    float alpha, beta;
    const float *bias;     /* of columns: what every row's sums begin with; or NULL */
    const float *row_bias; /* of rows: the same for every column's; or NULL */
    bool continues;        /* sums begin with C: then alpha is 1 and beta is not used */
    bool relu;             /* max(., 0) of the result */
    bool splits;           /* narrow products may sum every PARTS-th term apart */
} gemm_rule;

typedef vf tile_sums[TILE_ROWS][WIDE_VECTORS];

/* Whether the result is not simply what the sums are. */
static inline bool
scales(const gemm_rule *rule)
{
    return rule->bias == NULL && rule->row_bias == NULL && !rule->continues;
}

/* The last of a tile's vectors has `last` lanes in C. */
static inline __attribute__((always_inline)) void
begin_sums(tile_sums sum, const gemm_operands *p, const gemm_rule *rule, int m, int n,
           int rows, int vectors, int last)
{
    if (rule->row_bias != NULL) {
        for (int i = 0; i < rows; i++)
            for (int v = 0; v < vectors; v++)
                sum[i][v] = v_set(rule->row_bias[m + i]);
    }
    else if (scales(rule)) {
        for (int i = 0; i < rows; i++)
            for (int v = 0; v < vectors; v++)
                sum[i][v] = (vf){0};
    }
    else {
        const float *c = p->C + m * (ptrdiff_t)p->ldc + n;
        const float *from = rule->bias != NULL ? rule->bias + n : c;
        ptrdiff_t stride = rule->bias != NULL ? 0 : p->ldc;
        for (int i = 0; i < rows; i++)
            for (int v = 0; v < vectors; v++)
                sum[i][v] =
                    v_load_lanes(from + i * stride + v * VL, v + 1 == vectors ? last : VL);
    }
}

static inline __attribute__((always_inline)) void
end_sums(tile_sums sum, const gemm_operands *p, const gemm_rule *rule, int m, int n,
         int rows, int vectors, int last)
{
    float *c = p->C + m * (ptrdiff_t)p->ldc + n;
    if (scales(rule)) {
        for (int i = 0; i < rows; i++)
            for (int v = 0; v < vectors; v++)
                sum[i][v] *= rule->alpha;
        for (int i = 0; rule->beta != 0 && i < rows; i++)
            for (int v = 0; v < vectors; v++)
                sum[i][v] += rule->beta
                             * v_load_lanes(c + (ptrdiff_t)i * p->ldc + v * VL,
                                            v + 1 == vectors ? last : VL);
    }
    for (int i = 0; rule->relu && i < rows; i++)
        for (int v = 0; v < vectors; v++)
            sum[i][v] = v_at_least(sum[i][v], 0.0f);
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++)
            v_store_lanes(c + (ptrdiff_t)i * p->ldc + v * VL, sum[i][v],
                          v + 1 == vectors ? last : VL);
}

/* The tile of C at (m,n); `panel` is B's column n, its rows `stride` apart. With `rows` and
 * `vectors` constant after inlining the accumulators live in registers. The last vector may
 * be cut short in C; in B it is read whole, which is what RNN_READ_SLACK is for. */
static inline __attribute__((always_inline)) void
gemm_tile(const gemm_operands *p, const float *panel, int stride, int m, int n, int rows,
          int vectors, const gemm_rule *rule)
{
    tile_sums sum;
    int left = p->N - n - (vectors - 1) * VL, last = left < VL ? left : VL;
    const float *A = p->A + (ptrdiff_t)m * p->stride_m;
    begin_sums(sum, p, rule, m, n, rows, vectors, last);
    for (int k = 0; k < p->K; k++) {
        const float *row =
            panel + (p->offset != NULL ? p->offset[k] : (ptrdiff_t)k * stride);
        vf b[WIDE_VECTORS];
        for (int v = 0; v < vectors; v++)
            b[v] = v_load(row + v * VL);
        for (int i = 0; i < rows; i++) {
            float a = A[(ptrdiff_t)i * p->stride_m + (ptrdiff_t)k * p->stride_k];
            for (int v = 0; v < vectors; v++)
                sum[i][v] += a * b[v];
        }
    }
    end_sums(sum, p, rule, m, n, rows, vectors, last);
}

/* Terms of a narrow product that are summed apart: a single row of one vector would wait
 * for every sum. */
#if VL == 16
#define PARTS 4
#else
#define PARTS 2
#endif

/* A tile of one vector, terms k, k + PARTS, k + 2 PARTS.. of each sum apart. */
static inline __attribute__((always_inline)) void
gemm_split_tile(const gemm_operands *p, const float *panel, int stride, int m, int n,
                int rows, const gemm_rule *rule)
{
    tile_sums sum, part[PARTS];
    int last = p->N - n < VL ? p->N - n : VL, k = 0;
    const float *A = p->A + (ptrdiff_t)m * p->stride_m;
    begin_sums(sum, p, rule, m, n, rows, 1, last);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < PARTS; j++)
            part[j][i][0] = j == 0 ? sum[i][0] : (vf){0};
    for (; k + PARTS <= p->K; k += PARTS)
        for (int j = 0; j < PARTS; j++) {
            vf b = v_load(panel + (ptrdiff_t)(k + j) * stride);
            for (int i = 0; i < rows; i++)
                part[j][i][0] +=
                    A[(ptrdiff_t)i * p->stride_m + (k + j) * (ptrdiff_t)p->stride_k] * b;
        }
    for (; k < p->K; k++) {
        vf b = v_load(panel + (ptrdiff_t)k * stride);
        for (int i = 0; i < rows; i++)
            part[0][i][0] += A[(ptrdiff_t)i * p->stride_m + (ptrdiff_t)k * p->stride_k] * b;
    }
    for (int i = 0; i < rows; i++) {
        sum[i][0] = part[0][i][0];
        for (int j = 1; j < PARTS; j++)
            sum[i][0] += part[j][i][0];
    }
    end_sums(sum, p, rule, m, n, rows, 1, last);
}

static inline __attribute__((always_inline)) int
gemm_split_strip(const gemm_operands *p, const float *panel, int stride, int m, int n,
                 int rows, const gemm_rule *rule)
{
    for (; m + rows <= p->M; m += rows)
        gemm_split_tile(p, panel, stride, m, n, rows, rule);
    return m;
}

/* Tiles down one panel from row m on, as long as they are whole; returns the next row. */
static inline __attribute__((always_inline)) int
gemm_strip(const gemm_operands *p, const float *panel, int stride, int m, int n, int rows,
           int vectors, const gemm_rule *rule)
{
    for (; m + rows <= p->M; m += rows)
        gemm_tile(p, panel, stride, m, n, rows, vectors, rule);
    return m;
}

/* K is taken in blocks: a panel of B then lies in few enough pages and lines to stay in the
 * first-level cache and TLB while the rows of A pass. */
#define BLOCK_K 256

/* From so many rows on, copying a panel of B into consecutive lines pays for itself. */
#define PACK_ROWS 256

static void
pack_panel(float *packed, const float *B, int ldb, int K)
{
    for (int k = 0; k < K; k++)
        for (int v = 0; v < TILE_VECTORS; v++)
            v_store(packed + (k * TILE_VECTORS + v) * VL,
                    v_load(B + (ptrdiff_t)k * ldb + v * VL));
}

/* Rows of C that tiles of several rows cover; the others go one by one. */
static int
tiled_rows(int M)
{
    int rest = M % TILE_ROWS;
    return M - (rest >= TILE_ROWS / 2 ? rest - TILE_ROWS / 2 : rest);
}

/* All rows of the columns from n on, which are fewer than a tile's. */
static void
gemm_split_columns(const gemm_operands *p, int n, const gemm_rule *rule)
{
    for (; n < p->N; n += VL) {
        int m = gemm_split_strip(p, p->B + n, p->ldb, 0, n, TILE_ROWS / 2, rule);
        gemm_split_strip(p, p->B + n, p->ldb, m, n, 1, rule);
    }
}

/* One block of K over all columns. */
static void
gemm_block(const gemm_operands *p, const gemm_rule *rule)
{
    float packed[BLOCK_K * TILE_VECTORS * VL] __attribute__((aligned(64)));
    const int width = TILE_VECTORS * VL, wide = WIDE_VECTORS * VL, half = wide / 2;
    int n = 0;
    for (; n + width <= p->N; n += width) {
        const float *panel = p->B + n;
        int stride = p->ldb;
        if (p->M >= PACK_ROWS && p->offset == NULL) {
            pack_panel(packed, panel, p->ldb, p->K);
            panel = packed;
            stride = width;
        }
        int m = gemm_strip(p, panel, stride, 0, n, TILE_ROWS, TILE_VECTORS, rule);
        gemm_strip(p, panel, stride, m, n, TILE_ROWS / 2, TILE_VECTORS, rule);
    }
    if (rule->splits) {
        gemm_split_columns(p, n, rule);
    }
    else {
        for (int j = n; j < p->N; j += VL) {
            int m = gemm_strip(p, p->B + j, p->ldb, 0, j, TILE_ROWS, 1, rule);
            gemm_strip(p, p->B + j, p->ldb, m, j, TILE_ROWS / 2, 1, rule);
        }
    }
    int rest = tiled_rows(p->M);
    for (n = 0; n + wide <= p->N; n += wide)
        gemm_strip(p, p->B + n, p->ldb, rest, n, 1, WIDE_VECTORS, rule);
    for (; n + half <= p->N; n += half)
        gemm_strip(p, p->B + n, p->ldb, rest, n, 1, WIDE_VECTORS / 2, rule);
    for (; n + width <= p->N; n += width)
        gemm_strip(p, p->B + n, p->ldb, rest, n, 1, TILE_VECTORS, rule);
    for (; n < p->N && !rule->splits; n += VL)
        gemm_strip(p, p->B + n, p->ldb, rest, n, 1, 1, rule);
}

/* Runs the blocks of K: `first` holds for the first, `later` for the others, and only the
 * last has a ReLU. */
static void
gemm_blocks(const gemm_operands *whole, gemm_rule first, gemm_rule later)
{
    for (int k = 0; k < whole->K; k += BLOCK_K) {
        gemm_operands p = *whole;
        gemm_rule rule = k == 0 ? first : later;
        p.K = whole->K - k < BLOCK_K ? whole->K - k : BLOCK_K;
        p.A += (ptrdiff_t)k * whole->stride_k;
        p.B += (ptrdiff_t)k * whole->ldb;
        rule.relu = first.relu && k + p.K == whole->K;
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

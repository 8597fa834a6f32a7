/* The register tiles that products are made of: a few rows of A times a few vectors of B's
 * columns, summed over K. Part of gemm.c. */
#ifndef RNN_KERNELS_GEMM_TILE_H
#define RNN_KERNELS_GEMM_TILE_H

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
#elif defined(__aarch64__) /* 32 registers of 128 bits */
#define TILE_ROWS 8
#define TILE_VECTORS 2
#else
#define TILE_ROWS 4
#define TILE_VECTORS 2
#endif

/* A remaining row computes more vectors at once: one row of a tile alone would wait
 * for its own sums. */
#define WIDE_VECTORS 8

/* K is taken in blocks, so that a panel of B lies in few enough pages and lines to stay in
 * the L1 cache and TLB while the rows of A pass. */
#define BLOCK_K 128

/* C (M,N) = A B. Element (m,k) of A is A[m * stride_m + k * stride_k]; row k of B begins at
 * B[offset[k]], or at B[k * ldb] when offset is NULL. Where B is transposed its element
 * (k,n) is B[n * ldb + k]; tiles read such a B from copies only. */
typedef struct {
    float *C;
    int ldc;
    const float *A;
    int stride_m, stride_k;
    const float *B;
    int ldb;
    const int32_t *offset;
    int M, N, K;
    bool is_transposed;
} gemm_operands;

/* How a product meets what it is added to. */
typedef struct {
    float alpha, beta;
    const float *bias;     /* of columns: what every row's sums begin with; or NULL */
    const float *row_bias; /* of rows: the same for every column's; or NULL */
    bool continues;        /* sums begin with C: then alpha is 1 and beta is not used */
    bool relu;             /* max(., 0) of the result */
    bool splits;           /* narrow products may sum every PARTS-th term apart */
    bool fetches;          /* C comes from the L2 cache, while sums are made */
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

/* A tile's factors: element (i,k) of A is A[i * stride_m + k * stride_k]; row k of a panel
 * of B's columns begins at B[offset[k]], or at B[k * ldb] when offset is NULL. */
typedef struct {
    const float *A;
    int stride_m, stride_k;
    const float *B;
    int ldb;
    const int32_t *offset;
} tile_factors;

/* The k-th terms. The last vector may be cut short in C; in B it is read whole, which is
 * what RNN_READ_SLACK is for. */
static inline __attribute__((always_inline)) void
add_terms(tile_sums sum, const tile_factors *f, int k, int rows, int vectors)
{
    const float *row = f->B + (f->offset != NULL ? f->offset[k] : (ptrdiff_t)k * f->ldb);
    vf b[WIDE_VECTORS];
    for (int v = 0; v < vectors; v++)
        b[v] = v_load(row + v * VL);
    for (int i = 0; i < rows; i++) {
        float a = f->A[(ptrdiff_t)i * f->stride_m + (ptrdiff_t)k * f->stride_k];
        for (int v = 0; v < vectors; v++)
            sum[i][v] += a * b[v];
    }
}

/* Tiles down the columns at n from row m on, as long as they are whole; returns the next
 * row. From tile to tile A advances by `step`. With `rows` and `vectors` constant after
 * inlining the accumulators live in registers. */
static inline __attribute__((always_inline)) int
sum_strip(const gemm_operands *p, tile_factors f, ptrdiff_t step, int m, int n, int rows,
          int vectors, const gemm_rule *rule)
{
    int left = p->N - n - (vectors - 1) * VL, last = left < VL ? left : VL;
    int ahead = rule->continues ? rows : 0;
    for (; m + rows <= p->M; m += rows) {
        tile_sums sum;
        begin_sums(sum, p, rule, m, n, rows, vectors, last);
        if (rule->fetches)
            for (int i = 0; i < rows; i++)
                for (int v = 0; v < vectors; v++)
                    __builtin_prefetch(
                        p->C + (ptrdiff_t)(m + ahead + i) * p->ldc + n + v * VL, 1);
        for (int k = 0; k < p->K; k++)
            add_terms(sum, &f, k, rows, vectors);
        end_sums(sum, p, rule, m, n, rows, vectors, last);
        f.A += step;
    }
    return m;
}

/* Separate functions for each kind of tile, over B's rows and over rows at offsets: in
 * one function compilers run out of registers for addresses. */
#define STRIP(name, rows, vectors)                                                      \
    static __attribute__((noinline)) int name(const gemm_operands *p, int m, int n,     \
                                              const gemm_rule *rule)                    \
    {                                                                                   \
        tile_factors f = {p->A + (ptrdiff_t)m * p->stride_m,                            \
                          p->stride_m,                                                  \
                          p->stride_k,                                                  \
                          p->B + n,                                                     \
                          p->ldb,                                                       \
                          NULL};                                                        \
        return sum_strip(p, f, (ptrdiff_t)(rows) * p->stride_m, m, n, rows, vectors,    \
                         rule);                                                         \
    }                                                                                   \
    static __attribute__((noinline)) int name##_offset(const gemm_operands *p, int m,   \
                                                       int n, const gemm_rule *rule)    \
    {                                                                                   \
        tile_factors f = {p->A + (ptrdiff_t)m * p->K, p->K, 1, p->B + n, 0, p->offset}; \
        return sum_strip(p, f, (ptrdiff_t)(rows) * p->K, m, n, rows, vectors, rule);    \
    }
STRIP(strip, TILE_ROWS, TILE_VECTORS)
STRIP(strip_half, TILE_ROWS / 2, TILE_VECTORS)
STRIP(narrow, TILE_ROWS, 1)
STRIP(narrow_half, TILE_ROWS / 2, 1)
STRIP(row_wide, 1, WIDE_VECTORS)
STRIP(row_half, 1, WIDE_VECTORS / 2)
STRIP(row_strip, 1, TILE_VECTORS)
STRIP(row_narrow, 1, 1)

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

#endif

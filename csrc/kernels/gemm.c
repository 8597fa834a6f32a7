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

/* C tile = beta*C + alpha * A B with `rows` and `vectors` constant after inlining, so that
 * the accumulators live in registers. The last vector is `last` lanes wide in C; in B it
 * is read whole, which is what RNN_READ_SLACK is for. */
static inline __attribute__((always_inline)) void
gemm_tile(float *C, int ldc, const float *A, int step_m, int step_k, const float *B,
          int ldb, int rows, int vectors, int last, int K, float alpha, float beta)
{
    vf sum[TILE_ROWS][TILE_VECTORS];
    for (int m = 0; m < rows; m++)
        for (int v = 0; v < vectors; v++)
            sum[m][v] = (vf){0};
    for (int k = 0; k < K; k++) {
        vf b[TILE_VECTORS];
        for (int v = 0; v < vectors; v++)
            b[v] = v_load(B + (ptrdiff_t)k * ldb + v * VL);
        for (int m = 0; m < rows; m++) {
            float a = A[(ptrdiff_t)m * step_m + (ptrdiff_t)k * step_k];
            for (int v = 0; v < vectors; v++)
                sum[m][v] += a * b[v];
        }
    }
    for (int m = 0; m < rows; m++)
        for (int v = 0; v < vectors; v++) {
            float *c = C + (ptrdiff_t)m * ldc + v * VL;
            int lanes = v + 1 == vectors ? last : VL;
            if (lanes == VL)
                v_store(c, beta == 0 ? alpha * sum[m][v]
                                     : beta * v_load(c) + alpha * sum[m][v]);
            else
                v_store_part(c,
                             beta == 0 ? alpha * sum[m][v]
                                       : beta * v_load_part(c, lanes) + alpha * sum[m][v],
                             lanes);
        }
}

/* All rows of one panel of columns: whole tiles, then row by row. */
static inline __attribute__((always_inline)) void
gemm_panel(float *C, int ldc, const float *A, int step_m, int step_k, const float *B,
           int ldb, int M, int vectors, int last, int K, float alpha, float beta)
{
    int m = 0;
    for (; m + TILE_ROWS <= M; m += TILE_ROWS)
        gemm_tile(C + (ptrdiff_t)m * ldc, ldc, A + (ptrdiff_t)m * step_m, step_m, step_k, B,
                  ldb, TILE_ROWS, vectors, last, K, alpha, beta);
    for (; m < M; m++)
        gemm_tile(C + (ptrdiff_t)m * ldc, ldc, A + (ptrdiff_t)m * step_m, step_m, step_k, B,
                  ldb, 1, vectors, last, K, alpha, beta);
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

/* One block of K over all columns. */
static void
gemm_block(float *C, int ldc, const float *A, int step_m, int step_k, const float *B,
           int ldb, int M, int N, int K, float alpha, float beta)
{
    float packed[BLOCK_K * TILE_VECTORS * VL] __attribute__((aligned(64)));
    int n = 0;
    for (; n + TILE_VECTORS * VL <= N; n += TILE_VECTORS * VL) {
        const float *panel = B + n;
        int step = ldb;
        if (M >= PACK_ROWS) {
            pack_panel(packed, panel, ldb, K);
            panel = packed;
            step = TILE_VECTORS * VL;
        }
        gemm_panel(C + n, ldc, A, step_m, step_k, panel, step, M, TILE_VECTORS, VL, K,
                   alpha, beta);
    }
    for (; n < N; n += VL)
        gemm_panel(C + n, ldc, A, step_m, step_k, B + n, ldb, M, 1, N - n < VL ? N - n : VL,
                   K, alpha, beta);
}

static void
gemm(float *C, int ldc, const float *A, int step_m, int step_k, const float *B, int ldb,
     int M, int N, int K, float alpha, float beta)
{
    for (int k = 0; k < K; k += BLOCK_K)
        gemm_block(C, ldc, A + (ptrdiff_t)k * step_k, step_m, step_k,
                   B + (ptrdiff_t)k * ldb, ldb, M, N, K - k < BLOCK_K ? K - k : BLOCK_K,
                   alpha, k == 0 ? beta : 1.0f);
}

#include "kernels.h"

#include "../base/simd.h"

#include <string.h>

/* A tile of products: rows of inp with rows of the weight's transpose. Its accumulators, a
 * vector of each row of the weight and one of inp fill the registers. */
#define DOT_ROWS (VL == 16 ? 4 : 2)
#define DOT_UNITS 4

typedef vf dot_sums[DOT_ROWS][DOT_UNITS];

static inline __attribute__((always_inline)) void
add_products(dot_sums sum, const float *inp, const float *weight, int in, int rows,
             int units, int lanes)
{
    vf w[DOT_UNITS];
    for (int j = 0; j < units; j++)
        w[j] = v_load_lanes(weight + (ptrdiff_t)j * in, lanes);
    for (int b = 0; b < rows; b++) {
        vf a = v_load_lanes(inp + (ptrdiff_t)b * in, lanes);
        for (int j = 0; j < units; j++)
            sum[b][j] += a * w[j];
    }
}

static inline __attribute__((always_inline)) void
dot_results(float *out, vf *sum, const float *bias, bool relu, int units)
{
    if (units < DOT_UNITS) {
        for (int j = 0; j < units; j++) {
            float z = v_sum(sum[j]) + (bias != NULL ? bias[j] : 0);
            out[j] = relu && z < 0 ? 0 : z;
        }
        return;
    }
    v_quad of = {0}, z;
    if (bias != NULL)
        memcpy(&of, bias, sizeof of);
    z = v_sum_4(sum[0], sum[1], sum[2], sum[3]) + of;
    if (relu)
        z = (v_quad)((vi_quad)z & ~(z < 0));
    memcpy(out, &z, sizeof z);
}

/* Every sum is kept in VL parts, so that its order does not depend on the tile. */
static inline __attribute__((always_inline)) void
dot_tile(float *out, const float *inp, const float *weight, const float *bias, bool relu,
         int in, int out_size, int rows, int units)
{
    dot_sums sum = {0};
    int i = 0;
    for (; i + VL <= in; i += VL)
        add_products(sum, inp + i, weight + i, in, rows, units, VL);
    if (i < in)
        add_products(sum, inp + i, weight + i, in, rows, units, in - i);
    for (int b = 0; b < rows; b++)
        dot_results(out + (ptrdiff_t)b * out_size, sum[b], bias, relu, units);
}

static inline __attribute__((always_inline)) void
dot_strip(float *out, const float *inp, const float *weight, const float *bias, bool relu,
          int rows, int in, int out_size, int units)
{
    int b = 0;
    for (; b + DOT_ROWS <= rows; b += DOT_ROWS)
        dot_tile(out + (ptrdiff_t)b * out_size, inp + (ptrdiff_t)b * in, weight, bias, relu,
                 in, out_size, DOT_ROWS, units);
    for (; b < rows; b++)
        dot_tile(out + (ptrdiff_t)b * out_size, inp + (ptrdiff_t)b * in, weight, bias, relu,
                 in, out_size, 1, units);
}

static void
multiply_rows(float *out, int ldo, const float *A, const float *B, const float *bias,
              bool relu, int M, int K, int N)
{
    int j = 0;
    for (; j + DOT_UNITS <= N; j += DOT_UNITS)
        dot_strip(out + j, A, B + (ptrdiff_t)j * K, bias != NULL ? bias + j : NULL, relu, M,
                  K, ldo, DOT_UNITS);
    for (; j < N; j++)
        dot_strip(out + j, A, B + (ptrdiff_t)j * K, bias != NULL ? bias + j : NULL, relu, M,
                  K, ldo, 1);
}

static void
dense_forward_transposed(float *out, const float *inp, const float *weight,
                         const float *bias, bool relu, int rows, int in, int out_size)
{
    multiply_rows(out, out_size, inp, weight, bias, relu, rows, in, out_size);
}

/* Columns begin..end of the transposed target. */
static void
dense_backward_transposed(float *target, const float *dout, const float *inp, int rows,
                          int in, int out_size, int begin, int end, float alpha, float beta)
{
    gemm(target + begin, in, dout, 1, out_size, inp + begin, in, out_size, end - begin,
         rows, alpha, beta);
}

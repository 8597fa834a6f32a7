#include "kernels.h"

#include "../base/blas.h"
#include "../base/simd.h"

#include <string.h>

/* Below this many multiply-adds packing in the BLAS costs more than the product. */
#define BLAS_MIN_WORK 32768

static void
dense_forward(float *out, const float *inp, const float *weight, const float *bias,
              int rows, int in, int out_size, int begin, int end)
{
    int columns = end - begin;
    for (int b = 0; b < rows; b++)
        memcpy(out + (ptrdiff_t)b * out_size + begin, bias + begin,
               (size_t)columns * sizeof(float));
    gemm(out + begin, out_size, inp, in, 1, weight + begin, out_size, rows, columns, in,
         1.0f, 1.0f);
}

static void
dense_backward_input(float *dinp, const float *dout, const float *weight, int rows, int in,
                     int out_size, int begin, int end)
{
    const float *w = weight + (ptrdiff_t)begin * out_size;
    if ((double)rows * (end - begin) * out_size >= BLAS_MIN_WORK) {
        rnn_gemm_nt(rows, end - begin, out_size, 1.0f, dout, out_size, w, out_size, 0.0f,
                    dinp + begin, in);
        return;
    }
    for (int b = 0; b < rows; b++)
        for (int i = begin; i < end; i++) {
            const float *d = dout + (ptrdiff_t)b * out_size;
            const float *row = weight + (ptrdiff_t)i * out_size;
            float sum = 0;
            for (int j = 0; j < out_size; j++)
                sum += d[j] * row[j];
            dinp[(ptrdiff_t)b * in + i] = sum;
        }
}

/* db[j] over rows in order, one vector of columns at a time. */
static void
add_column_sums(float *target, const float *dout, int rows, int out_size, int begin,
                int end, float alpha, float beta)
{
    for (int j = begin; j < end; j += VL) {
        int lanes = end - j < VL ? end - j : VL;
        vf sum = {0};
        for (int b = 0; b < rows; b++)
            sum += v_load_part(dout + (ptrdiff_t)b * out_size + j, lanes);
        vf old = beta == 0 ? (vf){0} : beta * v_load_part(target + j, lanes);
        v_store_part(target + j, old + alpha * sum, lanes);
    }
}

static void
dense_backward_params(float *weight_target, float *bias_target, const float *dout,
                      const float *inp, int rows, int in, int out_size, int begin, int end,
                      float alpha, float beta)
{
    gemm(weight_target + begin, out_size, inp, 1, in, dout + begin, out_size, in,
         end - begin, rows, alpha, beta);
    add_column_sums(bias_target, dout, rows, out_size, begin, end, alpha, beta);
}

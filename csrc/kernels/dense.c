#include "kernels.h"

#include "../base/blas.h"
#include "../base/simd.h"

static void
dense_forward(float *out, const float *inp, const float *weight, const float *bias,
              bool relu, bool in_order, int rows, int in, int out_size, int begin, int end)
{
    gemm_bias(out + begin, out_size, inp, in, weight + begin, out_size, bias + begin, relu,
              in_order, rows, end - begin, in);
}

static void
dense_backward_input(float *dinp, const float *dout, const float *weight, int rows, int in,
                     int out_size, int begin, int end)
{
    rnn_gemm_nt(rows, end - begin, out_size, 1.0f, dout, out_size,
                weight + (ptrdiff_t)begin * out_size, out_size, 0.0f, dinp + begin, in);
}

static void
dense_backward_input_part(float *dinp, const float *dout, const float *weight, int batch,
                          int first, int last, int in, int out_size, int begin, int end)
{
    float *to = dinp + (ptrdiff_t)first * in + begin;
    const float *rows = dout + (ptrdiff_t)first * out_size;
    const float *columns = weight + (ptrdiff_t)begin * out_size;
    if (batch <= DOT_BATCH)
        multiply_rows(to, in, rows, columns, NULL, false, last - first, out_size,
                      end - begin);
    else
        gemm_transposed(to, in, rows, out_size, columns, out_size, last - first,
                        end - begin, out_size);
}

static void
dense_backward_weight(float *target, const float *dout, const float *inp, int rows, int in,
                      int out_size, int first, int last, int begin, int end, float alpha,
                      float beta)
{
    gemm(target + (ptrdiff_t)first * out_size + begin, out_size, inp + first, 1, in,
         dout + begin, out_size, last - first, end - begin, rows, alpha, beta);
}

/* The same as accumulate for the first lanes of a vector. */
static inline void
accumulate_lanes(float *target, vf gradient, float alpha, float beta, int lanes)
{
    vf old = beta == 0 ? (vf){0} : beta * v_load_lanes(target, lanes);
    v_store_lanes(target, old + alpha * gradient, lanes);
}

/* Rows that are summed by themselves: equal rows, as tokens may have, would err to one side
 * in one long sum. */
enum { BIAS_ROWS = 512 };

/* Over rows in order, one vector of columns at a time. */
static void
sum_rows(float *target, const float *dout, int stride, int rows, int columns, float alpha,
         float beta)
{
    for (int j = 0; j < columns; j += VL) {
        int lanes = columns - j < VL ? columns - j : VL;
        vf sum = {0};
        for (int first = 0; first < rows; first += BIAS_ROWS) {
            int last = rows - first < BIAS_ROWS ? rows : first + BIAS_ROWS;
            vf part = {0};
            for (int b = first; b < last; b++)
                part += v_load_lanes(dout + (ptrdiff_t)b * stride + j, lanes);
            sum += part;
        }
        accumulate_lanes(target + j, sum, alpha, beta, lanes);
    }
}

static void
dense_backward_bias(float *target, const float *dout, int rows, int out_size, int begin,
                    int end, float alpha, float beta)
{
    sum_rows(target + begin, dout + begin, out_size, rows, end - begin, alpha, beta);
}

#include "kernels.h"

#include <math.h>

/* Mean and 1/sqrt(variance + epsilon) of n elements. Two passes in float64: E[x^2] - mean^2
 * cancels badly. */
static void
moments_of(float *mean, float *rstd, const float *x, int n, float epsilon)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++)
        sum += (double)x[i];
    double mu = sum / n;
    for (int i = 0; i < n; i++) {
        double centered = (double)x[i] - mu;
        squares += centered * centered;
    }
    *mean = (float)mu;
    *rstd = (float)(1 / sqrt(squares / n + (double)epsilon));
}

static void
layernorm_forward(float *out, float *moments, const float *inp, const float *weight,
                  const float *bias, int rows, int D, float epsilon)
{
    for (int b = 0; b < rows; b++) {
        const float *x = inp + (ptrdiff_t)b * D;
        float *mean = &moments[2 * (ptrdiff_t)b], *rstd = mean + 1;
        moments_of(mean, rstd, x, D, epsilon);
        for (int j = 0; j < D; j++)
            out[(ptrdiff_t)b * D + j] = weight[j] * ((x[j] - *mean) * *rstd) + bias[j];
    }
}

/* dx = rstd (dxh - mean(dxh) - xh mean(dxh xh)), dxh = dy weight, xh = (x - mean) rstd. */
static void
layernorm_backward_input(float *dinp, const float *dout, const float *inp,
                         const float *moments, const float *weight, int rows, int D)
{
    for (int b = 0; b < rows; b++) {
        const float *x = inp + (ptrdiff_t)b * D, *dy = dout + (ptrdiff_t)b * D;
        float mean = moments[2 * (ptrdiff_t)b], rstd = moments[2 * (ptrdiff_t)b + 1];
        double sum = 0, projected = 0;
        for (int j = 0; j < D; j++) {
            double dxh = (double)dy[j] * (double)weight[j];
            sum += dxh;
            projected += dxh * (double)((x[j] - mean) * rstd);
        }
        double m = sum / D, p = projected / D;
        for (int j = 0; j < D; j++) {
            double dxh = (double)dy[j] * (double)weight[j];
            double xh = (double)((x[j] - mean) * rstd);
            dinp[(ptrdiff_t)b * D + j] = (float)((double)rstd * (dxh - m - xh * p));
        }
    }
}

static void
layernorm_backward_params(float *weight_target, float *bias_target, const float *dout,
                          const float *inp, const float *moments, int rows, int D,
                          int begin, int end, float alpha, float beta)
{
    for (int j = begin; j < end; j++) {
        double dweight = 0, dbias = 0;
        for (int b = 0; b < rows; b++) {
            ptrdiff_t i = (ptrdiff_t)b * D + j;
            float mean = moments[2 * (ptrdiff_t)b], rstd = moments[2 * (ptrdiff_t)b + 1];
            dweight += (double)dout[i] * (double)((inp[i] - mean) * rstd);
            dbias += (double)dout[i];
        }
        accumulate(&weight_target[j], (float)dweight, alpha, beta);
        accumulate(&bias_target[j], (float)dbias, alpha, beta);
    }
}

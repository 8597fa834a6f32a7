#include "kernels.h"

#include <math.h>

/* Mean and 1/sqrt(variance + epsilon) of n elements, `stride` apart, in `blocks` runs that
 * are `jump` apart. Two passes in float64: E[x^2] - mean^2 cancels badly. */
static void
moments_of(float *mean, float *rstd, double *variance, const float *x, int n, int blocks,
           ptrdiff_t jump, ptrdiff_t stride, float epsilon)
{
    double sum = 0, squares = 0, count = (double)n * blocks;
    for (int b = 0; b < blocks; b++)
        for (int i = 0; i < n; i++)
            sum += (double)x[b * jump + i * stride];
    double mu = sum / count;
    for (int b = 0; b < blocks; b++)
        for (int i = 0; i < n; i++) {
            double centered = (double)x[b * jump + i * stride] - mu;
            squares += centered * centered;
        }
    *variance = squares / count;
    *mean = (float)mu;
    *rstd = (float)(1 / sqrt(*variance + (double)epsilon));
}

static void
layernorm_forward(float *out, float *moments, const float *inp, const float *weight,
                  const float *bias, int rows, int D, float epsilon)
{
    for (int b = 0; b < rows; b++) {
        const float *x = inp + (ptrdiff_t)b * D;
        float *mean = &moments[2 * (ptrdiff_t)b], *rstd = mean + 1;
        double variance;
        moments_of(mean, rstd, &variance, x, D, 1, 0, 1, epsilon);
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

static void
batchnorm_statistics(float *mean, float *rstd, float *variance, const float *inp, int rows,
                     int C, int area, int c, float epsilon)
{
    double exact;
    ptrdiff_t jump = (ptrdiff_t)C * area;
    moments_of(mean, rstd, &exact, inp + (ptrdiff_t)c * area, area, rows, jump, 1, epsilon);
    *variance = (float)exact;
}

static void
batchnorm_forward(float *out, const float *inp, float mean, float rstd, float weight,
                  float bias, int rows, int C, int area, int c)
{
    for (int b = 0; b < rows; b++)
        for (int i = 0; i < area; i++) {
            ptrdiff_t at = ((ptrdiff_t)b * C + c) * area + i;
            out[at] = weight * ((inp[at] - mean) * rstd) + bias;
        }
}

/* Sums over rows and area of dout and of dout * xh: the gradients of bias and weight, and
 * what the input's gradient needs. */
static void
batchnorm_sums(double *dweight, double *dbias, const float *dout, const float *inp,
               float mean, float rstd, int rows, int C, int area, int c)
{
    *dweight = *dbias = 0;
    for (int b = 0; b < rows; b++)
        for (int i = 0; i < area; i++) {
            ptrdiff_t at = ((ptrdiff_t)b * C + c) * area + i;
            *dweight += (double)dout[at] * (double)((inp[at] - mean) * rstd);
            *dbias += (double)dout[at];
        }
}

/* dx = weight rstd (dy - mean(dy) - xh mean(dy xh)), means over rows and area. */
static void
batchnorm_backward_input(float *dinp, const float *dout, const float *inp, float mean,
                         float rstd, float weight, int rows, int C, int area, int c)
{
    double dweight, dbias, count = (double)rows * area;
    batchnorm_sums(&dweight, &dbias, dout, inp, mean, rstd, rows, C, area, c);
    float m = (float)(dbias / count), p = (float)(dweight / count);
    for (int b = 0; b < rows; b++)
        for (int i = 0; i < area; i++) {
            ptrdiff_t at = ((ptrdiff_t)b * C + c) * area + i;
            float xh = (inp[at] - mean) * rstd;
            dinp[at] = weight * rstd * (dout[at] - m - xh * p);
        }
}

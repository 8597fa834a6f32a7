#include "kernels.h"

#include <math.h>

/* Two passes in float64: E[x^2] - mean^2 cancels badly. */
static void
batchnorm_statistics(float *mean, float *rstd, float *variance, const float *inp, int rows,
                     int C, int area, int c, float epsilon)
{
    double sum = 0, squares = 0, count = (double)rows * area;
    ptrdiff_t jump = (ptrdiff_t)C * area, first = (ptrdiff_t)c * area;
    for (int b = 0; b < rows; b++)
        for (int i = 0; i < area; i++)
            sum += (double)inp[b * jump + first + i];
    double mu = sum / count;
    for (int b = 0; b < rows; b++)
        for (int i = 0; i < area; i++) {
            double centered = (double)inp[b * jump + first + i] - mu;
            squares += centered * centered;
        }
    *mean = (float)mu;
    *variance = (float)(squares / count);
    *rstd = (float)(1 / sqrt(squares / count + (double)epsilon));
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

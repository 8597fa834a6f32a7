#include "kernels.h"

#include <math.h>

static void
rmsnorm_forward(float *out, float *rrms, const float *inp, const float *weight, int rows,
                int D, float epsilon)
{
    for (int b = 0; b < rows; b++) {
        const float *x = inp + (ptrdiff_t)b * D;
        double squares = 0;
        for (int j = 0; j < D; j++)
            squares += (double)x[j] * (double)x[j];
        rrms[b] = (float)(1 / sqrt(squares / D + (double)epsilon));
        for (int j = 0; j < D; j++)
            out[(ptrdiff_t)b * D + j] = weight[j] * (x[j] * rrms[b]);
    }
}

/* dx = rrms (dxh - xh mean(dxh xh)), dxh = dy weight, xh = x rrms. */
static void
rmsnorm_backward_input(float *dinp, const float *dout, const float *inp, const float *rrms,
                       const float *weight, int rows, int D)
{
    for (int b = 0; b < rows; b++) {
        const float *x = inp + (ptrdiff_t)b * D, *dy = dout + (ptrdiff_t)b * D;
        double projected = 0, r = (double)rrms[b];
        for (int j = 0; j < D; j++)
            projected += (double)dy[j] * (double)weight[j] * (double)x[j] * r;
        double mean = projected / D;
        for (int j = 0; j < D; j++) {
            double dxh = (double)dy[j] * (double)weight[j];
            dinp[(ptrdiff_t)b * D + j] = (float)(r * (dxh - (double)x[j] * r * mean));
        }
    }
}

static void
rmsnorm_backward_params(float *weight_target, const float *dout, const float *inp,
                        const float *rrms, int rows, int D, int begin, int end, float alpha,
                        float beta)
{
    for (int j = begin; j < end; j++) {
        double dweight = 0;
        for (int b = 0; b < rows; b++) {
            ptrdiff_t i = (ptrdiff_t)b * D + j;
            dweight += (double)dout[i] * (double)(inp[i] * rrms[b]);
        }
        accumulate(&weight_target[j], (float)dweight, alpha, beta);
    }
}

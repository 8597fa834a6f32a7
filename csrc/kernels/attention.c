#include "kernels.h"

#include <math.h>
#include <string.h>

static void
attention_forward(float *context, float *alpha, const float *q, const float *k,
                  const float *v, int step, float *transposed, int T, int D, int heads)
{
    int d = D / heads;
    float scale = 1.0f / sqrtf((float)d);
    for (int h = 0; h < heads; h++) {
        float *a = alpha + (ptrdiff_t)h * T * T;
        transpose(transposed, T, k + h * d, step, T, d);
        gemm(a, T, q + h * d, step, 1, transposed, T, T, T, d, scale, 0.0f);
        softmax(a, a, T, 0, T);
        gemm(context + h * d, D, a, T, 1, v + h * d, step, T, d, T, 1.0f, 0.0f);
    }
}

/* dV = A^T dC, dA = dC V^T, dS = softmax'(dA), dQ = dS K, dK = dS^T Q. dV takes V's place
 * after dA has used it, and a head of dQ waits in `held` until dK has used Q. */
static void
attention_backward(float *q, float *k, float *v, int step, const float *dcontext,
                   const float *alpha, float *dscores, float *held, int T, int D, int heads)
{
    int d = D / heads;
    float scale = 1.0f / sqrtf((float)d);
    for (int h = 0; h < heads; h++) {
        const float *a = alpha + (ptrdiff_t)h * T * T, *dc = dcontext + h * d;
        float *qh = q + h * d, *kh = k + h * d, *vh = v + h * d;
        transpose(held, T, vh, step, T, d);
        gemm(dscores, T, dc, D, 1, held, T, T, T, d, 1.0f, 0.0f);
        gemm(vh, step, a, 1, T, dc, D, T, d, T, 1.0f, 0.0f);
        softmax_backward(dscores, dscores, a, T, 0, T);
        gemm(held, d, dscores, T, 1, kh, step, T, d, T, scale, 0.0f);
        gemm(kh, step, dscores, 1, T, qh, step, T, d, T, scale, 0.0f);
        for (int t = 0; t < T; t++)
            memcpy(qh + (ptrdiff_t)t * step, held + (ptrdiff_t)t * d,
                   (size_t)d * sizeof(float));
    }
}

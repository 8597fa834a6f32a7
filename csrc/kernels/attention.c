#include "kernels.h"

#include <math.h>

/* to (n,m) = transpose of from (m,n), rows of `from` being `step` apart. */
static void
transpose(float *to, const float *from, int step, int m, int n)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            to[(ptrdiff_t)j * m + i] = from[(ptrdiff_t)i * step + j];
}

static void
attention_forward(float *context, float *alpha, const float *q, const float *k,
                  const float *v, float *transposed, int T, int D, int heads)
{
    int d = D / heads;
    float scale = 1.0f / sqrtf((float)d);
    for (int h = 0; h < heads; h++) {
        float *a = alpha + (ptrdiff_t)h * T * T;
        transpose(transposed, k + h * d, D, T, d);
        gemm(a, T, q + h * d, D, 1, transposed, T, T, T, d, scale, 0.0f);
        softmax(a, a, T, 0, T);
        gemm(context + h * d, D, a, T, 1, v + h * d, D, T, d, T, 1.0f, 0.0f);
    }
}

static void
attention_backward(float *dq, float *dk, float *dv, const float *dcontext,
                   const float *alpha, const float *q, const float *k, const float *v,
                   float *dscores, float *transposed, int T, int D, int heads)
{
    int d = D / heads;
    float scale = 1.0f / sqrtf((float)d);
    for (int h = 0; h < heads; h++) {
        const float *a = alpha + (ptrdiff_t)h * T * T, *dc = dcontext + h * d;
        gemm(dv + h * d, D, a, 1, T, dc, D, T, d, T, 1.0f, 0.0f);
        transpose(transposed, v + h * d, D, T, d);
        gemm(dscores, T, dc, D, 1, transposed, T, T, T, d, 1.0f, 0.0f);
        softmax_backward(dscores, dscores, a, T, 0, T);
        gemm(dq + h * d, D, dscores, T, 1, k + h * d, D, T, d, T, scale, 0.0f);
        gemm(dk + h * d, D, dscores, 1, T, q + h * d, D, T, d, T, scale, 0.0f);
    }
}

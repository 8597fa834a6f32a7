#include "kernels.h"

#include "../base/simd.h"

#include <math.h>
#include <string.h>

/* From row to row of a transpose: loads of its rows then cross no cache line. */
static int
transposed_stride(int T)
{
    return (T + VL - 1) / VL * VL;
}

static size_t
attention_held(int T, int d)
{
    return (size_t)transposed_stride(T) * (size_t)d;
}

/* a (T,T): a row's scores become weights of the tokens that it sees, zeros elsewhere. */
static void
softmax_of_seen(float *a, int T, const float *real, bool causal)
{
    for (int t = 0; t < T; t++, a += T) {
        int seen = 0;
        for (int j = 0; j < T; j++) {
            bool sees = (!causal || j <= t) && (real == NULL || real[j] != 0);
            a[j] = sees ? a[j] : -INFINITY;
            seen += sees;
        }
        if (seen > 0)
            softmax(a, a, T, 0, 1);
        else
            memset(a, 0, (size_t)T * sizeof(float));
    }
}

static void
attention_forward(float *context, float *alpha, const float *q, const float *k,
                  const float *v, int stride, float *transposed, int T, int D, int heads,
                  const float *real, bool causal)
{
    int d = D / heads, wide = transposed_stride(T);
    float scale = 1.0f / sqrtf((float)d);
    for (int h = 0; h < heads; h++) {
        float *a = alpha + (ptrdiff_t)h * T * T;
        transpose(transposed, wide, k + h * d, stride, T, d);
        gemm(a, T, q + h * d, stride, 1, transposed, wide, T, T, d, scale, 0.0f);
        if (causal || real != NULL)
            softmax_of_seen(a, T, real, causal);
        else
            softmax(a, a, T, 0, T);
        gemm(context + h * d, D, a, T, 1, v + h * d, stride, T, d, T, 1.0f, 0.0f);
    }
}

/* dV = A^T dC, dA = dC V^T, dS = softmax'(dA), dQ = dS K, dK = dS^T Q. dV takes V's place
 * after dA has used it, and a head of dQ waits in `held` until dK has used Q. */
static void
attention_backward(float *q, float *k, float *v, int stride, const float *dcontext,
                   const float *alpha, float *dscores, float *held, int T, int D, int heads)
{
    int d = D / heads, wide = transposed_stride(T);
    float scale = 1.0f / sqrtf((float)d);
    for (int h = 0; h < heads; h++) {
        const float *a = alpha + (ptrdiff_t)h * T * T, *dc = dcontext + h * d;
        float *qh = q + h * d, *kh = k + h * d, *vh = v + h * d;
        transpose(held, wide, vh, stride, T, d);
        gemm(dscores, T, dc, D, 1, held, wide, T, T, d, 1.0f, 0.0f);
        gemm(vh, stride, a, 1, T, dc, D, T, d, T, 1.0f, 0.0f);
        softmax_backward(dscores, dscores, a, T, 0, T);
        gemm(held, d, dscores, T, 1, kh, stride, T, d, T, scale, 0.0f);
        gemm(kh, stride, dscores, 1, T, qh, stride, T, d, T, scale, 0.0f);
        for (int t = 0; t < T; t++)
            memcpy(qh + (ptrdiff_t)t * stride, held + (ptrdiff_t)t * d,
                   (size_t)d * sizeof(float));
    }
}

/* dA = dC x^T, dS = softmax'(dA), dq = dS x; x counts twice, dx = A^T dC + dS^T q. */
static void
tied_attention_backward(float *q, float *x, const float *dcontext, const float *alpha,
                        float *dscores, float *held, int T, int D)
{
    int wide = transposed_stride(T);
    float scale = 1.0f / sqrtf((float)D);
    transpose(held, wide, x, D, T, D);
    gemm(dscores, T, dcontext, D, 1, held, wide, T, T, D, 1.0f, 0.0f);
    softmax_backward(dscores, dscores, alpha, T, 0, T);
    gemm(held, D, dscores, T, 1, x, D, T, D, T, scale, 0.0f);
    gemm(x, D, alpha, 1, T, dcontext, D, T, D, T, 1.0f, 0.0f);
    gemm(x, D, dscores, 1, T, q, D, T, D, T, scale, 1.0f);
    memcpy(q, held, (size_t)T * (size_t)D * sizeof(float));
}

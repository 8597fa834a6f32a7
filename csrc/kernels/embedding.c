#include "kernels.h"

#include <string.h>

/* The row that a number stands for; NaN is 0. */
static int
nearest_row(float index, int N)
{
    float last = (float)(N - 1);
    float within = index > 0 ? index : 0;
    return (int)((within < last ? within : last) + 0.5f);
}

static void
embedding_forward(float *out, const float *inp, const float *table, int T, int N, int D)
{
    for (int t = 0; t < T; t++, out += D)
        memcpy(out, table + (ptrdiff_t)nearest_row(inp[t], N) * D,
               (size_t)D * sizeof(float));
}

/* target = beta * target, of which most is left alone by SGD: beta is 1 there. */
static void
scale_columns(float *target, int N, int D, int begin, int end, float beta)
{
    for (int i = 0; i < N && beta != 1; i++, target += D)
        for (int j = begin; j < end; j++)
            target[j] = beta == 0 ? 0 : beta * target[j];
}

/* The gradients of each index are summed first: added to the weight one by one, many small
 * terms would be lost. Where an index repeats, its sum was added already, and is zero. */
static void
embedding_backward_table(float *target, float *sums, const float *dout, const float *inp,
                         int T, int N, int D, int begin, int end, float alpha, float beta)
{
    scale_columns(target, N, D, begin, end, beta);
    for (int t = 0; t < T; t++) {
        ptrdiff_t row = (ptrdiff_t)nearest_row(inp[t], N) * D;
        for (int j = begin; j < end; j++)
            sums[row + j] += dout[(ptrdiff_t)t * D + j];
    }
    for (int t = 0; t < T; t++) {
        ptrdiff_t row = (ptrdiff_t)nearest_row(inp[t], N) * D;
        for (int j = begin; j < end; j++) {
            target[row + j] += alpha * sums[row + j];
            sums[row + j] = 0;
        }
    }
}

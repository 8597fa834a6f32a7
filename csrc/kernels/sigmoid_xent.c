#include "kernels.h"

#include "../base/simd.h"

#include <math.h>

static void
sigmoid_xent(float *dlogits, double *loss, uint8_t *hit, const float *logits,
             const void *targets, float smoothing, int size, int begin, int end)
{
    for (int b = begin; b < end; b++) {
        ptrdiff_t at = (ptrdiff_t)b * size;
        const float *z = logits + at, *t = (const float *)targets + at;
        double sum = 0;
        bool same_side = true;
        for (int j = 0; j < size; j++) {
            double wanted = (1 - (double)smoothing) * t[j] + (double)smoothing / 2;
            double tail = exp(-fabs((double)z[j])); /* at most 1 */
            double p = (z[j] >= 0 ? 1 : tail) / (1 + tail);
            dlogits[at + j] = (float)(p - wanted);
            sum += fmax(z[j], 0) - z[j] * wanted + log1p(tail);
            same_side &= (z[j] >= 0) == (t[j] >= 0.5f);
        }
        loss[b] = sum;
        hit[b] = same_side;
    }
}

static void
sigmoid_rows(float *probabilities, const float *logits, int size, int begin, int end)
{
    ptrdiff_t at = (ptrdiff_t)begin * size;
    sigmoid_forward(probabilities + at, logits + at, (end - begin) * size, 0.0f);
}

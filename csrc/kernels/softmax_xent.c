#include "kernels.h"

#include "../base/simd.h"

#include <math.h>

/* Index of the first maximum. A NaN logit makes the loss NaN, whatever this returns. */
static int
first_maximum(const float *x, int n)
{
    int best = 0;
    for (int j = 1; j < n; j++)
        if (x[j] > x[best])
            best = j;
    return best;
}

/* out = exp(z - shift) over a row, and its sum. */
static inline float
shifted_exp(float *out, const float *z, float shift, int n)
{
    vf sum = {0};
    int j = 0;
    for (; j + VL <= n; j += VL) {
        vf e = v_exp(v_load(z + j) - shift);
        v_store(out + j, e);
        sum += e;
    }
    if (j < n) {
        vf e = v_first(v_exp(v_load_part(z + j, n - j) - shift), n - j, 0.0f);
        v_store_part(out + j, e, n - j);
        sum += e;
    }
    return v_sum(sum);
}

static inline float
greatest(const float *z, int n)
{
    vf most = v_set(-INFINITY);
    int j = 0;
    for (; j + VL <= n; j += VL)
        most = v_max(v_load(z + j), most);
    if (j < n)
        most = v_max(v_first(v_load_part(z + j, n - j), n - j, -INFINITY), most);
    return v_greatest(most);
}

static inline void
scale_row(float *x, float factor, int n)
{
    int j = 0;
    for (; j + VL <= n; j += VL)
        v_store(x + j, v_load(x + j) * factor);
    if (j < n)
        v_store_part(x + j, v_load_part(x + j, n - j) * factor, n - j);
}

static void
softmax_xent(float *dlogits, double *loss, uint8_t *hit, const float *logits,
             const void *labels, float smoothing, int classes, int begin, int end)
{
    for (int b = begin; b < end; b++) {
        const float *z = logits + (ptrdiff_t)b * classes;
        float *d = dlogits + (ptrdiff_t)b * classes;
        int label = ((const int32_t *)labels)[b];
        int best = first_maximum(z, classes);
        float sum = shifted_exp(d, z, z[best], classes);
        double below = 0; /* how far the other logits are below the greatest, on average */
        for (int j = 0; j < classes; j++) {
            d[j] = d[j] / sum - smoothing / (float)classes;
            below += (double)z[best] - (double)z[j];
        }
        d[label] -= 1.0f - smoothing;
        loss[b] = log((double)sum)
                  + (1 - (double)smoothing) * ((double)z[best] - (double)z[label]);
        if (smoothing > 0)
            loss[b] += (double)smoothing * below / classes;
        hit[b] = best == label;
    }
}

static void
softmax(float *probabilities, const float *logits, int classes, int begin, int end)
{
    for (int b = begin; b < end; b++) {
        const float *z = logits + (ptrdiff_t)b * classes;
        float *p = probabilities + (ptrdiff_t)b * classes;
        float sum = shifted_exp(p, z, greatest(z, classes), classes);
        scale_row(p, 1.0f / sum, classes);
    }
}

static void
softmax_backward(float *dlogits, const float *dprobabilities, const float *probabilities,
                 int classes, int begin, int end)
{
    for (int b = begin; b < end; b++) {
        ptrdiff_t at = (ptrdiff_t)b * classes;
        const float *dp = dprobabilities + at, *p = probabilities + at;
        float *dz = dlogits + at;
        vf products = {0};
        for (int j = 0; j < classes; j += VL) {
            int lanes = classes - j < VL ? classes - j : VL;
            products += v_load_lanes(dp + j, lanes) * v_load_lanes(p + j, lanes);
        }
        float dot = v_sum(products);
        for (int j = 0; j < classes; j += VL) {
            int lanes = classes - j < VL ? classes - j : VL;
            v_store_lanes(dz + j,
                          v_load_lanes(p + j, lanes) * (v_load_lanes(dp + j, lanes) - dot),
                          lanes);
        }
    }
}

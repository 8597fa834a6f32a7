#include "kernels.h"

#include <math.h>

static void
normalization_scales(float *scale, const float *variance, int n)
{
    for (int c = 0; c < n; c++)
        scale[c] = variance[c] > 0 ? 1 / fmaxf(sqrtf(variance[c]), 1e-7f) : 0;
}

static void
normalize(float *out, const float *inp, const float *mean, const float *scale, int outer,
          int n, int area)
{
    for (int o = 0; o < outer; o++)
        for (int c = 0; c < n; c++)
            for (int i = 0; i < area; i++, inp++, out++)
                *out = (*inp - mean[c]) * scale[c];
}

static void
scale_features(float *dinp, const float *dout, const float *scale, int outer, int n,
               int area)
{
    for (int o = 0; o < outer; o++)
        for (int c = 0; c < n; c++)
            for (int i = 0; i < area; i++, dout++, dinp++)
                *dinp = *dout * scale[c];
}

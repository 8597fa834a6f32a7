#include "kernels.h"

#include <string.h>

static void
max_of_planes(float *out, int32_t *argmax, const float *inp, int planes, int area)
{
    for (int c = 0; c < planes; c++, inp += area) {
        int best = 0;
        for (int i = 1; i < area; i++)
            /* The second test lets NaN through, as maxpool2d does. */
            if (inp[i] > inp[best] || inp[i] != inp[i])
                best = i;
        out[c] = inp[best];
        argmax[c] = best;
    }
}

static void
spread_to_maxima(float *dinp, const float *dout, const int32_t *argmax, int planes,
                 int area)
{
    memset(dinp, 0, (size_t)planes * (size_t)area * sizeof(float));
    for (int c = 0; c < planes; c++, dinp += area)
        dinp[argmax[c]] = dout[c];
}

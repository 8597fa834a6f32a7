#include "kernels.h"

#include <string.h>

static void
patches_from_image(float *patches, const float *inp, int C, int H, int W, int size)
{
    for (int py = 0; py < H / size; py++)
        for (int px = 0; px < W / size; px++)
            for (int c = 0; c < C; c++)
                for (int dy = 0; dy < size; dy++, patches += size)
                    memcpy(patches,
                           inp + ((ptrdiff_t)c * H + py * size + dy) * W + px * size,
                           (size_t)size * sizeof(float));
}

static void
image_from_patches(float *dinp, const float *patches, int C, int H, int W, int size)
{
    memset(dinp, 0, (size_t)C * (size_t)H * (size_t)W * sizeof(float));
    for (int py = 0; py < H / size; py++)
        for (int px = 0; px < W / size; px++)
            for (int c = 0; c < C; c++)
                for (int dy = 0; dy < size; dy++, patches += size)
                    memcpy(dinp + ((ptrdiff_t)c * H + py * size + dy) * W + px * size,
                           patches, (size_t)size * sizeof(float));
}

static int
live_patches(int32_t *live, float *kept, const float *patches, int T, int length)
{
    int n = 0;
    for (int t = 0; t < T; t++) {
        const float *patch = patches + (ptrdiff_t)t * length;
        int nonzero = 0;
        for (int i = 0; i < length; i++)
            nonzero |= patch[i] != 0;
        if (!nonzero)
            continue;
        memcpy(kept + (ptrdiff_t)n * length, patch, (size_t)length * sizeof(float));
        live[n++] = t;
    }
    return n;
}

static void
add(float *out, const float *a, const float *b, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = a[i] + b[i];
}

static void
mean_over_tokens(float *out, const float *inp, int T, int D)
{
    memcpy(out, inp, (size_t)D * sizeof(float));
    for (int t = 1; t < T; t++)
        add(out, out, inp + (ptrdiff_t)t * D, D);
    for (int j = 0; j < D; j++)
        out[j] /= (float)T;
}

static void
spread_over_tokens(float *dinp, const float *dout, int T, int D)
{
    for (int t = 0; t < T; t++)
        for (int j = 0; j < D; j++)
            dinp[(ptrdiff_t)t * D + j] = dout[j] / (float)T;
}

#include "kernels.h"

#include "../base/simd.h"

#include <string.h>

/* The patch of high x wide pixels that begins at inp; returns whether all of it is zero. */
static bool
copy_patch(float *patch, const float *inp, int C, int H, int W, int high, int wide)
{
    uint32_t nonzero = 0;
    for (int c = 0; c < C; c++)
        for (int dy = 0; dy < high; dy++, patch += wide) {
            const float *from = inp + ((ptrdiff_t)c * H + dy) * W;
            for (int i = 0; i < wide; i += VL) {
                int lanes = wide - i < VL ? wide - i : VL;
                vf pixels = v_load_part(from + i, lanes);
                v_store_part(patch + i, pixels, lanes);
                nonzero |= v_nonzero(pixels);
            }
        }
    return nonzero == 0;
}

static void
patches_from_image(float *patches, const float *inp, int C, int H, int W, int high,
                   int wide)
{
    int length = C * high * wide;
    for (int y = 0; y + high <= H; y += high)
        for (int x = 0; x + wide <= W; x += wide, patches += length)
            copy_patch(patches, inp + (ptrdiff_t)y * W + x, C, H, W, high, wide);
}

static void
image_from_patches(float *dinp, const float *patches, int C, int H, int W, int high,
                   int wide)
{
    memset(dinp, 0, (size_t)C * (size_t)H * (size_t)W * sizeof(float));
    for (int py = 0; py < H / high; py++)
        for (int px = 0; px < W / wide; px++)
            for (int c = 0; c < C; c++)
                for (int dy = 0; dy < high; dy++, patches += wide)
                    memcpy(dinp + ((ptrdiff_t)c * H + py * high + dy) * W + px * wide,
                           patches, (size_t)wide * sizeof(float));
}

static int
live_patches(int32_t *live, float *patches, const float *inp, int C, int H, int W, int size)
{
    int n = 0, t = 0, length = C * size * size;
    for (int y = 0; y + size <= H; y += size)
        for (int x = 0; x + size <= W; x += size, t++)
            if (!copy_patch(patches + (ptrdiff_t)n * length, inp + (ptrdiff_t)y * W + x, C,
                            H, W, size, size))
                live[n++] = t;
    return n;
}

static void
add(float *out, const float *a, const float *b, int n)
{
    int i = 0;
    for (; i + VL <= n; i += VL)
        v_store(out + i, v_load(a + i) + v_load(b + i));
    for (; i < n; i++)
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
    for (int j = 0; j < D; j++)
        dinp[j] = dout[j] / (float)T;
    for (int t = 1; t < T; t++)
        memcpy(dinp + (ptrdiff_t)t * D, dinp, (size_t)D * sizeof(float));
}

static void
mask_tokens(float *out, float *real, const float *inp, float value, int T, int D)
{
    for (int t = 0; t < T; t++, inp += D) {
        int alike = 0;
        while (alike < D && inp[alike] == value)
            alike++;
        real[t] = alike < D;
    }
    keep_real_tokens(out, inp - (ptrdiff_t)T * D, real, T, D);
}

static void
keep_real_tokens(float *dinp, const float *dout, const float *real, int T, int D)
{
    memcpy(dinp, dout, (size_t)T * (size_t)D * sizeof(float));
    for (int t = 0; t < T; t++)
        if (real[t] == 0)
            memset(dinp + (ptrdiff_t)t * D, 0, (size_t)D * sizeof(float));
}

static float
count_real(const float *real, int T)
{
    float n = 0;
    for (int t = 0; t < T; t++)
        n += real[t];
    return n;
}

static void
mean_over_real(float *out, const float *inp, const float *real, int T, int D)
{
    float n = count_real(real, T);
    memset(out, 0, (size_t)D * sizeof(float));
    for (int t = 0; t < T; t++)
        if (real[t] != 0)
            add(out, out, inp + (ptrdiff_t)t * D, D);
    for (int j = 0; n > 0 && j < D; j++)
        out[j] /= n;
}

static void
spread_over_real(float *dinp, const float *dout, const float *real, int T, int D)
{
    float n = count_real(real, T);
    for (int t = 0; t < T; t++)
        for (int j = 0; j < D; j++)
            dinp[(ptrdiff_t)t * D + j] = real[t] != 0 ? dout[j] / n : 0;
}

#include "kernels.h"

#include "../base/rng.h"

#include <string.h>

/* Dropped numbers are -0, and kept numbers never are, so that backward need not ask the key
 * again, which costs more than all else. */
static void
dropout(float *out, const float *inp, size_t n, size_t first, float rate, uint64_t key)
{
    float scale = 1.0f / (1.0f - rate);
    for (size_t i = 0; i < n; i++) {
        float r = (float)(rnn_mask_bits(key, first + i) >> 8) / 16777216.0f;
        out[i] = r >= rate ? inp[i] * scale + 0.0f : -0.0f;
    }
}

static void
dropout_backward(float *dinp, const float *dout, const float *out, size_t n, float rate)
{
    float scale = 1.0f / (1.0f - rate);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &out[i], sizeof bits);
        dinp[i] = bits == UINT32_C(0x80000000) ? 0.0f : dout[i] * scale;
    }
}

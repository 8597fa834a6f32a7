#include "kernels.h"

#include "../base/rng.h"

static void
dropout(float *to, const float *from, size_t n, size_t first, float rate, uint64_t key)
{
    float scale = 1.0f / (1.0f - rate);
    for (size_t i = 0; i < n; i++) {
        float r = (float)(rnn_mask_bits(key, first + i) >> 8) / 16777216.0f;
        to[i] = r >= rate ? from[i] * scale : 0.0f;
    }
}

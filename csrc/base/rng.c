#include "rng.h"

void
rnn_rng_uniform(uint64_t *state, float low, float high, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float u = (float)rnn_rng_next(state) / 4294967296.0f;
        out[i] = low + (high - low) * u;
    }
}

void
rnn_rng_shuffle(uint64_t *state, int32_t *order, size_t n)
{
    for (size_t i = n; i-- > 1;) {
        size_t j = rnn_rng_next(state) % (i + 1);
        int32_t swapped = order[i];
        order[i] = order[j];
        order[j] = swapped;
    }
}

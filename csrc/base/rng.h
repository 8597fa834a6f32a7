/* The reference system's xorshift generator (13, 7, 17; upper half is the output).
 *
 * The state never lives here: Python holds it, so that it can be saved and resumed. */
#ifndef RNN_RNG_H
#define RNN_RNG_H

#include <stddef.h>
#include <stdint.h>

/* Zero is the one state that xorshift cannot leave; the reference replaces it by this. */
#define RNN_RNG_ZERO_SEED UINT64_C(0x9e3779b97f4a7c15)

static inline uint32_t
rnn_rng_next(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return (uint32_t)(x >> 32);
}

/* out[i] = low + (high - low) * u, u = next / 2^32 in float32 (the reference's mapping B).
 */
void rnn_rng_uniform(uint64_t *state, float low, float high, float *out, size_t n);

/* Fisher-Yates from the last element down; nothing is drawn for n <= 1. */
void rnn_rng_shuffle(uint64_t *state, int32_t *order, size_t n);

/* Counter-based numbers for masks: the same (key, index) has the same 32 bits, whoever
 * asks and in whatever order. Mixing as in SplitMix64 (Steele et al. 2014). */
static inline uint64_t
rnn_mix64(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static inline uint64_t
rnn_mask_key(uint64_t key, uint64_t part)
{
    return rnn_mix64(key ^ rnn_mix64(part + UINT64_C(0x9e3779b97f4a7c15)));
}

static inline uint32_t
rnn_mask_bits(uint64_t key, uint64_t index)
{
    return (uint32_t)(rnn_mix64(key + index * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

#endif

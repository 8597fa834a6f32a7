#include "kernels.h"

#include "../base/rng.h"
#include "../base/simd.h"

/* A key's numbers for elements `first`, `first` + 1, ... of `each` a lane: odd multiples of
 * 2^-24 in (0, 1), so that no logarithm is of 0. */
static inline vf
uniform_lanes(uint64_t key, size_t first, size_t each)
{
    float u[VL];
    for (size_t i = 0; i < VL; i++) {
        uint32_t bits = rnn_mask_bits(key, first + each * i) >> 9;
        u[i] = (float)(2 * bits + 1) / 16777216.0f;
    }
    return v_load(u);
}

/* -log u for u in (0, 1): u = 2^e m, m in [1/2, 1), and -log m = log(1 + (1 - m) / m). */
static inline vf
v_minus_log(vf u)
{
    vi bits = (vi)u;
    vf e = __builtin_convertvector((bits >> 23) - 126, vf);
    vf m = (vf)((bits & 0x7fffff) | 0x3f000000);
    return v_log1p((1.0f - m) / m) - e * 0.6931471806f;
}

/* sin(pi t) for t in [-1/2, 1/2], Taylor polynomial. */
static inline vf
v_sin_pi(vf t)
{
    vf x = t * 3.14159265f;
    vf square = x * x;
    vf p = square * -2.5052108e-8f + 2.7557319e-6f;
    p = p * square - 1.9841270e-4f;
    p = p * square + 8.3333333e-3f;
    p = p * square - 1.6666667e-1f;
    return p * square * x + x;
}

/* Normal numbers of two uniform ones each (Box and Muller 1958):
 * sqrt(-2 log u) cos(2 pi (v - 1/2)), cos(2 a) = 1 - 2 sin^2 a. */
static void
add_noise(float *out, const float *inp, size_t n, size_t first, float stddev, uint64_t key)
{
    for (size_t i = 0; i < n; i += VL) {
        int lanes = n - i < VL ? (int)(n - i) : VL;
        vf u = uniform_lanes(key, 2 * (first + i), 2);
        vf sine = v_sin_pi(uniform_lanes(key, 2 * (first + i) + 1, 2) - 0.5f);
        vf normal = v_sqrt(2.0f * v_minus_log(u)) * (1.0f - 2.0f * sine * sine);
        v_store_lanes(out + i, v_load_lanes(inp + i, lanes) + stddev * normal, lanes);
    }
}

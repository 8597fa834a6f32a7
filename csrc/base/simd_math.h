/* Functions of every lane, to nearly the last bit. Part of simd.h. */
#ifndef RNN_SIMD_MATH_H
#define RNN_SIMD_MATH_H

#include "simd_vector.h"

/* x * 2^n for whole n in [-126, 128]. */
static inline vf
v_scale(vf x, vf n)
{
#if VL == 16
    return (vf)_mm512_scalef_ps((__m512)x, (__m512)n);
#else
    /* In two factors: 2^128 alone does not fit. */
    vi power = __builtin_convertvector(n, vi);
    vi half = power >> 1;
    return x * (vf)((half + 127) << 23) * (vf)((power - half + 127) << 23);
#endif
}

/* e^x = 2^n e^r, n = round(x / ln 2), |r| <= ln(2)/2; Taylor polynomial of degree 7 in r.
 * ln 2 is split in two so that x - n ln 2 is exact to the last bit (Cody and Waite 1980).
 * Below the smallest normal number the result is 0, above the largest infinity. */
static inline vf
v_exp(vf x)
{
    const float to_integer = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    const float least = -87.33654f; /* no lane becomes subnormal on the way: v_normal */
    vf in = v_at_most(v_at_least(x, least), 89.0f);
    vf shifted = in * 1.44269504f + to_integer;
    vf n = shifted - to_integer;
    vf r = in - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    vf p = r * 1.98412698e-4f + 1.38888889e-3f;
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return v_select(v_less(x, v_set(least)), v_set(0.0f), v_scale(p, n));
}

static inline vf
v_sigmoid(vf x)
{
    return 1.0f / (1.0f + v_exp(-x));
}

/* |x| < 0.625: odd polynomial (Cephes, S. Moshier); else 1 - 2 / (e^2|x| + 1), which
 * cancels near zero. */
static inline vf
v_tanh(vf x)
{
    vf size = v_abs(x);
    vf square = x * x;
    vf p = square * -5.70498872745e-3f + 2.06390887954e-2f;
    p = p * square + -5.37397155531e-2f;
    p = p * square + 1.33314422036e-1f;
    p = p * square + -3.33332819422e-1f;
    vf near = p * square * x + x;
    vf far = 1.0f - 2.0f / (v_exp(size + size) + 1.0f);
    far = v_select(v_less(x, v_set(0.0f)), -far, far);
    return v_select(v_less(size, v_set(0.625f)), near, far);
}

#endif

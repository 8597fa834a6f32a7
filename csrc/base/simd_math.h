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

#define LEAST_EXPONENT -87.33654f /* no lane becomes subnormal on the way: v_normal */

/* e^x = 2^n e^r, n = round(x / ln 2), |r| <= ln(2)/2; Taylor polynomial of degree 7 in r.
 * ln 2 is split in two so that x - n ln 2 is exact to the last bit (Cody and Waite 1980).
 * Never below the smallest normal number; above the largest the result is infinity. */
static inline vf
v_exp_above_zero(vf x)
{
    const float to_integer = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    vf in = v_at_most(v_at_least(x, LEAST_EXPONENT), 89.0f);
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
    return v_scale(p, n);
}

/* The same, but 0 below the smallest normal number. */
static inline vf
v_exp(vf x)
{
    return v_select(v_less(x, v_set(LEAST_EXPONENT)), v_set(0.0f), v_exp_above_zero(x));
}

static inline vf
v_sigmoid(vf x)
{
    return 1.0f / (1.0f + v_exp_above_zero(-x));
}

/* |x| < 0.625: odd polynomial (Cephes, S. Moshier); else 1 - 2 / (e^2|x| + 1), which
 * cancels near zero. */
static inline vf
v_tanh(vf x)
{
    vf size = v_abs(x);
    vf square = x * x;
    vf p = square * -5.70498872745e-3f + 2.06390887954e-2f;
    p = p * square - 5.37397155531e-2f;
    p = p * square + 1.33314422036e-1f;
    p = p * square - 3.33332819422e-1f;
    vf near = p * square * x + x;
    vf far = 1.0f - 2.0f / (v_exp_above_zero(size + size) + 1.0f);
    far = (vf)((vi)far | ((vi)x ^ (vi)size)); /* the sign of x */
    return v_select(v_less(size, v_set(0.625f)), near, far);
}

/* log(1 + x) for x in [0, 1], as 2 artanh(s), s = x / (2 + x) <= 1/3: s times a minimax
 * polynomial in s^2. */
static inline vf
v_log1p(vf x)
{
    vf s = x / (2.0f + x);
    vf square = s * s;
    vf p = square * 0.14089158f + 0.13980304f;
    p = p * square + 0.20012455f;
    p = p * square + 0.33333157f;
    s += s;
    return s * square * p + s;
}

/* The normal distribution function. Phi(-a) = e^(-a^2/2) t P(q), t = 1 / (1 + a/4.25),
 * q = 2 t - 1: the rest of Phi is smooth in t (Shepherd and Laframboise 1981), and a
 * minimax polynomial. a^2 is taken in two parts, the first of 12 exact bits squared: an
 * error of its last bit alone would be one of 1e-5 in the tail. */
static inline vf
v_normal_cdf(vf z)
{
    vf a = v_at_most(v_abs(z), 20.0f);
    vf high = (vf)((vi)a & -4096);
    vf low = -0.5f * (a - high) * (a + high);
    vf t = 4.25f / (4.25f + a);
    vf q = t + t - 1.0f;
    vf p = q * 5.43199000e-5f - 8.43280938e-5f;
    p = p * q - 5.14181175e-4f;
    p = p * q - 1.77574836e-4f;
    p = p * q + 4.55719831e-3f;
    p = p * q + 2.00642021e-2f;
    p = p * q + 5.18858908e-2f;
    p = p * q + 9.84064689e-2f;
    p = p * q + 1.47089366e-1f;
    p = p * q + 1.78718637e-1f;
    vf rest = low * 4.16666667e-2f + 1.66666667e-1f;
    rest = rest * low + 0.5f;
    rest = rest * low + 1.0f;
    vf e = v_exp(-0.5f * (high * high));
    vf tail = (e * (rest * low) + e) * (t * p);
    return v_select(v_greater(z, v_set(0.0f)), 1.0f - tail, tail);
}

#endif

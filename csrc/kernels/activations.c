#include "kernels.h"

#include "../base/simd.h"

/* An activation is two expressions over a vector: the function of z, and its derivative as
 * a function of what forward leaves (y, or z where the table below says from_input). */

static inline vf
linear_value(vf z, float alpha)
{
    (void)alpha;
    return z;
}

static inline vf
linear_slope(vf y, float alpha)
{
    (void)y;
    (void)alpha;
    return v_set(1.0f);
}

/* x < 0 -> 0 lets NaN and -0 through, as the reference does. */
static inline vf
relu_value(vf z, float alpha)
{
    (void)alpha;
    return v_at_least(z, 0.0f);
}

static inline vf
relu_slope(vf y, float alpha)
{
    (void)alpha;
    return v_select(v_greater(y, v_set(0.0f)), v_set(1.0f), v_set(0.0f));
}

static inline vf
leaky_relu_value(vf z, float alpha)
{
    return v_select(v_greater(z, v_set(0.0f)), z, alpha * z);
}

static inline vf
leaky_relu_slope(vf z, float alpha)
{
    return v_select(v_greater(z, v_set(0.0f)), v_set(1.0f), v_set(alpha));
}

/* alpha (e^z - 1) for z <= 0. */
static inline vf
elu_value(vf z, float alpha)
{
    return v_select(v_greater(z, v_set(0.0f)), z, alpha * (v_exp(z) - 1.0f));
}

static inline vf
elu_slope(vf z, float alpha)
{
    return v_select(v_greater(z, v_set(0.0f)), v_set(1.0f), alpha * v_exp(z));
}

static inline vf
sigmoid_value(vf z, float alpha)
{
    (void)alpha;
    return v_sigmoid(z);
}

static inline vf
sigmoid_slope(vf y, float alpha)
{
    (void)alpha;
    return y * (1.0f - y);
}

static inline vf
tanh_value(vf z, float alpha)
{
    (void)alpha;
    return v_tanh(z);
}

static inline vf
tanh_slope(vf y, float alpha)
{
    (void)alpha;
    return 1.0f - y * y;
}

/* z s(z), s the logistic function: SiLU, also called swish (Ramachandran et al. 2017). */
static inline vf
silu_value(vf z, float alpha)
{
    (void)alpha;
    return z * v_sigmoid(z);
}

static inline vf
silu_slope(vf z, float alpha)
{
    (void)alpha;
    vf s = v_sigmoid(z);
    return s * (1.0f + z * (1.0f - s));
}

/* 0.5 z (1 + tanh u), u = sqrt(2/pi) (z + 0.044715 z^3), as z s(2 u), s the logistic
 * function: Hendrycks and Gimpel 2016. */
static inline vf
gelu_value(vf z, float alpha)
{
    (void)alpha;
    return z * v_sigmoid(1.5957691216f * (z + 0.044715f * z * z * z));
}

/* s + z 2 u' s (1 - s). z^2 and e^-2u stay finite: beyond, the slope is 0 or 1. */
static inline vf
gelu_slope(vf z, float alpha)
{
    (void)alpha;
    z = v_at_most(v_at_least(z, -1e6f), 1e6f);
    vf e = v_exp(v_at_most(-1.5957691216f * (z + 0.044715f * z * z * z), 80.0f));
    vf s = 1.0f / (1.0f + e);
    vf du = 1.5957691216f * (1.0f + 0.134145f * z * z);
    return s + z * du * s * (e * s);
}

/* z Phi(z), Phi the normal distribution function. */
static inline vf
gelu_exact_value(vf z, float alpha)
{
    (void)alpha;
    return z * v_normal_cdf(z);
}

static inline vf
gelu_exact_slope(vf z, float alpha)
{
    (void)alpha;
    return v_normal_cdf(z) + z * (0.3989422804f * v_exp(-0.5f * z * z));
}

/* log(1 + e^z) as max(z, 0) + log(1 + e^-|z|), which overflows nowhere. */
static inline vf
softplus_value(vf z, float alpha)
{
    (void)alpha;
    vf rest = v_log1p(v_exp(v_select(v_greater(z, v_set(0.0f)), -z, z)));
    return v_at_least(z, 0.0f) + rest;
}

static inline vf
softplus_slope(vf z, float alpha)
{
    (void)alpha;
    return v_sigmoid(z);
}

/* The clipped line through (-3, 0), (0, 1/2) and (3, 1), which is near the logistic
 * function: Courbariaux et al. 2015, with the slope of Howard et al. 2019. */
static inline vf
hardsigmoid_value(vf z, float alpha)
{
    (void)alpha;
    return v_at_most(v_at_least(z + 3.0f, 0.0f), 6.0f) * (1.0f / 6.0f);
}

static inline vf
hardsigmoid_slope(vf z, float alpha)
{
    (void)alpha;
    return v_select(v_less(v_abs(z), v_set(3.0f)), v_set(1.0f / 6.0f), v_set(0.0f));
}

/* z times hardsigmoid(z): Howard et al. 2019. */
static inline vf
hardswish_value(vf z, float alpha)
{
    return z * hardsigmoid_value(z, alpha);
}

/* z / 3 + 1/2 between the corners. */
static inline vf
hardswish_slope(vf z, float alpha)
{
    (void)alpha;
    vf outside = v_select(v_greater(z, v_set(0.0f)), v_set(1.0f), v_set(0.0f));
    return v_select(v_less(v_abs(z), v_set(3.0f)), z * (1.0f / 3.0f) + 0.5f, outside);
}

/* LOOPS(name) defines name_forward and name_backward over arrays from name_value and
 * name_slope above. */
#define LOOPS(name)                                                                     \
    static void name##_forward(float *y, const float *z, int n, float alpha)            \
    {                                                                                   \
        int i = 0;                                                                      \
        for (; i + VL <= n; i += VL)                                                    \
            v_store(y + i, name##_value(v_load(z + i), alpha));                         \
        if (i < n)                                                                      \
            v_store_part(y + i, name##_value(v_load_part(z + i, n - i), alpha), n - i); \
    }                                                                                   \
    static void name##_backward(float *dz, const float *dy, const float *seen, int n,   \
                                float alpha)                                            \
    {                                                                                   \
        int i = 0;                                                                      \
        for (; i + VL <= n; i += VL)                                                    \
            v_store(dz + i, v_load(dy + i) * name##_slope(v_load(seen + i), alpha));    \
        if (i < n)                                                                      \
            v_store_part(dz + i,                                                        \
                         v_load_part(dy + i, n - i)                                     \
                             * name##_slope(v_load_part(seen + i, n - i), alpha),       \
                         n - i);                                                        \
    }

/* In the order of attributes: name, from_input, default alpha (0: it has none), whether it
 * is bounded below and above. */
#define ACTIVATIONS(ROW)                      \
    ROW(linear, false, 0.0, false, false)     \
    ROW(relu, false, 0.0, true, false)        \
    ROW(leaky_relu, true, 0.01, false, false) \
    ROW(elu, true, 1.0, true, false)          \
    ROW(sigmoid, false, 0.0, true, true)      \
    ROW(tanh, false, 0.0, true, true)         \
    ROW(silu, true, 0.0, true, false)         \
    ROW(gelu, true, 0.0, true, false)         \
    ROW(gelu_exact, true, 0.0, true, false)   \
    ROW(softplus, true, 0.0, true, false)     \
    ROW(hardsigmoid, true, 0.0, true, true)   \
    ROW(hardswish, true, 0.0, true, false)

#define LOOPS_OF(name, from_input, alpha, below, above) LOOPS(name)
ACTIVATIONS(LOOPS_OF)

#define ENUM_OF(name, from_input, alpha, below, above) ACTIVATION_##name,
enum { ACTIVATIONS(ENUM_OF) };

#define TABLE_ROW(name, from_input, alpha, below, above) \
    {#name, from_input, (float)alpha, name##_forward, name##_backward},
static const activation activations[] = {ACTIVATIONS(TABLE_ROW)};

/* One vector; `index` is that of the table. */
#define VALUE_CASE(name, from_input, parameter, below, above) \
    case ACTIVATION_##name:                                   \
        return name##_value(z, alpha);

static vf
activation_value(int index, vf z, float alpha)
{
    switch (index) {
        ACTIVATIONS(VALUE_CASE)
    }
    return z;
}

#define SLOPE_CASE(name, from_input, parameter, below, above) \
    case ACTIVATION_##name:                                   \
        return name##_slope(from_input ? z : y, alpha);

/* The derivative at z, where the value is y. */
static vf
activation_slope(int index, vf z, vf y, float alpha)
{
    switch (index) {
        ACTIVATIONS(SLOPE_CASE)
    }
    return z;
}

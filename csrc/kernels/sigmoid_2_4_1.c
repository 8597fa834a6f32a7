#include "kernels.h"

#include <string.h>

typedef float quad __attribute__((vector_size(16)));
typedef int32_t quad_mask __attribute__((vector_size(16)));

static inline quad
quad_load(const float *p)
{
    quad q;
    memcpy(&q, p, sizeof q);
    return q;
}

static inline void
quad_store(float *p, quad q)
{
    memcpy(p, &q, sizeof q);
}

/* The sum of the lanes, in every lane. */
static inline quad
quad_sum(quad q)
{
    q += __builtin_shufflevector(q, q, 1, 0, 3, 2);
    return q + __builtin_shufflevector(q, q, 2, 3, 0, 1);
}

/* 1 / (1 + e^-x) = 1/2 + tanh(x/2)/2, tanh(t) = t P(t^2) / Q(t^2), the rational minimax
 * approximation of degree 13/6 that Eigen and XNNPACK use; absolute error below 2e-7.
 * Both polynomials are evaluated as trees and meet in one division: the latency of this
 * function is the speed of the net. */
static inline quad
quad_sigmoid(quad x)
{
    const float most = 7.99881172f; /* tanh is 1 in float32 beyond */
    quad t = 0.5f * x;
    quad_mask high = t > most, low = t < -most; /* false for NaN, which stays */
    quad bound =
        (quad)(((quad_mask)(t - t + most) & high) | ((quad_mask)(t - t - most) & low));
    t = (quad)(((quad_mask)t & ~(high | low)) | (quad_mask)bound);
    quad u = t * t, u2 = u * u, u4 = u2 * u2;
    quad p01 = u * 6.37261928875436e-4f + 4.89352455891786e-3f;
    quad p23 = u * 5.12229709037114e-8f + 1.48572235717979e-5f;
    quad p45 = u * 2.00018790482477e-13f + -8.60467152213735e-11f;
    quad p = u4 * (u2 * -2.76076847742355e-16f + p45) + (u2 * p23 + p01);
    quad q01 = u * 2.26843463243900e-3f + 4.89352518554385e-3f;
    quad q23 = u * 1.19825839466702e-6f + 1.18534705686654e-4f;
    return (t * p) / (u2 * q23 + q01) * 0.5f + 0.5f;
}

static void
sigmoid_2_4_1_epoch(float *params, double *loss, int64_t *hits, const float *x,
                    const float *targets, const int32_t *order, int n, float lr)
{
    quad w0 = quad_load(params), w1 = quad_load(params + 4), b = quad_load(params + 8);
    quad v = quad_load(params + 12);
    quad c = v - v + params[16];
    double sum = *loss;
    for (int i = 0; i < n; i++) {
        ptrdiff_t row = order[i];
        float x0 = x[2 * row], x1 = x[2 * row + 1], t = targets[row];
        quad h = quad_sigmoid(b + x0 * w0 + x1 * w1);
        quad y = quad_sigmoid(quad_sum(h * v) + c);
        quad error = y - t;
        /* slope and lr_v are ready before y is. */
        quad slope = h * (1.0f - h), lr_v = lr * v * slope;
        quad d = error * (y * (1.0f - y));
        quad dh = d * lr_v;
        v -= lr * d * h;
        c -= lr * d;
        b -= dh;
        w0 -= x0 * dh;
        w1 -= x1 * dh;
        sum += (double)error[0] * error[0];
        *hits += (y[0] >= 0.5f) == (t >= 0.5f);
    }
    *loss = sum;
    quad_store(params, w0);
    quad_store(params + 4, w1);
    quad_store(params + 8, b);
    quad_store(params + 12, v);
    params[16] = c[0];
}

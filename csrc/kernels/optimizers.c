#include "kernels.h"

#include "../base/simd.h"

#include <math.h>
#include <string.h>

/* v = momentum * v + g; p -= lr * v, or with nesterov p -= lr * (g + momentum * v).
 * penalty * p is added to g first, as in PyTorch.      Sutskever et al. 2013 */
static void
sgd_step(float *p, float *velocity, const float *grads, int n, float lr, float scale,
         float momentum, bool nesterov, float penalty)
{
    for (int i = 0; i < n; i += VL) {
        int lanes = n - i < VL ? n - i : VL;
        vf value = v_load_part(p + i, lanes);
        vf g = v_load_part(grads + i, lanes) * scale + penalty * value;
        if (velocity != NULL) {
            vf v = v_normal(momentum * v_load_part(velocity + i, lanes) + g);
            v_store_part(velocity + i, v, lanes);
            g = nesterov ? g + momentum * v : v;
        }
        v_store_part(p + i, value - lr * g, lanes);
    }
}

/* m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2, p -= lr m^ / (sqrt(v^) + eps) with the bias
 * corrections m^ = m / (1 - b1^t), v^ = v / (1 - b2^t).            Kingma and Ba 2014.
 * epsilon_hat: their faster form, at the end of section 2: eps beside the root of v.
 * penalty * p is added to g; decay * p is taken off p directly (AdamW, Loshchilov 2017).
 * The moments of a dead unit decay to 0, not to subnormal numbers; v not before m, as a
 * small v holds back a small m. */
static void
adam_step(float *p, float *m, float *v, const float *grads, int n, float lr, float scale,
          double beta_1, double beta_2, float epsilon, bool epsilon_hat, float penalty,
          float decay, int64_t step)
{
    /* 1 - beta in double: in float32, 1 - 0.999 is off by 5e-5 of itself. */
    float keep_m = (float)beta_1, take_m = (float)(1 - beta_1);
    float keep_v = (float)beta_2, take_v = (float)(1 - beta_2);
    float correct_m = (float)(1 / (1 - pow(beta_1, (double)step)));
    float correct_v = (float)(1 / (1 - pow(beta_2, (double)step)));
    if (epsilon_hat)
        epsilon *= sqrtf(correct_v);
    for (int i = 0; i < n; i += VL) {
        int lanes = n - i < VL ? n - i : VL;
        vf value = v_load_part(p + i, lanes);
        vf g = v_load_part(grads + i, lanes) * scale + penalty * value;
        value -= lr * decay * value;
        vf mean = v_normal(keep_m * v_load_part(m + i, lanes) + take_m * g);
        vf square = keep_v * v_load_part(v + i, lanes) + take_v * (g * g);
        square = v_select(v_is_zero(mean), v_normal(square), square);
        v_store_part(m + i, mean, lanes);
        v_store_part(v + i, square, lanes);
        vf root = v_sqrt(square * correct_v);
        v_store_part(p + i, value - lr * (mean * correct_m) / (root + epsilon), lanes);
    }
}

/* v = a v + (1-a) g^2, p -= lr g / (sqrt(v) + eps): Tieleman and Hinton 2012, with
 * PyTorch's options. centered: mean = a mean + (1-a) g, and v - mean^2, which rounding must
 * not make negative, is under the root. With a velocity the step is added to momentum *
 * velocity. penalty * p is added to g. */
static void
rmsprop_step(float *p, float *v, float *velocity, float *mean, const float *grads, int n,
             float lr, float scale, double alpha, float epsilon, float momentum,
             float penalty)
{
    float keep = (float)alpha, take = (float)(1 - alpha); /* as in adam_step */
    for (int i = 0; i < n; i += VL) {
        int lanes = n - i < VL ? n - i : VL;
        vf value = v_load_part(p + i, lanes);
        vf g = v_load_part(grads + i, lanes) * scale + penalty * value;
        vf square = v_normal(keep * v_load_part(v + i, lanes) + take * (g * g));
        v_store_part(v + i, square, lanes);
        if (mean != NULL) {
            vf center = v_normal(keep * v_load_part(mean + i, lanes) + take * g);
            v_store_part(mean + i, center, lanes);
            square = v_at_least(square - center * center, 0.0f);
        }
        vf step = g / (v_sqrt(square) + epsilon);
        if (velocity != NULL) {
            step = v_normal(momentum * v_load_part(velocity + i, lanes) + step);
            v_store_part(velocity + i, step, lanes);
        }
        v_store_part(p + i, value - lr * step, lanes);
    }
}

/* As many numbers as fill a vector in float64. */
typedef float v_half __attribute__((vector_size(2 * VL)));
typedef double v_double __attribute__((vector_size(4 * VL)));

/* Sums side by side, which would wait for each other's additions. */
#define DOT_SUMS 4

/* In float64: products of float32 need not fit into float32. */
static double
dot(const float *x, const float *y, int n)
{
    v_double sum[DOT_SUMS] = {{0}};
    const int width = VL / 2;
    double total = 0;
    int i = 0;
    for (; i + DOT_SUMS * width <= n; i += DOT_SUMS * width)
        for (int s = 0; s < DOT_SUMS; s++) {
            v_half a, b;
            memcpy(&a, x + i + s * width, sizeof a);
            memcpy(&b, y + i + s * width, sizeof b);
            sum[s] +=
                __builtin_convertvector(a, v_double) * __builtin_convertvector(b, v_double);
        }
    for (int s = 0; s < DOT_SUMS; s++)
        for (int lane = 0; lane < width; lane++)
            total += sum[s][lane];
    for (; i < n; i++)
        total += (double)x[i] * y[i];
    return total;
}

static double
sum_of_squares(const float *x, int n)
{
    return dot(x, x, n);
}

static void
add_scaled(float *sum, const float *x, int n, float factor)
{
    for (int i = 0; i < n; i += VL) {
        int lanes = n - i < VL ? n - i : VL;
        vf v = v_load_part(sum + i, lanes) + factor * v_load_part(x + i, lanes);
        v_store_part(sum + i, v, lanes);
    }
}

static void
move_average(float *average, const float *p, int n, float step)
{
    for (int i = 0; i < n; i += VL) {
        int lanes = n - i < VL ? n - i : VL;
        vf old = v_load_part(average + i, lanes);
        v_store_part(average + i, old + step * (v_load_part(p + i, lanes) - old), lanes);
    }
}

#include "kernels.h"

#include "../base/simd.h"

#include <math.h>

/* v = momentum * v + g; p -= lr * v, or with nesterov p -= lr * (g + momentum * v).
 * g takes weight_decay * p first, as in PyTorch.        Sutskever et al. 2013 */
static void
sgd_step(float *p, float *velocity, const float *grads, int n, float lr, float scale,
         float momentum, bool nesterov, float weight_decay)
{
    for (int i = 0; i < n; i += VL) {
        int lanes = n - i < VL ? n - i : VL;
        vf value = v_load_part(p + i, lanes);
        vf g = v_load_part(grads + i, lanes) * scale + weight_decay * value;
        if (velocity != NULL) {
            vf v = momentum * v_load_part(velocity + i, lanes) + g;
            v_store_part(velocity + i, v, lanes);
            g = nesterov ? g + momentum * v : v;
        }
        v_store_part(p + i, value - lr * g, lanes);
    }
}

/* m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2, p -= lr m^ / (sqrt(v^) + eps) with the bias
 * corrections m^ = m / (1 - b1^t), v^ = v / (1 - b2^t).            Kingma and Ba 2014.
 * Weight decay is added to g (Adam) or taken off p directly (AdamW, Loshchilov 2017). */
static void
adam_step(float *p, float *m, float *v, const float *grads, int n, float lr, float scale,
          double beta_1, double beta_2, float epsilon, float weight_decay, bool decoupled,
          int64_t step)
{
    /* 1 - beta in double: in float32, 1 - 0.999 is off by 5e-5 of itself. */
    float keep_m = (float)beta_1, take_m = (float)(1 - beta_1);
    float keep_v = (float)beta_2, take_v = (float)(1 - beta_2);
    float correct_m = (float)(1 / (1 - pow(beta_1, (double)step)));
    float correct_v = (float)(1 / (1 - pow(beta_2, (double)step)));
    for (int i = 0; i < n; i += VL) {
        int lanes = n - i < VL ? n - i : VL;
        vf value = v_load_part(p + i, lanes);
        vf g = v_load_part(grads + i, lanes) * scale;
        if (decoupled)
            value -= lr * weight_decay * value;
        else
            g += weight_decay * value;
        vf mean = keep_m * v_load_part(m + i, lanes) + take_m * g;
        vf square = keep_v * v_load_part(v + i, lanes) + take_v * (g * g);
        v_store_part(m + i, mean, lanes);
        v_store_part(v + i, square, lanes);
        vf root = v_sqrt(square * correct_v);
        v_store_part(p + i, value - lr * (mean * correct_m) / (root + epsilon), lanes);
    }
}

/* In float64, in order. */
static double
sum_of_squares(const float *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

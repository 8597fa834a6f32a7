/* Losses. Part of kernels.h, which has the rules. */
#ifndef RNN_KERNELS_LOSSES_H
#define RNN_KERNELS_LOSSES_H

#include <stdint.h>

/* ---- losses: one double and one hit a row; the caller sums them in row order ---- */

/* Of rows begin..end. targets: int32_t labels (rows) or float values (rows, size); label
 * smoothing is for those losses that have it. */
typedef void loss_gradient(float *dout, double *loss, uint8_t *hit, const float *out,
                           const void *targets, float smoothing, int size, int begin,
                           int end);

/* p = softmax(z), row-wise; loss = -sum t ln p; dz = p - t, with t = (1 - smoothing) *
 * onehot(label) + smoothing / classes (Szegedy et al. 2016); a hit when the first maximum
 * is the label. The row maximum is subtracted before exp. */
static loss_gradient softmax_xent;
static void softmax(float *probabilities, const float *logits, int classes, int begin,
                    int end);

/* dz = p * (dp - sum(dp p)), row-wise; dz may be dp, and softmax may work in place. */
static void softmax_backward(float *dlogits, const float *dprobabilities,
                             const float *probabilities, int classes, int begin, int end);

/* loss = sum of (y - t)^2 over a row; dy = y - t, the gradient of half of it (the
 * reference system's pair); a hit when every y is on its t's side of 0.5. */
static loss_gradient squared_error;

/* loss = sum of |y - t| over a row; dy = the sign of y - t, 0 where they are equal; hits as
 * for squared_error. */
static loss_gradient absolute_error;

/* e = y - t; loss = sum over a row of e^2 / 2 where |e| <= 1, else of |e| - 1/2 (Huber
 * 1964, with delta = 1); dy = e, limited to [-1, 1]; hits as for squared_error. */
static loss_gradient huber;

/* p = 1 / (1 + e^-z); loss = -sum t ln p + (1 - t) ln(1 - p) over a row; dz = p - t, with t
 * = (1 - smoothing) * target + smoothing / 2; a hit when every p is on its target's side of
 * 0.5. */
static loss_gradient sigmoid_xent;
static void sigmoid_rows(float *probabilities, const float *logits, int size, int begin,
                         int end);

/* r = e^z; loss = sum of r - t + t ln(t / r) over a row, half the Poisson deviance; dz = r
 * - t; a hit when every r is less than 0.5 from its t. */
static loss_gradient poisson;
static void exp_rows(float *rates, const float *log_rates, int size, int begin, int end);

/* Row b's loss and gradient times weight[b]. */
static void weigh_rows(float *dout, double *loss, const float *weight, int size, int begin,
                       int end);

#endif

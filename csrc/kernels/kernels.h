/* Every kernel: formula, shapes, and what forward leaves for backward.
 *
 * Rules for all of them. Tensors are float32, row-major, and do not overlap. Outputs come
 * first, then inputs, then sizes; `d` + name is the gradient of the loss with respect to
 * that name. Outputs are overwritten, except a `target`, which becomes
 * beta * target + alpha * gradient (beta = 0 never reads it). A kernel computes the part
 * [begin, end) it is told, and an element's bits depend neither on that part nor on the
 * number of rows. Nothing is allocated, nothing is printed, nothing is global.
 *
 * The sources are compiled once for each CPU level, all in one unit (net/level.c), hence
 * `static`. */
#ifndef RNN_KERNELS_H
#define RNN_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Matrices may be read this many floats past their end; the values do not matter. */
#define RNN_READ_SLACK 16

/* ---- gemm.c ---- */

/* Element (m,k) of A is A[m*step_m + k*step_k]: a plain matrix or a transposed one.
 * C (M,N) = beta*C + alpha * A B; every element is summed over k = 0..K-1 in that order.
 * B (K,N) may be read RNN_READ_SLACK floats past its end. */
static void gemm(float *C, int ldc, const float *A, int step_m, int step_k, const float *B,
                 int ldb, int M, int N, int K, float alpha, float beta);

/* ---- activations.c ---- */

/* y = f(z) over n elements; alpha is the slope or scale of the functions that have one. */
typedef void (*activation_forward_fn)(float *y, const float *z, int n, float alpha);

/* dz = dy * f'; dz may be dy. `seen` is y, or z for an activation with from_input. */
typedef void (*activation_backward_fn)(float *dz, const float *dy, const float *seen, int n,
                                       float alpha);

typedef struct {
    const char *name;
    bool from_input; /* f' is computed from z, so forward must keep it */
    float alpha;     /* the default */
    activation_forward_fn forward;
    activation_backward_fn backward;
} activation;

/* ---- dense.c ----   inp (rows,in)   weight (in,out)   bias (out)   out, dout (rows,out)
 */

/* Z[:, begin:end] = X W + b */
static void dense_forward(float *out, const float *inp, const float *weight,
                          const float *bias, int rows, int in, int out_size, int begin,
                          int end);

/* dX[:, begin:end] = dZ W^T */
static void dense_backward_input(float *dinp, const float *dout, const float *weight,
                                 int rows, int in, int out_size, int begin, int end);

/* Columns begin..end of the targets of dW = X^T dZ and db = column sums of dZ. */
static void dense_backward_params(float *weight_target, float *bias_target,
                                  const float *dout, const float *inp, int rows, int in,
                                  int out_size, int begin, int end, float alpha,
                                  float beta);

/* ---- losses: one double and one hit a row; the caller sums them in row order ---- */

/* p = softmax(z), row-wise; loss = -ln p[label]; dz = p - onehot(label); a hit when the
 * first maximum is the label. The row maximum is subtracted before exp. */
static void softmax_xent(float *dlogits, double *loss, uint8_t *hit, const float *logits,
                         const int32_t *labels, int classes, int begin, int end);
static void softmax(float *probabilities, const float *logits, int classes, int begin,
                    int end);

/* loss = sum of (y - t)^2 over a row; dy = y - t, the gradient of half of it (the
 * reference system's pair); a hit when every y is on its t's side of 0.5. */
static void squared_error(float *dout, double *loss, uint8_t *hit, const float *out,
                          const float *targets, int size, int begin, int end);

/* ---- sigmoid_2_4_1.c ---- */

/* One epoch of the reference's XOR net, two dense layers with sigmoid and squared_error,
 * one update a row, all 17 parameters in registers: weight (2,4), bias (4), weight (4,1),
 * bias (1), as they lie in params. loss and hits are added to. */
static void sigmoid_2_4_1_epoch(float *params, double *loss, int64_t *hits, const float *x,
                                const float *targets, const int32_t *order, int n,
                                float lr);

/* ---- gather.c ---- */

/* out[i] = x[order[i]] for rows begin..end; bytes are divided by 255. order NULL: x[i]. */
static void gather_f32(float *out, const float *x, const int32_t *order, int size,
                       int begin, int end);
static void gather_u8(float *out, const uint8_t *x, const int32_t *order, int size,
                      int begin, int end);

#endif

/* From gradients to new parameters, and nets that train in one kernel. Part of kernels.h,
 * which has the rules. */
#ifndef RNN_KERNELS_TRAINING_H
#define RNN_KERNELS_TRAINING_H

#include "losses.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- reduce.c ---- */

/* target (n) = beta * target + alpha * (sum of the partials s = 0..count-1), which are
 * `stride` floats apart; count is a power of two, at most 128. They are added by a binary
 * tree: the sum of the lower half plus that of the upper half, each in the same way.
 * target may be the first partial. */
static void reduce(float *target, const float *partials, size_t stride, int count, int n,
                   float alpha, float beta);

/* ---- optimizers.c: n elements; grads are scaled first ---- */

/* velocity NULL: no momentum. */
static void sgd_step(float *p, float *velocity, const float *grads, int n, float lr,
                     float scale, float momentum, bool nesterov, float penalty);
static void adam_step(float *p, float *m, float *v, const float *grads, int n, float lr,
                      float scale, double beta_1, double beta_2, float epsilon,
                      bool epsilon_hat, float penalty, float decay, int64_t step);
/* velocity NULL: no momentum; mean NULL: not centered. */
static void rmsprop_step(float *p, float *v, float *velocity, float *mean,
                         const float *grads, int n, float lr, float scale, double alpha,
                         float epsilon, float momentum, float penalty);
static double dot(const float *x, const float *y, int n);
static double sum_of_squares(const float *x, int n);

/* sum += factor * x */
static void add_scaled(float *sum, const float *x, int n, float factor);

/* average += step * (p - average) */
static void move_average(float *average, const float *p, int n, float step);

/* ---- sigmoid_2_4_1.c ---- */

/* One epoch of the reference's XOR net, two dense layers with sigmoid and squared_error,
 * one update a row, all 17 parameters in registers: weight (2,4), bias (4), weight (4,1),
 * bias (1), as they lie in params. loss and hits are added to. */
static void sigmoid_2_4_1_epoch(float *params, double *loss, int64_t *hits, const float *x,
                                const float *targets, const int32_t *order, int n,
                                float lr);

/* ---- tiny.c ---- */

/* Dense layers that fit vectors: at most TINY_WIDTH inputs of the first, VL units of each,
 * which at every level but the lowest is 8 or more. Parameters of a layer, weight (in,
 * units) and bias, lie at its offset. */
#define TINY_LAYERS 4
#define TINY_WIDTH 16

typedef struct {
    int in, units;
    int activation; /* index */
    float alpha;
    size_t offset;
} tiny_layer;

typedef struct {
    tiny_layer layer[TINY_LAYERS];
    int n_layers;
    loss_gradient *loss;
    size_t target_bytes; /* of a row */
} tiny_net;

/* One epoch of SGD in batches, all weights in vectors; loss and hits are added to. */
static void tiny_epoch(const tiny_net *net, float *params, double *loss, int64_t *hits,
                       const float *x, const void *targets, const int32_t *order, int n,
                       int batch, float lr);

#endif

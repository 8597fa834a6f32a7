/* Every kernel: formula, shapes, and what forward leaves for backward, in one header for
 * each family.
 *
 * Rules for all of them. Tensors are float32, row-major, and do not overlap. Outputs come
 * first, then inputs, then sizes; `d` + name is the gradient of the loss with respect to
 * that name. Outputs are overwritten, except a `target`, which becomes
 * beta * target + alpha * gradient (beta = 0 never reads it). A kernel computes the given
 * part [begin, end), and an element's bits depend neither on that part nor on the
 * number of rows. Nothing is allocated, nothing is printed, nothing is global.
 *
 * The sources are compiled once for each CPU level, all in one unit (net/level/level.c),
 * hence `static`. */
#ifndef RNN_KERNELS_H
#define RNN_KERNELS_H

#include "images.h"
#include "inputs.h"
#include "layers.h"
#include "losses.h"
#include "products.h"
#include "training.h"

#include <stddef.h>
#include <stdint.h>

/* Matrices may be read this many floats past their end; the values do not matter. */
#define RNN_READ_SLACK 16

/* What a kernel does to one element of a target. */
static inline void
accumulate(float *target, float gradient, float alpha, float beta)
{
    *target = (beta == 0 ? 0 : beta * *target) + alpha * gradient;
}

/* Row i of x[order], rows being `bytes` long; order NULL: of x as it stands. */
static inline const void *
row_of(const void *x, const int32_t *order, int i, size_t bytes)
{
    return (const char *)x + (ptrdiff_t)(order != NULL ? order[i] : i) * (ptrdiff_t)bytes;
}

/* ---- peak.c ---- */

/* n rounds of sum = sum * factor + term over vectors that stay in registers. Returns how
 * many operations that were; result is what the sums add up to. */
static double multiply_adds(float *result, float factor, float term, int n);

#endif

/* Rows of the data: gathered, distorted, mixed. Part of kernels.h, which has the rules. */
#ifndef RNN_KERNELS_INPUTS_H
#define RNN_KERNELS_INPUTS_H

#include "../base/augmentation.h"
#include "../base/nonzeros.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- augment.c ---- */

/* image (channels, height, width) in place, changed by what `key` draws: sheared, scaled
 * and turned around its center, shifted, its coarse grid moved (Simard et al. 2003); pixels
 * are interpolated between four, and outside all is 0. scratch: rnn_augmentation_scratch.
 */
static void augment(float *image, const rnn_augmentation *a, uint64_t key, float *scratch);

/* row (n) = share * row + (1 - share) * other */
static void mix_row(float *row, const float *other, float share, int n);

/* ---- gather.c ---- */

/* out[i] = x[order[i]] for rows begin..end; bytes are divided by 255. order NULL: x[i]. */
static void gather_f32(float *out, const float *x, const int32_t *order, int size,
                       int begin, int end);
static void gather_u8(float *out, const uint8_t *x, const int32_t *order, int size,
                      int begin, int end);
static void gather_compressed(float *out, const rnn_compressed *x, const int32_t *order,
                              int size, int begin, int end);

/* Whether all of x (n) is zero. */
static bool is_blank(const float *x, int n);

#endif

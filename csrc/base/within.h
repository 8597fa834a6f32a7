/* Whether numbers lie within bounds. */
#ifndef RNN_WITHIN_H
#define RNN_WITHIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NaN lies within none. Both comparisons of every element are made: a loop without a branch
 * is vectorized. */
static inline bool
rnn_all_within(const float *x, size_t n, float low, float high)
{
    uint32_t outside = 0;
    for (size_t i = 0; i < n; i++)
        outside |= (uint32_t)!(x[i] >= low) | (uint32_t)!(x[i] <= high);
    return outside == 0;
}

#endif

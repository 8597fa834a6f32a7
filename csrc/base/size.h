/* Checked sizes: every product and sum that becomes an allocation goes through here. */
#ifndef RNN_SIZE_H
#define RNN_SIZE_H

#include <stdbool.h>
#include <stddef.h>

/* Largest extent of a dimension, product of dimensions, row count: BLAS counts in int. */
#define RNN_MAX_EXTENT 0x7fffffff

/* *total += count * each; false when the result does not fit. */
static inline bool
rnn_size_add(size_t *total, size_t count, size_t each)
{
    size_t bytes;
    return !__builtin_mul_overflow(count, each, &bytes)
           && !__builtin_add_overflow(*total, bytes, total);
}

/* Product of n positive extents; 0 when it exceeds RNN_MAX_EXTENT. */
static inline int
rnn_size_product(const int *extent, int n)
{
    int product = 1;
    for (int i = 0; i < n; i++)
        if (__builtin_mul_overflow(product, extent[i], &product))
            return 0;
    return product;
}

/* Sum of n extents of at least 0; 0 when it exceeds RNN_MAX_EXTENT. */
static inline int
rnn_size_sum(const int *extent, int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++)
        if (__builtin_add_overflow(sum, extent[i], &sum))
            return 0;
    return sum;
}

#endif

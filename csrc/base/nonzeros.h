/* The nonzeros of a batch of rows, for products that leave zeros out. */
#ifndef RNN_NONZEROS_H
#define RNN_NONZEROS_H

#include <stdint.h>

/* Columns are cut into so many ranges: those of a range are listed by one thread, and the
 * part of a weight's panel that belongs to a range fits the first-level cache. */
#define RNN_NONZERO_RANGES 4

/* Entries of row b, in the order of columns, are elements of column and value: those of
 * range r are range[b * (RNN_NONZERO_RANGES + 1) + r] up to the next. Rows listed together
 * lie side by side.
 * Entry k of column i is at element i * most_rows + k of row and row_value, in the order of
 * rows; there are count[i]. */
typedef struct rnn_nonzeros {
    int columns;
    int most_rows;
    int32_t *column;
    float *value;
    int32_t *range;
    int32_t *row;
    float *row_value;
    int32_t *count;
} rnn_nonzeros;

/* First column of a range; RNN_NONZERO_RANGES gives the end of the last. */
static inline int
rnn_range_begin(int columns, int range)
{
    return (int)((int64_t)columns * range / RNN_NONZERO_RANGES);
}

#endif

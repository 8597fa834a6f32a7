/* The nonzeros of a batch of rows, for products that leave zeros out. */
#ifndef RNN_NONZEROS_H
#define RNN_NONZEROS_H

#include <stdbool.h>
#include <stdint.h>

/* Columns are cut into this many ranges: those of a range are listed by one thread, and the
 * part of a weight's panel that belongs to a range fits the L1 cache. */
#define RNN_NONZERO_RANGES 4

/* Compressed rows: those entries of row i that are kept are elements begin[i] up to
 * begin[i + 1] of column, ascending, and of value. */
typedef struct {
    const int32_t *begin; /* NULL: no compressed rows */
    const int32_t *column;
    const float *value;
} rnn_compressed;

/* Entries of row b, in the order of columns, are elements of column and value: those of
 * range r are range[b * (RNN_NONZERO_RANGES + 1) + r] up to the next. Rows listed together
 * lie side by side, in the net's own lists; compressed rows are read where they are.
 * Entry k of column i is at element start[i] + k of row and row_value, in the order of
 * rows; there are count[i]. Columns either have room for all rows each, or lie one behind
 * the other (is_compact), each batch's in other places. */
typedef struct rnn_nonzeros {
    int columns;
    bool is_compact;
    int64_t room; /* elements of row and row_value */
    const int32_t *column;
    const float *value;
    int32_t *own_column;
    float *own_value;
    int32_t *range;
    int32_t *row;
    float *row_value;
    int32_t *start;
    int32_t *count;
} rnn_nonzeros;

/* First column of a range; that of RNN_NONZERO_RANGES is the end of the last. */
static inline int
rnn_range_begin(int columns, int range)
{
    return (int)((int64_t)columns * range / RNN_NONZERO_RANGES);
}

#endif

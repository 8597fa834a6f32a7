#include "kernels.h"

#include "../base/simd.h"

#include <string.h>

/* Appends the nonzeros of a row's columns begin..end to n that are listed; returns how many
 * there are then. Whether an entry stays is decided without a branch: digits are not
 * predictable. */
static int
append_f32(int32_t *column, float *value, int n, const float *x, int begin, int end)
{
    for (int i = begin; i < end; i++) {
        column[n] = i;
        value[n] = x[i];
        n += x[i] != 0;
    }
    return n;
}

static inline int
append_bytes(int32_t *column, float *value, int n, const uint8_t *x, int begin, int end)
{
    for (int i = begin; i < end; i++) {
        column[n] = i;
        value[n] = (float)x[i];
        n += x[i] != 0;
    }
    return n;
}

/* Most of an image is background: vectors of zeros are skipped. */
static int
append_u8(int32_t *column, float *value, int n, const uint8_t *x, int begin, int end)
{
    int i = begin;
#if VL == 16
    const __m512i ascending =
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (; i + VL <= end; i += VL) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(x + i));
        __mmask16 kept = _mm_test_epi8_mask(bytes, bytes);
        if (kept == 0)
            continue;
        __m512i at = _mm512_add_epi32(ascending, _mm512_set1_epi32(i));
        __m512 values = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
        _mm512_storeu_si512(column + n, _mm512_maskz_compress_epi32(kept, at));
        _mm512_storeu_ps(value + n, _mm512_maskz_compress_ps(kept, values));
        n += __builtin_popcount(kept);
    }
#else
    for (; i + 8 <= end; i += 8) {
        uint64_t bytes;
        memcpy(&bytes, x + i, 8);
        if (bytes != 0)
            n = append_bytes(column, value, n, x, i, i + 8);
    }
#endif
    return append_bytes(column, value, n, x, i, end);
}

static void
nonzeros_by_row(rnn_nonzeros *to, const void *x, bool is_bytes, const int32_t *order,
                int begin, int end)
{
    size_t bytes = (size_t)to->columns * (is_bytes ? 1 : sizeof(float));
    int32_t *column = to->own_column + (ptrdiff_t)begin * to->columns;
    float *value = to->own_value + (ptrdiff_t)begin * to->columns;
    int first = begin * to->columns, n = 0;
    for (int b = begin; b < end; b++) {
        const void *row = row_of(x, order, b, bytes);
        int32_t *range = to->range + (ptrdiff_t)b * (RNN_NONZERO_RANGES + 1);
        for (int r = 0; r < RNN_NONZERO_RANGES; r++) {
            int from = rnn_range_begin(to->columns, r);
            int until = rnn_range_begin(to->columns, r + 1);
            range[r] = first + n;
            n = is_bytes ? append_u8(column, value, n, row, from, until)
                         : append_f32(column, value, n, row, from, until);
        }
        range[RNN_NONZERO_RANGES] = first + n;
    }
    for (int k = 0; is_bytes && k < n; k++)
        value[k] /= 255.0f;
}

/* The first of a row's columns that is at least `least`. */
static int
find_column(const int32_t *column, int begin, int end, int least)
{
    while (begin < end) {
        int middle = begin + (end - begin) / 2;
        if (column[middle] < least)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static void
nonzeros_of_compressed(rnn_nonzeros *to, const rnn_compressed *x, const int32_t *order,
                       int begin, int end)
{
    for (int b = begin; b < end; b++) {
        int row = order != NULL ? order[b] : b, until = x->begin[row + 1];
        int32_t *range = to->range + (ptrdiff_t)b * (RNN_NONZERO_RANGES + 1);
        range[0] = x->begin[row];
        for (int r = 1; r < RNN_NONZERO_RANGES; r++)
            range[r] = find_column(x->column, range[r - 1], until,
                                   rnn_range_begin(to->columns, r));
        range[RNN_NONZERO_RANGES] = until;
    }
}

/* Where the lists of a range's columns begin: behind those of the ranges before. */
static void
lay_out_columns(rnn_nonzeros *z, int rows, int range)
{
    int next = 0, first = rnn_range_begin(z->columns, range);
    int last = rnn_range_begin(z->columns, range + 1);
    for (int b = 0; b < rows; b++) {
        const int32_t *bounds = z->range + (ptrdiff_t)b * (RNN_NONZERO_RANGES + 1);
        next += bounds[range] - bounds[0];
        for (int k = bounds[range]; k < bounds[range + 1]; k++)
            z->count[z->column[k]]++;
    }
    for (int i = first; i < last; i++) {
        z->start[i] = next;
        next += z->count[i];
        z->count[i] = 0;
    }
}

static void
nonzeros_by_column(rnn_nonzeros *z, int rows, int range)
{
    int first = rnn_range_begin(z->columns, range);
    int last = rnn_range_begin(z->columns, range + 1);
    memset(z->count + first, 0, (size_t)(last - first) * sizeof(int32_t));
    if (z->is_compact)
        lay_out_columns(z, rows, range);
    for (int b = 0; b < rows; b++) {
        const int32_t *bounds = z->range + (ptrdiff_t)b * (RNN_NONZERO_RANGES + 1) + range;
        for (int k = bounds[0]; k < bounds[1]; k++) {
            int column = z->column[k];
            int to = z->start[column] + z->count[column]++;
            z->row[to] = b;
            z->row_value[to] = z->value[k];
        }
    }
}

static int
count_nonzeros(const void *row, bool is_bytes, int n)
{
    int count = 0;
    for (int i = 0; i < n; i++)
        count += is_bytes ? ((const uint8_t *)row)[i] != 0 : ((const float *)row)[i] != 0;
    return count;
}

/* A list of elements: rows of B that are summed, and their factors. */
typedef struct {
    const int32_t *at;
    const float *value;
    int n;
} element_list;

/* sum + elements from `first` on times their rows of B, in the order of the list. */
static inline __attribute__((always_inline)) void
add_listed_rows(vf *sum, element_list list, int first, const float *B, int ldb, int vectors)
{
    for (int k = first; k < list.n; k++) {
        const float *row = B + (ptrdiff_t)list.at[k] * ldb;
        for (int v = 0; v < vectors; v++)
            sum[v] += list.value[k] * v_load(row + v * VL);
    }
}

/* Two lists side by side: the sums of one alone would wait for each other. */
static inline __attribute__((always_inline)) void
add_two_lists(vf *sum, vf *sum2, element_list list, element_list list2, const float *B,
              int ldb, int vectors)
{
    int both = list.n < list2.n ? list.n : list2.n;
    for (int k = 0; k < both; k++) {
        const float *row = B + (ptrdiff_t)list.at[k] * ldb;
        const float *row2 = B + (ptrdiff_t)list2.at[k] * ldb;
        for (int v = 0; v < vectors; v++)
            sum[v] += list.value[k] * v_load(row + v * VL);
        for (int v = 0; v < vectors; v++)
            sum2[v] += list2.value[k] * v_load(row2 + v * VL);
    }
    add_listed_rows(sum, list, both, B, ldb, vectors);
    add_listed_rows(sum2, list2, both, B, ldb, vectors);
}

/* Rows of a panel whose unfinished sums are kept side by side on the stack. */
#define PANEL_ROWS 64

/* What a row's sums begin with in a range: the bias, then what waits from the range
 * before; and where they go. */
typedef struct {
    float *out;
    int ldo;
    float *held;
    const float *bias;
    bool relu;
    int last; /* columns of the last vector */
} forward_rows;

static inline __attribute__((always_inline)) void
begin_row(vf *sum, const forward_rows *f, int b, int range, int vectors)
{
    for (int v = 0; v < vectors; v++)
        sum[v] = range > 0 ? v_load(f->held + (b * vectors + v) * VL)
                           : v_load_part(f->bias + v * VL, v + 1 == vectors ? f->last : VL);
}

static inline __attribute__((always_inline)) void
end_row(const vf *sum, const forward_rows *f, int b, int range, int vectors)
{
    float *to = f->out + (ptrdiff_t)b * f->ldo;
    for (int v = 0; v < vectors; v++)
        if (range + 1 < RNN_NONZERO_RANGES)
            v_store(f->held + (b * vectors + v) * VL, sum[v]);
        else
            v_store_part(to + v * VL, f->relu ? v_at_least(sum[v], 0.0f) : sum[v],
                         v + 1 == vectors ? f->last : VL);
}

static inline element_list
row_list(const rnn_nonzeros *inp, ptrdiff_t row, int range)
{
    const int32_t *bounds = inp->range + row * (RNN_NONZERO_RANGES + 1) + range;
    return (element_list){inp->column + bounds[0], inp->value + bounds[0],
                          bounds[1] - bounds[0]};
}

/* Range by range of the weight's rows, so that they are in the L1 cache while the
 * rows of X pass. Sums begin with the bias, wait in `held` between ranges, and end in out.
 */
static inline __attribute__((always_inline)) void
sparse_forward(const forward_rows *f, const rnn_nonzeros *inp, const float *weight, int ldw,
               ptrdiff_t row, int rows, int vectors)
{
    for (int r = 0; r < RNN_NONZERO_RANGES; r++) {
        int b = 0;
        for (; vectors <= PANEL_VECTORS && b + 2 <= rows; b += 2) {
            vf sum[PANEL_VECTORS], sum2[PANEL_VECTORS];
            begin_row(sum, f, b, r, vectors);
            begin_row(sum2, f, b + 1, r, vectors);
            add_two_lists(sum, sum2, row_list(inp, row + b, r),
                          row_list(inp, row + b + 1, r), weight, ldw, vectors);
            end_row(sum, f, b, r, vectors);
            end_row(sum2, f, b + 1, r, vectors);
        }
        for (; b < rows; b++) {
            vf sum[WIDE_PANEL / VL];
            begin_row(sum, f, b, r, vectors);
            add_listed_rows(sum, row_list(inp, row + b, r), 0, weight, ldw, vectors);
            end_row(sum, f, b, r, vectors);
        }
    }
}

static void
dense_forward_nonzeros(float *out, const rnn_nonzeros *inp, const float *weight, int ldw,
                       const float *bias, bool relu, int first_row, int rows, int out_size,
                       int width)
{
    float held[PANEL_ROWS * PANEL] __attribute__((aligned(64)));
    for (int begin = 0; begin < rows; begin += PANEL_ROWS) {
        int n = rows - begin < PANEL_ROWS ? rows - begin : PANEL_ROWS;
        int row = first_row + begin;
        forward_rows f = {.out = out + (ptrdiff_t)begin * out_size,
                          .ldo = out_size,
                          .held = held,
                          .bias = bias,
                          .relu = relu,
                          .last = VL};
        if (width == WIDE_PANEL) {
            sparse_forward(&f, inp, weight, ldw, row, n, WIDE_PANEL / VL);
            continue;
        }
        if (width == PANEL) {
            sparse_forward(&f, inp, weight, ldw, row, n, PANEL_VECTORS);
            continue;
        }
        for (int j = 0; j < width; j += VL) {
            f.last = width - j < VL ? width - j : VL;
            sparse_forward(&f, inp, weight + j, ldw, row, n, 1);
            f.out += VL;
            f.bias += VL;
        }
    }
}

/* What a column's sums are added to, rounded as gemm does: the product with alpha first. */
static inline __attribute__((always_inline)) void
end_column(float *target, vf *sum, int vectors, int last, float alpha, float beta)
{
    for (int v = 0; v < vectors; v++)
        sum[v] *= alpha;
    for (int v = 0; beta != 0 && v < vectors; v++)
        sum[v] += beta * v_load_lanes(target + v * VL, v + 1 == vectors ? last : VL);
    for (int v = 0; v < vectors; v++)
        v_store_lanes(target + v * VL, sum[v], v + 1 == vectors ? last : VL);
}

/* One column's list. Sums are taken in blocks of rows, as gemm does. */
static inline __attribute__((always_inline)) void
sparse_backward(float *target, element_list list, const float *dout, int ldd, int vectors,
                int last, float alpha, float beta)
{
    int k = 0;
    do {
        int m = list.n;
        while (m > k && list.at[m - 1] / BLOCK_K != list.at[k] / BLOCK_K)
            m--;
        vf sum[PANEL_VECTORS];
        for (int v = 0; v < vectors; v++)
            sum[v] = (vf){0};
        add_listed_rows(sum, (element_list){list.at, list.value, m}, k, dout, ldd, vectors);
        end_column(target, sum, vectors, last, alpha, beta);
        beta = 1;
        k = m;
    } while (k < list.n);
}

/* Two columns' lists of at most PANEL_ROWS rows, over a panel of whole vectors. */
static void
sparse_backward_two(float *target, float *target2, element_list list, element_list list2,
                    const float *dout, float alpha, float beta)
{
    vf sum[PANEL_VECTORS] = {{0}}, sum2[PANEL_VECTORS] = {{0}};
    add_two_lists(sum, sum2, list, list2, dout, PANEL, PANEL_VECTORS);
    end_column(target, sum, PANEL_VECTORS, VL, alpha, beta);
    end_column(target2, sum2, PANEL_VECTORS, VL, alpha, beta);
}

static inline element_list
column_list(const rnn_nonzeros *inp, int i)
{
    int at = inp->start[i];
    return (element_list){inp->row + at, inp->row_value + at, inp->count[i]};
}

/* A whole panel of columns, which rows of dout fill without gaps. Neighbors have lists of
 * about the same length. */
static void
sparse_backward_panel(float *target, int ldt, const float *dout, const rnn_nonzeros *inp,
                      int first, int last, float alpha, float beta)
{
    int i = first;
    for (; i + 2 <= last; i += 2) {
        element_list list = column_list(inp, i), list2 = column_list(inp, i + 1);
        float *to = target + (ptrdiff_t)i * ldt;
        if (list.n > 0 || list2.n > 0 || beta != 1)
            sparse_backward_two(to, to + ldt, list, list2, dout, alpha, beta);
    }
    if (i < last)
        sparse_backward(target + (ptrdiff_t)i * ldt, column_list(inp, i), dout, PANEL,
                        PANEL_VECTORS, VL, alpha, beta);
}

static void
dense_backward_weight_nonzeros(float *target, int ldt, const float *dout,
                               const rnn_nonzeros *inp, int rows, int out_size, int first,
                               int last, int width, float alpha, float beta)
{
    float panel[PANEL_ROWS * PANEL + RNN_READ_SLACK] __attribute__((aligned(64)));
    int ldd = out_size;
    if (rows <= PANEL_ROWS) {
        for (int b = 0; b < rows; b++)
            memcpy(panel + b * PANEL, dout + (ptrdiff_t)b * out_size,
                   (size_t)width * sizeof(float));
        dout = panel;
        ldd = PANEL;
        if (width == PANEL) {
            sparse_backward_panel(target, ldt, dout, inp, first, last, alpha, beta);
            return;
        }
    }
    for (int i = first; i < last; i++) {
        element_list list = column_list(inp, i);
        float *to = target + (ptrdiff_t)i * ldt;
        if (list.n == 0 && beta == 1)
            continue;
        if (width == PANEL)
            sparse_backward(to, list, dout, ldd, PANEL_VECTORS, VL, alpha, beta);
        else
            for (int j = 0; j < width; j += VL)
                sparse_backward(to + j, list, dout + j, ldd, 1,
                                width - j < VL ? width - j : VL, alpha, beta);
    }
}

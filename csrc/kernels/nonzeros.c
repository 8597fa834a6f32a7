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

/* Most of an image is background: what is zero altogether is passed over. */
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
    int32_t *column = to->column + (ptrdiff_t)begin * to->columns;
    float *value = to->value + (ptrdiff_t)begin * to->columns;
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

static void
nonzeros_by_column(rnn_nonzeros *z, int rows, int range)
{
    int first = rnn_range_begin(z->columns, range);
    int last = rnn_range_begin(z->columns, range + 1);
    memset(z->count + first, 0, (size_t)(last - first) * sizeof(int32_t));
    for (int b = 0; b < rows; b++) {
        const int32_t *bounds = z->range + (ptrdiff_t)b * (RNN_NONZERO_RANGES + 1) + range;
        for (int k = bounds[0]; k < bounds[1]; k++) {
            int column = z->column[k];
            ptrdiff_t to = (ptrdiff_t)column * z->most_rows + z->count[column]++;
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

/* sum + the listed elements times their rows of B, in the order of the list. */
static inline __attribute__((always_inline)) void
add_listed_rows(vf *sum, const int32_t *at, const float *value, int n, const float *B,
                int ldb, int vectors)
{
    for (int k = 0; k < n; k++) {
        const float *row = B + (ptrdiff_t)at[k] * ldb;
        for (int v = 0; v < vectors; v++)
            sum[v] += value[k] * v_load(row + v * VL);
    }
}

/* Rows of a panel whose unfinished sums are kept side by side on the stack. */
#define PANEL_ROWS 64

/* Range by range of the weight's rows, so that they are in the first-level cache while the
 * rows of X pass. Sums begin with the bias, wait in `held` between ranges, and end in out.
 */
static inline __attribute__((always_inline)) void
sparse_forward(float *out, int ldo, float *held, const rnn_nonzeros *inp,
               const float *weight, int ldw, const float *bias, bool relu, ptrdiff_t row,
               int rows, int vectors, int last)
{
    for (int r = 0; r < RNN_NONZERO_RANGES; r++)
        for (int b = 0; b < rows; b++) {
            const int32_t *range = inp->range + (row + b) * (RNN_NONZERO_RANGES + 1) + r;
            vf sum[WIDE_PANEL / VL];
            for (int v = 0; v < vectors; v++)
                sum[v] = r > 0 ? v_load(held + (b * vectors + v) * VL)
                               : v_load_part(bias + v * VL, v + 1 == vectors ? last : VL);
            add_listed_rows(sum, inp->column + range[0], inp->value + range[0],
                            range[1] - range[0], weight, ldw, vectors);
            float *to = out + (ptrdiff_t)b * ldo;
            for (int v = 0; v < vectors; v++)
                if (r + 1 < RNN_NONZERO_RANGES)
                    v_store(held + (b * vectors + v) * VL, sum[v]);
                else
                    v_store_part(to + v * VL, relu ? v_at_least(sum[v], 0.0f) : sum[v],
                                 v + 1 == vectors ? last : VL);
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
        float *to = out + (ptrdiff_t)begin * out_size;
        if (width == WIDE_PANEL)
            sparse_forward(to, out_size, held, inp, weight, ldw, bias, relu,
                           first_row + begin, n, WIDE_PANEL / VL, VL);
        else if (width == PANEL)
            sparse_forward(to, out_size, held, inp, weight, ldw, bias, relu,
                           first_row + begin, n, PANEL_VECTORS, VL);
        else
            for (int j = 0; j < width; j += VL)
                sparse_forward(to + j, out_size, held, inp, weight + j, ldw, bias + j, relu,
                               first_row + begin, n, 1, width - j < VL ? width - j : VL);
    }
}

/* One column's list. Sums are taken in blocks of rows, as gemm does. */
static inline __attribute__((always_inline)) void
sparse_backward(float *target, const int32_t *row, const float *value, int n,
                const float *dout, int ldd, int vectors, int last, float alpha, float beta)
{
    int k = 0;
    do {
        int m = n;
        while (m > k && row[m - 1] / BLOCK_K != row[k] / BLOCK_K)
            m--;
        vf sum[PANEL_VECTORS];
        for (int v = 0; v < vectors; v++)
            sum[v] = (vf){0};
        add_listed_rows(sum, row + k, value + k, m - k, dout, ldd, vectors);
        for (int v = 0; v < vectors; v++) {
            int lanes = v + 1 == vectors ? last : VL;
            vf old = beta == 0 ? (vf){0} : beta * v_load_part(target + v * VL, lanes);
            v_store_part(target + v * VL, old + alpha * sum[v], lanes);
        }
        beta = 1;
        k = m;
    } while (k < n);
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
    }
    for (int i = first; i < last; i++) {
        int n = inp->count[i];
        if (n == 0 && beta == 1)
            continue;
        ptrdiff_t list = (ptrdiff_t)i * inp->most_rows;
        const int32_t *row = inp->row + list;
        const float *value = inp->row_value + list;
        float *to = target + (ptrdiff_t)i * ldt;
        if (width == PANEL)
            sparse_backward(to, row, value, n, dout, ldd, PANEL_VECTORS, VL, alpha, beta);
        else
            for (int j = 0; j < width; j += VL)
                sparse_backward(to + j, row, value, n, dout + j, ldd, 1,
                                width - j < VL ? width - j : VL, alpha, beta);
    }
}

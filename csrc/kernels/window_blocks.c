#include "kernels.h"

#include "../base/simd.h"

#include <string.h>

#define F BLOCK_FILTERS

/* Vectors of a filter's numbers of one window: a part of one, or several. */
#define PARTS_OF_F (F > VL ? F / VL : 1)

/* Vectors of a block that are summed at once. */
#define BLOCK_VECTORS 5

/* What a block's vector k is multiplied by: the window's F numbers, repeated. */
static inline vf
v_load_filters(const float *p, int k)
{
#if VL == 16
    (void)k;
    return (vf)_mm512_broadcast_f32x8(_mm256_loadu_ps(p));
#else
    return v_load(p + k % PARTS_OF_F * VL);
#endif
}

/* The reverse of v_interleave: windows' filters become vectors of a filter's windows. */
static inline __attribute__((always_inline)) void
filters_apart(vf v[F])
{
    for (int width = 1; width < F; width *= 2) {
        vf apart[F];
        for (int i = 0; i < F / 2; i++) {
            apart[i] = v_evens(v[2 * i], v[2 * i + 1]);
            apart[i + F / 2] = v_odds(v[2 * i], v[2 * i + 1]);
        }
        memcpy(v, apart, sizeof apart);
    }
}

static int
block_size(int units)
{
    return (units * F + 15) / 16 * 16;
}

static void
blocks_pack(float *blocks, const float *weight, int windows, int units)
{
    int size = block_size(units);
    memset(blocks, 0, (size_t)windows * (size_t)size * sizeof(float));
    for (int f = 0; f < F; f++)
        for (int w = 0; w < windows; w++)
            for (int j = 0; j < units; j++)
                blocks[(ptrdiff_t)w * size + j * F + f] = *weight++;
}

static void
blocks_unpack(float *weight, const float *blocks, int windows, int first, int last,
              int units, float alpha, float beta)
{
    int size = block_size(units);
    for (int f = 0; f < F; f++)
        for (int w = first; w < last && w < windows; w++)
            for (int j = 0; j < units; j++)
                accumulate(weight + ((ptrdiff_t)f * windows + w) * units + j,
                           blocks[(ptrdiff_t)w * size + j * F + f], alpha, beta);
}

static void
blocks_sum(float *sums, const float *blocks, int windows, int units)
{
    int size = block_size(units);
    for (int i = 0; i < size; i += VL) {
        vf sum = {0};
        for (int w = 0; w < windows; w++)
            sum += v_load(blocks + (ptrdiff_t)w * size + i);
        v_store(sums + i, sum);
    }
}

static void
windows_index(int32_t *index, const live_windows *live)
{
    vi windows = v_lanes();
    for (int i = 0; i * VL < live->count; i++, windows += VL) {
        vf packed = v_compress((vf)windows, live->bits[i]);
        memcpy(index + live->begin[i], &packed, sizeof packed);
    }
}

static void
windows_pooled(float *pooled, int32_t *which, float *listed, const float *patches,
               int stride, int n, const float *weight, const float *bias, bool relu, int K)
{
    for (int f = 0; f < F; f += WINDOW_FILTERS) {
        ptrdiff_t at = (ptrdiff_t)f * stride;
        forward_filters(listed + at, which + at, patches, stride, n,
                        weight + (ptrdiff_t)f * K * K, bias + f, relu, WINDOW_FILTERS, K);
    }
    for (int i = 0; i < n; i += VL) {
        vf v[F];
        for (int f = 0; f < F; f++)
            v[f] = v_load(listed + (ptrdiff_t)f * stride + i);
        v_interleave(v, F);
        for (int f = 0; f < F; f++)
            v_store(pooled + (ptrdiff_t)i * F + f * VL, v[f]);
    }
}

/* A window's F numbers less those of blank windows, repeated. */
static inline vf
v_load_excess(const float *pooled, const float *blank, int k)
{
    return v_load_filters(pooled, k) - v_load_filters(blank, k);
}

/* sums += products of `vectors` vectors of the listed windows' blocks from `first` on. */
static inline __attribute__((always_inline)) void
add_blocks(float *sums, const float *pooled, const float *blank, const int32_t *index,
           int n, const float *blocks, int size, int first, int vectors)
{
    vf sum[BLOCK_VECTORS];
    for (int k = 0; k < vectors; k++)
        sum[k] = (vf){0};
    for (int i = 0; i < n; i++) {
        const float *block = blocks + (ptrdiff_t)index[i] * size + first * VL;
        for (int k = 0; k < vectors; k++)
            sum[k] += v_load_excess(pooled + (ptrdiff_t)i * F, blank, first + k)
                      * v_load(block + k * VL);
    }
    for (int k = 0; k < vectors; k++)
        v_store(sums + (first + k) * VL, sum[k]);
}

/* Sums of F neighbors, side by side; as many zeros follow. */
static void
add_neighbors(float *sums, int size)
{
    for (int width = 1; width < F; width *= 2) {
        for (int i = 0; i < size; i += 2 * VL) {
            vf a = v_load(sums + i), b = i + VL < size ? v_load(sums + i + VL) : (vf){0};
            v_store(sums + i / 2, v_evens(a, b) + v_odds(a, b));
        }
        size = (size / 2 + VL - 1) / VL * VL;
    }
}

static void
blocks_forward(float *out, const float *pooled, const float *blank, const int32_t *index,
               int n, const float *blocks, const float *constant, int units)
{
    float sums[BLOCK_MAX] __attribute__((aligned(64)));
    int size = block_size(units), vectors = size / VL, k = 0;
    for (; k + BLOCK_VECTORS <= vectors; k += BLOCK_VECTORS)
        add_blocks(sums, pooled, blank, index, n, blocks, size, k, BLOCK_VECTORS);
    for (; k < vectors; k++)
        add_blocks(sums, pooled, blank, index, n, blocks, size, k, 1);
    add_neighbors(sums, size);
    for (int j = 0; j < units; j++)
        out[j] = constant[j] + sums[j];
}

static void
blocks_spread(float *spread, const float *dout, int units)
{
    memset(spread, 0, (size_t)block_size(units) * sizeof(float));
    for (int j = 0; j < units; j++)
        for (int f = 0; f < F; f++)
            spread[j * F + f] = dout[j];
}

/* Windows whose gradients are computed together, as many as fill a vector. */
#define BLOCK_WINDOWS (VL > F ? VL / F : 1)

/* together (n, F): the listed windows' blocks times spread, summed over units; as many more
 * as make BLOCK_WINDOWS are written. */
static inline __attribute__((always_inline)) void
multiply_blocks(float *together, const float *blocks, int size, const int32_t *index, int n,
                const float *spread, int vectors)
{
    vf factor[BLOCK_MAX / VL];
    for (int k = 0; k < vectors; k++)
        factor[k] = v_load(spread + k * VL);
    for (int i = 0; i < n; i += BLOCK_WINDOWS) {
        float *to = together + (ptrdiff_t)i * F;
        vf sum[BLOCK_WINDOWS * PARTS_OF_F];
        for (int k = 0; k < BLOCK_WINDOWS * PARTS_OF_F; k++)
            sum[k] = (vf){0};
        for (int k = 0; k < vectors; k++)
            for (int w = 0; w < BLOCK_WINDOWS; w++)
                sum[w * PARTS_OF_F + k % PARTS_OF_F] +=
                    factor[k] * v_load(blocks + (ptrdiff_t)index[i + w] * size + k * VL);
#if VL == 16
        v_store(to, V_LOWER_HALVES(sum[0], sum[1]) + V_UPPER_HALVES(sum[0], sum[1]));
#else
        for (int k = 0; k < PARTS_OF_F; k++)
            v_store(to + k * VL, sum[k]);
#endif
    }
}

static void
block_backward(float *to, const float *block, const float *spread, int units)
{
    float windows[BLOCK_WINDOWS * F];
    multiply_blocks(windows, block, 0, (int32_t[BLOCK_WINDOWS]){0}, 1, spread,
                    block_size(units) / VL);
    memcpy(to, windows, F * sizeof(float));
}

static void
blocks_backward(float *listed, int stride, float *sums, float *together,
                const float *blocks, const int32_t *index, int n, const float *spread,
                int units)
{
    int size = block_size(units), whole = (n + VL - 1) / VL * VL;
    vf total[F];
    if (size == BLOCK_VECTORS * VL)
        multiply_blocks(together, blocks, size, index, n, spread, BLOCK_VECTORS);
    else
        multiply_blocks(together, blocks, size, index, n, spread, size / VL);
    memset(together + (ptrdiff_t)n * F, 0, (size_t)((whole - n) * F) * sizeof(float));
    for (int f = 0; f < F; f++)
        total[f] = (vf){0};
    for (int i = 0; i < n; i += VL) {
        vf v[F];
        for (int f = 0; f < F; f++)
            v[f] = v_load(together + (ptrdiff_t)i * F + f * VL);
        filters_apart(v);
        for (int f = 0; f < F; f++) {
            v_store(listed + (ptrdiff_t)f * stride + i, v[f]);
            total[f] += v[f];
        }
    }
    for (int f = 0; f < F; f++)
        sums[f] = v_sum(total[f]);
}

static void
blocks_windows_backward(float *sums, const float *listed, const int32_t *which,
                        const float *patches, int stride, int n, int K)
{
    for (int f = 0; f < F; f++, sums += (K * K + 1) * VL)
        backward_windows(sums, listed + (ptrdiff_t)f * stride,
                         which + (ptrdiff_t)f * stride, patches, stride, n, K);
}

/* In which of the rows each of VL windows is live: bit b for row b. */
static void
rows_of_windows(uint64_t *rows_of, const uint32_t *bits)
{
    for (int l = 0; l < VL; l++) {
        rows_of[l] = 0;
        for (int b = 0; b < BLOCK_ROWS; b += VL) {
            vi of_rows;
            memcpy(&of_rows, bits + b, sizeof of_rows);
            rows_of[l] |= (uint64_t)v_with_bit(of_rows, l) << b;
        }
    }
}

/* What one window's rows add to `vectors` vectors of its block from `first` on. The sum
 * starts at zero. So for a filter that gives zero in its live rows, it has the bits of
 * sum_blank_rows for these rows, and their difference is exactly zero. */
static inline __attribute__((always_inline)) void
block_gradient(float *target, const float *constant, const float *blank, uint64_t rows_of,
               const float *const *pooled, const block_row *rows, int first, int vectors,
               float alpha, float beta)
{
    vf sum[BLOCK_VECTORS];
    for (int k = 0; k < vectors; k++)
        sum[k] = (vf){0};
    for (; rows_of != 0; rows_of &= rows_of - 1) {
        int b = __builtin_ctzll(rows_of);
        for (int k = 0; k < vectors; k++)
            sum[k] += v_load_excess(pooled[b], blank, first + k)
                      * v_load(rows[b].spread + (first + k) * VL);
    }
    for (int k = 0; k < vectors; k++) {
        float *to = target + (first + k) * VL;
        vf old = beta == 0 ? (vf){0} : beta * v_load(to);
        v_store(to, old + alpha * (v_load(constant + (first + k) * VL) + sum[k]));
    }
}

/* constant (size): what a window gets from the rows in which it is blank. */
static void
sum_blank_rows(float *constant, const float *blank, uint64_t rows_of, const block_row *rows,
               int size)
{
    for (int k = 0; k < size; k += VL) {
        vf sum = {0};
        for (uint64_t bits = rows_of; bits != 0; bits &= bits - 1)
            sum += v_load_filters(blank, k / VL)
                   * v_load(rows[__builtin_ctzll(bits)].spread + k);
        v_store(constant + k, sum);
    }
}

static void
blocks_gradient(float *blocks, const float *blank, const block_row *rows, int n,
                int windows, int first, int last, int units, float alpha, float beta)
{
    static const float nothing[F] = {0};
    uint64_t all = n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX;
    int size = block_size(units), vectors = size / VL;
    float of_all[BLOCK_MAX], of_few[BLOCK_MAX];
    sum_blank_rows(of_all, blank, all, rows, size);
    for (int v = first; v < last; v++) {
        uint32_t bits[BLOCK_ROWS] = {0};
        uint64_t rows_of[VL];
        const float *pooled[BLOCK_ROWS];
        for (int b = 0; b < n; b++) {
            bits[b] = rows[b].live.bits[v];
            pooled[b] = rows[b].pooled + (ptrdiff_t)rows[b].live.begin[v] * F;
        }
        rows_of_windows(rows_of, bits);
        for (int l = 0; l < VL && v * VL + l < windows; l++) {
            float *target = blocks + (ptrdiff_t)(v * VL + l) * size;
            uint64_t others = all & ~rows_of[l];
            bool few = are_few(__builtin_popcountll(others), n);
            const float *constant = few ? of_few : of_all, *less = few ? nothing : blank;
            int k = 0;
            if (few)
                sum_blank_rows(of_few, blank, others, rows, size);
            for (; k + BLOCK_VECTORS <= vectors; k += BLOCK_VECTORS)
                block_gradient(target, constant, less, rows_of[l], pooled, rows, k,
                               BLOCK_VECTORS, alpha, beta);
            for (; k < vectors; k++)
                block_gradient(target, constant, less, rows_of[l], pooled, rows, k, 1,
                               alpha, beta);
            for (uint64_t bit = rows_of[l]; bit != 0; bit &= bit - 1)
                pooled[__builtin_ctzll(bit)] += F;
        }
    }
}

#undef F

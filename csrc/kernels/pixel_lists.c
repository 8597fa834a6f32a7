#include "kernels.h"

#include "../base/simd.h"

/* A max pool hands its gradient to one position per window: gradients below are taken from
 * lists of these instead of from an image that is mostly zero. */

static int
pixel_list_size(const pixel_sizes *z)
{
    return z->runs * z->run_wide;
}

static void
pixel_list_offsets(int32_t *place, int32_t *vector, const int32_t *pixel,
                   const int32_t *run, const pixel_sizes *z, const rnn_window *pool)
{
    int taps = pool->KH * pool->KW, vectors = z->run_wide / VL;
    for (int w = 0; w < pool->P * pool->Q; w++, place += taps + 1) {
        pool_window at = window_at(w / pool->Q, w % pool->Q, pool);
        int number = 0;
        memset(place, 0, (size_t)(taps + 1) * sizeof *place);
        for (int y = at.ys.begin; y < at.ys.end; y++)
            for (int x = at.xs.begin; x < at.xs.end; x++)
                place[number++] = pixel[y * pool->W + x];
    }
    for (int r = 0; r < z->runs; r++)
        for (int v = 0; v < vectors; v++)
            *vector++ = run[r] + v * VL;
}

/* sums += the listed numbers times the vectors at the listed places. */
static inline __attribute__((always_inline)) void
add_listed(float *sums, const float *inp, const int32_t *vector, const int32_t *at,
           const float *value, int n, int vectors)
{
    vf sum[PIXEL_ROWS];
    const float *from[PIXEL_ROWS];
    for (int v = 0; v < vectors; v++) {
        sum[v] = v_load(sums + v * VL);
        from[v] = inp + vector[v];
    }
    for (int k = 0; k < n; k++)
        for (int v = 0; v < vectors; v++)
            sum[v] += value[k] * v_load(from[v] + at[k]);
    for (int v = 0; v < vectors; v++)
        v_store(sums + v * VL, sum[v]);
}

static void
pixel_listed_weight_gradient(float *sums, float *bias_sums, const float *dout,
                             const int32_t *which, const float *inp, const int32_t *place,
                             const int32_t *vector, int32_t *at, float *value,
                             const pixel_sizes *z, const rnn_window *pool)
{
    int none = pool->KH * pool->KW, windows = pool->P * pool->Q;
    int vectors = pixel_list_size(z) / VL;
    for (int f = 0; f < z->filters; f++, dout++, which++) {
        int n = 0;
        float bias = 0;
        for (int w = 0; w < windows; w++) {
            int number = which[(ptrdiff_t)w * z->filters];
            at[n] = place[w * (none + 1) + number];
            value[n] = dout[(ptrdiff_t)w * z->filters];
            n += number < none;
        }
        for (int k = 0; k < n; k++)
            bias += value[k];
        bias_sums[f] += bias;
        for (int v = 0, rows; v < vectors; v += rows, sums += rows * VL) {
            rows = next_tile(v, vectors);
#define VECTORS(m) add_listed(sums, inp, vector + v, at, value, n, m)
            FOR_ROWS(rows, VECTORS)
#undef VECTORS
        }
    }
}

/* Vectors `first`.. at `to` += the listed numbers times the listed filters' weights. */
static inline __attribute__((always_inline)) void
add_listed_filters(float *to, const float *listed, const int32_t *vector,
                   const int32_t *filter, const float *value, int n, int first,
                   const pixel_sizes *z, int vectors)
{
    vf sum[PIXEL_ROWS];
    int size = pixel_list_size(z), of_run = z->run_wide / VL;
    for (int v = 0; v < vectors; v++)
        sum[v] = (vf){0};
    for (int k = 0; k < n; k++) {
        const float *from = listed + (ptrdiff_t)filter[k] * size + first * VL;
        for (int v = 0; v < vectors; v++)
            sum[v] += value[k] * v_load(from + v * VL);
    }
    for (int v = 0; v < vectors; v++) {
        int lanes = lanes_of(z->run, (first + v) % of_run);
        float *at = to + vector[first + v];
        v_store_lanes(at, v_load_lanes(at, lanes) + sum[v], lanes);
    }
}

/* The filters of a window whose maximum is the same output are taken together. */
static void
pixel_listed_input_gradient(float *dinp, const float *dout, const int32_t *which,
                            const int32_t *place, const int32_t *vector, int32_t *filter,
                            float *value, const float *listed, const pixel_sizes *z,
                            const rnn_window *pool)
{
    int none = pool->KH * pool->KW, vectors = pixel_list_size(z) / VL;
    for (int w = 0; w < pool->P * pool->Q; w++, place += none + 1) {
        int count[PIXEL_POOL_TAPS + 1] = {0};
        for (int f = 0; f < z->filters; f++) {
            int number = *which++, to = number * z->filters + count[number]++;
            filter[to] = f;
            value[to] = *dout++;
        }
        for (int u = 0; u < none; u++) {
            float *to = dinp + place[u];
            for (int v = 0, rows; count[u] > 0 && v < vectors; v += rows) {
                rows = next_tile(v, vectors);
#define VECTORS(m)                                                  \
    add_listed_filters(to, listed, vector, filter + u * z->filters, \
                       value + u * z->filters, count[u], v, z, m)
                FOR_ROWS(rows, VECTORS)
#undef VECTORS
            }
        }
    }
}

#include "kernels.h"

#include "../base/simd.h"

#include <string.h>

/* A max pool hands its gradient to one of four outputs: gradients below are taken from a
 * list of these instead of from planes that are mostly zero. Pixels, and a kernel's rows,
 * have their channels side by side, so that what an output sees is K runs of K*C numbers.
 */

static int
pooled_run(const rnn_window *s)
{
    return (s->KW * s->C + VL - 1) / VL * VL;
}

static void
pooled_weight_runs(float *runs, const float *weight, int filters, const rnn_window *s)
{
    int run = pooled_run(s), K = s->KW, C = s->C;
    memset(runs, 0, (size_t)filters * (size_t)(K * run) * sizeof(float));
    for (int f = 0; f < filters; f++)
        for (int c = 0; c < C; c++)
            for (int k = 0; k < K; k++)
                for (int l = 0; l < K; l++)
                    runs[((ptrdiff_t)f * K + k) * run + l * C + c] = *weight++;
}

static void
pooled_add_runs(float *target, const float *runs, int filters, const rnn_window *s,
                float alpha, float beta)
{
    int run = pooled_run(s), K = s->KW, C = s->C;
    for (int f = 0; f < filters; f++)
        for (int c = 0; c < C; c++)
            for (int k = 0; k < K; k++)
                for (int l = 0; l < K; l++)
                    accumulate(target++, runs[((ptrdiff_t)f * K + k) * run + l * C + c],
                               alpha, beta);
}

/* Where among the pixels a window of the pool begins, and where its outputs 0 to 3 do. */
static int
window_begin(int w, const rnn_window *s)
{
    int Q = s->Q / 2;
    return (w / Q * 2 * conv2d_pitch(s) + w % Q * 2) * s->C;
}

static int
output_begin(int which, const rnn_window *s)
{
    return (which / 2 * conv2d_pitch(s) + which % 2) * s->C;
}

/* Vectors of a kernel's runs that are summed at once, and where one begins in an image. */
#define RUN_VECTORS 6

static int
vector_begin(int v, int run, const rnn_window *s)
{
    return v * VL / run * conv2d_pitch(s) * s->C + v * VL % run;
}

/* sums += the listed numbers times the pixels at the listed places. */
static inline __attribute__((always_inline)) void
add_listed_pixels(float *sums, const float *pixels, const int32_t *at, const float *value,
                  int n, int first, int vectors, int run, const rnn_window *s)
{
    vf sum[RUN_VECTORS];
    const float *from[RUN_VECTORS];
    for (int v = 0; v < vectors; v++) {
        sum[v] = v_load(sums + (ptrdiff_t)(first + v) * VL);
        from[v] = pixels + vector_begin(first + v, run, s);
    }
    for (int k = 0; k < n; k++)
        for (int v = 0; v < vectors; v++)
            sum[v] += value[k] * v_load(from[v] + at[k]);
    for (int v = 0; v < vectors; v++)
        v_store(sums + (ptrdiff_t)(first + v) * VL, sum[v]);
}

static void
pooled_weight_gradient(float *runs, float *bias_sums, const float *dout,
                       const int32_t *which, const float *pixels, int32_t *at, float *value,
                       int filters, const rnn_window *s)
{
    int run = pooled_run(s), vectors = s->KW * run / VL, area = s->P / 2 * (s->Q / 2);
    int32_t begin[5];
    int32_t *windows = at + area;
    for (int u = 0; u < 5; u++)
        begin[u] = output_begin(u, s);
    for (int w = 0; w < area; w++)
        windows[w] = window_begin(w, s);
    for (int f = 0; f < filters; f++, dout += area, which += area) {
        int n = 0, v = 0;
        float *sums = runs + (ptrdiff_t)f * s->KW * run;
        for (int w = 0; w < area; w++) {
            at[n] = windows[w] + begin[which[w]];
            value[n] = dout[w];
            n += which[w] < 4;
        }
        for (int k = 0; k < n; k++)
            bias_sums[f] += value[k];
        for (; v + 6 <= vectors; v += 6)
            add_listed_pixels(sums, pixels, at, value, n, v, 6, run, s);
        for (; v + 3 <= vectors; v += 3)
            add_listed_pixels(sums, pixels, at, value, n, v, 3, run, s);
        for (; v < vectors; v++)
            add_listed_pixels(sums, pixels, at, value, n, v, 1, run, s);
    }
}

/* dpixels += the listed numbers times the listed filters' runs. */
static inline __attribute__((always_inline)) void
add_listed_runs(float *dpixels, const float *runs, const int32_t *filter,
                const float *value, int n, int first, int vectors, int run,
                const rnn_window *s)
{
    vf sum[RUN_VECTORS];
    int size = s->KW * run;
    for (int v = 0; v < vectors; v++)
        sum[v] = (vf){0};
    for (int k = 0; k < n; k++) {
        const float *from = runs + (ptrdiff_t)filter[k] * size + (ptrdiff_t)first * VL;
        for (int v = 0; v < vectors; v++)
            sum[v] += value[k] * v_load(from + v * VL);
    }
    for (int v = 0; v < vectors; v++) {
        float *to = dpixels + vector_begin(first + v, run, s);
        v_store(to, v_load(to) + sum[v]);
    }
}

static void
pooled_input_gradient(float *dpixels, const float *dout, const int32_t *which,
                      const float *runs, int32_t *filter, float *value, int filters,
                      const rnn_window *s)
{
    int run = pooled_run(s), vectors = s->KW * run / VL, area = s->P / 2 * (s->Q / 2);
    for (int w = 0; w < area; w++) {
        int count[5] = {0};
        for (int f = 0; f < filters; f++) {
            int u = which[(ptrdiff_t)f * area + w], to = u * filters + count[u]++;
            filter[to] = f;
            value[to] = dout[(ptrdiff_t)f * area + w];
        }
        for (int u = 0; u < 4; u++) {
            float *to = dpixels + window_begin(w, s) + output_begin(u, s);
            const int32_t *f = filter + u * filters;
            const float *d = value + u * filters;
            int v = 0;
            if (count[u] == 0)
                continue;
            for (; v + 6 <= vectors; v += 6)
                add_listed_runs(to, runs, f, d, count[u], v, 6, run, s);
            for (; v + 3 <= vectors; v += 3)
                add_listed_runs(to, runs, f, d, count[u], v, 3, run, s);
            for (; v < vectors; v++)
                add_listed_runs(to, runs, f, d, count[u], v, 1, run, s);
        }
    }
}

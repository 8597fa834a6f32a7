#include "kernels.h"

#include "../base/simd.h"

#include <string.h>

/* Pixels of a tile, and vectors of filters or of a run: PIXEL_ROWS * PIXEL_VECTORS
 * accumulators, the vectors that meet them and a broadcast fill the registers. */
#if VL == 16
#define PIXEL_ROWS 8
#elif VL == 8
#define PIXEL_ROWS 6
#else
#define PIXEL_ROWS 4
#endif
#define PIXEL_VECTORS 2

/* Pixels whose gradients stay in the L1 cache while the taps pass. */
#define PIXEL_BLOCK 96

typedef vf pixel_sums[PIXEL_ROWS][PIXEL_VECTORS];

static int
pixel_wide(int n)
{
    return (n + VL - 1) / VL * VL;
}

/* Lanes of vector v that n numbers fill. */
static inline int
lanes_of(int n, int v)
{
    return n - v * VL < VL ? n - v * VL : VL;
}

/* The next tile of `n` rows in tiles of almost one size. */
static inline int
next_tile(int done, int n)
{
    int left = n - done, tiles = (left + PIXEL_ROWS - 1) / PIXEL_ROWS;
    return (left + tiles - 1) / tiles;
}

/* CASE(n) with the number of rows that a tile has as a constant. */
#define ROWS_OR_ONE(n) ((n) <= PIXEL_ROWS ? (n) : 1)
#define FOR_ROWS(rows, CASE)      \
    switch (rows) {               \
        case 8:                   \
            CASE(ROWS_OR_ONE(8)); \
            break;                \
        case 7:                   \
            CASE(ROWS_OR_ONE(7)); \
            break;                \
        case 6:                   \
            CASE(ROWS_OR_ONE(6)); \
            break;                \
        case 5:                   \
            CASE(ROWS_OR_ONE(5)); \
            break;                \
        case 4:                   \
            CASE(4);              \
            break;                \
        case 3:                   \
            CASE(3);              \
            break;                \
        case 2:                   \
            CASE(2);              \
            break;                \
        default:                  \
            CASE(1);              \
    }

/* ---- what a window meets ---- */

static bool
pixel_taps_are_runs(const rnn_window *s)
{
    return s->DW == 1 && s->groups == 1;
}

static pixel_sizes
pixel_sizes_of(const rnn_window *s, int filters)
{
    bool runs = pixel_taps_are_runs(s);
    int C = s->C / s->groups;
    pixel_sizes z = {.pitch = (s->left + s->W + s->right) * s->C,
                     .rows = s->top + s->H + s->bottom,
                     .pixels = s->P * s->Q,
                     .runs = runs ? s->KH : s->KH * s->KW,
                     .run = runs ? s->KW * C : C,
                     .filters = filters / s->groups};
    z.taps = z.runs * z.run;
    z.wide = pixel_wide(z.filters);
    z.run_wide = pixel_wide(z.run);
    return z;
}

static void
pixel_offsets(int32_t *pixel, int32_t *run, int32_t *tap, const pixel_sizes *z,
              const rnn_window *s)
{
    int columns = z->runs / s->KH;
    for (int p = 0; p < s->P; p++)
        for (int q = 0; q < s->Q; q++)
            *pixel++ = p * s->SH * z->pitch + q * s->SW * s->C;
    for (int r = 0; r < z->runs; r++) {
        run[r] = r / columns * s->DH * z->pitch + r % columns * s->DW * s->C;
        for (int j = 0; j < z->run; j++)
            *tap++ = run[r] + j;
    }
}

static void
pad_pixels(float *padded, const float *inp, const pixel_sizes *z, const rnn_window *s)
{
    size_t row = (size_t)(s->W * s->C), edge = (size_t)(s->left * s->C);
    memset(padded, 0, (size_t)z->rows * (size_t)z->pitch * sizeof(float));
    for (int y = 0; y < s->H; y++)
        memcpy(padded + (ptrdiff_t)(s->top + y) * z->pitch + edge, inp + y * row,
               row * sizeof(float));
}

static void
crop_pixels(float *inp, const float *padded, const pixel_sizes *z, const rnn_window *s)
{
    size_t row = (size_t)(s->W * s->C), edge = (size_t)(s->left * s->C);
    for (int y = 0; y < s->H; y++)
        memcpy(inp + y * row, padded + (ptrdiff_t)(s->top + y) * z->pitch + edge,
               row * sizeof(float));
}

/* ---- weights in the order in which tiles meet them ---- */

/* A filter's taps stand channel by channel in the weight, here pixel by pixel: tap t of the
 * weight, channel t / area, is row (t % area) C + t / area. */
static void
pixel_pack(float *packed, const float *weight, const pixel_sizes *z, const rnn_window *s)
{
    int C = s->C / s->groups, area = s->KH * s->KW;
    for (int t = 0, lanes; t < z->taps; t += lanes) {
        lanes = lanes_of(z->taps - t, 0);
        for (int f = 0; f < z->filters; f += VL) {
            vf rows[VL];
            for (int i = 0; i < VL; i++)
                rows[i] =
                    f + i < z->filters
                        ? v_load_lanes(weight + (ptrdiff_t)(f + i) * z->taps + t, lanes)
                        : (vf){0};
            v_interleave(rows, VL);
            for (int i = 0; i < lanes; i++) {
                int row = (t + i) % area * C + (t + i) / area;
                v_store(packed + (ptrdiff_t)row * z->wide + f, rows[i]);
            }
        }
    }
}

static pixel_order
pixel_taps_first(const pixel_sizes *z)
{
    return (pixel_order){.filter = 1, .run = (ptrdiff_t)z->run * z->wide, .tap = z->wide};
}

static pixel_order
pixel_runs_first(const pixel_sizes *z)
{
    return (pixel_order){
        .filter = z->run_wide, .run = (ptrdiff_t)z->filters * z->run_wide, .tap = 1};
}

static pixel_order
pixel_filters_first(const pixel_sizes *z)
{
    return (pixel_order){
        .filter = (ptrdiff_t)z->runs * z->run_wide, .run = z->run_wide, .tap = 1};
}

/* Tap (k,l) of channel c. */
static inline ptrdiff_t
place_of_tap(int f, int k, int l, int c, const pixel_order *order, const rnn_window *s)
{
    bool runs = pixel_taps_are_runs(s);
    int run = runs ? k : k * s->KW + l, in_run = runs ? l * s->C + c : c;
    return f * order->filter + run * order->run + in_run * order->tap;
}

static void
pixel_lay_out(float *to, const float *weight, pixel_order order, const pixel_sizes *z,
              const rnn_window *s)
{
    int C = s->C / s->groups;
    memset(to, 0, (size_t)z->filters * (size_t)(z->runs * z->run_wide) * sizeof(float));
    for (int f = 0; f < z->filters; f++)
        for (int c = 0; c < C; c++)
            for (int k = 0; k < s->KH; k++)
                for (int l = 0; l < s->KW; l++)
                    to[place_of_tap(f, k, l, c, &order, s)] = *weight++;
}

static void
pixel_add_sums(float *target, const float *sums, pixel_order order, const pixel_sizes *z,
               const rnn_window *s, float alpha, float beta)
{
    int C = s->C / s->groups;
    for (int f = 0; f < z->filters; f++)
        for (int c = 0; c < C; c++)
            for (int k = 0; k < s->KH; k++)
                for (int l = 0; l < s->KW; l++)
                    accumulate(target++, sums[place_of_tap(f, k, l, c, &order, s)], alpha,
                               beta);
}

/* ---- forward ---- */

/* `rows` pixels at inp + pixel[i]; the last vector has `last` lanes in out. */
static inline __attribute__((always_inline)) void
forward_tile(float *out, int step, const float *inp, const int32_t *pixel,
             const int32_t *tap, const float *packed, const float *bias,
             const pixel_sizes *z, bool relu, int last, int rows, int vectors)
{
    pixel_sums sum;
    for (int v = 0; v < vectors; v++) {
        vf b = v_load(bias + v * VL);
        for (int i = 0; i < rows; i++)
            sum[i][v] = b;
    }
    const float *a[PIXEL_ROWS];
    for (int i = 0; i < rows; i++)
        a[i] = inp + pixel[i];
    for (int t = 0; t < z->taps; t++, packed += z->wide) {
        vf w[PIXEL_VECTORS];
        for (int v = 0; v < vectors; v++)
            w[v] = v_load(packed + v * VL);
        for (int i = 0; i < rows; i++)
            for (int v = 0; v < vectors; v++)
                sum[i][v] += a[i][tap[t]] * w[v];
    }
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++)
            v_store_lanes(out + (ptrdiff_t)i * step + v * VL,
                          relu ? v_at_least(sum[i][v], 0.0f) : sum[i][v],
                          v + 1 == vectors ? last : VL);
}

static inline __attribute__((always_inline)) void
forward_strip(float *out, int step, const float *inp, const int32_t *pixel,
              const int32_t *tap, const float *packed, const float *bias,
              const pixel_sizes *z, bool relu, int last, int vectors)
{
    for (int m = 0, rows; m < z->pixels; m += rows) {
        rows = next_tile(m, z->pixels);
#define TILE(n)                                                                         \
    forward_tile(out + (ptrdiff_t)m * step, step, inp, pixel + m, tap, packed, bias, z, \
                 relu, last, n, vectors)
        FOR_ROWS(rows, TILE)
#undef TILE
    }
}

static void
pixel_forward(float *out, int step, const float *inp, const int32_t *pixel,
              const int32_t *tap, const float *packed, const float *bias, bool relu,
              const pixel_sizes *z)
{
    int n = 0, both = PIXEL_VECTORS * VL;
    for (; n + VL < z->filters; n += both)
        forward_strip(out + n, step, inp, pixel, tap, packed + n, bias + n, z, relu,
                      lanes_of(z->filters - n, 1), PIXEL_VECTORS);
    for (; n < z->filters; n += VL)
        forward_strip(out + n, step, inp, pixel, tap, packed + n, bias + n, z, relu,
                      lanes_of(z->filters - n, 0), 1);
}

/* ---- gradient of the weights ---- */

/* sums of `rows` taps over `count` pixels. Lanes past the last filter meet what comes next
 * in dout, and nobody reads them. */
static inline __attribute__((always_inline)) void
gradient_tile_of_taps(float *sums, const float *dout, int step, const float *inp,
                      const int32_t *pixel, const int32_t *tap, int wide, int count,
                      int rows, int vectors)
{
    pixel_sums sum;
    ptrdiff_t from[PIXEL_ROWS];
    for (int i = 0; i < rows; i++) {
        from[i] = tap[i];
        for (int v = 0; v < vectors; v++)
            sum[i][v] = v_load(sums + (ptrdiff_t)i * wide + v * VL);
    }
    for (int m = 0; m < count; m++, dout += step) {
        const float *a = inp + pixel[m];
        vf d[PIXEL_VECTORS];
        for (int v = 0; v < vectors; v++)
            d[v] = v_load(dout + v * VL);
        for (int i = 0; i < rows; i++)
            for (int v = 0; v < vectors; v++)
                sum[i][v] += a[from[i]] * d[v];
    }
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++)
            v_store(sums + (ptrdiff_t)i * wide + v * VL, sum[i][v]);
}

static inline __attribute__((always_inline)) void
gradient_strip(float *sums, const float *dout, int step, const float *inp,
               const int32_t *pixel, const int32_t *tap, const pixel_sizes *z, int count,
               int vectors)
{
    for (int t = 0, rows; t < z->taps; t += rows) {
        rows = next_tile(t, z->taps);
#define TILE(n)                                                                           \
    gradient_tile_of_taps(sums + (ptrdiff_t)t * z->wide, dout, step, inp, pixel, tap + t, \
                          z->wide, count, n, vectors)
        FOR_ROWS(rows, TILE)
#undef TILE
    }
}

static void
add_pixel_sums(float *sums, const float *dout, int step, int count, int vectors)
{
    for (int v = 0; v < vectors; v++) {
        vf sum = v_load(sums + v * VL);
        for (int m = 0; m < count; m++)
            sum += v_load(dout + (ptrdiff_t)m * step + v * VL);
        v_store(sums + v * VL, sum);
    }
}

static void
pixel_weight_gradient(float *sums, float *bias_sums, const float *dout, int step,
                      const float *inp, const int32_t *pixel, const int32_t *tap,
                      const pixel_sizes *z)
{
    for (int m = 0; m < z->pixels; m += PIXEL_BLOCK) {
        int count = z->pixels - m < PIXEL_BLOCK ? z->pixels - m : PIXEL_BLOCK, n = 0;
        const float *d = dout + (ptrdiff_t)m * step;
        for (; n + VL < z->wide; n += PIXEL_VECTORS * VL)
            gradient_strip(sums + n, d + n, step, inp, pixel + m, tap, z, count,
                           PIXEL_VECTORS);
        for (; n < z->wide; n += VL)
            gradient_strip(sums + n, d + n, step, inp, pixel + m, tap, z, count, 1);
        add_pixel_sums(bias_sums, d, step, count, z->wide / VL);
    }
}

/* ---- gradient of the input ---- */

/* dinp += the part of `rows` pixels, `apart` from each other in the list, in a stretch of a
 * run: dout times the turned weights. */
static inline __attribute__((always_inline)) void
input_tile(float *dinp, const float *dout, int step, const int32_t *pixel, int apart,
           const float *turned, const pixel_sizes *z, int last, int rows, int vectors)
{
    pixel_sums sum;
    const float *d[PIXEL_ROWS];
    for (int i = 0; i < rows; i++) {
        d[i] = dout + (ptrdiff_t)i * apart * step;
        for (int v = 0; v < vectors; v++)
            sum[i][v] = (vf){0};
    }
    for (int f = 0; f < z->filters; f++, turned += z->run_wide) {
        vf w[PIXEL_VECTORS];
        for (int v = 0; v < vectors; v++)
            w[v] = v_load(turned + v * VL);
        for (int i = 0; i < rows; i++)
            for (int v = 0; v < vectors; v++)
                sum[i][v] += d[i][f] * w[v];
    }
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) {
            float *to = dinp + pixel[i * apart] + v * VL;
            int lanes = v + 1 == vectors ? last : VL;
            v_store_lanes(to, v_load_lanes(to, lanes) + sum[i][v], lanes);
        }
}

/* Pixels of a tile lie far apart: what neighbors add to overlaps, and a load would wait for
 * the store before it. */
static inline __attribute__((always_inline)) void
input_strip(float *dinp, const float *dout, int step, const int32_t *pixel,
            const float *turned, const pixel_sizes *z, int last, int vectors)
{
    int apart = (z->pixels + PIXEL_ROWS - 1) / PIXEL_ROWS;
    for (int m = 0; m < apart; m++) {
        int rows = (z->pixels - m + apart - 1) / apart;
#define TILE(n)                                                                           \
    input_tile(dinp, dout + (ptrdiff_t)m * step, step, pixel + m, apart, turned, z, last, \
               n, vectors)
        FOR_ROWS(rows, TILE)
#undef TILE
    }
}

static void
pixel_input_gradient(float *dinp, const float *dout, int step, const int32_t *pixel,
                     const int32_t *run, const float *turned, const pixel_sizes *z)
{
    for (int r = 0; r < z->runs; r++, turned += (ptrdiff_t)z->filters * z->run_wide) {
        int n = 0;
        for (; n + VL < z->run; n += PIXEL_VECTORS * VL)
            input_strip(dinp + run[r] + n, dout, step, pixel, turned + n, z,
                        lanes_of(z->run - n, 1), PIXEL_VECTORS);
        for (; n < z->run; n += VL)
            input_strip(dinp + run[r] + n, dout, step, pixel, turned + n, z,
                        lanes_of(z->run - n, 0), 1);
    }
}

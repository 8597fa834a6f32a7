#include "kernels.h"

#include "../base/simd.h"

#include <string.h>

/* Pools of images whose pixels have their channels side by side: vectors go along the
 * channels. */

/* A window at output (p,q): its rows and columns inside the input. */
typedef struct {
    range ys, xs;
} pool_window;

static inline pool_window
window_at(int p, int q, const rnn_window *s)
{
    return (pool_window){window_rows(p, s), window_columns(q, s)};
}

/* Floats from the first pixel to pixel (y,x). */
static inline ptrdiff_t
pixel_at(int y, int x, const rnn_window *s)
{
    return ((ptrdiff_t)y * s->W + x) * s->C;
}

static void
max_of_pixels(float *out, int32_t *which, const float *inp, pool_window w, bool relu,
              const rnn_window *s)
{
    for (int c = 0; c < s->C; c += VL) {
        int lanes = s->C - c < VL ? s->C - c : VL, number = 0;
        vf best = v_load_lanes(inp + pixel_at(w.ys.begin, w.xs.begin, s) + c, lanes);
        vi taken = {0};
        for (int y = w.ys.begin; y < w.ys.end; y++)
            for (int x = w.xs.begin; x < w.xs.end; x++, number++)
                take_greater(&best, &taken,
                             v_load_lanes(inp + pixel_at(y, x, s) + c, lanes), number);
        if (relu) {
            vm alive = v_greater(best, (vf){0}) | v_is_nan(best);
            taken = v_select_int(alive, taken, v_lanes() * 0 + s->KH * s->KW);
            best = v_at_least(best, 0.0f);
        }
        v_store_lanes(out + c, best, lanes);
        v_store_lanes((float *)which + c, (vf)taken, lanes);
    }
}

static void
pixel_maxpool(float *out, int32_t *which, const float *inp, bool relu, const rnn_window *s)
{
    for (int p = 0; p < s->P; p++)
        for (int q = 0; q < s->Q; q++, out += s->C, which += s->C)
            max_of_pixels(out, which, inp, window_at(p, q, s), relu, s);
}

static void
pixel_maxpool_forward(float *out, int32_t *which, const float *inp, const rnn_window *s)
{
    pixel_maxpool(out, which, inp, false, s);
}

/* Whether every pixel is in one window exactly. */
static bool
pool_tiles_input(const rnn_window *s)
{
    return s->SH == s->KH && s->SW == s->KW && s->P * s->KH == s->top + s->H + s->bottom
           && s->Q * s->KW == s->left + s->W + s->right;
}

/* dinp = or += what goes back to a window's pixels; windows that do not overlap write. */
static inline __attribute__((always_inline)) void
spread_to_taken(float *dinp, const float *dout, const int32_t *which, pool_window w,
                bool adds, const rnn_window *s)
{
    for (int c = 0; c < s->C; c += VL) {
        int lanes = s->C - c < VL ? s->C - c : VL, number = 0;
        vf d = v_load_lanes(dout + c, lanes);
        vi taken = (vi)v_load_lanes((const float *)which + c, lanes);
        for (int y = w.ys.begin; y < w.ys.end; y++)
            for (int x = w.xs.begin; x < w.xs.end; x++, number++) {
                float *to = dinp + pixel_at(y, x, s) + c;
                vf part = v_select(v_equal(taken, number), d, (vf){0});
                if (adds)
                    part += v_load_lanes(to, lanes);
                v_store_lanes(to, part, lanes);
            }
    }
}

static void
pixel_maxpool_backward(float *dinp, const float *dout, const int32_t *which,
                       const rnn_window *s)
{
    bool adds = !pool_tiles_input(s);
    if (adds)
        memset(dinp, 0, (size_t)s->C * (size_t)s->H * (size_t)s->W * sizeof(float));
    for (int p = 0; p < s->P; p++)
        for (int q = 0; q < s->Q; q++, dout += s->C, which += s->C)
            if (adds)
                spread_to_taken(dinp, dout, which, window_at(p, q, s), true, s);
            else
                spread_to_taken(dinp, dout, which, window_at(p, q, s), false, s);
}

static void
mean_of_pixels(float *out, const float *inp, pool_window w, const rnn_window *s)
{
    float area = window_area(w.ys, w.xs, s);
    for (int c = 0; c < s->C; c += VL) {
        int lanes = s->C - c < VL ? s->C - c : VL;
        vf sum = {0};
        for (int y = w.ys.begin; y < w.ys.end; y++)
            for (int x = w.xs.begin; x < w.xs.end; x++)
                sum += v_load_lanes(inp + pixel_at(y, x, s) + c, lanes);
        v_store_lanes(out + c, sum / area, lanes);
    }
}

static void
pixel_avgpool_forward(float *out, const float *inp, const rnn_window *s)
{
    for (int p = 0; p < s->P; p++)
        for (int q = 0; q < s->Q; q++, out += s->C)
            mean_of_pixels(out, inp, window_at(p, q, s), s);
}

static inline __attribute__((always_inline)) void
spread_mean(float *dinp, const float *dout, pool_window w, bool adds, const rnn_window *s)
{
    float area = window_area(w.ys, w.xs, s);
    for (int c = 0; c < s->C; c += VL) {
        int lanes = s->C - c < VL ? s->C - c : VL;
        vf part = v_load_lanes(dout + c, lanes) / area;
        for (int y = w.ys.begin; y < w.ys.end; y++)
            for (int x = w.xs.begin; x < w.xs.end; x++) {
                float *to = dinp + pixel_at(y, x, s) + c;
                v_store_lanes(to, adds ? part + v_load_lanes(to, lanes) : part, lanes);
            }
    }
}

static void
pixel_avgpool_backward(float *dinp, const float *dout, const rnn_window *s)
{
    bool adds = !pool_tiles_input(s);
    if (adds)
        memset(dinp, 0, (size_t)s->C * (size_t)s->H * (size_t)s->W * sizeof(float));
    for (int p = 0; p < s->P; p++)
        for (int q = 0; q < s->Q; q++, dout += s->C)
            if (adds)
                spread_mean(dinp, dout, window_at(p, q, s), true, s);
            else
                spread_mean(dinp, dout, window_at(p, q, s), false, s);
}

static void
max_over_pixels(float *out, int32_t *which, const float *inp, int area, int C)
{
    for (int c = 0; c < C; c += VL) {
        int lanes = C - c < VL ? C - c : VL;
        vf best = v_load_lanes(inp + c, lanes);
        vi taken = {0};
        for (int i = 1; i < area; i++)
            take_greater(&best, &taken, v_load_lanes(inp + (ptrdiff_t)i * C + c, lanes), i);
        v_store_lanes(out + c, best, lanes);
        v_store_lanes((float *)which + c, (vf)taken, lanes);
    }
}

static void
spread_to_pixels(float *dinp, const float *dout, const int32_t *which, int area, int C)
{
    memset(dinp, 0, (size_t)area * (size_t)C * sizeof(float));
    for (int c = 0; c < C; c++)
        dinp[(ptrdiff_t)which[c] * C + c] = dout[c];
}

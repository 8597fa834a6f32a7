#include "kernels.h"

#include "../base/simd.h"

#include <string.h>

static inline int
at_least_zero(int i)
{
    return i > 0 ? i : 0;
}

static inline int
at_most(int i, int most)
{
    return i < most ? i : most;
}

/* The part of output position i's window that lies inside the input. */
typedef struct {
    int begin, end;
} range;

static inline range
window_range(int begin, int kernel, int size)
{
    return (range){at_least_zero(begin), at_most(begin + kernel, size)};
}

static inline range
window_rows(int p, const rnn_window *s)
{
    return window_range(p * s->SH - s->top, s->KH, s->H);
}

static inline range
window_columns(int q, const rnn_window *s)
{
    return window_range(q * s->SW - s->left, s->KW, s->W);
}

/* How many numbers a mean is of. */
static inline float
window_area(range ys, range xs, const rnn_window *s)
{
    return (float)(s->counts_padding ? s->KH * s->KW
                                     : (ys.end - ys.begin) * (xs.end - xs.begin));
}

static void
maxpool2d_forward(float *out, int32_t *argmax, const float *inp, const rnn_window *s)
{
    ptrdiff_t o = 0;
    for (int c = 0; c < s->C; c++)
        for (int p = 0; p < s->P; p++)
            for (int q = 0; q < s->Q; q++, o++) {
                range ys = window_rows(p, s), xs = window_columns(q, s);
                int best = (c * s->H + ys.begin) * s->W + xs.begin;
                for (int y = ys.begin; y < ys.end; y++)
                    for (int x = xs.begin; x < xs.end; x++) {
                        int i = (c * s->H + y) * s->W + x;
                        /* The second test lets NaN through, as PyTorch does. */
                        if (inp[i] > inp[best] || inp[i] != inp[i])
                            best = i;
                    }
                out[o] = inp[best];
                argmax[o] = best;
            }
}

static void
maxpool2d_backward(float *dinp, const float *dout, const int32_t *argmax,
                   const rnn_window *s)
{
    memset(dinp, 0, (size_t)s->C * (size_t)s->H * (size_t)s->W * sizeof(float));
    for (int o = 0; o < s->C * s->P * s->Q; o++)
        dinp[argmax[o]] += dout[o];
}

static void
avgpool2d_forward(float *out, const float *inp, const rnn_window *s)
{
    ptrdiff_t o = 0;
    for (int c = 0; c < s->C; c++)
        for (int p = 0; p < s->P; p++)
            for (int q = 0; q < s->Q; q++, o++) {
                range ys = window_rows(p, s), xs = window_columns(q, s);
                float sum = 0;
                for (int y = ys.begin; y < ys.end; y++)
                    for (int x = xs.begin; x < xs.end; x++)
                        sum += inp[(c * s->H + y) * s->W + x];
                out[o] = sum / window_area(ys, xs, s);
            }
}

static void
avgpool2d_backward(float *dinp, const float *dout, const rnn_window *s)
{
    memset(dinp, 0, (size_t)s->C * (size_t)s->H * (size_t)s->W * sizeof(float));
    ptrdiff_t o = 0;
    for (int c = 0; c < s->C; c++)
        for (int p = 0; p < s->P; p++)
            for (int q = 0; q < s->Q; q++, o++) {
                range ys = window_rows(p, s), xs = window_columns(q, s);
                float part = dout[o] / window_area(ys, xs, s);
                for (int y = ys.begin; y < ys.end; y++)
                    for (int x = xs.begin; x < xs.end; x++)
                        dinp[(c * s->H + y) * s->W + x] += part;
            }
}

/* Where v is greater than best, or NaN, it takes its place, and `number` that of which. */
static inline void
take_greater(vf *best, vi *which, vf v, int number)
{
    vm taken = v_greater(v, *best) | v_is_nan(v);
    *best = v_select(taken, v, *best);
    *which = v_select_int(taken, v_lanes() * 0 + number, *which);
}

static void
pool_planes(float *out, int32_t *which, const float *planes, int n, int P, int Q, int plane,
            int pitch, bool relu)
{
    for (int c = 0; c < n; c++)
        for (int p = 0; p < P / 2; p++, out += Q / 2, which += Q / 2) {
            const float *upper = planes + (ptrdiff_t)c * plane + 2 * p * pitch;
            const float *lower = upper + pitch;
            for (int q = 0; q < Q / 2; q += VL) {
                vf a = v_load(upper + 2 * q), b = v_load(upper + 2 * q + VL);
                vf d = v_load(lower + 2 * q), e = v_load(lower + 2 * q + VL);
                vf best = v_evens(a, b);
                vi number = {0};
                take_greater(&best, &number, v_odds(a, b), 1);
                take_greater(&best, &number, v_evens(d, e), 2);
                take_greater(&best, &number, v_odds(d, e), 3);
                if (relu) {
                    vm alive = v_greater(best, v_set(0.0f));
                    number = v_select_int(alive, number, v_lanes() * 0 + 4);
                    best = v_at_least(best, 0.0f);
                }
                int lanes = Q / 2 - q < VL ? Q / 2 - q : VL;
                v_store_part(out + q, best, lanes);
                v_store_part((float *)which + q, (vf)number, lanes);
            }
        }
}

#include "kernels.h"

#include "../base/simd.h"

#include <math.h>
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

/* Inputs x.. of a row of W, and `missing` outside the row. */
static inline vf
inputs_at(const float *row, int x, int W, float missing)
{
    int first = at_least_zero(-x), last = at_most(VL, W - x);
    float held[VL] __attribute__((aligned(64)));
    if (first == 0 && last == VL)
        return v_load(row + x);
    if (first >= last)
        return v_set(missing);
    if (first == 0)
        return v_first(v_load_lanes(row + x, last), last, missing);
    v_store(held, v_set(missing));
    memcpy(held + first, row + x + first, (size_t)(last - first) * sizeof(float));
    return v_load(held);
}

/* Inputs x, x + stride.. */
static inline vf
strided_inputs(const float *row, int x, int stride, int W, float missing)
{
    float held[VL] __attribute__((aligned(64)));
    if (stride == 1)
        return inputs_at(row, x, W, missing);
    if (stride == 2)
        return v_evens(inputs_at(row, x, W, missing), inputs_at(row, x + VL, W, missing));
    for (int i = 0; i < VL; i++, x += stride)
        held[i] = x >= 0 && x < W ? row[x] : missing;
    return v_load(held);
}

/* Where v is greater than best, or NaN, as in PyTorch, it replaces
 * best, and `numbers` replaces which. */
static inline void
take_greater_lanes(vf *best, vi *which, vf v, vi numbers)
{
    vm taken = v_greater(v, *best) | v_is_nan(v);
    *best = v_select(taken, v, *best);
    *which = v_select_int(taken, numbers, *which);
}

static inline void
take_greater(vf *best, vi *which, vf v, int number)
{
    take_greater_lanes(best, which, v, v_lanes() * 0 + number);
}

/* Of windows q.. in row p of plane c; a tie goes to the first input of the window. */
static void
max_of_windows(float *out, int32_t *argmax, const float *inp, int c, int p, int q,
               const rnn_window *s)
{
    int begin = q * s->SW - s->left, lanes = s->Q - q < VL ? s->Q - q : VL;
    range ys = window_rows(p, s);
    vi x = v_lanes() * s->SW + begin;
    vi taken = (x & (x >= 0)) + (c * s->H + ys.begin) * s->W;
    vf best = v_set(-INFINITY);
    for (int y = ys.begin; y < ys.end; y++) {
        int at = (c * s->H + y) * s->W;
        for (int dx = 0; dx < s->KW; dx++) {
            vf v = strided_inputs(inp + at, begin + dx, s->SW, s->W, -INFINITY);
            take_greater_lanes(&best, &taken, v, x + (at + dx));
        }
    }
    v_store_lanes(out, best, lanes);
    v_store_lanes((float *)argmax, (vf)taken, lanes);
}

static void
maxpool2d_forward(float *out, int32_t *argmax, const float *inp, const rnn_window *s)
{
    for (int c = 0; c < s->C; c++)
        for (int p = 0; p < s->P; p++, out += s->Q, argmax += s->Q)
            for (int q = 0; q < s->Q; q += VL)
                max_of_windows(out + q, argmax + q, inp, c, p, q, s);
}

static void
maxpool2d_backward(float *dinp, const float *dout, const int32_t *argmax,
                   const rnn_window *s)
{
    memset(dinp, 0, (size_t)s->C * (size_t)s->H * (size_t)s->W * sizeof(float));
    for (int o = 0; o < s->C * s->P * s->Q; o++)
        dinp[argmax[o]] += dout[o];
}

/* Of windows q.. in row p of a plane. */
static void
mean_of_windows(float *out, const float *plane, int p, int q, const rnn_window *s)
{
    int begin = q * s->SW - s->left, lanes = s->Q - q < VL ? s->Q - q : VL;
    range ys = window_rows(p, s);
    float area[VL] __attribute__((aligned(64)));
    vf sum = {0};
    for (int y = ys.begin; y < ys.end; y++)
        for (int dx = 0; dx < s->KW; dx++)
            sum += strided_inputs(plane + (ptrdiff_t)y * s->W, begin + dx, s->SW, s->W, 0);
    for (int i = 0; i < VL; i++)
        area[i] = window_area(ys, window_columns(q + i, s), s);
    v_store_lanes(out, sum / v_load(area), lanes);
}

static void
avgpool2d_forward(float *out, const float *inp, const rnn_window *s)
{
    for (int c = 0; c < s->C; c++, inp += (ptrdiff_t)s->H * s->W)
        for (int p = 0; p < s->P; p++, out += s->Q)
            for (int q = 0; q < s->Q; q += VL)
                mean_of_windows(out + q, inp, p, q, s);
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

#include "kernels.h"

#include "../base/simd.h"

#include <string.h>

static int
conv2d_pitch(const rnn_window *s)
{
    return s->left + s->W + s->right;
}

static int
conv2d_plane(const rnn_window *s)
{
    int size = s->P * conv2d_pitch(s);
    return (size + RNN_READ_SLACK - 1) / RNN_READ_SLACK * RNN_READ_SLACK;
}

static edges
conv2d_edges(const rnn_window *s)
{
    return (edges){s->top, s->bottom, s->left, s->right};
}

static edges
conv2d_back_edges(const rnn_window *s)
{
    int high = rnn_window_high(s) - 1, wide = rnn_window_wide(s) - 1;
    return (edges){high - s->top, high - s->bottom, wide - s->left, wide - s->right};
}

/* Rows are short: a call for each would cost more than the copy. */
static inline void
copy_row(float *to, const float *from, int n)
{
    for (int i = 0; i < n; i += VL) {
        int lanes = n - i < VL ? n - i : VL;
        v_store_lanes(to + i, v_load_lanes(from + i, lanes), lanes);
    }
}

static void
pad_planes(float *padded, size_t size, const float *planes, int n, int H, int W, int plane,
           int pitch, edges edge)
{
    int to_pitch = edge.left + W + edge.right, rows = edge.top + H + edge.bottom;
    memset(padded, 0, size * sizeof(float));
    for (int c = 0; c < n; c++)
        for (int y = 0; y < H; y++)
            copy_row(padded + ((ptrdiff_t)c * rows + y + edge.top) * to_pitch + edge.left,
                     planes + (ptrdiff_t)c * plane + y * pitch, W);
}

static void
conv2d_offsets(int32_t *offset, int channels, int rows, int pitch, const rnn_window *s)
{
    for (int c = 0; c < channels; c++)
        for (int k = 0; k < s->KH; k++)
            for (int l = 0; l < s->KW; l++)
                *offset++ = (c * rows + k * s->DH) * pitch + l * s->DW;
}

/* A product of the weights with an unfolded image that is never written down: the row of
 * the unfolded image that belongs to (c,k,l) is the padded image from there on. The last
 * columns of each row of a plane wrap around and mean nothing. */
static void
conv2d_planes(float *planes, int plane, const float *padded, const int32_t *offset,
              const float *weight, const float *bias, bool relu, int filters, int fan_in,
              int positions)
{
    gemm_offsets(planes, plane, weight, padded, offset, bias, relu, filters, positions,
                 fan_in);
}

static void
crop_planes(float *out, const float *planes, int n, int P, int Q, int plane, int pitch)
{
    for (int f = 0; f < n; f++)
        for (int p = 0; p < P; p++)
            memcpy(out + ((ptrdiff_t)f * P + p) * Q,
                   planes + (ptrdiff_t)f * plane + p * pitch, (size_t)Q * sizeof(float));
}

static void
spread_planes(float *planes, const float *dout, int n, int P, int Q, int plane, int pitch)
{
    for (int c = 0; c < n; c++, planes += plane) {
        for (int p = 0; p < P; p++, dout += Q) {
            memcpy(planes + p * pitch, dout, (size_t)Q * sizeof(float));
            memset(planes + p * pitch + Q, 0, (size_t)(pitch - Q) * sizeof(float));
        }
        memset(planes + P * pitch, 0, (size_t)(plane - P * pitch) * sizeof(float));
    }
}

static void
fill_rows(float *planes, const float *bias, bool relu, int n, int plane, int begin, int end)
{
    for (int c = 0; c < n; c++) {
        float value = relu && bias[c] < 0 ? 0 : bias[c];
        for (int i = begin; i < end; i++)
            planes[(ptrdiff_t)c * plane + i] = value;
    }
}

static live_rows
conv2d_live_rows(const float *inp, const rnn_window *s)
{
    live_rows live = {0, s->P};
    int top = 0, bottom = s->H;
    if (s->C > 1)
        return live;
    while (top < bottom && is_blank(inp + (ptrdiff_t)top * s->W, s->W))
        top++;
    while (bottom > top && is_blank(inp + (ptrdiff_t)(bottom - 1) * s->W, s->W))
        bottom--;
    int first = top + s->top - rnn_window_high(s) + 1, end = bottom + s->top;
    if (first > live.begin)
        live.begin = first;
    if (end < live.end)
        live.end = end;
    if (top == bottom || live.begin > live.end)
        live.begin = live.end = 0;
    return live;
}

static vector_range
conv2d_live_vectors(live_rows live, const rnn_window *s)
{
    int pitch = conv2d_pitch(s);
    int begin = live.begin * pitch / RNN_READ_SLACK * RNN_READ_SLACK;
    int end = (live.end * pitch + RNN_READ_SLACK - 1) / RNN_READ_SLACK * RNN_READ_SLACK;
    return (vector_range){begin, end};
}

static void
conv2d_turn_weight(float *turned, const float *weight, int filters, int C, int area)
{
    for (int c = 0; c < C; c++)
        for (int f = 0; f < filters; f++)
            for (int i = 0; i < area; i++)
                turned[((ptrdiff_t)c * filters + f) * area + i] =
                    weight[((ptrdiff_t)f * C + c) * area + area - 1 - i];
}

/* Taps whose gradients are summed at once. */
#define GRADIENT_TAPS 3

/* Gradients of `taps` weights of a filter: dot products along its plane. */
static inline __attribute__((always_inline)) void
gradient_tile(float *target, const float *plane, const float *padded, const int32_t *offset,
              int taps, int positions, float alpha, float beta)
{
    vf sum[GRADIENT_TAPS];
    for (int k = 0; k < taps; k++)
        sum[k] = (vf){0};
    for (int i = 0; i < positions; i += VL) {
        vf d = v_load(plane + i);
        for (int k = 0; k < taps; k++)
            sum[k] += d * v_load(padded + offset[k] + i);
    }
    for (int k = 0; k < taps; k++)
        accumulate(&target[k], v_sum(sum[k]), alpha, beta);
}

/* Filters are few: others have pixels. */
static void
conv2d_weight_gradient(float *target, const float *planes, int plane, const float *padded,
                       const int32_t *offset, int filters, int fan_in, int positions,
                       float alpha, float beta)
{
    for (int f = 0; f < filters; f++, target += fan_in, planes += plane) {
        int k = 0;
        for (; k + GRADIENT_TAPS <= fan_in; k += GRADIENT_TAPS)
            gradient_tile(target + k, planes, padded, offset + k, GRADIENT_TAPS, positions,
                          alpha, beta);
        for (; k < fan_in; k++)
            gradient_tile(target + k, planes, padded, offset + k, 1, positions, alpha,
                          beta);
    }
}

/* Taps whose pixels lie side by side. */
static int
taps_of_run(const rnn_window *s)
{
    return s->DW == 1 ? s->KW : 1;
}

/* With the channels of a pixel side by side, the KW*C inputs under a row of the kernel are
 * too: one product for each row of the kernel. Of one with gaps a run is a single tap. */
static void
conv2d_weight_gradient_by_rows(float *sums, const float *planes, int plane,
                               const float *pixels, int filters, const rnn_window *s,
                               int positions, float beta)
{
    int taps = taps_of_run(s), C = s->C, width = taps * C;
    for (int k = 0; k < s->KH; k++)
        for (int l = 0; l < s->KW; l += taps) {
            ptrdiff_t first = (ptrdiff_t)k * s->DH * conv2d_pitch(s) + l * s->DW;
            gemm(sums, width, planes, plane, 1, pixels + first * C, C, filters, width,
                 positions, 1.0f, beta);
            sums += (ptrdiff_t)filters * width;
        }
}

static void
conv2d_add_row_sums(float *target, const float *sums, int filters, const rnn_window *s,
                    float alpha, float beta)
{
    int taps = taps_of_run(s), C = s->C;
    for (int f = 0; f < filters; f++)
        for (int c = 0; c < C; c++)
            for (int i = 0; i < s->KH * s->KW; i++, target++) {
                ptrdiff_t row = (ptrdiff_t)(i / taps) * filters + f;
                accumulate(target, sums[(row * taps + i % taps) * C + c], alpha, beta);
            }
}

static void
conv2d_bias_gradient(float *target, const float *planes, int plane, int filters,
                     float alpha, float beta)
{
    for (int f = 0; f < filters; f++) {
        const float *d = planes + (ptrdiff_t)f * plane;
        vf sum = {0};
        for (int i = 0; i < plane; i += VL)
            sum += v_load(d + i);
        accumulate(&target[f], v_sum(sum), alpha, beta);
    }
}

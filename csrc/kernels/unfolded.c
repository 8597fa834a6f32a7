#include "kernels.h"

#include "../base/blas.h"

#include <string.h>

/* Input row of output row p under kernel row k; outside the input it is padding. */
static inline int
source_row(int p, int k, const rnn_window *s)
{
    return p * s->SH + k * s->DH - s->top;
}

static inline int
source_column(int q, int l, const rnn_window *s)
{
    return q * s->SW + l * s->DW - s->left;
}

/* One row of the unfolded image: what kernel column l meets along input row `from`, NULL
 * for a row of padding. */
static inline void
unfold_row(float *to, const float *from, int l, const rnn_window *s)
{
    int q = 0;
    for (; q < s->Q && (from == NULL || source_column(q, l, s) < 0); q++)
        to[q] = 0.0f;
    for (int x = source_column(q, l, s); q < s->Q && x < s->W; q++, x += s->SW)
        to[q] = from[x];
    for (; q < s->Q; q++)
        to[q] = 0.0f;
}

static void
im2col(float *columns, const float *inp, const rnn_window *s)
{
    float *to = columns;
    for (int c = 0; c < s->C; c++)
        for (int k = 0; k < s->KH; k++)
            for (int l = 0; l < s->KW; l++)
                for (int p = 0; p < s->P; p++, to += s->Q) {
                    int y = source_row(p, k, s);
                    bool inside = y >= 0 && y < s->H;
                    const float *row = inp + ((ptrdiff_t)c * s->H + y) * s->W;
                    unfold_row(to, inside ? row : NULL, l, s);
                }
}

/* The adjoint of im2col: every element of columns is added to where it came from. */
static void
col2im(float *dinp, const float *columns, const rnn_window *s)
{
    memset(dinp, 0, (size_t)s->C * (size_t)s->H * (size_t)s->W * sizeof(float));
    const float *from = columns;
    for (int c = 0; c < s->C; c++)
        for (int k = 0; k < s->KH; k++)
            for (int l = 0; l < s->KW; l++)
                for (int p = 0; p < s->P; p++, from += s->Q) {
                    int y = source_row(p, k, s);
                    if (y < 0 || y >= s->H)
                        continue;
                    float *row = dinp + ((ptrdiff_t)c * s->H + y) * s->W;
                    for (int q = 0; q < s->Q; q++) {
                        int x = source_column(q, l, s);
                        if (x >= 0 && x < s->W)
                            row[x] += from[q];
                    }
                }
}

static void
unfolded_forward(float *out, const float *inp, const float *weight, const float *bias,
                 float *columns, int filters, const rnn_window *s)
{
    int positions = s->P * s->Q, fan_in = s->C * s->KH * s->KW;
    im2col(columns, inp, s);
    for (int o = 0; o < filters; o++)
        for (int i = 0; i < positions; i++)
            out[(ptrdiff_t)o * positions + i] = bias[o];
    gemm(out, positions, weight, fan_in, 1, columns, positions, filters, positions, fan_in,
         1.0f, 1.0f);
}

static void
unfolded_backward_input(float *dinp, const float *dout, const float *weight, float *columns,
                        int filters, const rnn_window *s)
{
    int positions = s->P * s->Q, fan_in = s->C * s->KH * s->KW;
    gemm(columns, positions, weight, 1, fan_in, dout, positions, fan_in, positions, filters,
         1.0f, 0.0f);
    col2im(dinp, columns, s);
}

static void
unfolded_backward_params(float *weight_target, float *bias_target, const float *dout,
                         const float *inp, float *columns, int filters, const rnn_window *s,
                         float alpha, float beta)
{
    int positions = s->P * s->Q, fan_in = s->C * s->KH * s->KW;
    im2col(columns, inp, s);
    rnn_gemm_nt(filters, fan_in, positions, alpha, dout, positions, columns, positions,
                beta, weight_target, fan_in);
    for (int o = 0; o < filters; o++) {
        float sum = 0;
        for (int i = 0; i < positions; i++)
            sum += dout[(ptrdiff_t)o * positions + i];
        accumulate(&bias_target[o], sum, alpha, beta);
    }
}

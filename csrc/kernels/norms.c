#include "kernels.h"

#include "../base/simd.h"

#include <float.h>
#include <math.h>

/* Mean and 1/sqrt(variance + epsilon) of n elements. Two passes in float64: E[x^2] - mean^2
 * cancels badly. */
static void
moments_of(float *mean, float *rstd, const float *x, int n, float epsilon)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++)
        sum += (double)x[i];
    double mu = sum / n;
    for (int i = 0; i < n; i++) {
        double centered = (double)x[i] - mu;
        squares += centered * centered;
    }
    *mean = (float)mu;
    *rstd = (float)(1 / sqrt(squares / n + (double)epsilon));
}

/* How many numbers are summed in float32 lanes before the sum is added in float64. */
#define LANE_SUMS 1024

/* Sums of x - shift and of its square. */
typedef struct {
    double sum, squares;
} shifted_sums;

static inline shifted_sums
sums_about(const float *x, int n, float shift)
{
    shifted_sums total = {0, 0};
    for (int begin = 0; begin < n; begin += LANE_SUMS) {
        int end = n - begin < LANE_SUMS ? n : begin + LANE_SUMS, i = begin;
        vf sum = {0}, squares = {0};
        for (; i + VL <= end; i += VL) {
            vf far = v_load(x + i) - shift;
            sum += far;
            squares += far * far;
        }
        if (i < end) {
            vf far = v_first(v_load_part(x + i, end - i) - shift, end - i, 0.0f);
            sum += far;
            squares += far * far;
        }
        total.sum += (double)v_sum(sum);
        total.squares += (double)v_sum(squares);
    }
    return total;
}

static inline float
rough_mean(const float *x, int n)
{
    vf sum = {0};
    int i = 0;
    for (; i + VL <= n; i += VL)
        sum += v_load(x + i);
    if (i < n)
        sum += v_load_part(x + i, n - i);
    return v_sum(sum) / (float)n;
}

/* The same as moments_of for numbers in a row, in float32 about a rough mean, which differs
 * from the mean by a few units in its last place. Squares that do not fit float32, and what
 * is not finite, are left to float64. */
static inline void
moments_of_row(float *mean, float *rstd, const float *x, int n, float epsilon)
{
    float shift = rough_mean(x, n);
    shifted_sums s = sums_about(x, n, shift);
    double off = s.sum / n, variance = s.squares / n - off * off;
    if (!(s.squares <= FLT_MAX)) {
        moments_of(mean, rstd, x, n, epsilon);
        return;
    }
    *mean = (float)((double)shift + off);
    *rstd = (float)(1 / sqrt((variance > 0 ? variance : 0) + (double)epsilon));
}

static inline vf
normal_of(const float *x, float mean, float rstd, int lanes)
{
    return (v_load_lanes(x, lanes) - mean) * rstd;
}

static void
layernorm_forward(float *out, float *moments, const float *inp, const float *weight,
                  const float *bias, int rows, int D, float epsilon)
{
    for (int b = 0; b < rows; b++, inp += D, out += D, moments += 2) {
        moments_of_row(&moments[0], &moments[1], inp, D, epsilon);
        for (int j = 0; j < D; j += VL) {
            int lanes = D - j < VL ? D - j : VL;
            vf normal = normal_of(inp + j, moments[0], moments[1], lanes);
            v_store_lanes(
                out + j,
                v_load_lanes(weight + j, lanes) * normal + v_load_lanes(bias + j, lanes),
                lanes);
        }
    }
}

/* dx = rstd (dxh - mean(dxh) - xh mean(dxh xh)), dxh = dy weight, xh = (x - mean) rstd. */
static void
layernorm_backward_input(float *dinp, const float *dout, const float *inp,
                         const float *moments, const float *weight, int rows, int D)
{
    for (int b = 0; b < rows; b++, dinp += D, dout += D, inp += D, moments += 2) {
        float mean = moments[0], rstd = moments[1];
        vf sum = {0}, projected = {0};
        for (int j = 0; j < D; j += VL) {
            int lanes = D - j < VL ? D - j : VL;
            vf dxh = v_load_lanes(dout + j, lanes) * v_load_lanes(weight + j, lanes);
            sum += dxh;
            projected += dxh * normal_of(inp + j, mean, rstd, lanes);
            v_store_lanes(dinp + j, dxh, lanes);
        }
        float m = v_sum(sum) / (float)D, p = v_sum(projected) / (float)D;
        for (int j = 0; j < D; j += VL) {
            int lanes = D - j < VL ? D - j : VL;
            vf xh = normal_of(inp + j, mean, rstd, lanes);
            vf dxh = v_load_lanes(dinp + j, lanes); /* as m has it, rounded */
            v_store_lanes(dinp + j, rstd * (dxh - m - xh * p), lanes);
        }
    }
}

/* Vectors of columns whose sums over rows are held in registers. */
#define NORM_VECTORS 4

/* Over rows in order, for `vectors` vectors of columns, the last of `last` lanes. */
static inline __attribute__((always_inline)) void
layernorm_param_columns(float *weight_target, float *bias_target, const float *dout,
                        const float *inp, const float *moments, int rows, int D,
                        int vectors, int last, float alpha, float beta)
{
    vf dweight[NORM_VECTORS] = {0}, dbias[NORM_VECTORS] = {0};
    for (int first = 0; first < rows; first += BIAS_ROWS) {
        int end = rows - first < BIAS_ROWS ? rows : first + BIAS_ROWS;
        vf w[NORM_VECTORS] = {0}, c[NORM_VECTORS] = {0};
        for (int b = first; b < end; b++)
            for (int v = 0; v < vectors; v++) {
                ptrdiff_t at = (ptrdiff_t)b * D + v * VL;
                int lanes = v + 1 == vectors ? last : VL;
                vf dy = v_load_lanes(dout + at, lanes);
                w[v] += dy * normal_of(inp + at, moments[2 * b], moments[2 * b + 1], lanes);
                c[v] += dy;
            }
        for (int v = 0; v < vectors; v++) {
            dweight[v] += w[v];
            dbias[v] += c[v];
        }
    }
    for (int v = 0; v < vectors; v++) {
        int lanes = v + 1 == vectors ? last : VL;
        accumulate_lanes(weight_target + v * VL, dweight[v], alpha, beta, lanes);
        accumulate_lanes(bias_target + v * VL, dbias[v], alpha, beta, lanes);
    }
}

static void
layernorm_backward_params(float *weight_target, float *bias_target, const float *dout,
                          const float *inp, const float *moments, int rows, int D,
                          float alpha, float beta)
{
    int j = 0;
    for (; j + NORM_VECTORS * VL <= D; j += NORM_VECTORS * VL)
        layernorm_param_columns(weight_target + j, bias_target + j, dout + j, inp + j,
                                moments, rows, D, NORM_VECTORS, VL, alpha, beta);
    for (; j < D; j += VL)
        layernorm_param_columns(weight_target + j, bias_target + j, dout + j, inp + j,
                                moments, rows, D, 1, D - j < VL ? D - j : VL, alpha, beta);
}

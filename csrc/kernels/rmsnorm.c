#include "kernels.h"

#include "../base/simd.h"

#include <float.h>
#include <math.h>

/* Squares that do not fit float32, and values that are not finite, use float64. */
static inline float
rrms_of(const float *x, int n, float epsilon)
{
    double squares = sums_about(x, n, 0.0f).squares;
    if (!(squares <= FLT_MAX)) {
        squares = 0;
        for (int j = 0; j < n; j++)
            squares += (double)x[j] * (double)x[j];
    }
    return (float)(1 / sqrt(squares / n + (double)epsilon));
}

static void
rmsnorm_forward(float *out, float *rrms, const float *inp, const float *weight, int rows,
                int D, float epsilon)
{
    for (int b = 0; b < rows; b++, inp += D, out += D) {
        rrms[b] = rrms_of(inp, D, epsilon);
        for (int j = 0; j < D; j += VL) {
            int lanes = D - j < VL ? D - j : VL;
            vf normal = v_load_lanes(inp + j, lanes) * rrms[b];
            v_store_lanes(out + j, v_load_lanes(weight + j, lanes) * normal, lanes);
        }
    }
}

/* dx = rrms (dxh - xh mean(dxh xh)), dxh = dy weight, xh = x rrms. */
static void
rmsnorm_backward_input(float *dinp, const float *dout, const float *inp, const float *rrms,
                       const float *weight, int rows, int D)
{
    for (int b = 0; b < rows; b++, dinp += D, dout += D, inp += D) {
        vf projected = {0};
        for (int j = 0; j < D; j += VL) {
            int lanes = D - j < VL ? D - j : VL;
            vf dxh = v_load_lanes(dout + j, lanes) * v_load_lanes(weight + j, lanes);
            projected += dxh * (v_load_lanes(inp + j, lanes) * rrms[b]);
        }
        float p = v_sum(projected) / (float)D;
        for (int j = 0; j < D; j += VL) {
            int lanes = D - j < VL ? D - j : VL;
            vf dxh = v_load_lanes(dout + j, lanes) * v_load_lanes(weight + j, lanes);
            vf xh = v_load_lanes(inp + j, lanes) * rrms[b];
            v_store_lanes(dinp + j, rrms[b] * (dxh - xh * p), lanes);
        }
    }
}

/* Over rows in order, one vector of columns at a time. */
static void
rmsnorm_backward_params(float *weight_target, const float *dout, const float *inp,
                        const float *rrms, int rows, int D, float alpha, float beta)
{
    for (int j = 0; j < D; j += VL) {
        int lanes = D - j < VL ? D - j : VL;
        vf dweight = {0};
        for (int first = 0; first < rows; first += BIAS_ROWS) {
            int end = rows - first < BIAS_ROWS ? rows : first + BIAS_ROWS;
            vf part = {0};
            for (int b = first; b < end; b++) {
                ptrdiff_t at = (ptrdiff_t)b * D + j;
                part += v_load_lanes(dout + at, lanes)
                        * (v_load_lanes(inp + at, lanes) * rrms[b]);
            }
            dweight += part;
        }
        accumulate_lanes(weight_target + j, dweight, alpha, beta, lanes);
    }
}

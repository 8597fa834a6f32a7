#include "kernels.h"

#include "../base/simd.h"

/* Adjacent numbers: each has its own weight, or all have the same. */
typedef struct {
    bool own_weights;
    int runs, length; /* of a row */
} prelu_runs;

static inline prelu_runs
prelu_runs_of(int n, int area)
{
    bool own_weights = area == 1;
    return (prelu_runs){own_weights, own_weights ? 1 : n, own_weights ? n : area};
}

static inline vf
prelu_weights(const prelu_runs *r, const float *weight, int run, int i, int lanes)
{
    return r->own_weights ? v_load_lanes(weight + i, lanes) : v_set(weight[run]);
}

static void
prelu_forward(float *out, const float *inp, const float *weight, int outer, int n, int area)
{
    prelu_runs r = prelu_runs_of(n, area);
    for (int o = 0; o < outer; o++)
        for (int run = 0; run < r.runs; run++, inp += r.length, out += r.length)
            for (int i = 0; i < r.length; i += VL) {
                int lanes = r.length - i < VL ? r.length - i : VL;
                vf x = v_load_lanes(inp + i, lanes);
                vf below = prelu_weights(&r, weight, run, i, lanes) * x;
                v_store_lanes(out + i, v_select(v_greater(x, v_set(0.0f)), x, below),
                              lanes);
            }
}

static void
prelu_backward_input(float *dinp, const float *dout, const float *inp, const float *weight,
                     int outer, int n, int area)
{
    prelu_runs r = prelu_runs_of(n, area);
    for (int o = 0; o < outer; o++)
        for (int run = 0; run < r.runs;
             run++, inp += r.length, dout += r.length, dinp += r.length)
            for (int i = 0; i < r.length; i += VL) {
                int lanes = r.length - i < VL ? r.length - i : VL;
                vf dy = v_load_lanes(dout + i, lanes);
                vf below = prelu_weights(&r, weight, run, i, lanes) * dy;
                vf positive = v_load_lanes(inp + i, lanes);
                v_store_lanes(dinp + i,
                              v_select(v_greater(positive, v_set(0.0f)), dy, below), lanes);
            }
}

/* The part of x in its weight's gradient: x dy, 0 where x is positive. */
static inline vf
prelu_share(const float *dout, const float *inp, int lanes)
{
    vf x = v_load_lanes(inp, lanes);
    vf share = x * v_load_lanes(dout, lanes);
    return v_select(v_greater(x, v_set(0.0f)), v_set(0.0f), share);
}

/* In parts, as equal terms err to one side. */
static float
prelu_sum(const float *dout, const float *inp, int length)
{
    vf sum = {0};
    for (int first = 0; first < length; first += BIAS_ROWS * VL) {
        int end = length - first < BIAS_ROWS * VL ? length : first + BIAS_ROWS * VL;
        vf part = {0};
        for (int i = first; i < end; i += VL)
            part += prelu_share(dout + i, inp + i, end - i < VL ? end - i : VL);
        sum += part;
    }
    return v_sum(sum);
}

static void
prelu_backward_weight(float *target, const float *dout, const float *inp, int outer, int n,
                      int area, float alpha, float beta)
{
    prelu_runs r = prelu_runs_of(n, area);
    ptrdiff_t row = (ptrdiff_t)n * area;
    for (int run = 0; !r.own_weights && run < n; run++) {
        float sum = 0;
        for (int o = 0; o < outer; o++)
            sum += prelu_sum(dout + o * row + (ptrdiff_t)run * area,
                             inp + o * row + (ptrdiff_t)run * area, area);
        accumulate(&target[run], sum, alpha, beta);
    }
    for (int i = 0; r.own_weights && i < n; i += VL) {
        int lanes = n - i < VL ? n - i : VL;
        vf sum = {0};
        for (int first = 0; first < outer; first += BIAS_ROWS) {
            int end = outer - first < BIAS_ROWS ? outer : first + BIAS_ROWS;
            vf part = {0};
            for (int o = first; o < end; o++)
                part += prelu_share(dout + o * row + i, inp + o * row + i, lanes);
            sum += part;
        }
        accumulate_lanes(target + i, sum, alpha, beta, lanes);
    }
}

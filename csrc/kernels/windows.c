#include "kernels.h"

#include "../base/simd.h"

#include <string.h>

/* Bit i of 64: element i of x[0..n-1] is not zero; NaN is not. */
static uint64_t
nonzero_bits(const float *x, int n)
{
    uint64_t bits = 0;
    for (int i = 0; i < n; i += VL)
        bits |= (uint64_t)v_nonzero(v_load_part(x + i, n - i < VL ? n - i : VL)) << i;
    return bits;
}

static int
windows_live(int32_t *live, const float *padded, int K, int P, int Q, int pitch)
{
    uint64_t every_other = UINT64_C(0x5555555555555555);
    uint64_t inside = Q < 32 ? (UINT64_C(1) << (2 * Q)) - 1 : ~UINT64_C(0);
    int n = 0;
    for (int p = 0; p < P; p++) {
        uint64_t seen = 0, bits = 0;
        for (int k = 0; k <= K; k++)
            seen |= nonzero_bits(padded + (ptrdiff_t)(2 * p + k) * pitch, pitch);
        for (int l = 0; l <= K; l++)
            bits |= seen >> l;
        for (bits &= every_other & inside; bits != 0; bits &= bits - 1)
            live[n++] = p * Q + __builtin_ctzll(bits) / 2;
    }
    return n;
}

static inline __attribute__((always_inline)) void
copy_patches(float *patches, int stride, const int32_t *live, int n, const float *padded,
             int size, int Q, int pitch)
{
    for (int i = 0, p = 0; i < n; i++) {
        while (live[i] >= (p + 1) * Q)
            p++;
        const float *corner = padded + (ptrdiff_t)2 * p * pitch + 2 * (live[i] - p * Q);
        for (int k = 0; k < size; k++)
            for (int l = 0; l < size; l++)
                patches[(ptrdiff_t)(k * size + l) * stride + i] = corner[k * pitch + l];
    }
}

static void
windows_patches(float *patches, int stride, const int32_t *live, int n, const float *padded,
                int K, int Q, int pitch)
{
    if (K == 3)
        copy_patches(patches, stride, live, n, padded, 4, Q, pitch);
    else
        copy_patches(patches, stride, live, n, padded, K + 1, Q, pitch);
    for (int k = 0; k < (K + 1) * (K + 1); k++)
        for (int i = n; i % VL != 0; i++)
            patches[(ptrdiff_t)k * stride + i] = 0;
}

/* Filters that are computed together. */
#define WINDOW_FILTERS 2

/* One vector of windows: the greatest of four outputs of each filter, and which. */
static inline __attribute__((always_inline)) void
pool_windows(vf *best, vi *which, const float *patches, int stride, const float *weight,
             const float *bias, int filters, int K)
{
    vf sum[WINDOW_FILTERS][4];
    for (int f = 0; f < filters; f++)
        for (int u = 0; u < 4; u++)
            sum[f][u] = v_set(bias[f]);
    for (int k = 0; k < K; k++)
        for (int l = 0; l < K; l++)
            for (int f = 0; f < filters; f++) {
                float w = weight[(f * K + k) * K + l];
                for (int u = 0; u < 4; u++)
                    sum[f][u] +=
                        w * v_load(patches + ((k + u / 2) * (K + 1) + l + u % 2) * stride);
            }
    for (int f = 0; f < filters; f++) {
        best[f] = sum[f][0];
        which[f] = (vi){0};
        for (int u = 1; u < 4; u++)
            take_greater(&best[f], &which[f], sum[f][u], u);
    }
}

static inline void
scatter_windows(float *out, vf v, const int32_t *live, int n)
{
    float lanes[VL];
    v_store(lanes, v);
    for (int i = 0; i < VL && i < n; i++)
        out[live[i]] = lanes[i];
}

static inline __attribute__((always_inline)) void
forward_windows(float *out, int32_t *which, const float *patches, int stride,
                const int32_t *live, int n, const float *weight, const float *bias,
                bool relu, int filters, int K, int area)
{
    for (int i = 0; i < n; i += VL) {
        vf best[WINDOW_FILTERS];
        vi number[WINDOW_FILTERS];
        pool_windows(best, number, patches + i, stride, weight, bias, filters, K);
        for (int f = 0; f < filters; f++) {
            if (relu) {
                vi alive = best[f] > v_set(0.0f);
                number[f] = (alive & number[f]) | (~alive & 4);
                best[f] = v_at_least(best[f], 0.0f);
            }
            memcpy(which + (ptrdiff_t)f * stride + i, &number[f], sizeof number[f]);
            scatter_windows(out + (ptrdiff_t)f * area, best[f], live + i, n - i);
        }
    }
}

static void
windows_forward(float *out, int32_t *which, const float *patches, int stride,
                const int32_t *live, int n, const float *weight, const float *bias,
                bool relu, int filters, int K, int area)
{
    fill_rows(out, bias, relu, filters, area, 0, area);
    int f = 0;
    for (; f + WINDOW_FILTERS <= filters; f += WINDOW_FILTERS) {
        float *to = out + (ptrdiff_t)f * area;
        const float *w = weight + (ptrdiff_t)f * K * K;
        if (K == 3)
            forward_windows(to, which + (ptrdiff_t)f * stride, patches, stride, live, n, w,
                            bias + f, relu, WINDOW_FILTERS, 3, area);
        else
            forward_windows(to, which + (ptrdiff_t)f * stride, patches, stride, live, n, w,
                            bias + f, relu, WINDOW_FILTERS, K, area);
    }
    if (f < filters)
        forward_windows(out + (ptrdiff_t)f * area, which + (ptrdiff_t)f * stride, patches,
                        stride, live, n, weight + (ptrdiff_t)f * K * K, bias + f, relu, 1,
                        K, area);
}

/* Gradients of a vector of live windows, lane by lane from where they lie. */
static inline vf
gather_windows(const float *dout, const int32_t *live, int n)
{
    float lanes[VL] = {0};
    for (int i = 0; i < VL && i < n; i++)
        lanes[i] = dout[live[i]];
    return v_load(lanes);
}

/* Adds to sums (K*K) and their bias of one filter, by lane. */
static inline __attribute__((always_inline)) void
backward_windows(float *sums, float *bias_sum, const float *dout, const int32_t *which,
                 const float *patches, int stride, const int32_t *live, int n, int K)
{
    vf bias = v_load(bias_sum);
    for (int i = 0; i < n; i += VL) {
        vf d = gather_windows(dout, live + i, n - i), part[4];
        vi number;
        memcpy(&number, which + i, sizeof number);
        for (int u = 0; u < 4; u++) {
            part[u] = v_select(number == u, d, v_set(0.0f));
            bias += part[u];
        }
        for (int k = 0; k < K; k++)
            for (int l = 0; l < K; l++) {
                vf sum = v_load(sums + (k * K + l) * VL);
                for (int u = 0; u < 4; u++)
                    sum += part[u]
                           * v_load(patches + i
                                    + ((k + u / 2) * (K + 1) + l + u % 2) * stride);
                v_store(sums + (k * K + l) * VL, sum);
            }
    }
    v_store(bias_sum, bias);
}

/* What comes to the outputs of blank windows, where those pass it on. */
static void
add_blank_windows(float *bias_sum, const float *dout, const float *is_blank_window,
                  int area)
{
    vf bias = v_load(bias_sum);
    for (int i = 0; i < area; i += VL) {
        int lanes = area - i < VL ? area - i : VL;
        bias += v_load_part(dout + i, lanes) * v_load_part(is_blank_window + i, lanes);
    }
    v_store(bias_sum, bias);
}

static void
windows_backward(float *sums, const float *dout, const int32_t *which, const float *patches,
                 int stride, const int32_t *live, int n, float *blank, const float *bias,
                 bool relu, int filters, int K, int area)
{
    for (int i = 0; i < area; i++)
        blank[i] = 1;
    for (int i = 0; i < n; i++)
        blank[live[i]] = 0;
    for (int f = 0; f < filters; f++) {
        float *of = sums + (ptrdiff_t)f * (K * K + 1) * VL, *bias_sum = of + K * K * VL;
        const float *d = dout + (ptrdiff_t)f * area;
        const int32_t *number = which + (ptrdiff_t)f * stride;
        if (K == 3)
            backward_windows(of, bias_sum, d, number, patches, stride, live, n, 3);
        else
            backward_windows(of, bias_sum, d, number, patches, stride, live, n, K);
        if (!relu || bias[f] > 0)
            add_blank_windows(bias_sum, d, blank, area);
    }
}

static void
windows_add_sums(float *weight_target, float *bias_target, const float *sums, int filters,
                 int K, float alpha, float beta)
{
    for (int f = 0; f < filters; f++) {
        for (int k = 0; k < K * K; k++, sums += VL)
            accumulate(weight_target++, v_sum(v_load(sums)), alpha, beta);
        accumulate(bias_target++, v_sum(v_load(sums)), alpha, beta);
        sums += VL;
    }
}

static void
windows_spread_which(int32_t *all, const int32_t *which, int stride, const int32_t *live,
                     int n, const float *bias, bool relu, int filters, int area)
{
    for (int f = 0; f < filters; f++, all += area, which += stride) {
        for (int i = 0; i < area; i++)
            all[i] = !relu || bias[f] > 0 ? 0 : 4;
        for (int i = 0; i < n; i++)
            all[live[i]] = which[i];
    }
}

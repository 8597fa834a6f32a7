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

/* Bits 0, 2, 4.. side by side. */
static uint64_t
even_bits(uint64_t bits)
{
    const uint64_t masks[] = {0x5555555555555555, 0x3333333333333333, 0x0f0f0f0f0f0f0f0f,
                              0x00ff00ff00ff00ff, 0x0000ffff0000ffff, 0x00000000ffffffff};
    bits &= masks[0];
    for (int i = 1; i < 6; i++)
        bits = (bits | bits >> (1 << (i - 1))) & masks[i];
    return bits;
}

static int
windows_live(uint32_t *live, const float *padded, int K, int P, int Q, int pitch)
{
    uint64_t rows[WINDOWS_MAX_ROWS], inside = (UINT64_C(1) << Q) - 1;
    int n = 0;
    for (int y = 0; y < 2 * P - 1 + K; y++)
        rows[y] = nonzero_bits(padded + (ptrdiff_t)y * pitch, pitch);
    for (int p = 0; p < P; p++) {
        uint64_t seen = 0, bits = 0;
        for (int k = 0; k <= K; k++)
            seen |= rows[2 * p + k];
        for (int l = 0; l <= K; l++)
            bits |= seen >> l;
        live[p] = (uint32_t)(even_bits(bits) & inside);
        n += __builtin_popcount(live[p]);
    }
    return n;
}

/* Windows q.. of a row: their bits, and how many there are room for in a vector. */
static inline uint32_t
bits_from(uint32_t live, int q)
{
    return live >> q & (uint32_t)((UINT64_C(1) << VL) - 1);
}

static inline __attribute__((always_inline)) void
copy_patches(float *patches, int stride, const uint32_t *live, int n, const float *padded,
             int size, int P, int Q, int pitch)
{
    int at = 0;
    for (int p = 0; p < P; p++)
        for (int q = 0; q < Q; q += VL) {
            uint32_t bits = bits_from(live[p], q);
            const float *corner = padded + (ptrdiff_t)2 * p * pitch + 2 * q;
            if (bits == 0)
                continue;
            for (int k = 0; k < size; k++)
                for (int l = 0; l < size; l++) {
                    const float *x = corner + k * pitch + l;
                    vf v = v_compress(v_evens(v_load(x), v_load(x + VL)), bits);
                    v_store(patches + (ptrdiff_t)(k * size + l) * stride + at, v);
                }
            at += __builtin_popcount(bits);
        }
    for (int k = 0; k < size * size; k++)
        v_store(patches + (ptrdiff_t)k * stride + n, (vf){0});
}

static void
windows_patches(float *patches, int stride, const uint32_t *live, int n,
                const float *padded, int K, int P, int Q, int pitch)
{
    if (K == 3)
        copy_patches(patches, stride, live, n, padded, 4, P, Q, pitch);
    else
        copy_patches(patches, stride, live, n, padded, K + 1, P, Q, pitch);
}

/* to (P, Q) = the listed numbers where windows are live, `others` elsewhere. */
static void
expand_windows(float *to, const float *listed, const uint32_t *live, vf others, int P,
               int Q)
{
    for (int p = 0; p < P; p++, to += Q)
        for (int q = 0; q < Q; q += VL) {
            uint32_t bits = bits_from(live[p], q);
            v_store_part(to + q, v_expand(v_load(listed), bits, others),
                         Q - q < VL ? Q - q : VL);
            listed += __builtin_popcount(bits);
        }
}

/* The reverse; returns the sum, by lane, of what is not listed. Zeros follow the list. */
static vf
compress_windows(float *listed, const float *from, const uint32_t *live, int P, int Q)
{
    vf rest = {0};
    for (int p = 0; p < P; p++, from += Q)
        for (int q = 0; q < Q; q += VL) {
            uint32_t bits = bits_from(live[p], q);
            vf v = v_load_part(from + q, Q - q < VL ? Q - q : VL);
            v_store(listed, v_compress(v, bits));
            listed += __builtin_popcount(bits);
            rest += v_compress(v, ~bits);
        }
    v_store(listed, (vf){0});
    return rest;
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

/* `listed`: room for a vector more than there are windows. */
static inline __attribute__((always_inline)) void
forward_windows(float *listed, int32_t *which, const float *patches, int stride, int n,
                const float *weight, const float *bias, bool relu, int filters, int K)
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
            v_store(listed + (ptrdiff_t)f * stride + i, best[f]);
        }
    }
}

static void
windows_forward(float *out, int32_t *which, float *listed, const float *patches, int stride,
                const uint32_t *live, int n, const float *weight, const float *bias,
                bool relu, int filters, int K, int P, int Q)
{
    for (int f = 0; f < filters; f += WINDOW_FILTERS) {
        int count = filters - f < WINDOW_FILTERS ? filters - f : WINDOW_FILTERS;
        int32_t *number = which + (ptrdiff_t)f * stride;
        const float *w = weight + (ptrdiff_t)f * K * K;
        if (K == 3 && count == WINDOW_FILTERS)
            forward_windows(listed, number, patches, stride, n, w, bias + f, relu,
                            WINDOW_FILTERS, 3);
        else
            forward_windows(listed, number, patches, stride, n, w, bias + f, relu, count,
                            K);
        for (int i = 0; i < count; i++) {
            vf constant = v_set(relu && bias[f + i] < 0 ? 0 : bias[f + i]);
            expand_windows(out + (ptrdiff_t)(f + i) * P * Q, listed + (ptrdiff_t)i * stride,
                           live, constant, P, Q);
        }
    }
}

/* Taps of a filter that are summed at once. */
#define WINDOW_TAPS 9

/* What a vector of gradients gives to each of the four outputs. */
static inline void
part_windows(vf *part, const float *d, const int32_t *which)
{
    vi number;
    memcpy(&number, which, sizeof number);
    for (int u = 0; u < 4; u++)
        part[u] = v_select(number == u, v_load(d), v_set(0.0f));
}

/* Adds to the sums of `taps` taps of one filter from `first` on, by lane; d: gradients of
 * the listed windows. */
static inline __attribute__((always_inline)) void
backward_taps(float *sums, const float *d, const int32_t *which, const float *patches,
              int stride, int n, int first, int taps, int K)
{
    vf sum[WINDOW_TAPS];
    for (int t = 0; t < taps; t++)
        sum[t] = v_load(sums + (first + t) * VL);
    for (int i = 0; i < n; i += VL) {
        vf part[4];
        part_windows(part, d + i, which + i);
        for (int t = 0; t < taps; t++) {
            int corner = (first + t) / K * (K + 1) + (first + t) % K;
            const float *x = patches + i + (ptrdiff_t)corner * stride;
            sum[t] += part[0] * v_load(x) + part[1] * v_load(x + stride);
            x += (K + 1) * stride;
            sum[t] += part[2] * v_load(x) + part[3] * v_load(x + stride);
        }
    }
    for (int t = 0; t < taps; t++)
        v_store(sums + (first + t) * VL, sum[t]);
}

/* All taps, then the bias. */
static void
backward_windows(float *sums, const float *d, const int32_t *which, const float *patches,
                 int stride, int n, int K)
{
    int first = 0;
    vf bias = v_load(sums + K * K * VL);
    for (int i = 0; i < n; i += VL) {
        vf part[4];
        part_windows(part, d + i, which + i);
        bias += (part[0] + part[1]) + (part[2] + part[3]);
    }
    v_store(sums + K * K * VL, bias);
    if (K == 3) {
        backward_taps(sums, d, which, patches, stride, n, 0, 9, 3);
        return;
    }
    for (; first + WINDOW_TAPS <= K * K; first += WINDOW_TAPS)
        backward_taps(sums, d, which, patches, stride, n, first, WINDOW_TAPS, K);
    for (; first < K * K; first++)
        backward_taps(sums, d, which, patches, stride, n, first, 1, K);
}

static void
windows_backward(float *sums, const float *dout, const int32_t *which, const float *patches,
                 int stride, const uint32_t *live, int n, float *listed, const float *bias,
                 bool relu, int filters, int K, int P, int Q)
{
    for (int f = 0; f < filters; f++, sums += (K * K + 1) * VL) {
        const int32_t *number = which + (ptrdiff_t)f * stride;
        vf rest = compress_windows(listed, dout + (ptrdiff_t)f * P * Q, live, P, Q);
        backward_windows(sums, listed, number, patches, stride, n, K);
        if (!relu || bias[f] > 0)
            v_store(sums + K * K * VL, v_load(sums + K * K * VL) + rest);
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
windows_spread_which(int32_t *all, const int32_t *which, int stride, const uint32_t *live,
                     const float *bias, bool relu, int filters, int P, int Q)
{
    for (int f = 0; f < filters; f++) {
        vi others = v_lanes() * 0 + (!relu || bias[f] > 0 ? 0 : 4);
        expand_windows((float *)all + (ptrdiff_t)f * P * Q,
                       (const float *)which + (ptrdiff_t)f * stride, live, (vf)others, P,
                       Q);
    }
}

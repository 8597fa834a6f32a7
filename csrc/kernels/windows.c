#include "kernels.h"

#include "../base/simd.h"

#include <string.h>

/* Whether `part` of `whole` is so few that they are better summed by themselves than as
 * the difference of all and the others. */
static bool
are_few(int part, int whole)
{
    return part <= whole / 8;
}

/* Where the odd pixels of a row follow, and where the next row begins. */
static int
split_half(int pitch)
{
    return (pitch + 1) / 2;
}

/* A row of the padded image, its even pixels first and then the odd ones, `half` of each;
 * bit i of *evens and *odds: the i-th is not zero. NaN is not. */
static void
split_row(float *split, uint32_t *evens, uint32_t *odds, const float *padded, int half)
{
    *evens = *odds = 0;
    for (int i = 0; i < half; i += VL) {
        vf a = v_load(padded + 2 * i), b = v_load(padded + 2 * i + VL);
        vf even = v_evens(a, b), odd = v_odds(a, b);
        int lanes = half - i < VL ? half - i : VL;
        v_store_lanes(split + i, even, lanes);
        v_store_lanes(split + half + i, odd, lanes);
        *evens |= v_nonzero(even) << i;
        *odds |= v_nonzero(odd) << i;
    }
}

/* Bit q: window q of a row of windows sees something in its rows of pixels. */
static uint32_t
live_in_row(const uint32_t *evens, const uint32_t *odds, int K, int Q)
{
    uint32_t even = 0, odd = 0, bits = 0;
    for (int k = 0; k <= K; k++) {
        even |= evens[k];
        odd |= odds[k];
    }
    for (int l = 0; l <= K; l++)
        bits |= (l % 2 == 0 ? even : odd) >> l / 2;
    return bits & (uint32_t)((UINT64_C(1) << Q) - 1);
}

/* Where few windows are blank, all are listed. What blank ones share is the difference of
 * what all and what the live ones give: of nearly equal numbers little more than rounding
 * would be left. */
static void
list_all_if_few_are_blank(uint32_t *rows, int P, int Q)
{
    uint32_t all = (uint32_t)((UINT64_C(1) << Q) - 1);
    int n = 0;
    for (int p = 0; p < P; p++)
        n += __builtin_popcount(rows[p]);
    for (int p = 0; p < P && are_few(P * Q - n, P * Q); p++)
        rows[p] = all;
}

/* Rows of bits one after the other, VL at a time. */
static void
join_rows(live_windows *live, const uint32_t *rows, int P, int Q)
{
    uint64_t bits = 0;
    int held = 0, i = 0, n = 0;
    for (int p = 0; p < P; p++) {
        bits |= (uint64_t)rows[p] << held;
        held += Q;
        for (; held >= VL || (p + 1 == P && held > 0); held -= VL, bits >>= VL) {
            live->bits[i] = (uint32_t)(bits & ((UINT64_C(1) << VL) - 1));
            live->begin[i] = n;
            n += __builtin_popcount(live->bits[i++]);
        }
    }
    live->begin[i] = n;
}

static int
live_count(const live_windows *live)
{
    return live->begin[(live->count + VL - 1) / VL];
}

static inline __attribute__((always_inline)) void
copy_patches(float *patches, int stride, const uint32_t *rows, const float *split, int size,
             int P, int Q, int pitch)
{
    int at = 0, half = split_half(pitch);
    for (int p = 0; p < P; p++)
        for (int q = 0; q < Q; q += VL) {
            uint32_t bits = rows[p] >> q & (uint32_t)((UINT64_C(1) << VL) - 1);
            const float *corner = split + (ptrdiff_t)4 * p * half + q;
            float *to = patches + at;
            if (bits == 0)
                continue;
            for (int k = 0; k < size; k++, corner += 2 * half)
                for (int l = 0; l < size; l++, to += stride) {
                    const float *x = corner + l % 2 * half + l / 2;
                    v_store(to, v_compress(v_load(x), bits));
                }
            at += __builtin_popcount(bits);
        }
    for (int k = 0; k < size * size; k++)
        v_store(patches + (ptrdiff_t)k * stride + at, (vf){0});
}

static void
windows_list(live_windows *live, float *patches, int stride, float *split,
             const float *padded, int K, int P, int Q, int pitch)
{
    uint32_t evens[WINDOWS_MAX_ROWS], odds[WINDOWS_MAX_ROWS], rows[WINDOWS_MAX_ROWS / 2];
    int half = split_half(pitch);
    for (int y = 0; y < 2 * P - 1 + K; y++)
        split_row(split + (ptrdiff_t)2 * y * half, &evens[y], &odds[y],
                  padded + (ptrdiff_t)y * pitch, half);
    for (int p = 0; p < P; p++)
        rows[p] = live_in_row(evens + 2 * p, odds + 2 * p, K, Q);
    list_all_if_few_are_blank(rows, P, Q);
    join_rows(live, rows, P, Q);
    if (K == 3)
        copy_patches(patches, stride, rows, split, 4, P, Q, pitch);
    else
        copy_patches(patches, stride, rows, split, K + 1, P, Q, pitch);
}

/* to (count) = the listed numbers where windows are live, `others` elsewhere. */
static void
expand_windows(float *to, const float *listed, const live_windows *live, vf others)
{
    for (int i = 0, left = live->count; left > 0; i++, left -= VL) {
        vf v = v_expand(v_load(listed + live->begin[i]), live->bits[i], others);
        v_store_lanes(to + (ptrdiff_t)i * VL, v, left < VL ? left : VL);
    }
}

/* The reverse; returns the sum, by lane, of what is not listed. Zeros follow the list. */
static vf
compress_windows(float *listed, const float *from, const live_windows *live)
{
    vf rest = {0};
    for (int i = 0, left = live->count; left > 0; i++, left -= VL) {
        vf v = v_load_lanes(from + (ptrdiff_t)i * VL, left < VL ? left : VL);
        v_store(listed + live->begin[i], v_compress(v, live->bits[i]));
        rest += v_keep(v, ~live->bits[i]);
    }
    v_store(listed + live_count(live), (vf){0});
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

/* `listed`: room for a vector more than windows. */
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
                vm alive = v_greater(best[f], v_set(0.0f));
                number[f] = v_select_int(alive, number[f], v_lanes() * 0 + 4);
                best[f] = v_at_least(best[f], 0.0f);
            }
            memcpy(which + (ptrdiff_t)f * stride + i, &number[f], sizeof number[f]);
            v_store(listed + (ptrdiff_t)f * stride + i, best[f]);
        }
    }
}

/* The same for `filters` filters, at most WINDOW_FILTERS. */
static void
forward_filters(float *listed, int32_t *which, const float *patches, int stride, int n,
                const float *weight, const float *bias, bool relu, int filters, int K)
{
    if (K == 3 && filters == WINDOW_FILTERS)
        forward_windows(listed, which, patches, stride, n, weight, bias, relu,
                        WINDOW_FILTERS, 3);
    else
        forward_windows(listed, which, patches, stride, n, weight, bias, relu, filters, K);
}

static void
windows_forward(float *out, int32_t *which, float *listed, const float *patches, int stride,
                const live_windows *live, const float *weight, const float *bias, bool relu,
                int filters, int K)
{
    int n = live_count(live);
    for (int f = 0; f < filters; f += WINDOW_FILTERS) {
        int count = filters - f < WINDOW_FILTERS ? filters - f : WINDOW_FILTERS;
        forward_filters(listed, which + (ptrdiff_t)f * stride, patches, stride, n,
                        weight + (ptrdiff_t)f * K * K, bias + f, relu, count, K);
        for (int i = 0; i < count; i++) {
            vf constant = v_set(relu && bias[f + i] < 0 ? 0 : bias[f + i]);
            expand_windows(out + (ptrdiff_t)(f + i) * live->count,
                           listed + (ptrdiff_t)i * stride, live, constant);
        }
    }
}

/* Taps of a filter that are summed at once. */
#define WINDOW_TAPS 9

/* Of a vector of windows: whether the output with the gradient is a right one, a lower one.
 */
typedef struct {
    vm right, lower;
} chosen_outputs;

/* Pixels (k,l) and (k,l+1) of the windows, as the chosen output is a left or a right one.
 */
static inline __attribute__((always_inline)) vf
chosen_across(const float *patches, int stride, chosen_outputs chosen, int k, int l, int K)
{
    vf left = v_load(patches + (k * (K + 1) + l) * stride);
    vf right = v_load(patches + (k * (K + 1) + l + 1) * stride);
    return v_select(chosen.right, right, left);
}

/* What the chosen output's tap (k,l) saw. The same choice is made for several taps, which
 * the compiler finds out when K is constant. */
static inline __attribute__((always_inline)) vf
chosen_pixels(const float *patches, int stride, chosen_outputs chosen, int k, int l, int K)
{
    return v_select(chosen.lower, chosen_across(patches, stride, chosen, k + 1, l, K),
                    chosen_across(patches, stride, chosen, k, l, K));
}

/* Adds to the sums of `taps` taps of one filter from `first` on, by lane, and with the last
 * ones to the bias' that follow; d: gradients of the listed windows. */
static inline __attribute__((always_inline)) void
backward_taps(float *sums, const float *d, const int32_t *which, const float *patches,
              int stride, int n, int first, int taps, int K)
{
    vf sum[WINDOW_TAPS], bias = v_load(sums + K * K * VL);
    for (int t = 0; t < taps; t++)
        sum[t] = v_load(sums + (first + t) * VL);
    for (int i = 0; i < n; i += VL) {
        vi number;
        memcpy(&number, which + i, sizeof number);
        chosen_outputs chosen = {v_equal(number & 1, 1), v_equal(number & 2, 2)};
        vf gradient = v_select(v_equal(number, 4), v_set(0.0f), v_load(d + i));
        for (int t = 0; t < taps; t++)
            sum[t] += gradient
                      * chosen_pixels(patches + i, stride, chosen, (first + t) / K,
                                      (first + t) % K, K);
        bias += gradient;
    }
    for (int t = 0; t < taps; t++)
        v_store(sums + (first + t) * VL, sum[t]);
    if (first + taps == K * K)
        v_store(sums + K * K * VL, bias);
}

static void
backward_windows(float *sums, const float *d, const int32_t *which, const float *patches,
                 int stride, int n, int K)
{
    int first = 0;
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
                 int stride, const live_windows *live, float *listed, const float *bias,
                 bool relu, int filters, int K)
{
    int n = live_count(live);
    for (int f = 0; f < filters; f++, sums += (K * K + 1) * VL) {
        const int32_t *number = which + (ptrdiff_t)f * stride;
        vf rest = compress_windows(listed, dout + (ptrdiff_t)f * live->count, live);
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
windows_spread_which(int32_t *all, const int32_t *which, int stride,
                     const live_windows *live, const float *bias, bool relu, int filters)
{
    for (int f = 0; f < filters; f++) {
        vi others = v_lanes() * 0 + (!relu || bias[f] > 0 ? 0 : 4);
        expand_windows((float *)all + (ptrdiff_t)f * live->count,
                       (const float *)which + (ptrdiff_t)f * stride, live, (vf)others);
    }
}

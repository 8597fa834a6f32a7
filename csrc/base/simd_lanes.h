/* Lanes that meet each other: sums, and lanes put elsewhere. Part of simd.h. */
#ifndef RNN_SIMD_LANES_H
#define RNN_SIMD_LANES_H

#include "simd_vector.h"

/* Lanes n.. in the place of lanes 0..n-1, for n = VL/2, VL/4.. down to 2. */
#if VL == 16
#define V_UPPER_8(v) \
    __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)
#define V_UPPER_4(v) \
    __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3)
#define V_UPPER_2(v) \
    __builtin_shufflevector(v, v, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1)
#elif VL == 8
#define V_UPPER_4(v) __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3)
#define V_UPPER_2(v) __builtin_shufflevector(v, v, 2, 3, 0, 1, 2, 3, 0, 1)
#else
#define V_UPPER_2(v) __builtin_shufflevector(v, v, 2, 3, 0, 1)
#endif

/* The lower halves of a and b; the upper ones. */
#if VL == 16
#define V_LOWER_HALVES(a, b) \
    __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
#define V_UPPER_HALVES(a, b)                                                            \
    __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, \
                            30, 31)
#endif

/* Halves are added to each other down to one lane. */
static inline float
v_sum(vf v)
{
#if VL >= 16
    v += V_UPPER_8(v);
#endif
#if VL >= 8
    v += V_UPPER_4(v);
#endif
    v += V_UPPER_2(v);
    return v[0] + v[1];
}

typedef float v_quad __attribute__((vector_size(16)));
typedef int32_t vi_quad __attribute__((vector_size(16)));

/* v_sum of four vectors, to the same bits. */
static inline v_quad
v_sum_4(vf a, vf b, vf c, vf d)
{
#if VL == 16
    vf ab = V_LOWER_HALVES(a, b) + V_UPPER_HALVES(a, b);
    vf cd = V_LOWER_HALVES(c, d) + V_UPPER_HALVES(c, d);
    vf all = __builtin_shufflevector(ab, cd, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24,
                                     25, 26, 27)
             + __builtin_shufflevector(ab, cd, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23,
                                       28, 29, 30, 31);
    all += __builtin_shufflevector(all, all, 2, 3, 2, 3, 6, 7, 6, 7, 10, 11, 10, 11, 14, 15,
                                   14, 15);
    return __builtin_shufflevector(all, all, 0, 4, 8, 12)
           + __builtin_shufflevector(all, all, 1, 5, 9, 13);
#elif VL == 8
    vf ab = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
            + __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
    vf cd = __builtin_shufflevector(c, d, 0, 1, 2, 3, 8, 9, 10, 11)
            + __builtin_shufflevector(c, d, 4, 5, 6, 7, 12, 13, 14, 15);
    vf all = __builtin_shufflevector(ab, cd, 0, 1, 4, 5, 8, 9, 12, 13)
             + __builtin_shufflevector(ab, cd, 2, 3, 6, 7, 10, 11, 14, 15);
    return __builtin_shufflevector(all, all, 0, 2, 4, 6)
           + __builtin_shufflevector(all, all, 1, 3, 5, 7);
#else
    vf ab = __builtin_shufflevector(a, b, 0, 1, 4, 5)
            + __builtin_shufflevector(a, b, 2, 3, 6, 7);
    vf cd = __builtin_shufflevector(c, d, 0, 1, 4, 5)
            + __builtin_shufflevector(c, d, 2, 3, 6, 7);
    return __builtin_shufflevector(ab, cd, 0, 2, 4, 6)
           + __builtin_shufflevector(ab, cd, 1, 3, 5, 7);
#endif
}

static inline float
v_greatest(vf v)
{
#if VL >= 16
    v = v_max(v, V_UPPER_8(v));
#endif
#if VL >= 8
    v = v_max(v, V_UPPER_4(v));
#endif
    v = v_max(v, V_UPPER_2(v));
    return v[0] > v[1] ? v[0] : v[1];
}

/* Bit i: lane i is not zero. */
static inline uint32_t
v_nonzero(vf v)
{
#if VL == 16
    return _mm512_cmp_ps_mask((__m512)v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
#elif defined(__aarch64__)
    return vaddvq_u32((uint32x4_t)((v != 0) & (vi){1, 2, 4, 8}));
#else
    uint32_t bits = 0;
    for (int i = 0; i < VL; i++)
        bits |= (uint32_t)(v[i] != 0) << i;
    return bits;
#endif
}

/* Bit i: lane i has bit `bit`. */
static inline uint32_t
v_with_bit(vi v, int bit)
{
#if VL == 16
    return _mm512_test_epi32_mask((__m512i)v, _mm512_set1_epi32(1 << bit));
#elif defined(__aarch64__)
    return vaddvq_u32((uint32x4_t)(((v >> bit & 1) != 0) & (vi){1, 2, 4, 8}));
#else
    uint32_t bits = 0;
    for (int i = 0; i < VL; i++)
        bits |= ((uint32_t)v[i] >> bit & 1) << i;
    return bits;
#endif
}

/* Lanes whose bit in mask is set, side by side from lane 0 on; zeros follow. */
static inline vf
v_compress(vf v, uint32_t mask)
{
#if VL == 16
    return (vf)_mm512_maskz_compress_ps((__mmask16)mask, (__m512)v);
#else
    vf packed = {0};
    for (int i = 0, n = 0; i < VL; i++)
        if (mask >> i & 1)
            packed[n++] = v[i];
    return packed;
#endif
}

/* The reverse: lanes whose bit is not set come from `others`. */
static inline vf
v_expand(vf packed, uint32_t mask, vf others)
{
#if VL == 16
    return (vf)_mm512_mask_expand_ps((__m512)others, (__mmask16)mask, (__m512)packed);
#else
    for (int i = 0, n = 0; i < VL; i++)
        if (mask >> i & 1)
            others[i] = packed[n++];
    return others;
#endif
}

/* Lanes whose bit in mask is set; the others are zero. */
static inline vf
v_keep(vf v, uint32_t mask)
{
#if VL == 16
    return (vf)_mm512_maskz_mov_ps((__mmask16)mask, (__m512)v);
#elif defined(__aarch64__)
    vi bits = {1, 2, 4, 8};
    return (vf)((vi)v & (((vi)vdupq_n_u32(mask) & bits) != 0));
#else
    for (int i = 0; i < VL; i++)
        v[i] = mask >> i & 1 ? v[i] : 0;
    return v;
#endif
}

/* Lanes 0, 2, 4.. of a and then b; lanes 1, 3, 5.. */
#if VL == 16
#define V_SHUFFLE(a, b, i, j, k, l)                                                     \
    __builtin_shufflevector(a, b, i, i + j, i + 2 * j, i + 3 * j, i + 4 * j, i + 5 * j, \
                            i + 6 * j, i + 7 * j, k, k + l, k + 2 * l, k + 3 * l,       \
                            k + 4 * l, k + 5 * l, k + 6 * l, k + 7 * l)
#elif VL == 8
#define V_SHUFFLE(a, b, i, j, k, l)                                                    \
    __builtin_shufflevector(a, b, i, i + j, i + 2 * j, i + 3 * j, k, k + l, k + 2 * l, \
                            k + 3 * l)
#else
#define V_SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, i + j, k, k + l)
#endif

static inline vf
v_evens(vf a, vf b)
{
    return V_SHUFFLE(a, b, 0, 2, VL, 2);
}

static inline vf
v_odds(vf a, vf b)
{
    return V_SHUFFLE(a, b, 1, 2, VL + 1, 2);
}

/* a's and b's lanes in turn, from the lower halves of both; from the upper ones. */
#if VL == 16
#define V_ZIP(a, b, i)                                                                    \
    __builtin_shufflevector(a, b, i, i + 16, i + 1, i + 17, i + 2, i + 18, i + 3, i + 19, \
                            i + 4, i + 20, i + 5, i + 21, i + 6, i + 22, i + 7, i + 23)
#elif VL == 8
#define V_ZIP(a, b, i) \
    __builtin_shufflevector(a, b, i, i + 8, i + 1, i + 9, i + 2, i + 10, i + 3, i + 11)
#else
#define V_ZIP(a, b, i) __builtin_shufflevector(a, b, i, i + 4, i + 1, i + 5)
#endif

static inline vf
v_zip_lower(vf a, vf b)
{
    return V_ZIP(a, b, 0);
}

static inline vf
v_zip_upper(vf a, vf b)
{
    return V_ZIP(a, b, VL / 2);
}

/* Lanes of n vectors in turn: lane 0 of each, lane 1 of each.. n is a power of 2, at
 * most 16. In a round of the perfect shuffle vectors i and i + n/2 zipped become 2i and 2i
 * + 1. With n = VL this is a transpose. */
static inline __attribute__((always_inline)) void
v_interleave(vf *v, int n)
{
    for (int width = 1; width < n; width *= 2) {
        vf zipped[16];
        for (int i = 0; i < n / 2; i++) {
            zipped[2 * i] = v_zip_lower(v[i], v[i + n / 2]);
            zipped[2 * i + 1] = v_zip_upper(v[i], v[i + n / 2]);
        }
        for (int i = 0; i < n; i++)
            v[i] = zipped[i];
    }
}

#endif

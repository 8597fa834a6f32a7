/* One vector type of VL float lanes for the level being compiled, in GCC/Clang's vector
 * extension, and the few operations that kernels need. Tails are handled by loading a
 * part of a vector, so that every element goes through the same instructions wherever it
 * stands: a row's bits must not depend on its neighbours. */
#ifndef RNN_SIMD_H
#define RNN_SIMD_H

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define VL 16
#elif defined(__AVX2__)
#define VL 8
#else
#define VL 4
#endif

typedef float vf __attribute__((vector_size(4 * VL)));
typedef int32_t vi __attribute__((vector_size(4 * VL)));
typedef uint8_t vb __attribute__((vector_size(VL)));

static inline vf
v_load(const float *p)
{
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void
v_store(float *p, vf v)
{
    memcpy(p, &v, sizeof v);
}

/* The first n <= VL lanes; the others are zero, and not touched in memory. */
#if VL == 16
static inline vf
v_load_part(const float *p, int n)
{
    return (vf)_mm512_maskz_loadu_ps((__mmask16)((1U << n) - 1), p);
}

static inline void
v_store_part(float *p, vf v, int n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1U << n) - 1), (__m512)v);
}
#elif VL == 8
static inline __m256i
first_lanes(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline vf
v_load_part(const float *p, int n)
{
    return (vf)_mm256_maskload_ps(p, first_lanes(n));
}

static inline void
v_store_part(float *p, vf v, int n)
{
    _mm256_maskstore_ps(p, first_lanes(n), (__m256)v);
}
#else
static inline vf
v_load_part(const float *p, int n)
{
    vf v = {0};
    memcpy(&v, p, (size_t)n * sizeof(float));
    return v;
}

static inline void
v_store_part(float *p, vf v, int n)
{
    memcpy(p, &v, (size_t)n * sizeof(float));
}
#endif

/* VL bytes as floats. Compilers convert them one by one unless told how. */
static inline vf
v_load_bytes(const uint8_t *p)
{
#if VL == 16
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    return (vf)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
#elif VL == 8
    __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)p);
    return (vf)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
#else
    vb bytes;
    memcpy(&bytes, p, sizeof bytes);
    return __builtin_convertvector(bytes, vf);
#endif
}

/* The same for what is usually a whole vector. */
static inline vf
v_load_lanes(const float *p, int lanes)
{
    return lanes == VL ? v_load(p) : v_load_part(p, lanes);
}

static inline void
v_store_lanes(float *p, vf v, int lanes)
{
    if (lanes == VL)
        v_store(p, v);
    else
        v_store_part(p, v, lanes);
}

static inline vf
v_set(float x)
{
    return x - (vf){0};
}

/* Which lanes: a bit for each where the processor has registers for that, else a lane of
 * ones. Compilers go from one to the other and back unless told not to. */
#if VL == 16
typedef __mmask16 vm;
#define V_COMPARE(a, b, op, predicate) \
    _mm512_cmp_ps_mask((__m512)(a), (__m512)(b), predicate)
#else
typedef vi vm;
#define V_COMPARE(a, b, op, predicate) ((a)op(b))
#endif

static inline vm
v_less(vf a, vf b)
{
    return V_COMPARE(a, b, <, _CMP_LT_OQ);
}

static inline vm
v_greater(vf a, vf b)
{
    return V_COMPARE(a, b, >, _CMP_GT_OQ);
}

static inline vm
v_is_nan(vf a)
{
    return V_COMPARE(a, a, !=, _CMP_UNORD_Q);
}

static inline vm
v_equal(vi a, int b)
{
#if VL == 16
    return _mm512_cmpeq_epi32_mask((__m512i)a, _mm512_set1_epi32(b));
#else
    return a == b;
#endif
}

/* Lanes of `yes` where the mask has them, else of `no`. */
static inline vf
v_select(vm mask, vf yes, vf no)
{
#if VL == 16
    return (vf)_mm512_mask_blend_ps(mask, (__m512)no, (__m512)yes);
#else
    return (vf)(((vi)yes & mask) | ((vi)no & ~mask));
#endif
}

static inline vi
v_select_int(vm mask, vi yes, vi no)
{
#if VL == 16
    return (vi)_mm512_mask_blend_epi32(mask, (__m512i)no, (__m512i)yes);
#else
    return (yes & mask) | (no & ~mask);
#endif
}

/* 0, 1, 2.. */
static inline vi
v_lanes(void)
{
#if VL == 16
    return (vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#elif VL == 8
    return (vi){0, 1, 2, 3, 4, 5, 6, 7};
#else
    return (vi){0, 1, 2, 3};
#endif
}

/* The first n lanes of v, and `fill` in the others. */
static inline vf
v_first(vf v, int n, float fill)
{
#if VL == 16
    return v_select((vm)((1U << n) - 1), v, v_set(fill));
#else
    return v_select(v_lanes() < n, v, v_set(fill));
#endif
}

/* x is added to lane i. */
static inline vf
v_add_to_lane(vf v, int i, float x)
{
    return v_select(v_equal(v_lanes(), i), v + x, v);
}

/* a where it is greater than b; b where one of them is NaN: what processors have. */
static inline vf
v_max(vf a, vf b)
{
#if VL == 16
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif VL == 8
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return v_select(a > b, a, b);
#endif
}

/* The same for what is less. */
static inline vf
v_min(vf a, vf b)
{
#if VL == 16
    return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#elif VL == 8
    return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#else
    return v_select(a < b, a, b);
#endif
}

/* NaN in x stays NaN in both. */
static inline vf
v_at_least(vf x, float low)
{
    return v_max(v_set(low), x);
}

static inline vf
v_at_most(vf x, float high)
{
    return v_min(v_set(high), x);
}

static inline vf
v_abs(vf x)
{
    return (vf)((vi)x & 0x7fffffff);
}

static inline vf
v_sqrt(vf x)
{
    for (int i = 0; i < VL; i++)
        x[i] = __builtin_sqrtf(x[i]);
    return x;
}

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

/* x * 2^n for whole n in [-126, 128]. */
static inline vf
v_scale(vf x, vf n)
{
#if VL == 16
    return (vf)_mm512_scalef_ps((__m512)x, (__m512)n);
#else
    /* In two factors: 2^128 alone does not fit. */
    vi power = __builtin_convertvector(n, vi);
    vi half = power >> 1;
    return x * (vf)((half + 127) << 23) * (vf)((power - half + 127) << 23);
#endif
}

/* e^x = 2^n e^r, n = round(x / ln 2), |r| <= ln(2)/2; Taylor polynomial of degree 7 in r.
 * ln 2 is split in two so that x - n ln 2 is exact to the last bit (Cody and Waite 1980).
 * Below the smallest normal number the result is 0, above the largest infinity. */
static inline vf
v_exp(vf x)
{
    const float to_integer = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    vf in = v_at_most(v_at_least(x, -88.0f), 89.0f);
    vf shifted = in * 1.44269504f + to_integer;
    vf n = shifted - to_integer;
    vf r = in - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    vf p = r * 1.98412698e-4f + 1.38888889e-3f;
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return v_select(v_less(x, v_set(-87.33654f)), v_set(0.0f), v_scale(p, n));
}

static inline vf
v_sigmoid(vf x)
{
    return 1.0f / (1.0f + v_exp(-x));
}

/* |x| < 0.625: odd polynomial (Cephes, S. Moshier); else 1 - 2 / (e^2|x| + 1), which
 * cancels near zero. */
static inline vf
v_tanh(vf x)
{
    vf size = v_abs(x);
    vf square = x * x;
    vf p = square * -5.70498872745e-3f + 2.06390887954e-2f;
    p = p * square + -5.37397155531e-2f;
    p = p * square + 1.33314422036e-1f;
    p = p * square + -3.33332819422e-1f;
    vf near = p * square * x + x;
    vf far = 1.0f - 2.0f / (v_exp(size + size) + 1.0f);
    far = v_select(v_less(x, v_set(0.0f)), -far, far);
    return v_select(v_less(size, v_set(0.625f)), near, far);
}

#endif

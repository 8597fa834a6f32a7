/* The vector type: lanes loaded, stored, compared and chosen. Part of simd.h. */
#ifndef RNN_SIMD_VECTOR_H
#define RNN_SIMD_VECTOR_H

#include <float.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
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

/* Lanes past the end of a row may be another row's, which another thread writes at the same
 * time: nobody reads them. ThreadSanitizer is shown the first lane, which is the row's. */
#ifdef __SANITIZE_THREAD__
typedef float unaligned_vf __attribute__((vector_size(4 * VL), aligned(4), may_alias));

static __attribute__((noinline, no_sanitize_thread)) vf
v_load_unseen(const float *p)
{
    return *(const unaligned_vf *)p;
}

static inline vf
v_load(const float *p)
{
    (void)*(const volatile float *)p;
    return v_load_unseen(p);
}
#else
static inline vf
v_load(const float *p)
{
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}
#endif

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
/* Lane by lane: memcpy of an unknown size would be a call. */
static inline vf
v_load_part(const float *p, int n)
{
    vf v = {0};
    if (n == VL)
        return v_load(p);
    for (int i = 0; i < VL - 1; i++)
        if (i < n)
            v[i] = p[i];
    return v;
}

static inline void
v_store_part(float *p, vf v, int n)
{
    if (n == VL) {
        v_store(p, v);
        return;
    }
    for (int i = 0; i < VL - 1; i++)
        if (i < n)
            p[i] = v[i];
}
#endif

/* VL bytes as floats. Compilers convert them one by one without help. */
static inline vf
v_load_bytes(const uint8_t *p)
{
#if VL == 16
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    return (vf)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
#elif VL == 8
    __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)p);
    return (vf)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
#elif defined(__aarch64__)
    uint32_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    uint16x8_t words = vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(bytes)));
    return (vf)vcvtq_f32_u32(vmovl_u16(vget_low_u16(words)));
#else
    vb bytes;
    memcpy(&bytes, p, sizeof bytes);
    return __builtin_convertvector(bytes, vf);
#endif
}

/* The same for a part that is usually a whole vector. */
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
 * ones. Compilers go from one to the other and back unless it is prevented. */
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
v_is_zero(vf a)
{
    return V_COMPARE(a, (vf){0}, ==, _CMP_EQ_OQ);
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

/* The same for the lesser. */
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

/* Subnormal lanes as 0: processors need a hundred times as long for each. */
static inline vf
v_normal(vf x)
{
    return v_select(v_less(v_abs(x), v_set(FLT_MIN)), v_set(0), x);
}

static inline vf
v_sqrt(vf x)
{
#if defined(__aarch64__)
    return (vf)vsqrtq_f32((float32x4_t)x);
#else
    for (int i = 0; i < VL; i++)
        x[i] = __builtin_sqrtf(x[i]);
    return x;
#endif
}

#endif

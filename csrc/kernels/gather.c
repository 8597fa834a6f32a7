#include "kernels.h"

#include "../base/simd.h"

#include <string.h>

static void
gather_f32(float *out, const float *x, const int32_t *order, int size, int begin, int end)
{
    for (int i = begin; i < end; i++)
        memcpy(out + (ptrdiff_t)i * size, row_of(x, order, i, (size_t)size * sizeof(float)),
               (size_t)size * sizeof(float));
}

/* x / 255, rounded correctly as a division is: then bytes train to the same bits as their
 * quotients. The remainder of a first quotient is exact where there is a fused
 * multiply-add, and corrects it for all 256 bytes. */
static inline vf
quotients(vf x)
{
#if defined(__FMA__)
    const float reciprocal = 1.0f / 255.0f;
    vf q = x * reciprocal;
    return q + (x - q * 255.0f) * reciprocal;
#else
    return x / 255.0f;
#endif
}

static void
gather_u8(float *out, const uint8_t *x, const int32_t *order, int size, int begin, int end)
{
    for (int i = begin; i < end; i++) {
        const uint8_t *from = row_of(x, order, i, (size_t)size);
        float *to = out + (ptrdiff_t)i * size;
        int j = 0;
        for (; j + VL <= size; j += VL)
            v_store(to + j, quotients(v_load_bytes(from + j)));
        for (; j < size; j++)
            to[j] = (float)from[j] / 255.0f;
    }
}

static void
gather_compressed(float *out, const rnn_compressed *x, const int32_t *order, int size,
                  int begin, int end)
{
    for (int i = begin; i < end; i++) {
        int row = order != NULL ? order[i] : i;
        float *to = out + (ptrdiff_t)i * size;
        memset(to, 0, (size_t)size * sizeof(float));
        for (int k = x->begin[row]; k < x->begin[row + 1]; k++)
            to[x->column[k]] = x->value[k];
    }
}

static bool
is_blank(const float *x, int n)
{
    int nonzero = 0;
    for (int i = 0; i < n; i++)
        nonzero |= x[i] != 0;
    return !nonzero;
}

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

/* A division, not a product with 1/255: then bytes train to the same bits as x / 255. */
static void
gather_u8(float *out, const uint8_t *x, const int32_t *order, int size, int begin, int end)
{
    for (int i = begin; i < end; i++) {
        const uint8_t *from = row_of(x, order, i, (size_t)size);
        float *to = out + (ptrdiff_t)i * size;
        int j = 0;
        for (; j + VL <= size; j += VL) {
            vb bytes;
            memcpy(&bytes, from + j, sizeof bytes);
            v_store(to + j, __builtin_convertvector(bytes, vf) / 255.0f);
        }
        for (; j < size; j++)
            to[j] = (float)from[j] / 255.0f;
    }
}

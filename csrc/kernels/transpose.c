#include "kernels.h"

#include "../base/simd.h"

/* A block of VL x VL, in registers. */
static inline void
transpose_block(float *to, int to_stride, const float *from, int from_stride)
{
    vf rows[VL];
    for (int i = 0; i < VL; i++)
        rows[i] = v_load(from + (ptrdiff_t)i * from_stride);
    v_interleave(rows, VL);
    for (int i = 0; i < VL; i++)
        v_store(to + (ptrdiff_t)i * to_stride, rows[i]);
}

static void
transpose(float *to, int to_stride, const float *from, int from_stride, int m, int n)
{
    int whole_m = m / VL * VL, whole_n = n / VL * VL;
    for (int i = 0; i < whole_m; i += VL)
        for (int j = 0; j < whole_n; j += VL)
            transpose_block(to + (ptrdiff_t)j * to_stride + i, to_stride,
                            from + (ptrdiff_t)i * from_stride + j, from_stride);
    for (int i = 0; i < m; i++)
        for (int j = i < whole_m ? whole_n : 0; j < n; j++)
            to[(ptrdiff_t)j * to_stride + i] = from[(ptrdiff_t)i * from_stride + j];
}

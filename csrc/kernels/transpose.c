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

/* `m` rows, fewer than a vector's lanes and a power of two, of which a vector each is
 * interleaved at a time: the columns lie one after the other. Returns the next column. */
static inline __attribute__((always_inline)) int
interleave_rows(float *to, const float *from, int from_stride, int m, int n)
{
    int j = 0;
    for (; j + VL <= n; j += VL) {
        vf rows[VL];
        for (int i = 0; i < m; i++)
            rows[i] = v_load(from + (ptrdiff_t)i * from_stride + j);
        v_interleave(rows, m);
        for (int i = 0; i < m; i++)
            v_store(to + (ptrdiff_t)j * m + i * VL, rows[i]);
    }
    return j;
}

/* Columns whose rows are few and adjacent, as channels of images are. */
static int
transpose_few(float *to, int to_stride, const float *from, int from_stride, int m, int n)
{
    if (to_stride == m && m == 2)
        return interleave_rows(to, from, from_stride, 2, n);
    if (to_stride == m && m == 4 && VL > 4)
        return interleave_rows(to, from, from_stride, 4, n);
    if (to_stride == m && m == 8 && VL > 8)
        return interleave_rows(to, from, from_stride, 8, n);
    return 0;
}

static void
transpose(float *to, int to_stride, const float *from, int from_stride, int m, int n)
{
    int whole_m = m / VL * VL, whole_n = n / VL * VL;
    int done = transpose_few(to, to_stride, from, from_stride, m, n);
    for (int i = 0; i < whole_m; i += VL)
        for (int j = 0; j < whole_n; j += VL)
            transpose_block(to + (ptrdiff_t)j * to_stride + i, to_stride,
                            from + (ptrdiff_t)i * from_stride + j, from_stride);
    for (int i = 0; i < m; i++)
        for (int j = i < whole_m ? whole_n : done; j < n; j++)
            to[(ptrdiff_t)j * to_stride + i] = from[(ptrdiff_t)i * from_stride + j];
}

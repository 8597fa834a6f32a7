#include "kernels.h"

#include "../base/simd.h"

/* A block of VL x VL, in registers. */
static inline void
transpose_block(float *to, int to_step, const float *from, int from_step)
{
    vf rows[VL];
    for (int i = 0; i < VL; i++)
        rows[i] = v_load(from + (ptrdiff_t)i * from_step);
    v_interleave(rows, VL);
    for (int i = 0; i < VL; i++)
        v_store(to + (ptrdiff_t)i * to_step, rows[i]);
}

static void
transpose(float *to, int to_step, const float *from, int from_step, int m, int n)
{
    int whole_m = m / VL * VL, whole_n = n / VL * VL;
    for (int i = 0; i < whole_m; i += VL)
        for (int j = 0; j < whole_n; j += VL)
            transpose_block(to + (ptrdiff_t)j * to_step + i, to_step,
                            from + (ptrdiff_t)i * from_step + j, from_step);
    for (int i = 0; i < m; i++)
        for (int j = i < whole_m ? whole_n : 0; j < n; j++)
            to[(ptrdiff_t)j * to_step + i] = from[(ptrdiff_t)i * from_step + j];
}

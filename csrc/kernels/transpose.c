#include "kernels.h"

#include "../base/simd.h"

/* One round of the perfect shuffle: rows i and i + VL/2 zipped become rows 2i and 2i + 1.
 * After log2(VL) rounds row i is what column i was. */
static inline __attribute__((always_inline)) void
zip_rows(vf to[VL], const vf from[VL])
{
    for (int i = 0; i < VL / 2; i++) {
        to[2 * i] = v_zip_lower(from[i], from[i + VL / 2]);
        to[2 * i + 1] = v_zip_upper(from[i], from[i + VL / 2]);
    }
}

/* A block of VL x VL, in registers. */
static inline void
transpose_block(float *to, int to_step, const float *from, int from_step)
{
    vf a[VL], b[VL];
    for (int i = 0; i < VL; i++)
        a[i] = v_load(from + (ptrdiff_t)i * from_step);
    zip_rows(b, a);
    zip_rows(a, b);
    for (int width = 4; width < VL; width *= 2) {
        zip_rows(b, a);
        memcpy(a, b, sizeof a);
    }
    for (int i = 0; i < VL; i++)
        v_store(to + (ptrdiff_t)i * to_step, a[i]);
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

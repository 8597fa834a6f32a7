#include "kernels.h"

#include <string.h>

typedef float block_row __attribute__((vector_size(16)));

/* A block of 4 x 4, in registers. */
static inline void
transpose_block(float *to, int to_step, const float *from, int from_step)
{
    block_row a, b, c, d;
    memcpy(&a, from, sizeof a);
    memcpy(&b, from + from_step, sizeof b);
    memcpy(&c, from + 2 * (ptrdiff_t)from_step, sizeof c);
    memcpy(&d, from + 3 * (ptrdiff_t)from_step, sizeof d);
    block_row ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    block_row ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    block_row cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    block_row cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    a = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
    b = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
    c = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
    d = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
    memcpy(to, &a, sizeof a);
    memcpy(to + to_step, &b, sizeof b);
    memcpy(to + 2 * (ptrdiff_t)to_step, &c, sizeof c);
    memcpy(to + 3 * (ptrdiff_t)to_step, &d, sizeof d);
}

static void
transpose(float *to, int to_step, const float *from, int from_step, int m, int n)
{
    int whole_m = m / 4 * 4, whole_n = n / 4 * 4;
    for (int i = 0; i < whole_m; i += 4)
        for (int j = 0; j < whole_n; j += 4)
            transpose_block(to + (ptrdiff_t)j * to_step + i, to_step,
                            from + (ptrdiff_t)i * from_step + j, from_step);
    for (int i = 0; i < m; i++)
        for (int j = i < whole_m ? whole_n : 0; j < n; j++)
            to[(ptrdiff_t)j * to_step + i] = from[(ptrdiff_t)i * from_step + j];
}

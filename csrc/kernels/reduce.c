#include "kernels.h"

#include "../base/simd.h"

#define TREE_COLUMNS 256 /* of a partial sum at a time: stays in the L1 cache */
#define TREE_DEPTH 8     /* RNN_MAX_SLICES are 2 to the power of 7 */

static void
add_columns(float *sum, const float *a, const float *b, int n)
{
    for (int i = 0; i < n; i += VL) {
        int lanes = n - i < VL ? n - i : VL;
        v_store_lanes(sum + i, v_load_lanes(a + i, lanes) + v_load_lanes(b + i, lanes),
                      lanes);
    }
}

/* The sum of n <= TREE_COLUMNS columns. held[l] is that of a finished subtree of 2^l
 * partials, which waits for its right neighbor. */
static const float *
tree_sum(float sums[TREE_DEPTH][TREE_COLUMNS], const float *partials, size_t stride,
         int count, int n)
{
    const float *held[TREE_DEPTH], *sum = partials;
    for (int s = 0; s < count; s++) {
        int level = __builtin_ctz((unsigned)s + 1); /* of the subtree that s completes */
        sum = partials + (size_t)s * stride;
        for (int l = 0; l < level; l++) {
            add_columns(sums[level], held[l], sum, n);
            sum = sums[level];
        }
        held[level] = sum;
    }
    return sum;
}

static void
reduce(float *target, const float *partials, size_t stride, int count, int n, float alpha,
       float beta)
{
    float sums[TREE_DEPTH][TREE_COLUMNS];
    for (int i = 0; i < n; i += TREE_COLUMNS) {
        int width = n - i < TREE_COLUMNS ? n - i : TREE_COLUMNS;
        const float *sum = tree_sum(sums, partials + i, stride, count, width);
        for (int j = 0; j < width; j += VL) {
            int lanes = width - j < VL ? width - j : VL;
            float *to = target + i + j;
            vf old = beta == 0 ? (vf){0} : beta * v_load_lanes(to, lanes);
            v_store_lanes(to, old + alpha * v_load_lanes(sum + j, lanes), lanes);
        }
    }
}

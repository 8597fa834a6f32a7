#include "kernels.h"

#include "../base/simd.h"

static void
reduce(float *target, const float *partials, size_t stride, int count, int n, float alpha,
       float beta)
{
    for (int i = 0; i < n; i += VL) {
        int lanes = n - i < VL ? n - i : VL;
        vf sum = v_load_part(partials + i, lanes);
        for (int s = 1; s < count; s++)
            sum += v_load_part(partials + (size_t)s * stride + i, lanes);
        vf old = beta == 0 ? (vf){0} : beta * v_load_part(target + i, lanes);
        v_store_part(target + i, old + alpha * sum, lanes);
    }
}

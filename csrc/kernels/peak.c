#include "kernels.h"

#include "../base/simd.h"

/* Sums that do not wait for each other: more than two units of latency 5 can have under
 * way, few enough to leave two of the registers for the factor and the term. */
#if defined(__x86_64__)
#define PEAK_SUMS 12
#else
#define PEAK_SUMS 24
#endif

static double
multiply_adds(float *result, float factor, float term, int n)
{
    vf sum[PEAK_SUMS], total = {0};
    for (int k = 0; k < PEAK_SUMS; k++)
        sum[k] = v_set((float)k);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < PEAK_SUMS; k++)
            sum[k] = sum[k] * factor + term;
    for (int k = 0; k < PEAK_SUMS; k++)
        total += sum[k];
    *result = v_sum(total);
    return 2.0 * PEAK_SUMS * VL * n;
}

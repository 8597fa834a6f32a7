#include "kernels.h"

#include "../base/simd.h"

#include <math.h>

static void
poisson(float *dlog_rates, double *loss, uint8_t *hit, const float *log_rates,
        const void *targets, float smoothing, int size, int begin, int end)
{
    (void)smoothing;
    for (int b = begin; b < end; b++) {
        ptrdiff_t at = (ptrdiff_t)b * size;
        const float *z = log_rates + at, *t = (const float *)targets + at;
        double sum = 0;
        bool rounds_to = true;
        for (int j = 0; j < size; j++) {
            double rate = exp((double)z[j]), count = t[j];
            dlog_rates[at + j] = (float)(rate - count);
            sum += rate - count - count * z[j];
            if (count > 0)
                sum += count * log(count);
            rounds_to &= fabs(rate - count) < 0.5;
        }
        loss[b] = sum;
        hit[b] = rounds_to;
    }
}

static void
exp_rows(float *rates, const float *log_rates, int size, int begin, int end)
{
    ptrdiff_t at = (ptrdiff_t)begin * size;
    int n = (end - begin) * size;
    for (int i = 0; i < n; i += VL) {
        int lanes = n - i < VL ? n - i : VL;
        v_store_part(rates + at + i, v_exp(v_load_part(log_rates + at + i, lanes)), lanes);
    }
}

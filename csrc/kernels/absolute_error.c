#include "kernels.h"

#include <math.h>

static void
absolute_error(float *dout, double *loss, uint8_t *hit, const float *out,
               const void *targets, float smoothing, int size, int begin, int end)
{
    (void)smoothing;
    const float *wanted = targets;
    for (int b = begin; b < end; b++) {
        double sum = 0;
        bool same_side = true;
        for (int j = 0; j < size; j++) {
            ptrdiff_t i = (ptrdiff_t)b * size + j;
            float error = out[i] - wanted[i];
            /* NaN stays NaN. */
            dout[i] = error > 0 ? 1.0f : error < 0 ? -1.0f : error;
            sum += fabs((double)error);
            same_side &= (out[i] >= 0.5f) == (wanted[i] >= 0.5f);
        }
        loss[b] = sum;
        hit[b] = same_side;
    }
}

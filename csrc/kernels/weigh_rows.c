#include "kernels.h"

static void
weigh_rows(float *dout, double *loss, const float *weight, int size, int begin, int end)
{
    for (int b = begin; b < end; b++) {
        loss[b] *= (double)weight[b];
        for (int j = 0; j < size; j++)
            dout[(ptrdiff_t)b * size + j] *= weight[b];
    }
}

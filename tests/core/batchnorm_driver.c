/* The kernels of batchnorm over images whose channels are planes, and over the same images
 * with the channels of a pixel side by side. Prints the greatest difference of each pass,
 * relative to its greatest number. Built and run by tests/core/test_batchnorm.py. */
#include "../../csrc/kernels/batchnorm.c"

#include <stdio.h>

#define ROWS 3
#define C 21
#define AREA 35
#define N (ROWS * C * AREA)

static void
to_pixels(float *to, const float *from)
{
    for (int b = 0; b < ROWS; b++)
        for (int c = 0; c < C; c++)
            for (int i = 0; i < AREA; i++)
                to[(b * AREA + i) * C + c] = from[(b * C + c) * AREA + i];
}

static void
print_difference(const float *a, const float *b, int n)
{
    double greatest = 0, difference = 0;
    for (int i = 0; i < n; i++) {
        greatest = fmax(greatest, fabs(a[i]));
        difference = fmax(difference, fabs((double)a[i] - b[i]));
    }
    printf("%g\n", greatest > 0 ? difference / greatest : 1);
}

/* mean, rstd, variance, dweight, dbias; out; dinp */
static void
run(float of_channels[5][C], float *out, float *dinp, const float *inp, const float *dout,
    const float *weight, const float *bias, bool pixels)
{
    float moments[2][BATCHNORM_MOMENTS_AT + 3 * C];
    float *mean = of_channels[0], *rstd = of_channels[1];
    batchnorm_moments(moments[0], inp, true, 1, C, AREA, pixels);
    batchnorm_moments(moments[1], inp + C * AREA, true, 1, C, AREA, pixels);
    batchnorm_moments(moments[1], inp + 2 * C * AREA, false, 1, C, AREA, pixels);
    batchnorm_merge(mean, rstd, of_channels[2], moments[0], BATCHNORM_MOMENTS_AT + 3 * C, 2,
                    C, 0, C, 1e-5f);
    batchnorm_forward(out, inp, mean, rstd, weight, bias, ROWS, C, AREA, pixels);
    batchnorm_sums(of_channels[3], of_channels[4], dout, inp, mean, rstd, ROWS, C, AREA,
                   pixels, 0.0f);
    batchnorm_backward_input(dinp, dout, inp, mean, rstd, weight, of_channels[3],
                             of_channels[4], ROWS * AREA, ROWS, C, AREA, pixels);
}

int
main(void)
{
    static float inp[N], dout[N], out[N], dinp[N];
    static float pixels_inp[N], pixels_dout[N], pixels_out[N], pixels_dinp[N], moved[N];
    float weight[C], bias[C], planes[5][C], pixels[5][C];
    unsigned random = 1;
    for (int i = 0; i < N; i++) {
        random = random * 1103515245u + 12345u;
        inp[i] = (float)(random >> 16) / 65536.0f + (float)(i / AREA % C);
        dout[i] = (float)(random >> 8 & 255) / 256.0f - 0.3f;
    }
    for (int c = 0; c < C; c++) {
        weight[c] = 1 + 0.1f * (float)c;
        bias[c] = 0.3f * (float)c;
    }
    to_pixels(pixels_inp, inp);
    to_pixels(pixels_dout, dout);
    run(planes, out, dinp, inp, dout, weight, bias, false);
    run(pixels, pixels_out, pixels_dinp, pixels_inp, pixels_dout, weight, bias, true);
    for (int i = 0; i < 5; i++)
        print_difference(planes[i], pixels[i], C);
    to_pixels(moved, out);
    print_difference(moved, pixels_out, N);
    to_pixels(moved, dinp);
    print_difference(moved, pixels_dinp, N);
    return 0;
}

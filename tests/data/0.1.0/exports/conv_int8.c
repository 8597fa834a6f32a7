/* conv_int8: a neural network with its weights, written by rnn_native 0.1.0.
 *
 *     void conv_int8_predict(const float *x, float *probabilities);
 *     int conv_int8_classify(const float *x);
 *
 * Input: 64 floats (1 x 8 x 8), the last index changes fastest. Bytes, as of images,
 * must be divided by 255.
 * Output: 4 probabilities, which sum to 1.
 *
 *     layer 0, conv2d, relu: 1 x 8 x 8 -> 3 x 8 x 8
 *     layer 1, maxpool2d: 3 x 8 x 8 -> 3 x 4 x 4
 *     layer 2, flatten: 3 x 4 x 4 -> 48
 *     layer 3, dense: 48 -> 4
 *
 * 226 parameters; weights are int8 with a scale for each output.
 * SHA-256 of the model's float32 weights, in the order of its file:
 *     d910a40dbad9364b73190361549be8d89951c78bd4c8738e50a01609916e033d
 *
 * C99 with <math.h>: cc -std=c99 -O2 -c conv_int8.c, and -lm when linking. With -DCONV_INT8_MAIN it
 * is a program that reads samples as raw floats from standard input and prints the outputs
 * of each on a line. What the net computes is at the end of this file.
 */
#include <math.h>

#define CONV_INT8_INPUTS 64
#define CONV_INT8_OUTPUTS 4

void conv_int8_predict(const float *x, float *probabilities);
int conv_int8_classify(const float *x);

/* The numbers between layers take 960 bytes. They are on the stack if this is empty; if it
 * is "static" they are not, and only one call at a time may run. */
#ifndef CONV_INT8_STORAGE
#define CONV_INT8_STORAGE
#endif

static void
relu(float *out, const float *z, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = z[i] > 0 ? z[i] : 0;
}

/* e^z / sum of e^z over each row, computed so that nothing overflows. */
static void
softmax(float *out, const float *z, int rows, int n)
{
    for (int t = 0; t < rows; t++, z += n, out += n) {
        float greatest = z[0], sum = 0;
        for (int i = 1; i < n; i++)
            greatest = z[i] > greatest ? z[i] : greatest;
        for (int i = 0; i < n; i++) {
            out[i] = expf(z[i] - greatest);
            sum += out[i];
        }
        for (int i = 0; i < n; i++)
            out[i] /= sum;
    }
}

/* out[t][u] = bias[u] + scale[u] * sum over i of weight[u][i] x[t][i]; out is not x. */
static void
dense(float *out, const float *x, const signed char *weight, const float *scale,
      const float *bias, int rows, int inputs, int units)
{
    for (int t = 0; t < rows; t++)
        for (int u = 0; u < units; u++) {
            float sum = 0;
            for (int i = 0; i < inputs; i++)
                sum += weight[u * inputs + i] * x[t * inputs + i];
            out[t * units + u] = bias[u] + scale[u] * sum;
        }
}

/* out[u][p][q] = bias[u] + scale[u] * sum over c, i, j of weight[u][c][i][j] x[c][y][z], where
 * y = p stride - padding + i, z = q stride - padding + j, and x is 0 outside the image. */
static void
conv2d(float *out, const float *x, const signed char *weight, const float *scale,
       const float *bias, int channels, int height, int width, int units, int kernel,
       int stride, int padding)
{
    int rows = (height + 2 * padding - kernel) / stride + 1;
    int columns = (width + 2 * padding - kernel) / stride + 1;
    for (int u = 0; u < units; u++)
        for (int p = 0; p < rows; p++)
            for (int q = 0; q < columns; q++) {
                float sum = 0;
                for (int c = 0; c < channels; c++)
                    for (int i = 0; i < kernel; i++)
                        for (int j = 0; j < kernel; j++) {
                            int y = p * stride - padding + i;
                            int z = q * stride - padding + j;
                            if (y >= 0 && y < height && z >= 0 && z < width)
                                sum += weight[((u * channels + c) * kernel + i) * kernel + j]
                                       * x[(c * height + y) * width + z];
                        }
                out[(u * rows + p) * columns + q] = bias[u] + scale[u] * sum;
            }
}

/* The greatest value in each window; what lies outside the image never is. */
static void
maxpool2d(float *out, const float *x, int channels, int height, int width, int kernel,
          int stride, int padding)
{
    int rows = (height + 2 * padding - kernel) / stride + 1;
    int columns = (width + 2 * padding - kernel) / stride + 1;
    for (int c = 0; c < channels; c++)
        for (int p = 0; p < rows; p++)
            for (int q = 0; q < columns; q++) {
                float greatest = -INFINITY;
                for (int i = 0; i < kernel; i++)
                    for (int j = 0; j < kernel; j++) {
                        int y = p * stride - padding + i, z = q * stride - padding + j;
                        if (y >= 0 && y < height && z >= 0 && z < width) {
                            float value = x[(c * height + y) * width + z];
                            greatest = value > greatest ? value : greatest;
                        }
                    }
                out[(c * rows + p) * columns + q] = greatest;
            }
}

/* 3 x 1 x 3 x 3 */
static const signed char layer0_weight[27] = {
    -127, -55, 67, 19, -70, 87, -122, -10, -48, 67, -29, -127, 7, 20, -36, -113, 35,
    -86, -49, -87, 23, 127, 118, -58, -10, -1, 67,
};
/* 3 */
static const float layer0_scale[3] = {
    0.003075776f, 0.0025526886f, 0.0030340664f,
};
/* 3 */
static const float layer0_bias[3] = {
    0.0704206f, 0.055303633f, 0.036531027f,
};
/* 4 x 48 */
static const signed char layer3_weight[192] = {
    -3, -33, -7, -85, -76, -57, -23, 33, -92, 0, -60, 118, -127, 108, 35, 98, -1,
    60, 75, -31, -45, 85, -108, -90, -115, -3, -41, -55, 94, 104, -1, 80, 94, -47,
    47, -47, -46, 14, -41, 67, -2, 109, -113, -117, 94, -35, 85, 22, -77, -81, -40,
    -95, 18, -90, -76, -80, 12, -16, -86, 78, -91, 76, -86, 47, -127, -65, 49, -48,
    -86, 28, -28, -7, -30, -1, 67, -11, 79, 67, 79, -102, -7, -22, -27, 55, 79,
    -72, -38, -29, -57, -60, 81, 57, -93, 82, -56, 48, -12, -34, -21, 103, 28, -46,
    -60, 90, -79, 104, -103, 12, 91, -14, -72, -103, 13, -87, -127, 74, 56, 10, 77,
    80, 28, -55, -57, 86, 46, -58, 0, 52, -16, 77, -98, 103, 52, -38, -25, 122,
    -1, 101, 117, -41, 112, -68, 115, 96, -127, -46, -12, -22, 51, -103, 86, 51, -123,
    -85, 41, 59, 74, 87, -90, -66, 73, -20, -18, 108, -16, 8, -97, 119, 38, 118,
    78, 83, 57, -112, -32, -63, -90, 102, -37, 80, 118, 92, -72, 8, 69, -5, -30,
    104, -52, 96, -106, -83,
};
/* 4 */
static const float layer3_scale[4] = {
    0.0027149518f, 0.0030132504f, 0.002920526f, 0.0028325135f,
};
/* 4 */
static const float layer3_bias[4] = {
    -0.02460498f, -0.0500182f, 0.044033922f, 0.040178966f,
};

void
conv_int8_predict(const float *x, float *probabilities)
{
    CONV_INT8_STORAGE float a[192], b[48];
    /* layer 0, conv2d, relu: 1 x 8 x 8 -> 3 x 8 x 8 */
    conv2d(a, x, layer0_weight, layer0_scale, layer0_bias, 1, 8, 8, 3, 3, 1, 1);
    relu(a, a, 192);
    /* layer 1, maxpool2d: 3 x 8 x 8 -> 3 x 4 x 4 */
    maxpool2d(b, a, 3, 8, 8, 2, 2, 0);
    /* layer 2, flatten: 3 x 4 x 4 -> 48 */
    /* layer 3, dense: 48 -> 4 */
    dense(a, b, layer3_weight, layer3_scale, layer3_bias, 1, 48, 4);
    /* softmax */
    softmax(probabilities, a, 1, 4);
}

int
conv_int8_classify(const float *x)
{
    float probabilities[CONV_INT8_OUTPUTS];
    conv_int8_predict(x, probabilities);
    int best = 0;
    for (int i = 1; i < CONV_INT8_OUTPUTS; i++)
        if (probabilities[i] > probabilities[best])
            best = i;
    return best;
}

#ifdef CONV_INT8_MAIN
#include <stdio.h>

int
main(void)
{
    static float x[CONV_INT8_INPUTS], probabilities[CONV_INT8_OUTPUTS];
    while (fread(x, sizeof x, 1, stdin) == 1) {
        conv_int8_predict(x, probabilities);
        for (int i = 0; i < CONV_INT8_OUTPUTS; i++)
            printf("%s%.9g", i > 0 ? " " : "", (double)probabilities[i]);
        printf("\n");
    }
    return 0;
}
#endif

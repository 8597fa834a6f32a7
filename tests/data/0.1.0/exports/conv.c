/* conv: a neural network with its weights, written by rnn_native 0.1.0.
 *
 *     void conv_predict(const float *x, float *probabilities);
 *     int conv_classify(const float *x);
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
 * 226 parameters; weights are float32.
 * SHA-256 of the model's float32 weights, in the order of its file:
 *     d910a40dbad9364b73190361549be8d89951c78bd4c8738e50a01609916e033d
 *
 * C99 with <math.h>: cc -std=c99 -O2 -c conv.c, and -lm when linking. With -DCONV_MAIN it
 * is a program that reads samples as raw floats from standard input and prints the outputs
 * of each on a line. What the net computes is at the end of this file.
 */
#include <math.h>

#define CONV_INPUTS 64
#define CONV_OUTPUTS 4

void conv_predict(const float *x, float *probabilities);
int conv_classify(const float *x);

/* The numbers between layers take 960 bytes. They are on the stack if this is empty; if it
 * is "static" they are not, and only one call at a time may run. */
#ifndef CONV_STORAGE
#define CONV_STORAGE
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

/* out[t][u] = bias[u] + sum over i of weight[u][i] x[t][i]; out is not x. */
static void
dense(float *out, const float *x, const float *weight, const float *bias,
      int rows, int inputs, int units)
{
    for (int t = 0; t < rows; t++)
        for (int u = 0; u < units; u++) {
            float sum = 0;
            for (int i = 0; i < inputs; i++)
                sum += weight[u * inputs + i] * x[t * inputs + i];
            out[t * units + u] = bias[u] + sum;
        }
}

/* out[u][p][q] = bias[u] + sum over c, i, j of weight[u][c][i][j] x[c][y][z], where
 * y = p stride - padding + i, z = q stride - padding + j, and x is 0 outside the image. */
static void
conv2d(float *out, const float *x, const float *weight, const float *bias,
       int channels, int height, int width, int units, int kernel,
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
                out[(u * rows + p) * columns + q] = bias[u] + sum;
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
static const float layer0_weight[27] = {
    -0.39062354f, -0.16884845f, 0.20631757f, 0.058558032f, -0.21545278f, 0.26733264f,
    -0.3755284f, -0.031534392f, -0.14617255f, 0.17188959f, -0.07367925f, -0.32419145f,
    0.017796852f, 0.050768342f, -0.093165f, -0.2882512f, 0.089443274f, -0.22038895f,
    -0.14930125f, -0.2646803f, 0.07010657f, 0.38532645f, 0.3585591f, -0.17543676f,
    -0.029753879f, -0.003507893f, 0.20443894f,
};
/* 3 */
static const float layer0_bias[3] = {
    0.0704206f, 0.055303633f, 0.036531027f,
};
/* 4 x 48 */
static const float layer3_weight[192] = {
    -0.008629537f, -0.08831291f, -0.01867352f, -0.23046814f, -0.2061579f, -0.1554647f,
    -0.062310513f, 0.08939684f, -0.24922732f, 0.0003242432f, -0.16359165f, 0.3210789f,
    -0.34479886f, 0.2920406f, 0.09453305f, 0.26503837f, -0.001542565f, 0.1616134f,
    0.20294346f, -0.083525956f, -0.12226952f, 0.22971877f, -0.2923481f, -0.24426399f,
    -0.31354874f, -0.0077267587f, -0.11202712f, -0.14836973f, 0.25397038f, 0.28100783f,
    -0.0037181221f, 0.21750504f, 0.25509137f, -0.12631378f, 0.12894231f, -0.12873794f,
    -0.12384436f, 0.039229836f, -0.111541525f, 0.1819876f, -0.0056183655f, 0.2959524f,
    -0.30686074f, -0.3178518f, 0.25538692f, -0.09407866f, 0.23025648f, 0.05979557f,
    -0.23205057f, -0.24556205f, -0.12126307f, -0.28501844f, 0.05333294f, -0.27047622f,
    -0.22943406f, -0.24127607f, 0.035783444f, -0.047940966f, -0.2605483f, 0.23563766f,
    -0.27554023f, 0.2287696f, -0.25952315f, 0.14070508f, -0.3826828f, -0.19441836f,
    0.14809722f, -0.14577898f, -0.25940952f, 0.08498628f, -0.08408492f, -0.021021202f,
    -0.089964576f, -0.004334837f, 0.200806f, -0.033566542f, 0.23856032f, 0.2018966f,
    0.23835391f, -0.30853507f, -0.020506848f, -0.06544172f, -0.08279515f, 0.16671705f,
    0.23796159f, -0.21612601f, -0.114059344f, -0.08674559f, -0.1714846f, -0.18125293f,
    0.2437634f, 0.17248043f, -0.28021234f, 0.2480582f, -0.16834907f, 0.14542638f,
    -0.035108417f, -0.099536896f, -0.061770905f, 0.30154952f, 0.082371265f, -0.13565193f,
    -0.17520657f, 0.26174146f, -0.23211978f, 0.30502376f, -0.2997969f, 0.03387941f,
    0.26670492f, -0.040333163f, -0.21097855f, -0.3009725f, 0.037816815f, -0.25281492f,
    -0.3709068f, 0.21753976f, 0.16397724f, 0.029309299f, 0.22406474f, 0.23220782f,
    0.08282431f, -0.1620665f, -0.16508912f, 0.2505929f, 0.13343519f, -0.17046183f,
    0.0006492212f, 0.15210214f, -0.04614273f, 0.22439449f, -0.28619632f, 0.2995961f,
    0.15284756f, -0.111208886f, -0.07416138f, 0.35586998f, -0.0043394556f, 0.2944515f,
    0.34307495f, -0.11975231f, 0.3277545f, -0.19814363f, 0.33583775f, 0.28109223f,
    -0.35972923f, -0.12889655f, -0.035101917f, -0.062303428f, 0.14434284f, -0.29311293f,
    0.24328198f, 0.14366877f, -0.34747836f, -0.24134064f, 0.115510955f, 0.1657228f,
    0.21096957f, 0.246003f, -0.25543725f, -0.18578212f, 0.20738643f, -0.05647214f,
    -0.052168235f, 0.30657575f, -0.045286752f, 0.021903764f, -0.27522665f, 0.33654547f,
    0.1074451f, 0.33449972f, 0.21986671f, 0.23510343f, 0.16020551f, -0.31818667f,
    -0.089818545f, -0.17751372f, -0.25469792f, 0.28891802f, -0.10504938f, 0.22790521f,
    0.33548814f, 0.26010272f, -0.20419541f, 0.022240033f, 0.19632836f, -0.01404101f,
    -0.08490236f, 0.29540378f, -0.1471964f, 0.27159384f, -0.2990661f, -0.23497152f,
};
/* 4 */
static const float layer3_bias[4] = {
    -0.02460498f, -0.0500182f, 0.044033922f, 0.040178966f,
};

void
conv_predict(const float *x, float *probabilities)
{
    CONV_STORAGE float a[192], b[48];
    /* layer 0, conv2d, relu: 1 x 8 x 8 -> 3 x 8 x 8 */
    conv2d(a, x, layer0_weight, layer0_bias, 1, 8, 8, 3, 3, 1, 1);
    relu(a, a, 192);
    /* layer 1, maxpool2d: 3 x 8 x 8 -> 3 x 4 x 4 */
    maxpool2d(b, a, 3, 8, 8, 2, 2, 0);
    /* layer 2, flatten: 3 x 4 x 4 -> 48 */
    /* layer 3, dense: 48 -> 4 */
    dense(a, b, layer3_weight, layer3_bias, 1, 48, 4);
    /* softmax */
    softmax(probabilities, a, 1, 4);
}

int
conv_classify(const float *x)
{
    float probabilities[CONV_OUTPUTS];
    conv_predict(x, probabilities);
    int best = 0;
    for (int i = 1; i < CONV_OUTPUTS; i++)
        if (probabilities[i] > probabilities[best])
            best = i;
    return best;
}

#ifdef CONV_MAIN
#include <stdio.h>

int
main(void)
{
    static float x[CONV_INPUTS], probabilities[CONV_OUTPUTS];
    while (fread(x, sizeof x, 1, stdin) == 1) {
        conv_predict(x, probabilities);
        for (int i = 0; i < CONV_OUTPUTS; i++)
            printf("%s%.9g", i > 0 ? " " : "", (double)probabilities[i]);
        printf("\n");
    }
    return 0;
}
#endif

"""The C functions that an exported file is made of, as a reader of it will see them.

Arrays are row-major, the last index in a comment changes fastest. Where a comment does not
say otherwise, `out` may be the input itself.
"""

from rnn_native.export.functions import FUNCTIONS as OF_EACH

DENSE = """\
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
"""

# A window of high x wide taps, dy and dx apart, that steps by down and right; outputs are
# rows x columns.
CONV2D = """\
/* out[u][p][q] = bias[u] + sum over c, i, j of weight[u][c][i][j] x[from + c][y][z], where
 * y = p down - top + i dy, z = q right - left + j dx, x is 0 outside the image, and `from`
 * is the first channel of u's group. */
static void
conv2d(float *out, const float *x, const float *weight, const float *bias,
       int channels, int height, int width, int units, int groups, int rows, int columns,
       int high, int wide, int down, int right, int top, int left, int dy, int dx)
{
    int part = channels / groups;
    for (int u = 0; u < units; u++)
        for (int p = 0; p < rows; p++)
            for (int q = 0; q < columns; q++) {
                int from = u / (units / groups) * part;
                float sum = 0;
                for (int c = 0; c < part; c++)
                    for (int i = 0; i < high; i++)
                        for (int j = 0; j < wide; j++) {
                            int y = p * down - top + i * dy;
                            int z = q * right - left + j * dx;
                            if (y >= 0 && y < height && z >= 0 && z < width)
                                sum += weight[((u * part + c) * high + i) * wide + j]
                                       * x[((from + c) * height + y) * width + z];
                        }
                out[(u * rows + p) * columns + q] = bias[u] + sum;
            }
}
"""

MAXPOOL2D = """\
/* The greatest value in each window; what lies outside the image never is. */
static void
maxpool2d(float *out, const float *x, int channels, int height, int width,
          int rows, int columns, int high, int wide, int down, int right, int top, int left)
{
    for (int c = 0; c < channels; c++)
        for (int p = 0; p < rows; p++)
            for (int q = 0; q < columns; q++) {
                float greatest = -INFINITY;
                for (int i = 0; i < high; i++)
                    for (int j = 0; j < wide; j++) {
                        int y = p * down - top + i, z = q * right - left + j;
                        if (y >= 0 && y < height && z >= 0 && z < width) {
                            float value = x[(c * height + y) * width + z];
                            greatest = value > greatest ? value : greatest;
                        }
                    }
                out[(c * rows + p) * columns + q] = greatest;
            }
}
"""

AVGPOOL2D = """\
/* The mean of each window; what lies outside the image counts as zeros, or not at all. */
static void
avgpool2d(float *out, const float *x, int channels, int height, int width,
          int rows, int columns, int high, int wide, int down, int right, int top, int left,
          int counts_zeros)
{
    for (int c = 0; c < channels; c++)
        for (int p = 0; p < rows; p++)
            for (int q = 0; q < columns; q++) {
                float sum = 0;
                int inside = 0;
                for (int i = 0; i < high; i++)
                    for (int j = 0; j < wide; j++) {
                        int y = p * down - top + i, z = q * right - left + j;
                        if (y >= 0 && y < height && z >= 0 && z < width) {
                            sum += x[(c * height + y) * width + z];
                            inside++;
                        }
                    }
                out[(c * rows + p) * columns + q] =
                    sum / (float)(counts_zeros ? high * wide : inside);
            }
}
"""

GLOBAL_AVGPOOL = """\
/* out[c] = mean of x[c], of area values; out is not x. */
static void
global_avgpool(float *out, const float *x, int channels, int area)
{
    for (int c = 0; c < channels; c++) {
        float sum = 0;
        for (int i = 0; i < area; i++)
            sum += x[c * area + i];
        out[c] = sum / (float)area;
    }
}
"""

GLOBAL_MAXPOOL = """\
/* out[c] = the greatest of x[c], of area values; out is not x. */
static void
global_maxpool(float *out, const float *x, int channels, int area)
{
    for (int c = 0; c < channels; c++) {
        out[c] = x[c * area];
        for (int i = 1; i < area; i++)
            out[c] = x[c * area + i] > out[c] ? x[c * area + i] : out[c];
    }
}
"""

BATCHNORM = """\
/* out[c][i] = weight[c] (x[c][i] - mean[c]) / sqrt(variance[c] + epsilon) + bias[c]. */
static void
batchnorm(float *out, const float *x, const float *weight, const float *bias,
          const float *mean, const float *variance, float epsilon, int channels, int area)
{
    for (int c = 0; c < channels; c++) {
        float scale = weight[c] / sqrtf(variance[c] + epsilon);
        for (int i = c * area; i < (c + 1) * area; i++)
            out[i] = (x[i] - mean[c]) * scale + bias[c];
    }
}
"""

LAYERNORM = """\
/* Each row minus its mean, divided by its standard deviation, times weight, plus bias. */
static void
layernorm(float *out, const float *x, const float *weight, const float *bias,
          float epsilon, int rows, int n)
{
    for (int t = 0; t < rows; t++, x += n, out += n) {
        float mean = 0, squares = 0;
        for (int i = 0; i < n; i++)
            mean += x[i];
        mean /= (float)n;
        for (int i = 0; i < n; i++)
            squares += (x[i] - mean) * (x[i] - mean);
        float scale = 1 / sqrtf(squares / (float)n + epsilon);
        for (int i = 0; i < n; i++)
            out[i] = (x[i] - mean) * scale * weight[i] + bias[i];
    }
}
"""

RMSNORM = """\
/* Each row divided by the root of its mean square, times weight. */
static void
rmsnorm(float *out, const float *x, const float *weight, float epsilon, int rows, int n)
{
    for (int t = 0; t < rows; t++, x += n, out += n) {
        float squares = 0;
        for (int i = 0; i < n; i++)
            squares += x[i] * x[i];
        float scale = 1 / sqrtf(squares / (float)n + epsilon);
        for (int i = 0; i < n; i++)
            out[i] = x[i] * scale * weight[i];
    }
}
"""

NORMALIZATION = """\
/* out[o][c][i] = (x[o][c][i] - mean[c]) scale[c]. */
static void
normalization(float *out, const float *x, const float *mean, const float *scale, int outer,
              int n, int area)
{
    for (int i = 0; i < outer * n * area; i++)
        out[i] = (x[i] - mean[i / area % n]) * scale[i / area % n];
}
"""

PRELU = """\
/* out[c][i] = x[c][i] where that is positive, else weight[c] x[c][i]. */
static void
prelu(float *out, const float *x, const float *weight, int n, int area)
{
    for (int i = 0; i < n * area; i++)
        out[i] = x[i] > 0 ? x[i] : weight[i / area] * x[i];
}
"""

PATCH_EMBED = """\
/* Each patch of the image becomes a token: out[t][u] = bias[u] + sum over c, i, j of
 * weight[u][c][i][j] x[c][p high + i][q wide + j], t counting the patches (p, q). */
static void
patch_embed(float *out, const float *x, const float *weight, const float *bias,
            int channels, int height, int width, int units, int high, int wide)
{
    int columns = width / wide, tokens = height / high * columns;
    for (int t = 0; t < tokens; t++)
        for (int u = 0; u < units; u++) {
            float sum = 0;
            for (int c = 0; c < channels; c++)
                for (int i = 0; i < high; i++)
                    for (int j = 0; j < wide; j++) {
                        int y = t / columns * high + i, z = t % columns * wide + j;
                        sum += weight[((u * channels + c) * high + i) * wide + j]
                               * x[(c * height + y) * width + z];
                    }
            out[t * units + u] = bias[u] + sum;
        }
}
"""

ADD = """\
static void
add(float *out, const float *x, const float *y, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = x[i] + y[i];
}
"""

PLACE = """\
/* Copies blocks of `size` numbers to where they are in blocks of `wide`. */
static void
place(float *out, const float *x, int blocks, int size, int wide)
{
    for (int i = 0; i < blocks; i++)
        for (int j = 0; j < size; j++)
            out[i * wide + j] = x[i * size + j];
}
"""

SOFTMAX = """\
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
"""

ATTENTION = """\
/* For each head, which is a part of the columns, and each token t: the mean of v's rows,
 * row j weighed by the softmax over j of q[t] . k[j] / sqrt(size). `out` may be q;
 * `weights` has room for a number for each token. */
static void
attention(float *out, const float *q, const float *k, const float *v, float *weights,
          int tokens, int width, int heads)
{
    int size = width / heads;
    for (int h = 0; h < width; h += size)
        for (int t = 0; t < tokens; t++) {
            for (int j = 0; j < tokens; j++) {
                float sum = 0;
                for (int i = h; i < h + size; i++)
                    sum += q[t * width + i] * k[j * width + i];
                weights[j] = sum / sqrtf((float)size);
            }
            softmax(weights, weights, 1, tokens);
            for (int i = h; i < h + size; i++) {
                float sum = 0;
                for (int j = 0; j < tokens; j++)
                    sum += weights[j] * v[j * width + i];
                out[t * width + i] = sum;
            }
        }
}
"""

MASKED_ATTENTION = """\
/* The same, but a token sees only itself and those before it if causal, and only tokens j
 * with real[j] if real is not 0; one that sees none gets zeros. */
static void
masked_attention(float *out, const float *q, const float *k, const float *v, float *weights,
                 int tokens, int width, int heads, int causal, const float *real)
{
    int size = width / heads;
    for (int h = 0; h < width; h += size)
        for (int t = 0; t < tokens; t++) {
            int seen = 0;
            for (int j = 0; j < tokens; j++) {
                float sum = 0;
                for (int i = h; i < h + size; i++)
                    sum += q[t * width + i] * k[j * width + i];
                int sees = (!causal || j <= t) && (!real || real[j] != 0);
                weights[j] = sees ? sum / sqrtf((float)size) : -INFINITY;
                seen += sees;
            }
            if (seen > 0)
                softmax(weights, weights, 1, tokens);
            for (int i = h; i < h + size; i++) {
                float sum = 0;
                for (int j = 0; j < tokens && seen > 0; j++)
                    sum += weights[j] * v[j * width + i];
                out[t * width + i] = sum;
            }
        }
}
"""

MASKING = """\
/* real[t] = 0 where all of x[t] is value, else 1; out[t] = x[t], or 0 where real[t] is. */
static void
masking(float *out, const float *x, float *real, float value, int tokens, int n)
{
    for (int t = 0; t < tokens; t++) {
        real[t] = 0;
        for (int i = 0; i < n; i++)
            if (x[t * n + i] != value)
                real[t] = 1;
        for (int i = 0; i < n; i++)
            out[t * n + i] = real[t] != 0 ? x[t * n + i] : 0;
    }
}
"""

MASKED_MEAN_POOL = """\
/* out[i] = mean of x[t][i] over t with real[t], 0 if there are no such t; out is not x. */
static void
masked_mean_pool(float *out, const float *x, const float *real, int tokens, int n)
{
    for (int i = 0; i < n; i++) {
        float sum = 0, count = 0;
        for (int t = 0; t < tokens; t++)
            if (real[t] != 0) {
                sum += x[t * n + i];
                count++;
            }
        out[i] = count > 0 ? sum / count : 0;
    }
}
"""

MEAN_POOL = """\
/* out[i] = mean over t of x[t][i]; out is not x. */
static void
mean_pool(float *out, const float *x, int tokens, int n)
{
    for (int i = 0; i < n; i++) {
        float sum = 0;
        for (int t = 0; t < tokens; t++)
            sum += x[t * n + i];
        out[i] = sum / (float)tokens;
    }
}
"""


ELEMENTWISE_FUNCTIONS = {f.c_name: f.c_text for f in OF_EACH.values() if f.c_text}

# By name, in the order of a file: what attention calls comes before it.
FUNCTIONS = {
    **ELEMENTWISE_FUNCTIONS,
    "softmax": SOFTMAX,
    "add": ADD,
    "place": PLACE,
    "dense": DENSE,
    "conv2d": CONV2D,
    "maxpool2d": MAXPOOL2D,
    "avgpool2d": AVGPOOL2D,
    "global_avgpool": GLOBAL_AVGPOOL,
    "global_maxpool": GLOBAL_MAXPOOL,
    "batchnorm": BATCHNORM,
    "layernorm": LAYERNORM,
    "rmsnorm": RMSNORM,
    "normalization": NORMALIZATION,
    "prelu": PRELU,
    "patch_embed": PATCH_EMBED,
    "attention": ATTENTION,
    "masked_attention": MASKED_ATTENTION,
    "masking": MASKING,
    "mean_pool": MEAN_POOL,
    "masked_mean_pool": MASKED_MEAN_POOL,
}

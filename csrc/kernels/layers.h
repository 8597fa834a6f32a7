/* Layers that are neither products nor windows. Part of kernels.h, which has the rules. */
#ifndef RNN_KERNELS_LAYERS_H
#define RNN_KERNELS_LAYERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- activations.c ---- */

/* y = f(z) over n elements; alpha is the slope or scale of the functions that have one. */
typedef void (*activation_forward_fn)(float *y, const float *z, int n, float alpha);

/* dz = dy * f'; dz may be dy. `seen` is y, or z for an activation with from_input. */
typedef void (*activation_backward_fn)(float *dz, const float *dy, const float *seen, int n,
                                       float alpha);

typedef struct {
    const char *name;
    bool from_input; /* f' is computed from z, so forward must keep it */
    float alpha;     /* the default */
    activation_forward_fn forward;
    activation_backward_fn backward;
} activation;

/* The exact form of GELU, z times the normal distribution function, is gelu_exact; gelu is
 * the tanh form (Hendrycks and Gimpel 2016). */

/* ---- norms.c: a biased variance (Ba et al. 2016) ---- */

/* inp, out (rows,D)   moments (rows,2): mean and rstd, kept for backward */
static void layernorm_forward(float *out, float *moments, const float *inp,
                              const float *weight, const float *bias, int rows, int D,
                              float epsilon);
static void layernorm_backward_input(float *dinp, const float *dout, const float *inp,
                                     const float *moments, const float *weight, int rows,
                                     int D);
static void layernorm_backward_params(float *weight_target, float *bias_target,
                                      const float *dout, const float *inp,
                                      const float *moments, int rows, int D, float alpha,
                                      float beta);

/* ---- batchnorm.c: a biased variance over rows and area (Ioffe and Szegedy 2015) ----
 *
 * inp, out (rows, C, area), or with `pixels` (rows, area, C)
 * mean, rstd, weight, bias (C)   rstd = 1/sqrt(variance + epsilon) */

/* moments (BATCHNORM_MOMENTS_AT + 3*C) of all rows since `begins`: how many numbers a
 * channel has had; shift, mean less the shift, and sum of squares about the mean of each
 * channel */
#define BATCHNORM_MOMENTS_AT 16
static void batchnorm_moments(float *moments, const float *inp, bool begins, int rows,
                              int C, int area, bool pixels);
/* Channels begin..end, from moments of slices of rows, `stride` floats apart, which are
 * added as partial sums are by reduce. */
static void batchnorm_merge(float *mean, float *rstd, float *variance, const float *moments,
                            size_t stride, int slices, int C, int begin, int end,
                            float epsilon);
static void batchnorm_running(float *mean, float *rstd, const float *running_mean,
                              const float *running_var, int C, float epsilon);
/* out = weight rstd (inp - mean) + bias */
static void batchnorm_forward(float *out, const float *inp, const float *mean,
                              const float *rstd, const float *weight, const float *bias,
                              int rows, int C, int area, bool pixels);
/* dweight, dbias = beta * what they are + gradient */
static void batchnorm_sums(float *dweight, float *dbias, const float *dout,
                           const float *inp, const float *mean, const float *rstd, int rows,
                           int C, int area, bool pixels, float beta);
/* dweight, dbias: of the whole batch, which has `count` numbers a channel */
static void batchnorm_backward_input(float *dinp, const float *dout, const float *inp,
                                     const float *mean, const float *rstd,
                                     const float *weight, const float *dweight,
                                     const float *dbias, float count, int rows, int C,
                                     int area, bool pixels);

/* ---- rmsnorm.c (Zhang and Sennrich 2019) ---- */

/* inp, out (rows,D)   rrms (rows) = 1/sqrt(mean of squares + epsilon), kept for backward */
static void rmsnorm_forward(float *out, float *rrms, const float *inp, const float *weight,
                            int rows, int D, float epsilon);
static void rmsnorm_backward_input(float *dinp, const float *dout, const float *inp,
                                   const float *rrms, const float *weight, int rows, int D);
static void rmsnorm_backward_params(float *weight_target, const float *dout,
                                    const float *inp, const float *rrms, int rows, int D,
                                    float alpha, float beta);

/* ---- normalization.c: rows (outer, n, area), n features ---- */

/* scale (n) = 1/sqrt(variance), at most 1e7; 0 of a feature that is constant */
static void normalization_scales(float *scale, const float *variance, int n);
/* out = (inp - mean) * scale */
static void normalize(float *out, const float *inp, const float *mean, const float *scale,
                      int outer, int n, int area);
static void scale_features(float *dinp, const float *dout, const float *scale, int outer,
                           int n, int area);

/* ---- prelu.c: rows (outer, n, area), n weights (He et al. 2015) ---- */

/* out = inp where inp > 0, else weight * inp */
static void prelu_forward(float *out, const float *inp, const float *weight, int outer,
                          int n, int area);
static void prelu_backward_input(float *dinp, const float *dout, const float *inp,
                                 const float *weight, int outer, int n, int area);
/* the sum of inp * dout where inp is not above 0 */
static void prelu_backward_weight(float *target, const float *dout, const float *inp,
                                  int outer, int n, int area, float alpha, float beta);

/* ---- noise.c ---- */

/* out = inp + stddev * normal numbers, a function of the key and of the element's place: n
 * elements, the first being number `first` of the batch. */
static void add_noise(float *out, const float *inp, size_t n, size_t first, float stddev,
                      uint64_t key);

/* ---- dropout.c ---- */

/* n elements, the first being number `first` of the batch: kept, and divided by 1 - rate,
 * iff the key's number for the element, in [0, 1), is at least rate (Srivastava et al.
 * 2014, inverted). */
static void dropout(float *out, const float *inp, size_t n, size_t first, float rate,
                    uint64_t key);
static void dropout_backward(float *dinp, const float *dout, const float *out, size_t n,
                             float rate);

/* ---- tokens.c: one image ---- */

/* patches (T, C*high*wide), T = H/high * W/wide, row-major in the grid and inside a patch.
 */
static void patches_from_image(float *patches, const float *inp, int C, int H, int W,
                               int high, int wide);
static void image_from_patches(float *dinp, const float *patches, int C, int H, int W,
                               int high, int wide);
/* Indices of the square patches that are not all zero, in order, and these patches
 * themselves side by side; returns how many there are. NaN is not zero. patches has room
 * for all. */
static int live_patches(int32_t *live, float *patches, const float *inp, int C, int H,
                        int W, int size);
static void add(float *out, const float *a, const float *b, int n);
static void mean_over_tokens(float *out, const float *inp, int T, int D);
static void spread_over_tokens(float *dinp, const float *dout, int T, int D);

/* ---- embedding.c ----
 *
 * out (T,D): the rows of table (N,D) that inp (T) names: rounded, from 0 to N - 1; what is
 * beyond is the row next to it, NaN row 0. N is at most 2^23. */
static void embedding_forward(float *out, const float *inp, const float *table, int T,
                              int N, int D);
/* Columns begin..end - 1 of target (N,D) = beta * target + alpha * the sum of dout (T,D)
 * over the tokens of each row, in their order. sums (N,D): zeros, before and after. */
static void embedding_backward_table(float *target, float *sums, const float *dout,
                                     const float *inp, int T, int N, int D, int begin,
                                     int end, float alpha, float beta);

/* real (T): 1, or 0 for a token whose D values all are `value`   out: inp, 0 for these */
static void mask_tokens(float *out, float *real, const float *inp, float value, int T,
                        int D);
static void keep_real_tokens(float *dinp, const float *dout, const float *real, int T,
                             int D);
/* The same over real tokens; zeros without any. */
static void mean_over_real(float *out, const float *inp, const float *real, int T, int D);
static void spread_over_real(float *dinp, const float *dout, const float *real, int T,
                             int D);

/* ---- attention.c: one sequence (Vaswani et al. 2017, section 3.2) ---- */

/* A sequence; real (T): 1 of a token, 0 of padding; NULL: all are real. */
typedef struct {
    int T, D, heads, stride; /* q, k and v are (T,D), their rows `stride` apart */
    const float *real;
    bool causal; /* a token sees itself and those before it only */
} attention_sequence;

/* What is kept of alpha for backward, one of the two, and what is to be shown; each may be
 * NULL. */
typedef struct {
    float *weights; /* (heads,T,attention_stride(T)): alpha, zeros behind its rows */
    float *moments; /* (heads,T,2): what alpha's rows are made of from their scores */
    float *maps;    /* (heads,T,T) */
} attention_kept;

static int attention_stride(int T);

/* Floats of the transpose of T rows of d. */
static size_t attention_held(int T, int d);

/* Floats of scratch for both directions of heads of d. */
static size_t attention_scratch(int T, int d);

/* context (T,D)
 * alpha = softmax(q k^T / sqrt(D/heads)) over the real keys that a token sees, zeros for
 * one that sees none; context = alpha v, head by head. */
static void attention_forward(float *context, const attention_kept *kept, const float *q,
                              const float *k, const float *v, float *scratch,
                              const attention_sequence *s);
/* q, k and v become dq, dk and dv; k and v may be the same, and become the sum of both. */
static void attention_backward(float *q, float *k, float *v, const float *dcontext,
                               const attention_kept *kept, float *scratch,
                               const attention_sequence *s);

/* ---- recurrent.c: the gates of PyTorch's RNN, GRU (Cho et al. 2014, with the reset gate
 * after the product) and LSTM (Hochreiter and Schmidhuber 1997) ----
 *
 * Gates stand side by side: r, z, n of a GRU, i, f, g, o of an LSTM. */

/* One step of one row. product (gates,H) is that of the state, with its bias. */
typedef struct {
    int H;
    float *gates; /* (kept,H) */
    const float *product, *before, *cell_before;
    float *after, *cell_after, *dstate, *dcell;
} recurrent_step;

typedef struct {
    int gates; /* columns of the weights are gates * H */
    int kept;  /* forward keeps kept * H of a step */
    bool has_cell;
    void (*forward)(const recurrent_step *s);
    void (*backward)(const recurrent_step *s);
} recurrent_cell;

/* Some rows: gates (rows,T,kept*H), which hold the inputs' products in their first columns;
 * states and cells (rows,T,H) are those before each step; product (rows,gates*H), dstate
 * and dcell (rows,H) are written and forgotten; real (rows,T) may be NULL. */
typedef struct {
    const recurrent_cell *cell;
    int rows, T, H;
    bool sequences, reverse; /* outputs of all steps, else of the last; last step first */
    const float *real;
    float *gates, *states, *cells, *product, *dstate, *dcell;
    float *carried; /* (rows,H), or (rows,2H) with cells: before, and then after; or NULL */
} recurrent_sequence;

/* out (rows,T,H) or (rows,H); weight (H,gates*H), bias (gates*H) of the state */
static void recurrent_forward(float *out, const float *weight, const float *bias,
                              const recurrent_sequence *q);
/* gates become the gradients of what they were made of, given the weight's transpose; no
 * gradient goes back into another run of `truncate` steps, if that is not 0. */
static void recurrent_backward(const float *dout, const float *transposed, int truncate,
                               const recurrent_sequence *q);
static void recurrent_backward_params(float *weight_target, const recurrent_sequence *q,
                                      float alpha, float beta);
/* Both targets have had the same alpha and beta since they were 0. */
static void recurrent_backward_biases(float *input_target, float *target,
                                      const recurrent_sequence *q, float alpha, float beta);

#endif

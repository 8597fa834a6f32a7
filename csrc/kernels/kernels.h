/* Every kernel: formula, shapes, and what forward leaves for backward.
 *
 * Rules for all of them. Tensors are float32, row-major, and do not overlap. Outputs come
 * first, then inputs, then sizes; `d` + name is the gradient of the loss with respect to
 * that name. Outputs are overwritten, except a `target`, which becomes
 * beta * target + alpha * gradient (beta = 0 never reads it). A kernel computes the part
 * [begin, end) it is told, and an element's bits depend neither on that part nor on the
 * number of rows. Nothing is allocated, nothing is printed, nothing is global.
 *
 * The sources are compiled once for each CPU level, all in one unit (net/level/level.c),
 * hence `static`. */
#ifndef RNN_KERNELS_H
#define RNN_KERNELS_H

#include "../base/nonzeros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Matrices may be read this many floats past their end; the values do not matter. */
#define RNN_READ_SLACK 16

/* What a kernel does to one element of a target. */
static inline void
accumulate(float *target, float gradient, float alpha, float beta)
{
    *target = (beta == 0 ? 0 : beta * *target) + alpha * gradient;
}

/* Row i of x[order], rows being `bytes` long; order NULL: of x as it stands. */
static inline const void *
row_of(const void *x, const int32_t *order, int i, size_t bytes)
{
    return (const char *)x + (ptrdiff_t)(order != NULL ? order[i] : i) * (ptrdiff_t)bytes;
}

/* ---- gemm.c ---- */

/* Element (m,k) of A is A[m*stride_m + k*stride_k]: a plain matrix or a transposed one.
 * C (M,N) = beta*C + alpha * A B; every element is summed over k = 0..K-1 in that order.
 * B (K,N) may be read RNN_READ_SLACK floats past its end. */
static void gemm(float *C, int ldc, const float *A, int stride_m, int stride_k,
                 const float *B, int ldb, int M, int N, int K, float alpha, float beta);

/* C = A B + bias, a row of N that the sums begin with; with relu max(., 0) of that. The
 * last columns, too few for a tile, are summed in parts unless it must be in order. */
static void gemm_bias(float *C, int ldc, const float *A, int lda, const float *B, int ldb,
                      const float *bias, bool relu, bool in_order, int M, int N, int K);

/* C = A B, row k of B beginning at B + offset[k]; sums begin with a number for each row of
 * C, or with 0 when row_bias is NULL. A (M,K) */
static void gemm_offsets(float *C, int ldc, const float *A, const float *B,
                         const int32_t *offset, const float *row_bias, bool relu, int M,
                         int N, int K);

/* ---- transpose.c ---- */

/* to (n,m) = transpose of from (m,n); rows are to_stride and from_stride apart. */
static void transpose(float *to, int to_stride, const float *from, int from_stride, int m,
                      int n);

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

/* ---- dense.c ----   inp (rows,in)   weight (in,out)   bias (out)   out, dout (rows,out)
 */

/* Z[:, begin:end] = X W + b; with relu max(Z, 0). in_order: to the bits of
 * dense_forward_nonzeros. */
static void dense_forward(float *out, const float *inp, const float *weight,
                          const float *bias, bool relu, bool in_order, int rows, int in,
                          int out_size, int begin, int end);

/* dX[:, begin:end] = dZ W^T */
static void dense_backward_input(float *dinp, const float *dout, const float *weight,
                                 int rows, int in, int out_size, int begin, int end);

/* Rows first..last, columns begin..end of the target of dW = X^T dZ. */
static void dense_backward_weight(float *target, const float *dout, const float *inp,
                                  int rows, int in, int out_size, int first, int last,
                                  int begin, int end, float alpha, float beta);

/* Columns begin..end of the target of db = column sums of dZ. */
static void dense_backward_bias(float *target, const float *dout, int rows, int out_size,
                                int begin, int end, float alpha, float beta);

/* ---- dense_transposed.c ----   the same with weight^T (out,in) */

/* Z = X W + b; with relu max(Z, 0). Sums of another order than dense_forward's. */
static void dense_forward_transposed(float *out, const float *inp, const float *weight,
                                     const float *bias, bool relu, int rows, int in,
                                     int out_size);

/* Columns begin..end of the target of dW^T = dZ^T X. */
static void dense_backward_transposed(float *target, const float *dout, const float *inp,
                                      int rows, int in, int out_size, int begin, int end,
                                      float alpha, float beta);

/* ---- nonzeros.c: products that leave out the zeros of X ----
 * To the same bits as their dense forms, as long as the other factor is finite: adding a
 * zero changes no sum, and what is left is added in the same order. */

/* Lists rows begin..end of x[order], bytes divided by 255; order NULL: x as it stands. */
static void nonzeros_by_row(rnn_nonzeros *to, const void *x, bool is_bytes,
                            const int32_t *order, int begin, int end);

/* The same for compressed rows, which are listed where they are: only ranges are found. */
static void nonzeros_of_compressed(rnn_nonzeros *to, const rnn_compressed *x,
                                   const int32_t *order, int begin, int end);

/* Lists the columns of one range from the lists of rows 0..rows-1. */
static void nonzeros_by_column(rnn_nonzeros *z, int rows, int range);

/* Nonzeros among n elements. */
static int count_nonzeros(const void *row, bool is_bytes, int n);

/* Columns that are summed in registers at once: enough to hide the latency of a sum, few
 * enough for a range of the weight's rows, or all of dout, to stay in the first-level
 * cache. */
#define PANEL_VECTORS 4
#define PANEL (PANEL_VECTORS * VL)

/* For a few rows: more columns at once. */
#define WIDE_PANEL (2 * PANEL)
#define WIDE_PANEL_ROWS 8

/* dense_forward of `width` <= PANEL columns, or WIDE_PANEL of a few rows, for rows
 * first_row.. of the lists; out is that of the first of them. Rows of the weight are ldw
 * apart. */
static void dense_forward_nonzeros(float *out, const rnn_nonzeros *inp, const float *weight,
                                   int ldw, const float *bias, bool relu, int first_row,
                                   int rows, int out_size, int width);

/* dense_backward_weight of `width` <= PANEL columns from the lists of columns; rows of the
 * target are ldt apart. */
static void dense_backward_weight_nonzeros(float *target, int ldt, const float *dout,
                                           const rnn_nonzeros *inp, int rows, int out_size,
                                           int first, int last, int width, float alpha,
                                           float beta);

/* ---- windows over an image: conv2d.c, pool2d.c ---- */

/* Input (C,H,W), window K x K, output (..,P,Q), P = (H + 2 padding - K) / stride + 1. */
typedef struct {
    int C, H, W, K, stride, padding, P, Q;
} window;

/* ---- unfolded.c: one image, any stride and padding ----
 * weight (filters, C, K, K)   columns: scratch of C*K*K * P*Q floats and slack
 * Cross-correlation with zeros around, as a product with the unfolded image. */
static void unfolded_forward(float *out, const float *inp, const float *weight,
                             const float *bias, float *columns, int filters,
                             const window *s);
static void unfolded_backward_input(float *dinp, const float *dout, const float *weight,
                                    float *columns, int filters, const window *s);
static void unfolded_backward_params(float *weight_target, float *bias_target,
                                     const float *dout, const float *inp, float *columns,
                                     int filters, const window *s, float alpha, float beta);

/* ---- conv2d.c: one image, stride 1, padding < K ----
 * Everything happens in planes whose rows keep the pitch of the padded image, W + 2
 * padding: then one offset leads from any output position to what a weight meets there,
 * across the ends of rows. A plane of outputs has P rows and is rounded up to whole
 * vectors; the K - 1 last columns of each row and what comes after the rows mean nothing in
 * results and are zero in gradients. Vectors read up to RNN_READ_SLACK floats past the end
 * of planes. */
static int conv2d_pitch(const window *s);
static int conv2d_plane(const window *s);

/* Padding that makes the convolution of dout give dinp. */
static int conv2d_back_padding(const window *s);

/* padded (n, H + 2 padding, W + 2 padding) from n planes of H rows, zeros around and in the
 * slack behind: `size` floats in all. What a plane's slack is multiplied by must be finite.
 */
static void pad_planes(float *padded, size_t size, const float *planes, int n, int H, int W,
                       int plane, int pitch, int padding);

/* Output rows that see anything but zeros; with more than one channel all of them. Outputs
 * of the others are the bias, and they add nothing to the weights' gradient. */
typedef struct {
    int begin, end;
} live_rows;

static live_rows conv2d_live_rows(const float *inp, const window *s);

/* The whole vectors of a plane that hold these rows. Vectors that began at the first row
 * could end in the next filter's plane. */
typedef struct {
    int begin, end;
} vector_range;

static vector_range conv2d_live_vectors(live_rows live, const window *s);

/* Elements begin..end of each of n planes = its bias; with relu max(., 0) of it. */
static void fill_rows(float *planes, const float *bias, bool relu, int n, int plane,
                      int begin, int end);

/* offset (channels, K, K): from an output position to what the weight meets there. */
static void conv2d_offsets(int32_t *offset, int channels, int rows, int pitch, int K);

/* planes (filters, plane) = weight (filters, fan_in) times what lies under it, + bias;
 * bias NULL: + 0; with relu max(., 0) of it. `positions` of each plane are computed. */
static void conv2d_planes(float *planes, int plane, const float *padded,
                          const int32_t *offset, const float *weight, const float *bias,
                          bool relu, int filters, int fan_in, int positions);

/* Between planes, n of them, and tensors (n, P, Q). */
static void crop_planes(float *out, const float *planes, int n, int P, int Q, int plane,
                        int pitch);
static void spread_planes(float *planes, const float *dout, int n, int P, int Q, int plane,
                          int pitch);

/* turned (C, filters, K, K): each kernel turned by half a circle, for dinp. */
static void conv2d_turn_weight(float *turned, const float *weight, int filters, int C,
                               int K);

/* Target of dweight from planes of dout: along the planes, for few channels; `positions` is
 * a number of whole vectors... */
static void conv2d_weight_gradient(float *target, const float *planes, int plane,
                                   const float *padded, const int32_t *offset, int filters,
                                   int fan_in, int positions, float alpha, float beta);
/* ...or from pixels (rows, pitch, C), to sums (K, filters, K, C) first. */
static void conv2d_weight_gradient_by_rows(float *sums, const float *planes, int plane,
                                           const float *pixels, int filters, int C, int K,
                                           int pitch, int positions, float beta);
static void conv2d_add_row_sums(float *target, const float *sums, int filters, int C, int K,
                                float alpha, float beta);
static void conv2d_bias_gradient(float *target, const float *planes, int plane, int filters,
                                 float alpha, float beta);

/* Max pooling 2 x 2 of n planes, then ReLU if asked: out, which (n, P/2, Q/2).
 * `which` of the four it was, the first of equals; 4 where ReLU lets nothing back. */
static void pool_planes(float *out, int32_t *which, const float *planes, int n, int P,
                        int Q, int plane, int pitch, bool relu);
/* ---- pooled.c: gradients of conv2d under such a pool, one image ----
 * dout, which (filters, P/2, Q/2)   pixels, dpixels: the padded image, channels last
 * runs (filters, K, run): weights with channels last and zeros up to whole vectors. Vectors
 * may touch RNN_READ_SLACK floats past the end of pixels. */
static int pooled_run(const window *s);
static void pooled_weight_runs(float *runs, const float *weight, int filters,
                               const window *s);
static void pooled_add_runs(float *target, const float *runs, int filters, const window *s,
                            float alpha, float beta);

/* Added to runs and bias_sums. at: scratch of 2 * P/2 * Q/2, value: of half as many. */
static void pooled_weight_gradient(float *runs, float *bias_sums, const float *dout,
                                   const int32_t *which, const float *pixels, int32_t *at,
                                   float *value, int filters, const window *s);

/* Added to dpixels. filter, value: scratch of 5 * filters. */
static void pooled_input_gradient(float *dpixels, const float *dout, const int32_t *which,
                                  const float *runs, int32_t *filter, float *value,
                                  int filters, const window *s);

/* ---- windows.c: conv2d of one channel under a 2 x 2 max pool, one image ----
 * A window of the pool, (P,Q) of them, sees (K+1) x (K+1) pixels; live ones see anything
 * but zeros. They are listed in columns of patches ((K+1)^2, stride) and of which (filters,
 * stride), with room for a vector more. */
typedef struct {
    int count;      /* of all windows */
    uint32_t *bits; /* of VL windows each: bit l tells whether the l-th is live */
    int32_t *begin; /* how many are live before these; after the last: how many in all */
} live_windows;

/* How many are live. */
static int live_count(const live_windows *live);

/* At most so many pixels in a row of the padded image, and so many rows. */
#define WINDOWS_MAX_PITCH 64
#define WINDOWS_MAX_ROWS 256

/* Fills in live->bits, live->begin and the patches. split: scratch of the padded image's
 * size and a float a row. */
static void windows_list(live_windows *live, float *patches, int stride, float *split,
                         const float *padded, int K, int P, int Q, int pitch);

/* out (filters, P, Q), to the bits of convolution, max pool and ReLU one after the other.
 * listed: scratch of 2 * stride floats. */
static void windows_forward(float *out, int32_t *which, float *listed, const float *patches,
                            int stride, const live_windows *live, const float *weight,
                            const float *bias, bool relu, int filters, int K);

/* Adds to sums (filters, K*K + 1, VL), by lane: weights' and then the bias' gradient. */
static void windows_backward(float *sums, const float *dout, const int32_t *which,
                             const float *patches, int stride, const live_windows *live,
                             float *listed, const float *bias, bool relu, int filters,
                             int K);
static void windows_add_sums(float *weight_target, float *bias_target, const float *sums,
                             int filters, int K, float alpha, float beta);

/* which of all windows, all (filters, P, Q), as pool_planes gives it. */
static void windows_spread_which(int32_t *all, const int32_t *which, int stride,
                                 const live_windows *live, const float *bias, bool relu,
                                 int filters);

/* ---- window_blocks.c: the same with eight filters under a small dense layer, one image
 * ---- Only live windows are multiplied: the others give the same constant to every unit.
 * A live window's outputs are F numbers side by side, blank (F) is what a blank window has
 * in their place; a window's part of the dense layer's weight is a block, units * F numbers
 * in whole vectors. */
#define BLOCK_FILTERS 8
#define BLOCK_MAX 128 /* floats in a block at most */
#define BLOCK_ROWS 64 /* rows that blocks_gradient takes at most */

/* Floats in a block. */
static int block_size(int units);

/* blocks (windows, block_size)   weight (filters * windows, units) */
static void blocks_pack(float *blocks, const float *weight, int windows, int units);

/* weight = beta * weight + alpha * blocks, for windows first..last */
static void blocks_unpack(float *weight, const float *blocks, int windows, int first,
                          int last, int units, float alpha, float beta);

/* sums (block_size) = all blocks */
static void blocks_sum(float *sums, const float *blocks, int windows, int units);

/* Numbers of the live windows, in order, and room for a vector more, whose numbers are of
 * some windows too. */
static void windows_index(int32_t *index, const live_windows *live);

/* pooled (n, F): the pool's outputs at n live windows. which: as above.
 * listed: scratch (F, stride); pooled has room for as many whole vectors. */
static void windows_pooled(float *pooled, int32_t *which, float *listed,
                           const float *patches, int stride, int n, const float *weight,
                           const float *bias, bool relu, int K);

/* out (units) = constant (units) + the listed windows' pooled - blank times their blocks */
static void blocks_forward(float *out, const float *pooled, const float *blank,
                           const int32_t *index, int n, const float *blocks,
                           const float *constant, int units);

/* spread (block_size): each of dout (units) F times, then zeros. */
static void blocks_spread(float *spread, const float *dout, int units);

/* to (F): a window's gradient, its block times spread, summed over units. */
static void block_backward(float *to, const float *block, const float *spread, int units);

/* listed (F, stride): gradients at the listed windows, zeros up to a whole vector; sums
 * (F): over these windows. together: scratch (stride, F). */
static void blocks_backward(float *listed, int stride, float *sums, float *together,
                            const float *blocks, const int32_t *index, int n,
                            const float *spread, int units);

/* As windows_backward, from lists. */
static void blocks_windows_backward(float *sums, const float *listed, const int32_t *which,
                                    const float *patches, int stride, int n, int K);

/* What blocks_gradient wants of a row. */
typedef struct {
    live_windows live;
    const float *pooled, *spread;
} block_row;

/* blocks = beta * blocks + alpha * gradient over n rows, for vectors first..last of the
 * windows. A window that is live in all rows gets nothing from blank: of a filter that
 * gives zero there its gradient is zero. */
static void blocks_gradient(float *blocks, const float *blank, const block_row *rows, int n,
                            int windows, int first, int last, int units, float alpha,
                            float beta);

/* ---- pool2d.c ---- */

/* One image. The first of equal maxima wins; argmax is its index in the image. */
static void maxpool2d_forward(float *out, int32_t *argmax, const float *inp,
                              const window *s);
static void maxpool2d_backward(float *dinp, const float *dout, const int32_t *argmax,
                               const window *s);

/* One image. Divides by K*K: padding counts as zeros. */
static void avgpool2d_forward(float *out, const float *inp, const window *s);
static void avgpool2d_backward(float *dinp, const float *dout, const window *s);

/* ---- norms.c: biased variances (Ba et al. 2016; Ioffe and Szegedy 2015) ---- */

/* inp, out (rows,D)   moments (rows,2): mean and rstd, kept for backward */
static void layernorm_forward(float *out, float *moments, const float *inp,
                              const float *weight, const float *bias, int rows, int D,
                              float epsilon);
static void layernorm_backward_input(float *dinp, const float *dout, const float *inp,
                                     const float *moments, const float *weight, int rows,
                                     int D);
static void layernorm_backward_params(float *weight_target, float *bias_target,
                                      const float *dout, const float *inp,
                                      const float *moments, int rows, int D, int begin,
                                      int end, float alpha, float beta);

/* Channel c of (rows, C, area). */
static void batchnorm_statistics(float *mean, float *rstd, float *variance,
                                 const float *inp, int rows, int C, int area, int c,
                                 float epsilon);
static void batchnorm_forward(float *out, const float *inp, float mean, float rstd,
                              float weight, float bias, int rows, int C, int area, int c);
static void batchnorm_sums(double *dweight, double *dbias, const float *dout,
                           const float *inp, float mean, float rstd, int rows, int C,
                           int area, int c);
static void batchnorm_backward_input(float *dinp, const float *dout, const float *inp,
                                     float mean, float rstd, float weight, int rows, int C,
                                     int area, int c);

/* ---- rmsnorm.c (Zhang and Sennrich 2019) ---- */

/* inp, out (rows,D)   rrms (rows) = 1/sqrt(mean of squares + epsilon), kept for backward */
static void rmsnorm_forward(float *out, float *rrms, const float *inp, const float *weight,
                            int rows, int D, float epsilon);
static void rmsnorm_backward_input(float *dinp, const float *dout, const float *inp,
                                   const float *rrms, const float *weight, int rows, int D);
static void rmsnorm_backward_params(float *weight_target, const float *dout,
                                    const float *inp, const float *rrms, int rows, int D,
                                    int begin, int end, float alpha, float beta);

/* ---- dropout.c ---- */

/* n elements, the first being number `first` of the batch: kept, and divided by 1 - rate,
 * iff the key's number for the element, in [0, 1), is at least rate (Srivastava et al.
 * 2014, inverted). Its own backward. */
static void dropout(float *to, const float *from, size_t n, size_t first, float rate,
                    uint64_t key);

/* ---- tokens.c: one image ---- */

/* patches (T, C*size*size), T = H/size * W/size, row-major in the grid and inside a patch.
 */
static void patches_from_image(float *patches, const float *inp, int C, int H, int W,
                               int size);
static void image_from_patches(float *dinp, const float *patches, int C, int H, int W,
                               int size);
/* Indices of the patches that are not all zero, in order, and these patches themselves side
 * by side; returns how many there are. NaN is not zero. patches has room for all. */
static int live_patches(int32_t *live, float *patches, const float *inp, int C, int H,
                        int W, int size);
static void add(float *out, const float *a, const float *b, int n);
static void mean_over_tokens(float *out, const float *inp, int T, int D);
static void spread_over_tokens(float *dinp, const float *dout, int T, int D);

/* ---- attention.c: one sequence (Vaswani et al. 2017, section 3.2) ---- */

/* Floats of scratch for the transpose of T rows of d; its rows begin at cache lines. */
static size_t attention_held(int T, int d);

/* q, k, v (T,D) in rows `stride` apart   context (T,D)   alpha (heads,T,T)
 * transposed: scratch of attention_held(T, D/heads)
 * alpha = softmax(q k^T / sqrt(D/heads)) over keys, context = alpha v, head by head. */
static void attention_forward(float *context, float *alpha, const float *q, const float *k,
                              const float *v, int stride, float *transposed, int T, int D,
                              int heads);
/* q, k and v become dq, dk and dv. dscores, held: scratch of T*T and attention_held(T,
 * D/heads) floats */
static void attention_backward(float *q, float *k, float *v, int stride,
                               const float *dcontext, const float *alpha, float *dscores,
                               float *held, int T, int D, int heads);
/* The same for one head whose keys and values are both x (T,D): q and x become dq and dx.
 */
static void tied_attention_backward(float *q, float *x, const float *dcontext,
                                    const float *alpha, float *dscores, float *held, int T,
                                    int D);

/* ---- losses: one double and one hit a row; the caller sums them in row order ---- */

/* Of rows begin..end. targets: int32_t labels (rows) or float values (rows, size); label
 * smoothing is for those losses that have it. */
typedef void loss_gradient(float *dout, double *loss, uint8_t *hit, const float *out,
                           const void *targets, float smoothing, int size, int begin,
                           int end);

/* p = softmax(z), row-wise; loss = -sum t ln p; dz = p - t, with t = (1 - smoothing) *
 * onehot(label) + smoothing / classes (Szegedy et al. 2016); a hit when the first maximum
 * is the label. The row maximum is subtracted before exp. */
static loss_gradient softmax_xent;
static void softmax(float *probabilities, const float *logits, int classes, int begin,
                    int end);

/* dz = p * (dp - sum(dp p)), row-wise; dz may be dp, and softmax may work in place. */
static void softmax_backward(float *dlogits, const float *dprobabilities,
                             const float *probabilities, int classes, int begin, int end);

/* loss = sum of (y - t)^2 over a row; dy = y - t, the gradient of half of it (the
 * reference system's pair); a hit when every y is on its t's side of 0.5. */
static loss_gradient squared_error;

/* loss = sum of |y - t| over a row; dy = the sign of y - t, 0 where they are equal; hits as
 * for squared_error. */
static loss_gradient absolute_error;

/* e = y - t; loss = sum over a row of e^2 / 2 where |e| <= 1, else of |e| - 1/2 (Huber
 * 1964, with delta = 1); dy = e, limited to [-1, 1]; hits as for squared_error. */
static loss_gradient huber;

/* p = 1 / (1 + e^-z); loss = -sum t ln p + (1 - t) ln(1 - p) over a row; dz = p - t, with t
 * = (1 - smoothing) * target + smoothing / 2; a hit when every p is on its target's side of
 * 0.5. */
static loss_gradient sigmoid_xent;
static void sigmoid_rows(float *probabilities, const float *logits, int size, int begin,
                         int end);

/* r = e^z; loss = sum of r - t + t ln(t / r) over a row, half the Poisson deviance; dz = r
 * - t; a hit when every r is less than 0.5 from its t. */
static loss_gradient poisson;
static void exp_rows(float *rates, const float *log_rates, int size, int begin, int end);

/* Row b's loss and gradient times weight[b]. */
static void weigh_rows(float *dout, double *loss, const float *weight, int size, int begin,
                       int end);

/* ---- reduce.c ---- */

/* target (n) = beta * target + alpha * (partials s = 0..count-1 added in this order), which
 * are `stride` floats apart. */
static void reduce(float *target, const float *partials, size_t stride, int count, int n,
                   float alpha, float beta);

/* ---- optimizers.c: n elements; grads are scaled first ---- */

/* velocity NULL: no momentum. */
static void sgd_step(float *p, float *velocity, const float *grads, int n, float lr,
                     float scale, float momentum, bool nesterov, float penalty);
static void adam_step(float *p, float *m, float *v, const float *grads, int n, float lr,
                      float scale, double beta_1, double beta_2, float epsilon,
                      bool epsilon_hat, float penalty, float decay, int64_t step);
static double sum_of_squares(const float *x, int n);

/* sum += factor * x */
static void add_scaled(float *sum, const float *x, int n, float factor);

/* average += step * (p - average) */
static void move_average(float *average, const float *p, int n, float step);

/* ---- peak.c ---- */

/* n rounds of sum = sum * factor + term over vectors that stay in registers. Returns how
 * many operations that were; result is what the sums add up to. */
static double multiply_adds(float *result, float factor, float term, int n);

/* ---- sigmoid_2_4_1.c ---- */

/* One epoch of the reference's XOR net, two dense layers with sigmoid and squared_error,
 * one update a row, all 17 parameters in registers: weight (2,4), bias (4), weight (4,1),
 * bias (1), as they lie in params. loss and hits are added to. */
static void sigmoid_2_4_1_epoch(float *params, double *loss, int64_t *hits, const float *x,
                                const float *targets, const int32_t *order, int n,
                                float lr);

/* ---- tiny.c ---- */

/* Dense layers that fit vectors: at most TINY_WIDTH inputs of the first, VL units of each,
 * which at every level but the lowest is 8 or more. Parameters of a layer, weight (in,
 * units) and bias, lie at its offset. */
#define TINY_LAYERS 4
#define TINY_WIDTH 16

typedef struct {
    int in, units;
    int activation; /* index */
    float alpha;
    size_t offset;
} tiny_layer;

typedef struct {
    tiny_layer layer[TINY_LAYERS];
    int n_layers;
    loss_gradient *loss;
    size_t target_bytes; /* of a row */
} tiny_net;

/* One epoch of SGD in batches, all weights in vectors; loss and hits are added to. */
static void tiny_epoch(const tiny_net *net, float *params, double *loss, int64_t *hits,
                       const float *x, const void *targets, const int32_t *order, int n,
                       int batch, float lr);

/* ---- augment.c ---- */

/* image (channels, height, width) in place, changed by what `key` draws: sheared, scaled
 * and turned around its centre, shifted, its coarse grid moved (Simard et al. 2003); pixels
 * are interpolated between four, and outside all is 0. scratch: rnn_augmentation_scratch.
 */
static void augment(float *image, const rnn_augmentation *a, uint64_t key, float *scratch);

/* row (n) = share * row + (1 - share) * other */
static void mix_row(float *row, const float *other, float share, int n);

/* ---- gather.c ---- */

/* out[i] = x[order[i]] for rows begin..end; bytes are divided by 255. order NULL: x[i]. */
static void gather_f32(float *out, const float *x, const int32_t *order, int size,
                       int begin, int end);
static void gather_u8(float *out, const uint8_t *x, const int32_t *order, int size,
                      int begin, int end);
static void gather_compressed(float *out, const rnn_compressed *x, const int32_t *order,
                              int size, int begin, int end);

/* Whether all of x (n) is zero. */
static bool is_blank(const float *x, int n);

#endif

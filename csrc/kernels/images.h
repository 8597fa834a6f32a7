/* Windows over images: convolutions and pools. Part of kernels.h, which has the rules. */
#ifndef RNN_KERNELS_IMAGES_H
#define RNN_KERNELS_IMAGES_H

#include "../base/window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Windows (base/window.h) are those of one group: groups is not looked at. */

/* ---- unfolded.c: one image, any stride and padding ----
 * weight (filters, C, KH, KW)   columns: scratch of C*KH*KW * P*Q floats and slack
 * Cross-correlation with zeros around, as a product with the unfolded image. */
static void unfolded_forward(float *out, const float *inp, const float *weight,
                             const float *bias, float *columns, int filters,
                             const rnn_window *s);
static void unfolded_backward_input(float *dinp, const float *dout, const float *weight,
                                    float *columns, int filters, const rnn_window *s);
static void unfolded_backward_params(float *weight_target, float *bias_target,
                                     const float *dout, const float *inp, float *columns,
                                     int filters, const rnn_window *s, float alpha,
                                     float beta);

/* ---- conv2d.c: one image, stride 1, padding less than the kernel is high and wide ----
 * Everything happens in planes whose rows keep the pitch of the padded image, left + W +
 * right: then one offset leads from any output position to what a weight meets there,
 * across the ends of rows. A plane of outputs has P rows and is rounded up to whole
 * vectors; the last columns of each row, for which the kernel is too wide, and what comes
 * after the rows mean nothing in results and are zero in gradients. Vectors read up to
 * RNN_READ_SLACK floats past the end of planes. */
static int conv2d_pitch(const rnn_window *s);
static int conv2d_plane(const rnn_window *s);

/* Rows and columns of zeros around an image, and around dout, whose convolution is then
 * dinp. */
typedef struct {
    int top, bottom, left, right;
} edges;

static edges conv2d_edges(const rnn_window *s);
static edges conv2d_back_edges(const rnn_window *s);

/* padded (n, top + H + bottom, left + W + right) from n planes of H rows, zeros around and
 * in the slack behind: `size` floats in all. What a plane's slack is multiplied by must be
 * finite. */
static void pad_planes(float *padded, size_t size, const float *planes, int n, int H, int W,
                       int plane, int pitch, edges edge);

/* Output rows that see anything but zeros; with more than one channel all of them. Outputs
 * of the others are the bias, and they add nothing to the weights' gradient. */
typedef struct {
    int begin, end;
} live_rows;

static live_rows conv2d_live_rows(const float *inp, const rnn_window *s);

/* The whole vectors of a plane that hold these rows. Vectors that began at the first row
 * could end in the next filter's plane. */
typedef struct {
    int begin, end;
} vector_range;

static vector_range conv2d_live_vectors(live_rows live, const rnn_window *s);

/* Elements begin..end of each of n planes = its bias; with relu max(., 0) of it. */
static void fill_rows(float *planes, const float *bias, bool relu, int n, int plane,
                      int begin, int end);

/* offset (channels, KH, KW): from an output position to what the weight meets there. */
static void conv2d_offsets(int32_t *offset, int channels, int rows, int pitch,
                           const rnn_window *s);

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

/* turned (C, filters, KH, KW): each kernel, of `area` weights, turned by half a circle, for
 * dinp. */
static void conv2d_turn_weight(float *turned, const float *weight, int filters, int C,
                               int area);

/* Target of dweight from planes of dout: along the planes, for few channels; `positions` is
 * a number of whole vectors... */
static void conv2d_weight_gradient(float *target, const float *planes, int plane,
                                   const float *padded, const int32_t *offset, int filters,
                                   int fan_in, int positions, float alpha, float beta);
/* ...or from pixels (rows, pitch, C), to sums (KH, filters, KW, C) first; (KH, KW, filters,
 * C) of a kernel with gaps along its rows. */
static void conv2d_weight_gradient_by_rows(float *sums, const float *planes, int plane,
                                           const float *pixels, int filters,
                                           const rnn_window *s, int positions, float beta);
static void conv2d_add_row_sums(float *target, const float *sums, int filters,
                                const rnn_window *s, float alpha, float beta);
static void conv2d_bias_gradient(float *target, const float *planes, int plane, int filters,
                                 float alpha, float beta);

/* Max pooling 2 x 2 of n planes, then ReLU if asked: out, which (n, P/2, Q/2).
 * `which` of the four it was, the first of equals; 4 where ReLU lets nothing back. */
static void pool_planes(float *out, int32_t *which, const float *planes, int n, int P,
                        int Q, int plane, int pitch, bool relu);

/* ---- pooled.c: gradients of conv2d, K x K, under such a pool, one image ----
 * dout, which (filters, P/2, Q/2)   pixels, dpixels: the padded image, channels last
 * runs (filters, K, run): weights with channels last and zeros up to whole vectors. Vectors
 * may touch RNN_READ_SLACK floats past the end of pixels. */
static int pooled_run(const rnn_window *s);
static void pooled_weight_runs(float *runs, const float *weight, int filters,
                               const rnn_window *s);
static void pooled_add_runs(float *target, const float *runs, int filters,
                            const rnn_window *s, float alpha, float beta);

/* Added to runs and bias_sums. at: scratch of 2 * P/2 * Q/2, value: of half as many. */
static void pooled_weight_gradient(float *runs, float *bias_sums, const float *dout,
                                   const int32_t *which, const float *pixels, int32_t *at,
                                   float *value, int filters, const rnn_window *s);

/* Added to dpixels. filter, value: scratch of 5 * filters. */
static void pooled_input_gradient(float *dpixels, const float *dout, const int32_t *which,
                                  const float *runs, int32_t *filter, float *value,
                                  int filters, const rnn_window *s);

/* ---- windows.c: conv2d of one channel under a 2 x 2 max pool, one image ----
 * A window of the pool, (P,Q) of them, sees (K+1) x (K+1) pixels; live ones see anything
 * but zeros. They are listed in columns of patches ((K+1)^2, stride) and of which (filters,
 * stride), with room for a vector more. */
typedef struct {
    int count;      /* of all windows */
    uint32_t *bits; /* of VL windows each: bit l is set if the l-th is live */
    int32_t *begin; /* how many are live before these; after the last: how many in all */
} live_windows;

/* How many are live. */
static int live_count(const live_windows *live);

/* At most this many pixels in a row of the padded image, and this many rows. */
#define WINDOWS_MAX_PITCH 64
#define WINDOWS_MAX_ROWS 256

/* Fills in live->bits, live->begin and the patches. split: scratch of the padded image's
 * size and one float per row. */
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

/* which of all windows, all (filters, P, Q), as pool_planes writes it. */
static void windows_spread_which(int32_t *all, const int32_t *which, int stride,
                                 const live_windows *live, const float *bias, bool relu,
                                 int filters);

/* ---- window_blocks.c: the same with eight filters under a small dense layer, one image
 * ---- Only live windows are multiplied: the others add the same constant to every unit.
 * A live window's outputs are F numbers side by side, blank (F) is what a blank window has
 * in their place; a window's part of the dense layer's weight is a block, units * F numbers
 * in whole vectors. */
#define BLOCK_FILTERS 8
#define BLOCK_MAX 128 /* floats in a block at most */
#define BLOCK_ROWS 64 /* most rows of a call of blocks_gradient */

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

/* ---- pixels.c: convolution of one image whose pixels have their channels side by side
 * ---- inp, dinp (H,W,C) padded to (rows, pitch), out and dout (P*Q, filters), `step`
 * floats from pixel to pixel. Taps in the order (KH, KW, C) are `runs` runs of `run` taps
 * each that lie side by side: a row of the kernel, or a single tap of a kernel with gaps or
 * over a group of channels. Sizes are those of one group. */
typedef struct {
    int pitch, rows;     /* floats of a padded row, and rows */
    int pixels;          /* of outputs, P * Q */
    int runs, run, taps; /* taps = runs * run */
    int filters;
    int wide, run_wide; /* filters and a run up to whole vectors */
} pixel_sizes;

static pixel_sizes pixel_sizes_of(const rnn_window *s, int filters);

/* From the padded image to what output pixels (P*Q) meet first, from there to runs, and to
 * taps. */
static void pixel_offsets(int32_t *pixel, int32_t *run, int32_t *tap, const pixel_sizes *z,
                          const rnn_window *s);

/* Zeros around an image (H,W,C), and what is left without them. */
static void pad_pixels(float *padded, const float *inp, const pixel_sizes *z,
                       const rnn_window *s);
static void crop_pixels(float *inp, const float *padded, const pixel_sizes *z,
                        const rnn_window *s);

/* packed (taps, wide) from weight (filters, C, KH, KW); lanes past the last are zeros. */
static void pixel_pack(float *packed, const float *weight, const pixel_sizes *z,
                       const rnn_window *s);

/* Floats from a filter, a run and a tap of it to the next: (taps, wide), (runs, filters,
 * run_wide) and (filters, runs, run_wide). */
typedef struct {
    ptrdiff_t filter, run, tap;
} pixel_order;

static pixel_order pixel_taps_first(const pixel_sizes *z);
static pixel_order pixel_runs_first(const pixel_sizes *z);
static pixel_order pixel_filters_first(const pixel_sizes *z);

/* weight (filters, C, KH, KW) with runs first or filters first; lanes past the last are
 * zeros. */
static void pixel_lay_out(float *to, const float *weight, pixel_order order,
                          const pixel_sizes *z, const rnn_window *s);

/* Target of the weight from sums in any order. */
static void pixel_add_sums(float *target, const float *sums, pixel_order order,
                           const pixel_sizes *z, const rnn_window *s, float alpha,
                           float beta);

/* out = packed times what lies under it + bias; with relu max(., 0) of it. */
static void pixel_forward(float *out, int step, const float *inp, const int32_t *pixel,
                          const int32_t *tap, const float *packed, const float *bias,
                          bool relu, const pixel_sizes *z);

/* Added to sums (taps, wide) and bias_sums (wide). dout is read to the end of its last
 * vector. */
static void pixel_weight_gradient(float *sums, float *bias_sums, const float *dout,
                                  int step, const float *inp, const int32_t *pixel,
                                  const int32_t *tap, const pixel_sizes *z);

/* Added to dinp. */
static void pixel_input_gradient(float *dinp, const float *dout, int step,
                                 const int32_t *pixel, const int32_t *run,
                                 const float *turned, const pixel_sizes *z);

/* ---- pixel_lists.c: gradients of the same under a max pool, one image, one group ----
 * dout, which (windows, filters): the number of a window's maximum, KH * KW of the pool:
 * nothing goes back. listed (filters, runs, run_wide): weights, or sums of their gradients;
 * lanes past the last are zeros in weights, and mean nothing in sums. */
#define PIXEL_POOL_TAPS 16 /* of a pool's window at most */

static int pixel_list_size(const pixel_sizes *z); /* floats of a filter */

/* place (windows, KH * KW + 1): to what the output with a number meets first; vector: from
 * there to the vectors of the runs. */
static void pixel_list_offsets(int32_t *place, int32_t *vector, const int32_t *pixel,
                               const int32_t *run, const pixel_sizes *z,
                               const rnn_window *pool);

/* Added to sums, laid out as listed weights, and bias_sums (filters). at, value: scratch
 * with an element per window. inp is read to the end of a run's last vector. */
static void pixel_listed_weight_gradient(float *sums, float *bias_sums, const float *dout,
                                         const int32_t *which, const float *inp,
                                         const int32_t *place, const int32_t *vector,
                                         int32_t *at, float *value, const pixel_sizes *z,
                                         const rnn_window *pool);

/* Added to dinp. filter, value: scratch of (KH * KW + 1) * filters. */
static void pixel_listed_input_gradient(float *dinp, const float *dout,
                                        const int32_t *which, const int32_t *place,
                                        const int32_t *vector, int32_t *filter,
                                        float *value, const float *listed,
                                        const pixel_sizes *z, const rnn_window *pool);

/* ---- pool2d.c ---- */

/* One image. The first of equal maxima wins; argmax is its index in the image. */
static void maxpool2d_forward(float *out, int32_t *argmax, const float *inp,
                              const rnn_window *s);
static void maxpool2d_backward(float *dinp, const float *dout, const int32_t *argmax,
                               const rnn_window *s);

/* One image. Means are of KH*KW numbers, or of those inside the image. */
static void avgpool2d_forward(float *out, const float *inp, const rnn_window *s);
static void avgpool2d_backward(float *dinp, const float *dout, const rnn_window *s);

/* ---- pixel_pools.c: the same for images whose pixels have their channels side by side
 * ---- which: the number of the maximum among the window's numbers inside the input, row by
 * row; with relu max(., 0) of it, and KH * KW where that lets nothing back. */
static void pixel_maxpool(float *out, int32_t *which, const float *inp, bool relu,
                          const rnn_window *s);
static void pixel_maxpool_forward(float *out, int32_t *which, const float *inp,
                                  const rnn_window *s);
static void pixel_maxpool_backward(float *dinp, const float *dout, const int32_t *which,
                                   const rnn_window *s);
static void pixel_avgpool_forward(float *out, const float *inp, const rnn_window *s);
static void pixel_avgpool_backward(float *dinp, const float *dout, const rnn_window *s);

/* One image of `area` pixels; out, which (C). */
static void max_over_pixels(float *out, int32_t *which, const float *inp, int area, int C);
static void spread_to_pixels(float *dinp, const float *dout, const int32_t *which, int area,
                             int C);

/* ---- global_pool.c ---- */

/* out, argmax (planes)   inp, dinp (planes, area)
 * The first of equal maxima wins; argmax is its index in the plane. */
static void max_of_planes(float *out, int32_t *argmax, const float *inp, int planes,
                          int area);
static void spread_to_maxima(float *dinp, const float *dout, const int32_t *argmax,
                             int planes, int area);

#endif

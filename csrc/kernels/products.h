/* Products of matrices, and dense layers. Part of kernels.h, which has the rules. */
#ifndef RNN_KERNELS_PRODUCTS_H
#define RNN_KERNELS_PRODUCTS_H

#include "../base/nonzeros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- gemm.c ---- */

/* Element (m,k) of A is A[m*stride_m + k*stride_k]: a plain matrix or a transposed one.
 * C (M,N) = beta*C + alpha * A B; every element is summed over k = 0..K-1 in that order.
 * B (K,N) may be read RNN_READ_SLACK floats past its end. */
static void gemm(float *C, int ldc, const float *A, int stride_m, int stride_k,
                 const float *B, int ldb, int M, int N, int K, float alpha, float beta);

/* C = A B^T, of B (N,K), as gemm sums it. */
static void gemm_transposed(float *C, int ldc, const float *A, int lda, const float *B,
                            int ldb, int M, int N, int K);

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

/* ---- dense.c ----   inp (rows,in)   weight (in,out)   bias (out)   out, dout (rows,out)
 */

/* Z[:, begin:end] = X W + b; with relu max(Z, 0). in_order: to the bits of
 * dense_forward_nonzeros. */
static void dense_forward(float *out, const float *inp, const float *weight,
                          const float *bias, bool relu, bool in_order, int rows, int in,
                          int out_size, int begin, int end);

/* dX[:, begin:end] = dZ W^T, by OpenBLAS */
static void dense_backward_input(float *dinp, const float *dout, const float *weight,
                                 int rows, int in, int out_size, int begin, int end);

/* Up to this many rows are multiplied with W's rows as they stand: copies would not pay. */
#define DOT_BATCH 32

/* The same of rows first..last of a batch: the bits depend on how many rows the batch has,
 * not on which of them are asked for. */
static void dense_backward_input_part(float *dinp, const float *dout, const float *weight,
                                      int batch, int first, int last, int in, int out_size,
                                      int begin, int end);

/* Rows first..last, columns begin..end of the target of dW = X^T dZ. */
static void dense_backward_weight(float *target, const float *dout, const float *inp,
                                  int rows, int in, int out_size, int first, int last,
                                  int begin, int end, float alpha, float beta);

/* Column sums of dout (rows,columns), whose rows are `stride` apart. */
static void sum_rows(float *target, const float *dout, int stride, int rows, int columns,
                     float alpha, float beta);

/* Columns begin..end of the target of db = column sums of dZ. */
static void dense_backward_bias(float *target, const float *dout, int rows, int out_size,
                                int begin, int end, float alpha, float beta);

/* ---- dense_transposed.c ----   the same with weight^T (out,in) */

/* out (M,N) = A B^T + bias, of A (M,K) and B (N,K), or without bias if it is NULL; with
 * relu max(., 0) of that. Rows of out are ldo apart. Every element is summed in VL parts.
 */
static void multiply_rows(float *out, int ldo, const float *A, const float *B,
                          const float *bias, bool relu, int M, int K, int N);

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
 * enough for a range of the weight's rows, or all of dout, to stay in the L1
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

#endif

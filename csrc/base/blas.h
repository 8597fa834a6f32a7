/* The few OpenBLAS functions in use, found at run time in a private copy of the library.
 *
 * dlopen rather than linking: no run path into a build folder that is gone, no clash with
 * another OpenBLAS in the process, and RNN_NATIVE_BLAS can name another library. Each
 * call runs on the calling thread: the thread team is ours. */
#ifndef RNN_BLAS_H
#define RNN_BLAS_H

#include "status.h"

/* C = beta*C + alpha * A B^T, row-major.   A (M,K)   B (N,K)   C (M,N) */
void rnn_gemm_nt(int M, int N, int K, float alpha, const float *A, int lda, const float *B,
                 int ldb, float beta, float *C, int ldc);

/* Opens the library at an absolute path; on failure says why in `error`. Idempotent. */
rnn_status rnn_blas_load(const char *path, rnn_error *error);

/* NULL before rnn_blas_load. */
const char *rnn_blas_path(void);
const char *rnn_blas_config(void);
const char *rnn_blas_core(void);

#endif

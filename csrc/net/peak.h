/* How fast this machine multiplies and adds: what a net's speed is held against. */
#ifndef RNN_PEAK_H
#define RNN_PEAK_H

#include "../base/status.h"

typedef enum {
    RNN_PEAK_FMA,  /* registers only, with the vectors of the CPU level in use */
    RNN_PEAK_SGEMM /* OpenBLAS, 768 x 768 x 768, separate matrices for each thread */
} rnn_peak_kind;

/* *gflops = 1e9 floating-point operations per second of all threads together, the best of
 * several repetitions in about 50 ms. A multiply-add is two operations at every level. No
 * more than RNN_MAX_SLICES threads have work, as in a step of training. */
rnn_status rnn_measure_peak(rnn_peak_kind kind, int threads, double *gflops,
                            rnn_error *error);

#endif

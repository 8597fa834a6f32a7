#include "peak.h"

#include "../base/blas.h"
#include "../base/clock.h"
#include "../base/size.h"
#include "../base/team.h"
#include "level.h"

#include <stdio.h>
#include <stdlib.h>

/* Repetitions continue for this long, and there are at least this many: the first one meets
 * cold memory and sleeping threads. */
#define MEASURE_NANOSECONDS 50000000
#define MIN_REPETITIONS 3

/* Rounds of the register loop in a repetition: a few milliseconds. */
#define FMA_ROUNDS 1000000

#define GEMM_SIZE 768
#define GEMM_ELEMENTS (GEMM_SIZE * GEMM_SIZE)
#define GEMM_FLOPS (2.0 * GEMM_SIZE * GEMM_ELEMENTS)

typedef struct {
    const rnn_level *level;
    float *matrices; /* A, B and C of each slice */
    double flops[RNN_MAX_SLICES];
    float result[RNN_MAX_SLICES];
} peak_job;

/* The limit of a sum is term / (1 - factor): never large, never denormal. */
static void
fma_slice(void *context, int slice, int worker)
{
    (void)worker;
    peak_job *job = context;
    job->flops[slice] =
        job->level->multiply_adds(&job->result[slice], 0.5f, 1.0f, FMA_ROUNDS);
}

static void
sgemm_slice(void *context, int slice, int worker)
{
    (void)worker;
    peak_job *job = context;
    float *a = job->matrices + (size_t)3 * GEMM_ELEMENTS * (size_t)slice;
    float *b = a + GEMM_ELEMENTS, *c = b + GEMM_ELEMENTS;
    rnn_gemm_nt(GEMM_SIZE, GEMM_SIZE, GEMM_SIZE, 1.0f, a, GEMM_SIZE, b, GEMM_SIZE, 0.0f, c,
                GEMM_SIZE);
    job->flops[slice] = GEMM_FLOPS;
}

/* Operations a nanosecond of the best repetition. */
static double
best_of_repetitions(peak_job *job, rnn_slice_fn fn, int threads)
{
    int slices = threads < RNN_MAX_SLICES ? threads : RNN_MAX_SLICES;
    rnn_team_lease lease = rnn_team_acquire(threads);
    int64_t begin = rnn_nanoseconds(), now = begin;
    double best = 0;
    for (int i = 0; i < MIN_REPETITIONS || now - begin < MEASURE_NANOSECONDS; i++) {
        int64_t before = rnn_nanoseconds();
        double flops = 0;
        rnn_team_run(&lease, fn, job, slices);
        now = rnn_nanoseconds();
        for (int slice = 0; slice < slices; slice++)
            flops += job->flops[slice];
        if (now > before && flops / (double)(now - before) > best)
            best = flops / (double)(now - before);
    }
    rnn_team_release(&lease);
    return best;
}

static rnn_status
measure_sgemm(int threads, double *gflops, rnn_error *error)
{
    if (rnn_blas_path() == NULL) {
        snprintf(error->text, sizeof error->text,
                 "measure_peak: sgemm needs a BLAS; call load_blas first");
        return RNN_EINVAL;
    }
    size_t slices = threads < RNN_MAX_SLICES ? (size_t)threads : RNN_MAX_SLICES;
    size_t count = 0, bytes = 0;
    if (!rnn_size_add(&count, slices, (size_t)3 * GEMM_ELEMENTS)
        || !rnn_size_add(&bytes, count, sizeof(float)))
        return RNN_ENOMEM;
    peak_job job = {.matrices = malloc(bytes)};
    if (job.matrices == NULL)
        return RNN_ENOMEM;
    for (size_t i = 0; i < count; i++)
        job.matrices[i] = (float)(i % 31) / 31.0f;
    *gflops = best_of_repetitions(&job, sgemm_slice, threads);
    free(job.matrices);
    return RNN_OK;
}

rnn_status
rnn_measure_peak(rnn_peak_kind kind, int threads, double *gflops, rnn_error *error)
{
    if (kind == RNN_PEAK_SGEMM)
        return measure_sgemm(threads, gflops, error);
    peak_job job = {.level = rnn_level_current()};
    *gflops = best_of_repetitions(&job, fma_slice, threads);
    return RNN_OK;
}

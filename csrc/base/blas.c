#define _GNU_SOURCE /* RTLD_DEEPBIND */
#include "blas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

/* Values of the CBLAS enumerations, fixed by the interface. */
enum { CBLAS_ROW_MAJOR = 101, CBLAS_NO_TRANS = 111, CBLAS_TRANS = 112 };

typedef void (*sgemm_fn)(int order, int trans_a, int trans_b, int M, int N, int K,
                         float alpha, const float *A, int lda, const float *B, int ldb,
                         float beta, float *C, int ldc);
typedef char *(*text_fn)(void);
typedef int (*get_threads_fn)(void);
typedef void (*set_threads_fn)(int n);

/* Process-wide because the library is: filled once, then only read. */
static struct {
    sgemm_fn sgemm;
    text_fn config;
    text_fn core;
    get_threads_fn get_threads;
    set_threads_fn set_threads;
    char path[4096];
} blas;

/* OpenBLAS locks its own lock inside a call, and a child of fork would find it locked
 * forever. Calls hold this lock for reading, fork waits for it to write. */
static pthread_rwlock_t calls;

static void
init_calls_lock(void)
{
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
#if defined(__GLIBC__)
    /* Otherwise two busy threads could keep fork waiting without end. */
    pthread_rwlockattr_setkind_np(&attributes,
                                  PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
    pthread_rwlock_init(&calls, &attributes);
    pthread_rwlockattr_destroy(&attributes);
}

/* Memory that OpenBLAS allocates for each call that runs beside others, and keeps for later
 * ones; where it cannot, it ends the process. */
#define BUFFER_BYTES ((size_t)36 << 20)
#define TURN_NANOSECONDS 50000

static atomic_int under_way;

static bool
has_room_for(size_t buffers)
{
    size_t bytes = buffers * BUFFER_BYTES;
    void *room = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
        return false;
    munmap(room, bytes);
    return true;
}

static bool
is_limited(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

/* One buffer is there since the library was opened. Where the address space has no room for
 * those of all calls under way, calls take turns. */
static void
begin_call(void)
{
    pthread_rwlock_rdlock(&calls);
    for (;;) {
        int others = atomic_fetch_add(&under_way, 1);
        if (others == 0 || !is_limited() || has_room_for((size_t)others))
            return;
        atomic_fetch_sub(&under_way, 1);
        nanosleep(&(struct timespec){0, TURN_NANOSECONDS}, NULL);
    }
}

static void
end_call(void)
{
    atomic_fetch_sub(&under_way, 1);
    pthread_rwlock_unlock(&calls);
}

/* Lets the library make its first buffer; products of small matrices need none. */
static rnn_status
make_first_buffer(sgemm_fn sgemm)
{
    enum { N = 160 };
    if (!has_room_for(1))
        return RNN_ENOMEM;
    float *matrix = calloc((size_t)2 * N * N, sizeof *matrix);
    if (matrix == NULL)
        return RNN_ENOMEM;
    sgemm(CBLAS_ROW_MAJOR, CBLAS_NO_TRANS, CBLAS_TRANS, N, N, N, 1.0f, matrix, N, matrix, N,
          0.0f, matrix + N * N, N);
    free(matrix);
    return RNN_OK;
}

static void
before_fork(void)
{
    pthread_rwlock_wrlock(&calls);
}

static void
after_fork_in_parent(void)
{
    pthread_rwlock_unlock(&calls);
}

/* Deep binding keeps the library's own symbols first even when another BLAS is global;
 * the sanitizers' interceptors do not survive it. */
#if defined(RTLD_DEEPBIND) && !defined(__SANITIZE_ADDRESS__) \
    && !defined(__SANITIZE_THREAD__)
#define OPEN_FLAGS (RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND)
#else
#define OPEN_FLAGS (RTLD_NOW | RTLD_LOCAL)
#endif

/* Stores a function of the library in *target (a function pointer), or NULL.
 * scipy-openblas prefixes its symbols, other builds do not. memcpy because ISO C has no
 * cast from the data pointer that dlsym returns. */
static void
find(void *library, const char *name, void *target)
{
    char prefixed[64];
    snprintf(prefixed, sizeof prefixed, "scipy_%s", name);
    void *symbol = dlsym(library, prefixed);
    if (symbol == NULL)
        symbol = dlsym(library, name);
    memcpy(target, &symbol, sizeof symbol);
}

/* Threads are ours: each calls the library for itself. Its own would take their cores, and
 * bits could depend on their number. Others may set it meanwhile (threadpoolctl does). */
static void
use_one_thread(void)
{
    bool is_one = blas.get_threads != NULL && blas.get_threads() == 1;
    if (blas.set_threads != NULL && !is_one)
        blas.set_threads(1);
}

rnn_status
rnn_blas_load(const char *path, rnn_error *error)
{
    sgemm_fn sgemm = NULL;
    if (blas.sgemm != NULL)
        return RNN_OK;
    void *library = dlopen(path, OPEN_FLAGS);
    if (library == NULL) {
        snprintf(error->text, sizeof error->text, "%.190s", dlerror());
        return RNN_EINVAL;
    }
    find(library, "openblas_get_config", &blas.config);
    find(library, "openblas_get_corename", &blas.core);
    find(library, "openblas_get_num_threads", &blas.get_threads);
    find(library, "openblas_set_num_threads", &blas.set_threads);
    find(library, "cblas_sgemm", &sgemm);
    if (sgemm == NULL) {
        snprintf(error->text, sizeof error->text, "%.150s: no cblas_sgemm in it", path);
        dlclose(library);
        return RNN_EINVAL;
    }
    use_one_thread();
    if (make_first_buffer(sgemm) != RNN_OK) {
        snprintf(error->text, sizeof error->text,
                 "%.130s: no %d MB of address space for its buffer", path,
                 (int)(BUFFER_BYTES >> 20));
        return RNN_EINVAL;
    }
    init_calls_lock();
    blas.sgemm = sgemm;
    pthread_atfork(before_fork, after_fork_in_parent, init_calls_lock);
    snprintf(blas.path, sizeof blas.path, "%s", path);
    return RNN_OK;
}

const char *
rnn_blas_path(void)
{
    return blas.sgemm != NULL ? blas.path : NULL;
}

const char *
rnn_blas_config(void)
{
    return blas.config != NULL ? blas.config() : NULL;
}

const char *
rnn_blas_core(void)
{
    return blas.core != NULL ? blas.core() : NULL;
}

void
rnn_gemm_nt(int M, int N, int K, float alpha, const float *A, int lda, const float *B,
            int ldb, float beta, float *C, int ldc)
{
    begin_call();
    use_one_thread();
    blas.sgemm(CBLAS_ROW_MAJOR, CBLAS_NO_TRANS, CBLAS_TRANS, M, N, K, alpha, A, lda, B, ldb,
               beta, C, ldc);
    end_call();
}

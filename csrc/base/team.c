#define _GNU_SOURCE
#include "team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

/* A worker spins this long for the next step before it sleeps. Steps follow each other
 * within microseconds; a longer spin would take a core from somebody else. */
#define SPIN_NANOSECONDS 50000
#define SPINS_BETWEEN_CLOCK_READS 64

/* The claim word: generation in the upper half, one bit a claimed slice in the lower.
 * A worker that wakes up late holds an old generation, so its claims fail; a new job is
 * written only when every slice of the old one is done. */
#define CLAIM(generation, mask) ((uint64_t)(generation) << 32 | (mask))

static struct {
    atomic_bool taken;
    int workers; /* threads started, the caller not counted */

    _Atomic uint64_t claims;
    _Atomic(rnn_slice_fn) fn;
    _Atomic(void *) context;
    atomic_int slices;
    atomic_int threads; /* of this job: workers beyond them stay out of it */
    atomic_int done;

    pthread_mutex_t mutex; /* protects sleeping on `wake`, nothing else */
    pthread_cond_t wake;
    atomic_int sleepers;
} team = {.mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static inline void
relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t
nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool
claim(uint32_t generation, int slice)
{
    uint64_t bit = UINT64_C(1) << slice;
    uint64_t seen = atomic_load(&team.claims);
    while ((uint32_t)(seen >> 32) == generation && !(seen & bit))
        if (atomic_compare_exchange_weak(&team.claims, &seen, seen | bit))
            return true;
    return false;
}

/* Thread `rank` starts at its own block of slices, so that the same core meets the same
 * weights step after step, and then takes over what others have not begun. */
static void
work(uint32_t generation, int rank)
{
    int slices = atomic_load(&team.slices);
    int threads = atomic_load(&team.threads);
    if (rank >= threads)
        return;
    int first = slices * rank / threads;
    for (int i = 0; i < slices; i++) {
        int slice = (first + i) % slices;
        if (claim(generation, slice)) {
            rnn_slice_fn fn = atomic_load(&team.fn);
            fn(atomic_load(&team.context), slice);
            atomic_fetch_add(&team.done, 1);
        }
    }
}

static uint32_t
current_generation(void)
{
    return (uint32_t)(atomic_load(&team.claims) >> 32);
}

static void
wait_for_generation_after(uint32_t seen)
{
    int64_t give_up = nanoseconds() + SPIN_NANOSECONDS;
    while (nanoseconds() < give_up)
        for (int i = 0; i < SPINS_BETWEEN_CLOCK_READS; i++) {
            if (current_generation() != seen)
                return;
            relax();
        }
    pthread_mutex_lock(&team.mutex);
    atomic_fetch_add(&team.sleepers, 1);
    while (current_generation() == seen)
        pthread_cond_wait(&team.wake, &team.mutex);
    atomic_fetch_sub(&team.sleepers, 1);
    pthread_mutex_unlock(&team.mutex);
}

static void *
worker(void *rank)
{
    uint32_t generation = 0;
    for (;;) {
        wait_for_generation_after(generation);
        generation = current_generation();
        work(generation, (int)(intptr_t)rank);
    }
    return NULL;
}

/* Threads do not survive fork: the child starts with an empty team. */
static void
forget_after_fork(void)
{
    pthread_mutex_init(&team.mutex, NULL);
    pthread_cond_init(&team.wake, NULL);
    atomic_store(&team.sleepers, 0);
    atomic_store(&team.claims, 0);
    team.workers = 0;
    atomic_store(&team.taken, false);
}

static void
watch_fork(void)
{
    pthread_atfork(NULL, NULL, forget_after_fork);
}

/* Workers block every signal: handlers belong to the interpreter's threads. */
static void
start_workers(int wanted)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_fork);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (team.workers < wanted) {
        pthread_t thread;
        intptr_t rank = team.workers + 1;
        if (pthread_create(&thread, NULL, worker, (void *)rank) != 0)
            break;
        pthread_detach(thread);
        team.workers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

rnn_team_lease
rnn_team_acquire(int threads)
{
    rnn_team_lease alone = {1};
    if (threads <= 1 || atomic_exchange(&team.taken, true))
        return alone;
    if (team.workers < threads - 1)
        start_workers(threads - 1);
    if (team.workers == 0) {
        atomic_store(&team.taken, false);
        return alone;
    }
    return (rnn_team_lease){team.workers < threads - 1 ? team.workers + 1 : threads};
}

void
rnn_team_release(rnn_team_lease *lease)
{
    if (lease->threads > 1)
        atomic_store(&team.taken, false);
    lease->threads = 1;
}

void
rnn_team_run(const rnn_team_lease *lease, rnn_slice_fn fn, void *context, int slices)
{
    if (lease->threads == 1 || slices == 1) {
        for (int slice = 0; slice < slices; slice++)
            fn(context, slice);
        return;
    }
    atomic_store(&team.fn, fn);
    atomic_store(&team.context, context);
    atomic_store(&team.slices, slices);
    atomic_store(&team.threads, lease->threads);
    atomic_store(&team.done, 0);
    uint32_t generation = current_generation() + 1;
    atomic_store(&team.claims, CLAIM(generation, 0));
    if (atomic_load(&team.sleepers) > 0) {
        pthread_mutex_lock(&team.mutex);
        pthread_cond_broadcast(&team.wake);
        pthread_mutex_unlock(&team.mutex);
    }
    work(generation, 0);
    for (int spins = 0; atomic_load(&team.done) < slices; spins++)
        if (spins < 10000)
            relax();
        else
            sched_yield();
}

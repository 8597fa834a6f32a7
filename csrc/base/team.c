#define _GNU_SOURCE
#include "team.h"

#include "clock.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

/* A worker spins this long for the next job before it sleeps. Jobs follow each other
 * within microseconds; a longer spin would take a core from another process. */
#define SPIN_NANOSECONDS 50000
#define SPINS_BETWEEN_CLOCK_READS 64

/* The claim words, one for each SLICES_A_WORD slices: generation in the upper half, one bit
 * a claimed slice in the lower. Bits beyond the job's slices count as claimed, so the words
 * of a finished job are full: a worker that wakes up late finds nothing to claim under the
 * old generation, however many slices the next job, which may be half written by then,
 * seems to have. A job writes the words that it has slices for, the first one last: who
 * sees its generation there sees it in all of them. Words that it has no slices for stay
 * full, of an older generation. */
#define SLICES_A_WORD 32
#define WORDS (RNN_MAX_SLICES / SLICES_A_WORD)
#define CLAIM(generation, mask) ((uint64_t)(generation) << 32 | (mask))
#define FULL UINT32_MAX

/* A name for others to know the core by: threadpoolctl looks for it in libraries. */
__attribute__((visibility("default"))) extern const int rnn_native_team;
const int rnn_native_team = RNN_MAX_THREADS;

/* Of a word with this many of the job's slices. */
static uint32_t
claimed_from_the_start(int slices)
{
    return slices < SLICES_A_WORD ? FULL << slices : 0;
}

static struct {
    atomic_bool taken;
    int workers; /* threads started, the caller not counted */

    _Atomic uint64_t claims[WORDS];
    _Atomic(rnn_slice_fn) fn;
    _Atomic(void *) context;
    atomic_int slices;
    atomic_int threads; /* of this lease: workers of higher rank stay out of it */
    atomic_int done;

    pthread_mutex_t mutex; /* protects sleeping, nothing else */
    pthread_cond_t wake;   /* a new job, for workers of the lease */
    pthread_cond_t grow;   /* more threads in the lease, for the others */
    atomic_int sleepers;
} team = {.claims = {[0 ... WORDS - 1] = CLAIM(0, FULL)},
          .mutex = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER,
          .grow = PTHREAD_COND_INITIALIZER};

static inline void
relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool
claim(uint32_t generation, int slice)
{
    _Atomic uint64_t *word = &team.claims[slice / SLICES_A_WORD];
    uint64_t bit = UINT64_C(1) << slice % SLICES_A_WORD;
    uint64_t seen = atomic_load(word);
    while ((uint32_t)(seen >> 32) == generation && !(seen & bit))
        if (atomic_compare_exchange_weak(word, &seen, seen | bit))
            return true;
    return false;
}

/* Thread `rank` starts at its own block of slices, so that the same core meets the same
 * weights job after job, and then takes over what others have not begun. */
static void
work(uint32_t generation, int rank)
{
    int slices = atomic_load(&team.slices);
    int threads = atomic_load(&team.threads);
    int workers = threads < slices ? threads : slices;
    if (rank >= workers)
        return;
    int first = slices * rank / workers, finished = 0;
    for (int i = 0; i < slices; i++) {
        int slice = (first + i) % slices;
        if (claim(generation, slice)) {
            rnn_slice_fn fn = atomic_load(&team.fn);
            fn(atomic_load(&team.context), slice, rank);
            finished++;
        }
    }
    if (finished > 0)
        atomic_fetch_add(&team.done, finished);
}

static uint32_t
current_generation(void)
{
    return (uint32_t)(atomic_load(&team.claims[0]) >> 32);
}

static void
wait_for_generation_after(uint32_t seen)
{
    int64_t give_up = rnn_nanoseconds() + SPIN_NANOSECONDS;
    while (rnn_nanoseconds() < give_up)
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

/* Workers that the lease has no use for sleep until there is one that does: spinning, they
 * would take a core from those at work at every job. */
static void
wait_until_wanted(int rank)
{
    if (rank < atomic_load(&team.threads))
        return;
    pthread_mutex_lock(&team.mutex);
    while (rank >= atomic_load(&team.threads))
        pthread_cond_wait(&team.grow, &team.mutex);
    pthread_mutex_unlock(&team.mutex);
}

static void *
worker(void *argument)
{
    int rank = (int)(intptr_t)argument;
    uint32_t generation = 0;
    for (;;) {
        wait_until_wanted(rank);
        wait_for_generation_after(generation);
        generation = current_generation();
        work(generation, rank);
    }
    return NULL;
}

static void
set_threads(int threads)
{
    pthread_mutex_lock(&team.mutex);
    atomic_store(&team.threads, threads);
    pthread_cond_broadcast(&team.grow);
    pthread_mutex_unlock(&team.mutex);
}

/* Threads do not survive fork: the child starts with an empty team. A lease of the thread
 * that forked, in a signal handler, stays valid: that thread does all slices. */
static void
forget_after_fork(void)
{
    pthread_mutex_init(&team.mutex, NULL);
    pthread_cond_init(&team.wake, NULL);
    pthread_cond_init(&team.grow, NULL);
    atomic_store(&team.sleepers, 0);
    for (int i = 0; i < WORDS; i++)
        atomic_store(&team.claims[i], CLAIM(0, FULL));
    atomic_store(&team.threads, 1);
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
    rnn_team_lease alone = {1, 0};
    if (threads <= 1 || atomic_exchange(&team.taken, true))
        return alone;
    if (team.workers < threads - 1)
        start_workers(threads - 1);
    if (team.workers == 0) {
        atomic_store(&team.taken, false);
        return alone;
    }
    rnn_team_lease lease = {team.workers < threads - 1 ? team.workers + 1 : threads, 0};
    if (lease.threads != atomic_load(&team.threads))
        set_threads(lease.threads);
    return lease;
}

void
rnn_team_release(rnn_team_lease *lease)
{
    if (lease->threads > 1)
        atomic_store(&team.taken, false);
    lease->threads = 1;
}

void
rnn_team_rest(rnn_team_lease *lease, bool rest)
{
    int resting = rest && lease->threads > 1;
    if (resting != lease->resting)
        set_threads(lease->threads - resting);
    lease->resting = resting;
}

void
rnn_team_run(const rnn_team_lease *lease, rnn_slice_fn fn, void *context, int slices)
{
    if (lease->threads - lease->resting == 1 || slices == 1) {
        for (int slice = 0; slice < slices; slice++)
            fn(context, slice, 0);
        return;
    }
    atomic_store(&team.fn, fn);
    atomic_store(&team.context, context);
    atomic_store(&team.slices, slices);
    atomic_store(&team.done, 0);
    uint32_t generation = current_generation() + 1;
    for (int i = (slices - 1) / SLICES_A_WORD; i >= 0; i--)
        atomic_store(&team.claims[i],
                     CLAIM(generation, claimed_from_the_start(slices - i * SLICES_A_WORD)));
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

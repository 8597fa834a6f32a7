/* The thread team: a fixed number of slices of work, run by however many threads there are.
 *
 * How a job is cut into slices depends on shapes only, each output has one slice that
 * writes it, and slices say nothing to each other: the bits cannot depend on the number
 * of threads or on who runs what. */
#ifndef RNN_TEAM_H
#define RNN_TEAM_H

#include <stdbool.h>

#define RNN_MAX_THREADS 64
/* A multiple of 32: a bit each in the claim words of team.c. */
#define RNN_MAX_SLICES 128

/* worker: which of the lease's threads runs it, the caller being 0; it is less
 * than the number of slices. No two slices have the same at a time: it chooses memory to be
 * written and forgotten, never results. */
typedef void (*rnn_slice_fn)(void *context, int slice, int worker);

/* Takes the team for one native call; `threads` counts the caller. When another call has
 * it, or threads cannot be started, this call runs its slices alone: same bits, slower. */
typedef struct {
    int threads;
    int resting; /* of these: take no slices for now */
} rnn_team_lease;

rnn_team_lease rnn_team_acquire(int threads);
void rnn_team_release(rnn_team_lease *lease);

/* Lets the last of the threads rest, or work again: a core for another process. */
void rnn_team_rest(rnn_team_lease *lease, bool rest);

/* Runs fn(context, 0..slices-1, worker), each slice once, and returns when all are done. */
void rnn_team_run(const rnn_team_lease *lease, rnn_slice_fn fn, void *context, int slices);

#endif

/* Runs many jobs of 2, 33 and all slices with changing numbers of threads and prints how
 * many slices did not run exactly once, or by a worker that they must not have. Built and
 * run by tests/core/test_team.py. */
#include "team.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_int runs[RNN_MAX_SLICES];
static atomic_int running[RNN_MAX_THREADS]; /* slices of each worker */
static atomic_int wrong_workers; /* with another slice at the time, or too high */

static void
count(void *context, int slice, int worker)
{
    int slices = *(int *)context;
    if (worker >= slices || atomic_fetch_add(&running[worker], 1) != 0)
        atomic_fetch_add(&wrong_workers, 1);
    atomic_fetch_add(&runs[slice], 1);
    atomic_fetch_sub(&running[worker], 1);
}

int
main(int argc, char **argv)
{
    int leases = argc > 1 ? atoi(argv[1]) : 100, most = argc > 2 ? atoi(argv[2]) : 4;
    unsigned random = 1;
    long wrong = 0;
    for (int i = 0; i < leases; i++) {
        random = random * 1103515245u + 12345u;
        rnn_team_lease lease = rnn_team_acquire(2 + (int)(random >> 16) % (most - 1));
        for (int job = 0; job < 50; job++) {
            int slices = job % 3 == 0 ? RNN_MAX_SLICES : job % 3 == 1 ? 33 : 2;
            for (int s = 0; s < RNN_MAX_SLICES; s++)
                atomic_store(&runs[s], 0);
            rnn_team_run(&lease, count, &slices, slices);
            for (int s = 0; s < RNN_MAX_SLICES; s++)
                wrong += atomic_load(&runs[s]) != (s < slices);
        }
        rnn_team_release(&lease);
    }
    printf("%ld\n", wrong + atomic_load(&wrong_workers));
    return 0;
}

/* Runs many jobs of 2 and of 32 slices with changing numbers of threads and prints how many
 * slices did not run exactly once. Built and run by tests/core/test_team.py. */
#include "team.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_int runs[RNN_MAX_SLICES];

static void
count(void *context, int slice)
{
    (void)context;
    atomic_fetch_add(&runs[slice], 1);
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
            int slices = job % 2 == 0 ? RNN_MAX_SLICES : 2;
            for (int s = 0; s < RNN_MAX_SLICES; s++)
                atomic_store(&runs[s], 0);
            rnn_team_run(&lease, count, NULL, slices);
            for (int s = 0; s < RNN_MAX_SLICES; s++)
                wrong += atomic_load(&runs[s]) != (s < slices);
        }
        rnn_team_release(&lease);
    }
    printf("%ld\n", wrong);
    return 0;
}

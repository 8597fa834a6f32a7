/* Time that only goes forward. */
#ifndef RNN_CLOCK_H
#define RNN_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t
rnn_nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#endif

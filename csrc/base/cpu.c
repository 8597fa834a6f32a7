#include "cpu.h"

#include <string.h>

#if defined(__x86_64__)

/* The psABI micro-architecture levels, by the compiler's flags for them. */
bool
rnn_cpu_runs(const char *level)
{
    __builtin_cpu_init();
    bool v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
    bool v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
              && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
              && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq")
              && __builtin_cpu_supports("avx512vl");
    if (strcmp(level, "v2") == 0)
        return v2;
    if (strcmp(level, "v3") == 0)
        return v3;
    return strcmp(level, "v4") == 0 && v4;
}

#elif defined(__aarch64__)

/* 128-bit vectors and their multiply-add are part of the architecture. */
bool
rnn_cpu_runs(const char *level)
{
    return strcmp(level, "neon") == 0;
}

#else

bool
rnn_cpu_runs(const char *level)
{
    return strcmp(level, "generic") == 0;
}

#endif

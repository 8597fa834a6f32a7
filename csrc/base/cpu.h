/* Which instruction sets this processor has, by feature bits (model numbers lie in VMs). */
#ifndef RNN_CPU_H
#define RNN_CPU_H

#include <stdbool.h>

/* True when code compiled for `level` ("v2", "v3", "v4", "neon" or "generic") may run here.
 */
bool rnn_cpu_runs(const char *level);

#endif

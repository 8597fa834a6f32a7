/* Where the time of calls goes: nanoseconds by worker, stage and kind of work. */
#include "plan.h"

#include <stdlib.h>

/* Entries of the profile of one worker. */
static size_t
profile_size(const rnn_net *net)
{
    return ((size_t)net->n_stages + 1) * RNN_WORK_KINDS;
}

rnn_status
rnn_net_set_profile(rnn_net *net, bool on)
{
    free(net->profile);
    free(net->jobs);
    net->profile = NULL;
    net->jobs = NULL;
    if (!on)
        return RNN_OK;
    net->jobs = calloc(RNN_MAX_SLICES + 1, sizeof *net->jobs);
    if (net->jobs != NULL)
        net->profile = calloc(RNN_MAX_THREADS * profile_size(net), sizeof *net->profile);
    return net->profile == NULL ? RNN_ENOMEM : RNN_OK;
}

bool
rnn_net_has_profile(const rnn_net *net)
{
    return net->profile != NULL;
}

const rnn_job_total *
rnn_net_jobs(const rnn_net *net)
{
    return rnn_net_has_profile(net) ? net->jobs : NULL;
}

int
rnn_net_n_stages(const rnn_net *net)
{
    return net->n_stages;
}

const char *
rnn_net_stage_name(const rnn_net *net, int stage)
{
    return net->stages[stage].layer.type->name;
}

int64_t
rnn_net_profile(const rnn_net *net, int stage, int kind)
{
    int64_t total = 0;
    for (size_t worker = 0; worker < RNN_MAX_THREADS; worker++)
        total += net->profile[worker * profile_size(net) + (size_t)stage * RNN_WORK_KINDS
                              + (size_t)kind];
    return total;
}

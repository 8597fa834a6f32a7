#include "pass.h"

#include <math.h>

typedef struct {
    rnn_net *net;
    rnn_update update;
    int slices;
} update_job;

/* Slices of all parameters; a fixed number of blocks, so that the norm's order is fixed. */
static size_t
update_begin(const update_job *job, int slice)
{
    return job->net->param_count / (size_t)job->slices * (size_t)slice;
}

static size_t
update_end(const update_job *job, int slice)
{
    return slice + 1 == job->slices ? job->net->param_count : update_begin(job, slice + 1);
}

static void
norm_slice(void *context, int slice)
{
    const update_job *job = context;
    size_t begin = update_begin(job, slice);
    job->net->sums[slice] = job->net->level->sum_of_squares(
        job->net->grads + begin, (int)(update_end(job, slice) - begin));
}

static void
update_slice(void *context, int slice)
{
    const update_job *job = context;
    int64_t clock = rnn_profile_begin(job->net);
    job->net->optimizer.type->update(&job->update, update_begin(job, slice),
                                     update_end(job, slice));
    rnn_profile_end(job->net, slice, job->net->n_steps, RNN_WORK_UPDATE, clock);
}

static float
clip_scale(rnn_run *r, update_job *job, double clip_norm)
{
    double sum = 0;
    rnn_run_slices(r, norm_slice, job, job->slices, (double)job->net->param_count);
    for (int slice = 0; slice < job->slices; slice++)
        sum += job->net->sums[slice];
    double norm = sqrt(sum);
    return norm > clip_norm ? (float)(clip_norm / norm) : 1.0f;
}

void
rnn_run_update(rnn_run *r, double lr, double clip_norm, int64_t step)
{
    rnn_net *net = r->net;
    update_job job = {.net = net, .slices = RNN_MAX_SLICES};
    job.update = (rnn_update){.params = net->params,
                              .grads = net->grads,
                              .moments = net->moments,
                              .count = net->param_count,
                              .attr = net->optimizer.attr,
                              .lr = lr,
                              .scale = 1.0f,
                              .step = step};
    if (clip_norm > 0)
        job.update.scale = clip_scale(r, &job, clip_norm);
    rnn_run_slices(r, update_slice, &job, job.slices,
                   ELEMENT_WORK * (double)net->param_count);
}

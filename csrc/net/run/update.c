#include "pass.h"

#include <math.h>

typedef struct {
    rnn_net *net;
    rnn_update update;
    int slices;
    float penalty;      /* of parameters that are not vectors */
    float *average;     /* or NULL */
    float average_step; /* how far it goes toward the parameters */
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

/* The part of begin..end that one parameter covers; whether there is any. */
static bool
overlap(const rnn_net *net, int layer, int param, size_t *begin, size_t *end)
{
    const rnn_param *p = &net->layers[layer].param[param];
    size_t first = net->param_offset[layer] + p->offset;
    size_t last = first + (size_t)rnn_shape_size(&p->shape);
    if (p->is_state || last <= *begin || first >= *end)
        return false;
    *begin = first > *begin ? first : *begin;
    *end = last < *end ? last : *end;
    return true;
}

/* Squares of the gradients of all that learns. */
static void
norm_slice(void *context, int slice, int worker)
{
    (void)worker;
    const update_job *job = context;
    const rnn_net *net = job->net;
    size_t begin = update_begin(job, slice), end = update_end(job, slice);
    if (net->rates == NULL) {
        net->sums[slice] =
            net->level->sum_of_squares(net->grads + begin, (int)(end - begin));
        return;
    }
    net->sums[slice] = 0;
    for (int l = 0; l < net->n_layers; l++)
        for (int k = 0; k < net->layers[l].n_params; k++) {
            size_t first = begin, last = end;
            if (net->rates[l] > 0 && overlap(net, l, k, &first, &last))
                net->sums[slice] +=
                    net->level->sum_of_squares(net->grads + first, (int)(last - first));
        }
}

/* Adds the penalty's gradient to that of every parameter but vectors (biases, scales), and
 * notes the sum of squares of those parameters. */
static void
penalize_slice(void *context, int slice, int worker)
{
    (void)worker;
    const update_job *job = context;
    const rnn_net *net = job->net;
    double squares = 0;
    for (int l = 0; l < net->n_layers; l++)
        for (int k = 0; k < net->layers[l].n_params; k++) {
            size_t first = update_begin(job, slice), last = update_end(job, slice);
            if (net->layers[l].param[k].shape.rank == 1
                || !overlap(net, l, k, &first, &last))
                continue;
            int n = (int)(last - first);
            squares += net->level->sum_of_squares(net->params + first, n);
            if (rnn_net_rate(net, l) > 0)
                net->level->add_scaled(net->grads + first, net->params + first, n,
                                       job->penalty);
        }
    net->sums[slice] = squares;
}

/* Updates begin..end parameter by parameter: vectors (biases, scales) are not penalized,
 * and layers have rates. Returns the sum of squares of what is penalized, as it was. */
static double
update_by_parameter(const update_job *job, size_t begin, size_t end)
{
    const rnn_net *net = job->net;
    double squares = 0;
    for (int l = 0; l < net->n_layers; l++)
        for (int k = 0; k < net->layers[l].n_params; k++) {
            size_t first = begin, last = end;
            rnn_update update = job->update;
            if (!overlap(net, l, k, &first, &last))
                continue;
            double rate = rnn_net_rate(net, l);
            update.lr *= rate;
            if (job->penalty > 0 && net->layers[l].param[k].shape.rank > 1) {
                update.penalty = job->penalty;
                squares +=
                    net->level->sum_of_squares(net->params + first, (int)(last - first));
            }
            if (rate > 0)
                net->optimizer.type->update(&update, first, last);
        }
    return squares;
}

/* The average of all that learns follows. */
static void
follow(const update_job *job, size_t begin, size_t end)
{
    const rnn_net *net = job->net;
    if (net->rates == NULL) {
        net->level->move_average(job->average + begin, net->params + begin,
                                 (int)(end - begin), job->average_step);
        return;
    }
    for (int l = 0; l < net->n_layers; l++)
        for (int k = 0; k < net->layers[l].n_params; k++) {
            size_t first = begin, last = end;
            if (net->rates[l] > 0 && overlap(net, l, k, &first, &last))
                net->level->move_average(job->average + first, net->params + first,
                                         (int)(last - first), job->average_step);
        }
}

static void
update_slice(void *context, int slice, int worker)
{
    const update_job *job = context;
    const rnn_net *net = job->net;
    size_t begin = update_begin(job, slice), end = update_end(job, slice);
    int64_t clock = rnn_profile_begin(net);
    if (job->penalty > 0 || net->rates != NULL)
        net->sums[slice] = update_by_parameter(job, begin, end);
    else
        net->optimizer.type->update(&job->update, begin, end);
    if (job->average != NULL)
        follow(job, begin, end);
    rnn_profile_end(net, worker, net->n_stages, RNN_WORK_UPDATE, clock);
}

static double
sum_of_slices(const update_job *job)
{
    double sum = 0;
    for (int slice = 0; slice < job->slices; slice++)
        sum += job->net->sums[slice];
    return sum;
}

/* Half of l2 times the sum of squares, which is added up by slices. */
static double
penalty_of(const update_job *job, double l2)
{
    return job->penalty > 0 ? l2 / 2 * sum_of_slices(job) : 0;
}

bool
rnn_recipe_moves_average(const rnn_recipe *recipe)
{
    return recipe->average != NULL && recipe->average_decay < 1;
}

/* An average that began lately follows more closely (the rule of TensorFlow's
 * ExponentialMovingAverage): else it would be made of initial weights for long. */
static double
average_step(double decay, int64_t step)
{
    double early = (1 + (double)step) / (10 + (double)step);
    return 1 - (decay < early ? decay : early);
}

/* The gradient that is clipped has the penalty's in it, as in Keras. Returns the penalty.
 */
static double
clip(rnn_run *r, update_job *job, const rnn_recipe *recipe)
{
    double work = (double)job->net->param_count;
    double penalty = 0;
    if (job->penalty > 0) {
        rnn_run_slices(r, penalize_slice, job, job->slices, ELEMENT_WORK * work);
        penalty = penalty_of(job, recipe->l2);
        job->penalty = 0; /* it is in the gradient now */
    }
    rnn_run_slices(r, norm_slice, job, job->slices, work);
    double norm = sqrt(sum_of_slices(job));
    if (norm > recipe->clip_norm)
        job->update.scale = (float)(recipe->clip_norm / norm);
    return penalty;
}

double
rnn_run_update(rnn_run *r, const rnn_recipe *recipe, double lr, int64_t step)
{
    rnn_net *net = r->net;
    update_job job = {.net = net,
                      .slices = RNN_MAX_COLUMN_SLICES,
                      .penalty = (float)(recipe->l2 / r->divisor),
                      .average = rnn_recipe_moves_average(recipe) ? recipe->average : NULL,
                      .average_step = (float)average_step(recipe->average_decay,
                                                          recipe->averaged + step)};
    job.update = (rnn_update){.params = net->params,
                              .grads = net->grads,
                              .moments = net->moments,
                              .count = net->param_count,
                              .attr = net->optimizer.attr,
                              .lr = lr,
                              .scale = 1.0f,
                              .step = recipe->updates + step};
    double penalty = recipe->clip_norm > 0 ? clip(r, &job, recipe) : 0;
    double work = ELEMENT_WORK * (double)net->param_count;
    if (work < MIN_STAGE_WORK && job.penalty == 0)
        job.slices = 1; /* no one helps, and nothing is summed */
    rnn_run_slices(r, update_slice, &job, job.slices, work);
    return penalty + penalty_of(&job, recipe->l2);
}

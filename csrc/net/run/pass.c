#include "pass.h"

#include "ranks.h"

#include "../../base/clock.h"
#include "../../base/rng.h"

/* `most`: slices that the job could have had; the profile counts by it. */
static void
run_job(rnn_run *r, rnn_slice_fn fn, void *job, int slices, int most, double work)
{
    if (work < MIN_STAGE_WORK) {
        for (int slice = 0; slice < slices; slice++)
            fn(job, slice, 0);
        return;
    }
    const rnn_net *net = r->net;
    int64_t begin = rnn_profile_begin(net);
    rnn_team_run(&r->lease, fn, job, slices);
    if (net->profile != NULL) {
        net->jobs[most].count++;
        net->jobs[most].nanoseconds += rnn_nanoseconds() - begin;
    }
}

void
rnn_run_slices(rnn_run *r, rnn_slice_fn fn, void *job, int slices, double work)
{
    run_job(r, fn, job, slices, slices, work);
}

int64_t
rnn_profile_begin(const rnn_net *net)
{
    return net->profile != NULL ? rnn_nanoseconds() : 0;
}

void
rnn_profile_end(const rnn_net *net, int worker, int stage, int kind, int64_t begin)
{
    if (net->profile != NULL)
        net->profile[(worker * (net->n_stages + 1) + stage) * RNN_WORK_KINDS + kind] +=
            rnn_nanoseconds() - begin;
}

int
rnn_lowest_stage(const rnn_run *r)
{
    return r->to_input ? 0 : r->net->first_trainable;
}

float *
rnn_run_packed(const rnn_run *r, int i)
{
    const rnn_stage *stage = &r->net->stages[i];
    bool takes = !stage->layer.takes_nonzeros || r->is_sparse;
    return r->is_packed && takes ? stage->packed : NULL;
}

/* Of the tokens of rows from `row` on. */
static const float *
real_tokens(const rnn_net *net, const rnn_stage *stage, size_t row)
{
    const rnn_stage *mask = stage->mask < 0 ? NULL : &net->stages[stage->mask];
    return mask != NULL ? mask->cache + row * mask->layer.cache : NULL;
}

/* Where to write the requested values of rows from `row` on. */
static float *
maps_of_rows(const rnn_run *r, int i, size_t row)
{
    if (r->maps == NULL || r->maps_of != i)
        return NULL;
    return r->maps + row * (size_t)rnn_shape_size(&r->net->stages[i].layer.maps);
}

/* The states of rows from `row` on that go from call to call. */
static float *
carried_of_rows(const rnn_run *r, int i, size_t row)
{
    const rnn_stage *stages = r->net->stages;
    if (r->carried == NULL || stages[i].layer.carried == 0)
        return NULL;
    size_t before = 0;
    for (int below = 0; below < i; below++)
        before += stages[below].layer.carried;
    return r->carried + before * (size_t)r->carried_rows
           + ((size_t)r->first_carried + row) * stages[i].layer.carried;
}

int
rnn_folds(const rnn_run *r, int i)
{
    return r->only_forward ? r->net->stages[i].folds : 0;
}

bool
rnn_is_folded(const rnn_run *r, int i)
{
    return r->only_forward && r->net->stages[i].is_folded;
}

rnn_io
rnn_stage_io(const rnn_run *r, int i, int begin, int rows, int worker)
{
    const rnn_net *net = r->net;
    const rnn_stage *stage = &net->stages[i];
    const rnn_layer *layer = &stage->layer;
    const float *inp = stage->source >= 0 ? net->stages[stage->source].out : r->inp;
    float *dinp = stage->below >= 0 ? net->stages[stage->below].dout : net->dinp;
    int folds = rnn_folds(r, i);
    size_t row = (size_t)begin;
    return (rnn_io){
        .rows = rows,
        .first_row = begin,
        .training = r->training,
        .to_input = i > net->first_trainable || r->to_input,
        .key = rnn_mask_key(r->key, (uint64_t)stage->first),
        .inp = inp + row * (size_t)layer->in_size,
        .nonzeros = i == 0 && r->is_sparse ? &net->nonzeros : NULL,
        .sides = stage->sides,
        .real = real_tokens(net, stage, row),
        .out = stage[folds].out + row * (size_t)layer->out_size,
        .cache = stage->cache + row * layer->cache,
        .maps = maps_of_rows(r, i, row),
        .carried = carried_of_rows(r, i, row),
        .scratch = stage->scratch + (size_t)worker * layer->scratch,
        .shared = stage->shared,
        .packed = rnn_run_packed(r, i),
        .dout = stage->dout + row * (size_t)layer->out_size,
        .dinp = dinp + row * (size_t)layer->in_size,
        .params = folds > 0 ? stage->folded_params : net->params + stage->param_offset,
        .state = net->params + stage->state_offset,
        .sums = stage->sums,
        .statistics = stage->statistics,
        .row_slices = r->row_slices,
        .batch_rows = r->rows,
        .slices = 1};
}

void
rnn_call_pass(const rnn_run *r, int i, rnn_pass pass, const rnn_io *io, int slice,
              int worker)
{
    const rnn_stage *stage = &r->net->stages[i];
    const rnn_layer *layer = rnn_folds(r, i) > 0 ? &stage->folded : &stage->layer;
    if (layer->slices[pass] == 0 || rnn_is_folded(r, i))
        return;
    int64_t begin = rnn_profile_begin(r->net);
    layer->type->pass[pass](layer, io, slice);
    rnn_profile_end(r->net, worker, i, pass, begin);
}

/* A pass that is cut by columns. */
typedef struct {
    const rnn_run *run;
    int stage;
    rnn_pass pass;
    rnn_io io;
    bool lists_columns; /* by the way: the columns' lists of nonzeros */
} column_job;

/* The ranges of columns that fall to a slice. */
static void
list_columns(const rnn_run *r, int slice, int slices)
{
    for (int range = RNN_NONZERO_RANGES * slice / slices;
         range < RNN_NONZERO_RANGES * (slice + 1) / slices; range++)
        r->net->level->nonzeros_by_column(&r->net->nonzeros, r->rows, range);
}

static void
list_columns_slice(void *context, int slice, int worker)
{
    (void)worker;
    list_columns(context, slice, RNN_NONZERO_RANGES);
}

static void
column_slice(void *context, int slice, int worker)
{
    const column_job *job = context;
    if (job->lists_columns)
        list_columns(job->run, slice, job->io.slices);
    rnn_call_pass(job->run, job->stage, job->pass, &job->io, slice, worker);
}

/* Where a pass may be cut into any number of slices: some more than threads, for when a
 * core is taken away, but large ones, as each slice of a product copies its factors. */
#define SLICES_A_THREAD 2
#define MIN_SLICE_WORK (MIN_STAGE_WORK / 4)

static int
most_slices(const rnn_layer *layer, rnn_pass pass, double work)
{
    double slices = work / MIN_SLICE_WORK;
    if (!layer->type->any_slices)
        return layer->slices[pass];
    return slices < 1 ? 1 : slices < RNN_MAX_SLICES ? (int)slices : RNN_MAX_SLICES;
}

static int
slices_wanted(const rnn_run *r, const rnn_layer *layer, int most)
{
    int wanted = r->lease.threads == 1 ? 1 : SLICES_A_THREAD * r->lease.threads;
    return layer->type->any_slices && wanted < most ? wanted : most;
}

static void
run_columns(rnn_run *r, column_job *job)
{
    const rnn_layer *layer = &r->net->stages[job->stage].layer;
    double work = layer->work[job->pass] * job->io.rows;
    int most = most_slices(layer, job->pass, work);
    job->io.slices = slices_wanted(r, layer, most);
    run_job(r, column_slice, job, job->io.slices, most, work);
}

void
rnn_run_once(rnn_run *r, int i, rnn_pass pass, float *target, float alpha, float beta)
{
    const rnn_stage *stage = &r->net->stages[i];
    if (stage->layer.slices[pass] == 0)
        return;
    int rows = pass == RNN_PREPARE ? 0 : r->rows;
    column_job job = {r, i, pass, rnn_stage_io(r, i, 0, rows, 0), false};
    job.io.target = target != NULL ? target + stage->param_offset : NULL;
    job.io.alpha = alpha;
    job.io.beta = beta;
    rnn_run_slices(r, column_slice, &job, stage->layer.slices[pass],
                   stage->layer.work[pass] * (rows > 0 ? rows : 1));
}

void
rnn_run_pass(rnn_run *r, int i, rnn_pass pass)
{
    const rnn_layer *layer = &r->net->stages[i].layer;
    column_job job = {r, i, pass, rnn_stage_io(r, i, r->own_row, r->own_rows, 0), false};
    job.io.to_input |= r->ranks != NULL; /* slopes are rows' own matter */
    job.lists_columns = i == 0 && pass == RNN_FORWARD && r->is_sparse && r->training
                        && (r->ranks == NULL || rnn_has_params(r, 0));
    if (job.lists_columns && r->own_rows < r->rows) {
        rnn_run_slices(r, list_columns_slice, r, RNN_NONZERO_RANGES,
                       ELEMENT_WORK * rnn_net_in_size(r->net) * r->rows);
        job.lists_columns = false;
    }
    if (layer->slices[pass] > 0 && r->own_rows > 0)
        run_columns(r, &job);
}

bool
rnn_has_params(const rnn_run *r, int i)
{
    const rnn_stage *stage = &r->net->stages[i];
    return stage->layer.slices[RNN_PARAMS] > 0 && i >= r->net->first_trainable
           && !stage->is_frozen;
}

bool
rnn_output_joins_params(const rnn_run *r, int i)
{
    const int *slices = r->net->stages[i].layer.slices;
    bool to_input = i > r->net->first_trainable || r->to_input;
    return !to_input && r->ranks == NULL && slices[RNN_PARAMS] > 0
           && slices[RNN_OUTPUT] == slices[RNN_PARAMS];
}

static double
params_work(const rnn_run *r, int i)
{
    const double *of = r->net->stages[i].layer.work;
    if (!rnn_has_params(r, i))
        return 0;
    return (of[RNN_PARAMS] + (rnn_output_joins_params(r, i) ? of[RNN_OUTPUT] : 0))
           * r->rows;
}

/* PARAMS of stages begin..end, and what they are for. */
typedef struct {
    const rnn_run *run;
    int begin, end;
    float *target;
    float alpha, beta;
} params_job;

static int
params_most(const rnn_run *r, int i)
{
    const rnn_layer *layer = &r->net->stages[i].layer;
    return rnn_has_params(r, i) ? most_slices(layer, RNN_PARAMS, params_work(r, i)) : 0;
}

static int
params_slices(const rnn_run *r, int i)
{
    return slices_wanted(r, &r->net->stages[i].layer, params_most(r, i));
}

/* The job's slices are those of its first stage, then those of the next. */
static void
params_slice(void *context, int slice, int worker)
{
    const params_job *job = context;
    const rnn_run *r = job->run;
    int i = job->begin, slices;
    while (slice >= (slices = params_slices(r, i))) {
        slice -= slices;
        i++;
    }
    rnn_io io = rnn_stage_io(r, i, 0, r->rows, 0);
    io.to_input |= r->ranks != NULL;
    io.slices = slices;
    io.target = job->target + r->net->stages[i].param_offset;
    io.alpha = job->alpha;
    io.beta = job->beta;
    if (rnn_output_joins_params(r, i))
        rnn_call_pass(r, i, RNN_OUTPUT, &io, slice, worker);
    rnn_call_pass(r, i, RNN_PARAMS, &io, slice, worker);
}

double
rnn_params_work(const rnn_run *r, int begin, int end)
{
    double work = 0;
    for (int i = begin; i < end; i++)
        work += params_work(r, i);
    return work;
}

void
rnn_run_params(rnn_run *r, int begin, int end, float *target, float alpha, float beta)
{
    rnn_ranks_gather_factors(r, begin, end);
    if (r->status != RNN_OK)
        return;
    if (begin == 0 && r->is_sparse && r->net->stages[0].by_rows && rnn_has_params(r, 0))
        rnn_run_slices(r, list_columns_slice, r, RNN_NONZERO_RANGES,
                       ELEMENT_WORK * rnn_net_in_size(r->net) * r->rows);
    params_job job = {r, begin, begin, target, alpha, beta};
    while (job.begin < end) {
        int slices = 0, most = 0;
        while (job.end < end && slices + params_slices(r, job.end) <= RNN_MAX_SLICES) {
            slices += params_slices(r, job.end);
            most += params_most(r, job.end++);
        }
        most = most < RNN_MAX_SLICES ? most : RNN_MAX_SLICES;
        if (slices > 0)
            run_job(r, params_slice, &job, slices, most,
                    rnn_params_work(r, job.begin, job.end));
        job.begin = job.end;
    }
}

#include "chain.h"
#include "pass.h"
#include "ranks.h"

#include <string.h>

static void
gather_targets(rnn_net *net, const rnn_batch *batch)
{
    const rnn_data *data = batch->data;
    size_t item = net->loss->targets == RNN_LABELS
                      ? sizeof(int32_t)
                      : (size_t)rnn_net_out_size(net) * sizeof(float);
    for (int i = 0; i < batch->rows; i++) {
        size_t row = (size_t)(batch->order != NULL ? batch->order[i] : batch->begin + i);
        memcpy((char *)net->targets + (size_t)i * item,
               (const char *)data->targets + row * item, item);
        if (data->weights != NULL)
            net->weights[i] = data->weights[row];
    }
}

/* Floats that lie one after the other are taken where they are. */
static bool
needs_gathering(const rnn_run *r, const rnn_batch *batch)
{
    const rnn_data *data = batch->data;
    return r->is_sparse || r->keeps_inputs || r->net->joins_inputs || batch->order != NULL
           || data->x_is_bytes || data->x == NULL;
}

/* Sums over rows follow the slices. Without sums there are as many as suit the threads:
 * each meets all weights. */
#define SLICES_A_THREAD 4

static int
row_slices(const rnn_run *r, int rows)
{
    int most = r->net->most_row_slices, enough = SLICES_A_THREAD * r->lease.threads;
    return rnn_row_slices(rows, r->only_forward && enough < most ? enough : most);
}

void
rnn_run_add_scores(const rnn_run *r, rnn_score *score)
{
    const rnn_net *net = r->net;
    for (int i = 0; i < r->rows; i++) {
        score->loss += net->loss_of_row[i];
        score->hits += net->hit_of_row[i];
        if (r->has_weights && net->hit_of_row[i])
            score->weighted_hits += (double)net->weights[i];
    }
}

/* The rows of all ranks: some PARAMS wants them. */
static void
make_all_inputs(rnn_run *r, const rnn_batch *batch)
{
    rnn_chain c = {.gather = batch};
    r->own_slice = 0;
    r->own_slices = r->row_slices;
    r->own_rows = r->rows;
    rnn_run_chain(r, &c);
    rnn_ranks_share(r);
}

static void
merge_statistics(rnn_run *r, int i)
{
    const rnn_stage *stage = &r->net->stages[i];
    rnn_piece piece = {stage->statistics, stage->layer.statistics * sizeof(float),
                       RNN_OF_SLICES, 0};
    rnn_ranks_gather(r, &piece, 1);
    rnn_run_once(r, i, RNN_MERGE, NULL, 0.0f, 0.0f);
}

void
rnn_run_forward(rnn_run *r, const rnn_batch *batch, rnn_purpose purpose, float *predictions)
{
    rnn_net *net = r->net;
    bool gather = needs_gathering(r, batch), score = purpose != RNN_FOR_OUTPUTS;
    r->rows = batch->rows;
    r->row_slices = row_slices(r, batch->rows);
    rnn_ranks_share(r);
    r->has_weights = batch->data->weights != NULL;
    r->inp = gather ? net->inp
                    : (const float *)batch->data->x
                          + (ptrdiff_t)batch->begin * rnn_net_in_size(net);
    r->backward_from = net->n_stages;
    if (score)
        gather_targets(net, batch);
    if (gather && rnn_ranks_need_all_inputs(r)) {
        make_all_inputs(r, batch);
        gather = false;
    }
    bool is_ready = false;
    for (int i = 0;;) {
        rnn_chain c = {.begin = i,
                       .end = rnn_chain_end(r, i, is_ready),
                       .gather = i == 0 && gather ? batch : NULL,
                       .forward = true};
        bool is_last = c.end == net->n_stages;
        c.statistics = !is_last && net->stages[c.end].by_rows;
        if (is_last) {
            c.score = score;
            c.predictions = predictions;
            c.backward = purpose == RNN_FOR_TRAINING;
        }
        if (c.gather != NULL || c.end > i || c.statistics || c.score
            || c.predictions != NULL)
            rnn_run_chain(r, &c);
        if (is_last) {
            r->backward_from = c.backward ? i : net->n_stages;
            break;
        }
        is_ready = c.statistics;
        if (is_ready)
            merge_statistics(r, c.end);
        else
            rnn_run_pass(r, c.end, RNN_FORWARD);
        i = is_ready ? c.end : c.end + 1 + rnn_folds(r, c.end);
    }
    if (score)
        rnn_ranks_gather_scores(r);
}

/* A stage cut by columns, except PARAMS. */
static void
backward_columns(rnn_run *r, int i)
{
    if (rnn_output_joins_params(r, i))
        return;
    rnn_run_pass(r, i, RNN_OUTPUT);
    if (i > r->net->first_trainable || r->to_input)
        rnn_run_pass(r, i, RNN_INPUT);
}

/* Multiply-adds of PARAMS that are worth a separate job; stages with less wait for
 * those below them. */
#define WORTH_A_JOB 3e7

/* Slices of each stage's sums. */
#define REDUCE_SLICES RNN_MAX_COLUMN_SLICES

typedef struct {
    const rnn_run *run;
    int only; /* of this stage; -1: of all that learn */
    float *target;
    float alpha, beta;
} reduce_job;

/* What this process' first slice of rows has added up. */
static float *
own_partials(const rnn_run *r)
{
    return r->net->partials + (size_t)r->own_slice * r->net->partial_count;
}

/* What the slices of rows have added up for a stage, to the target, or to where FINISH
 * finds it. */
static void
reduce_stage(const reduce_job *job, const rnn_stage *stage, int slice)
{
    const rnn_net *net = job->run->net;
    bool finishes = stage->layer.sums > 0;
    float *to = finishes ? stage->sums : job->target + stage->param_offset;
    int count = (int)rnn_stage_sums(stage);
    int begin = rnn_slice_begin(count, REDUCE_SLICES, slice);
    int end = rnn_slice_begin(count, REDUCE_SLICES, slice + 1);
    const rnn_run *r = job->run;
    int slices = r->ranks != NULL ? 1 : r->row_slices; /* ranks: their sum */
    net->level->reduce(to + begin, own_partials(r) + stage->partial_offset + begin,
                       net->partial_count, slices, end - begin,
                       finishes ? 1.0f : job->alpha, finishes ? 0.0f : job->beta);
}

/* Whether a stage has its sums before PARAMS of others, as INPUT waits for them. */
static bool
has_early_sums(const rnn_run *r, int i)
{
    return rnn_waits_for_batch(&r->net->stages[i])
           && (i > r->net->first_trainable || r->to_input);
}

static void
reduce_slice(void *context, int slice, int worker)
{
    const reduce_job *job = context;
    const rnn_net *net = job->run->net;
    int64_t clock = rnn_profile_begin(net);
    if (job->only >= 0)
        reduce_stage(job, &net->stages[job->only], slice);
    for (int i = net->first_trainable; job->only < 0 && i < net->n_stages; i++)
        if (net->stages[i].layer.slices[RNN_PARAMS] == RNN_BY_ROWS
            && !net->stages[i].is_frozen && !has_early_sums(job->run, i))
            reduce_stage(job, &net->stages[i], slice);
    rnn_profile_end(net, worker, net->n_stages, RNN_WORK_REDUCE, clock);
}

/* Some of what the process' slices have added up, in place of its first one's. */
typedef struct {
    const rnn_run *run;
    size_t offset, count;
} own_job;

static void
add_own_slices(void *context, int slice, int worker)
{
    (void)worker;
    const own_job *job = context;
    const rnn_net *net = job->run->net;
    size_t begin = job->count * (size_t)slice / REDUCE_SLICES;
    size_t end = job->count * (size_t)(slice + 1) / REDUCE_SLICES;
    float *first = own_partials(job->run) + job->offset + begin;
    net->level->reduce(first, first, net->partial_count, job->run->own_slices,
                       (int)(end - begin), 1.0f, 0.0f);
}

/* The tree over slices: the part within this process, and then over ranks. */
static void
add_ranks(rnn_run *r, int only)
{
    const rnn_net *net = r->net;
    own_job job = {r, 0, net->partial_count};
    if (r->ranks == NULL)
        return;
    if (only >= 0)
        job = (own_job){r, net->stages[only].partial_offset,
                        rnn_stage_sums(&net->stages[only])};
    if (r->own_slices > 1)
        rnn_run_slices(r, add_own_slices, &job, REDUCE_SLICES,
                       (double)job.count * r->own_slices);
    rnn_ranks_sum(r, own_partials(r) + job.offset, job.count);
}

static void
reduce(rnn_run *r, reduce_job job, size_t sums)
{
    if (sums == 0)
        return;
    add_ranks(r, job.only);
    if (r->status == RNN_OK)
        rnn_run_slices(r, reduce_slice, &job, REDUCE_SLICES,
                       (double)sums * (r->ranks != NULL ? 1 : r->row_slices));
}

void
rnn_run_backward(rnn_run *r, float *target, float alpha, float beta)
{
    const rnn_net *net = r->net;
    int bottom = rnn_lowest_stage(r), i = net->n_stages;
    int params = i;         /* PARAMS are still to come for stages i..params */
    bool end_input = false; /* stage i waited, and has its sums now */
    while (i > bottom || end_input) {
        rnn_chain c = {.begin = rnn_chain_begin(r, i),
                       .end = i,
                       .end_input = end_input,
                       .backward = true};
        if (c.begin == i && !end_input) {
            backward_columns(r, --i);
        }
        else {
            if (c.begin < r->backward_from || end_input)
                rnn_run_chain(r, &c);
            i = c.begin;
            end_input = c.begin < c.end && has_early_sums(r, i);
            if (end_input)
                reduce(r, (reduce_job){.run = r, .only = i}, net->stages[i].layer.sums);
        }
        if (rnn_params_work(r, i, params) >= WORTH_A_JOB) {
            rnn_run_params(r, i, params, target, alpha, beta);
            params = i;
        }
    }
    rnn_run_params(r, i, params, target, alpha, beta);
    reduce(r, (reduce_job){r, -1, target, alpha, beta}, net->partial_count);
    rnn_ranks_gather_for_finish(r);
    for (i = net->first_trainable; r->status == RNN_OK && i < net->n_stages; i++)
        if (net->stages[i].layer.sums > 0 && !net->stages[i].is_frozen)
            rnn_run_once(r, i, RNN_FINISH, target, alpha, beta);
    for (i = 0; r->moves_state && r->status == RNN_OK && i < net->n_stages; i++)
        rnn_run_once(r, i, RNN_MOVE, NULL, 0, 0);
}

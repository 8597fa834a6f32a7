#include "run.h"

#include "../base/rng.h"

#include <math.h>
#include <string.h>
#include <time.h>

/* Multiply-adds below which a step, or a whole call, is not worth waking other threads. */
#define MIN_STEP_WORK 2e5
#define MIN_CALL_WORK 5e6

/* What handling an element costs beside a multiply-add in a product. */
#define ELEMENT_WORK 8.0

/* The stop hook needs the GIL, so it is asked this often; the clock is read after about so
 * many multiply-adds, to which a batch adds a constant for what is not multiplying. */
#define STOP_NANOSECONDS 20000000
#define WORK_BETWEEN_CLOCK_READS 1e6
#define BATCH_OVERHEAD_WORK 1000

static int64_t
nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Rows whose density stands for all. */
#define DENSITY_ROWS 32

static double
density(const rnn_net *net, const rnn_batch *all)
{
    int n = all->rows < DENSITY_ROWS ? all->rows : DENSITY_ROWS,
        size = rnn_net_in_size(net);
    size_t bytes = (size_t)size * (all->data->x_is_bytes ? 1 : sizeof(float));
    double count = 0;
    for (int i = 0; i < n; i++) {
        int row = (int)((int64_t)all->rows * i / n);
        row = all->order != NULL ? all->order[row] : all->begin + row;
        count += net->level->count_nonzeros(
            (const char *)all->data->x + (size_t)row * bytes, all->data->x_is_bytes, size);
    }
    return count / ((double)n * size);
}

rnn_status
rnn_run_begin(rnn_run *r, rnn_net *net, int threads, rnn_stop stop, double rows,
              const rnn_batch *all)
{
    *r = (rnn_run){.net = net, .stop = stop, .asked = nanoseconds()};
    double elements = (double)net->capacity * rnn_net_in_size(net);
    if (net->steps[0].layer.takes_nonzeros && elements < INT32_MAX
        && density(net, all) < net->sparse_below) {
        if (rnn_net_need_nonzeros(net) != RNN_OK)
            return RNN_ENOMEM;
        r->is_sparse = true;
    }
    for (int i = 0; i < net->n_steps; i++)
        r->work_a_row += net->steps[i].layer.work[RNN_FORWARD];
    r->lease = rnn_team_acquire(r->work_a_row * rows < MIN_CALL_WORK ? 1 : threads);
    return RNN_OK;
}

rnn_status
rnn_run_pack(rnn_run *r)
{
    const rnn_step *step = &r->net->steps[0];
    if (!r->is_sparse || step->layer.packed == 0)
        return RNN_OK;
    rnn_status status = rnn_net_need_packed(r->net);
    if (status == RNN_OK) {
        step->layer.type->pack(&step->layer, r->net->packed,
                               r->net->params + step->param_offset);
        r->is_packed = true;
    }
    return status;
}

void
rnn_run_unpack(rnn_run *r)
{
    const rnn_step *step = &r->net->steps[0];
    if (r->is_packed)
        step->layer.type->unpack(&step->layer, r->net->params + step->param_offset,
                                 r->net->packed);
}

void
rnn_run_end(rnn_run *r)
{
    rnn_team_release(&r->lease);
}

bool
rnn_run_stop_wanted(rnn_run *r, double rows)
{
    r->work_since_clock += r->work_a_row * rows + BATCH_OVERHEAD_WORK;
    if (r->work_since_clock < WORK_BETWEEN_CLOCK_READS)
        return false;
    r->work_since_clock = 0;
    int64_t now = nanoseconds();
    if (now - r->asked < STOP_NANOSECONDS)
        return false;
    r->asked = now;
    return r->stop.wanted != NULL && r->stop.wanted(r->stop.context);
}

/* ---- slices, and their time ---- */

static void
run_slices(rnn_run *r, rnn_slice_fn fn, void *job, int slices, double work)
{
    if (work >= MIN_STEP_WORK)
        rnn_team_run(&r->lease, fn, job, slices);
    else
        for (int slice = 0; slice < slices; slice++)
            fn(job, slice);
}

static int64_t
profile_begin(const rnn_net *net)
{
    return net->profile != NULL ? nanoseconds() : 0;
}

static void
profile_end(const rnn_net *net, int slice, int step, int kind, int64_t begin)
{
    if (net->profile != NULL)
        net->profile[(slice * (net->n_steps + 1) + step) * RNN_WORK_KINDS + kind] +=
            nanoseconds() - begin;
}

/* ---- one pass of one step ---- */

/* Where backward ends. */
static int
lowest_step(const rnn_run *r)
{
    return r->to_input ? 0 : r->net->first_trainable;
}

/* What a pass sees of rows begin.. of the batch; the gradient's part is the caller's. */
static rnn_io
step_io(const rnn_run *r, int i, int begin, int rows, int slice)
{
    const rnn_net *net = r->net;
    const rnn_step *step = &net->steps[i];
    const rnn_layer *layer = &step->layer;
    const float *inp = i > 0 ? net->steps[i - 1].out : r->inp;
    float *dinp = i > 0 ? net->steps[i - 1].dout : net->dinp;
    size_t row = (size_t)begin;
    return (rnn_io){.rows = rows,
                    .first_row = begin,
                    .training = r->training,
                    .moves_state = r->moves_state,
                    .to_input = i > net->first_trainable || r->to_input,
                    .key = rnn_mask_key(r->key, (uint64_t)step->first),
                    .inp = inp + row * (size_t)layer->in_size,
                    .nonzeros = i == 0 && r->is_sparse ? &net->nonzeros : NULL,
                    .out = step->out + row * (size_t)layer->out_size,
                    .cache = step->cache + row * layer->cache,
                    .scratch = step->scratch + (size_t)slice * layer->scratch,
                    .shared = step->shared,
                    .packed = i == 0 && r->is_packed ? net->packed : NULL,
                    .dout = step->dout + row * (size_t)layer->out_size,
                    .dinp = dinp + row * (size_t)layer->in_size,
                    .params = net->params + step->param_offset,
                    .state = net->params + step->state_offset};
}

static void
call_pass(const rnn_net *net, int i, rnn_pass pass, const rnn_io *io, int slice)
{
    const rnn_layer *layer = &net->steps[i].layer;
    if (layer->slices[pass] == 0)
        return;
    int64_t begin = profile_begin(net);
    layer->type->pass[pass](layer, io, slice);
    profile_end(net, slice, i, pass, begin);
}

/* A pass that is cut by columns, or two of the same cut. */
typedef struct {
    const rnn_run *run;
    int step;
    rnn_pass first, last;
    rnn_io io;
    int lists_columns; /* by the way, in so many slices: the columns' lists of nonzeros */
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
column_slice(void *context, int slice)
{
    const column_job *job = context;
    if (job->lists_columns > 0)
        list_columns(job->run, slice, job->lists_columns);
    call_pass(job->run->net, job->step, job->first, &job->io, slice);
    if (job->last != job->first)
        call_pass(job->run->net, job->step, job->last, &job->io, slice);
}

static void
run_columns(rnn_run *r, column_job *job)
{
    const rnn_layer *layer = &r->net->steps[job->step].layer;
    double work = layer->work[job->last];
    if (job->first != job->last)
        work += layer->work[job->first];
    run_slices(r, column_slice, job, layer->slices[job->last], work * job->io.rows);
}

static void
run_pass(rnn_run *r, int i, rnn_pass pass)
{
    const rnn_layer *layer = &r->net->steps[i].layer;
    column_job job = {r, i, pass, pass, step_io(r, i, 0, r->rows, 0), 0};
    if (i == 0 && pass == RNN_FORWARD && r->is_sparse && r->training)
        job.lists_columns = layer->slices[pass];
    if (layer->slices[pass] > 0)
        run_columns(r, &job);
}

void
rnn_run_prepare(rnn_run *r)
{
    for (int i = 0; i < r->net->n_steps; i++) {
        rnn_io io = step_io(r, i, 0, 0, 0);
        call_pass(r->net, i, RNN_PREPARE, &io, 0);
    }
}

/* ---- chains ---- */

/* Rows that go through a chain at a time. */
#define CHUNK_ROWS 8

/* Steps begin..end for the rows of a batch, and what comes before and after them. */
typedef struct {
    rnn_run *run;
    int begin, end;
    const rnn_batch *gather; /* NULL: the inputs are in place */
    bool forward;
    bool score;
    bool backward;
    const void *targets;
    const float *weights;
    float *predictions; /* NULL: not wanted */
} chain;

static void
gather_rows(const chain *c, int begin, int end)
{
    rnn_net *net = c->run->net;
    const rnn_batch *batch = c->gather;
    const rnn_data *data = batch->data;
    int size = rnn_net_in_size(net);
    size_t skipped = batch->order != NULL ? 0 : (size_t)batch->begin;
    const char *x = (const char *)data->x
                    + skipped * (size_t)size * (data->x_is_bytes ? 1 : sizeof(float));
    if (c->run->is_sparse)
        net->level->nonzeros_by_row(&net->nonzeros, x, data->x_is_bytes, batch->order,
                                    begin, end);
    else if (data->x_is_bytes)
        net->level->gather_u8(net->inp, (const void *)x, batch->order, size, begin, end);
    else
        net->level->gather_f32(net->inp, (const void *)x, batch->order, size, begin, end);
}

/* Bytes that the processor fetches at once. */
#define CACHE_LINE 64

/* Asks for the rows that take these rows' places in the next batch: they lie anywhere in
 * the data. */
static void
prefetch_next(const chain *c, int begin, int end)
{
    const rnn_batch *batch = c->gather;
    size_t bytes = (size_t)rnn_net_in_size(c->run->net)
                   * (batch->data->x_is_bytes ? 1 : sizeof(float));
    for (int i = batch->rows + begin; i < batch->rows + end && i < batch->following; i++) {
        const char *row = (const char *)batch->data->x + (size_t)batch->order[i] * bytes;
        for (size_t at = 0; at < bytes; at += CACHE_LINE)
            __builtin_prefetch(row + at, 0, 2);
    }
}

/* The gradient with respect to the outputs goes where backward begins. */
static void
score_rows(const chain *c, int begin, int end)
{
    const rnn_net *net = c->run->net;
    const rnn_step *last = &net->steps[net->n_steps - 1];
    int size = rnn_net_out_size(net);
    net->loss->gradient(last->dout, net->loss_of_row, net->hit_of_row, last->out,
                        c->targets, c->run->smoothing, size, begin, end);
    if (c->weights != NULL)
        net->level->weigh_rows(last->dout, net->loss_of_row, c->weights, size, begin, end);
}

static void
predict_rows(const chain *c, int begin, int end)
{
    const rnn_net *net = c->run->net;
    const float *out = net->steps[net->n_steps - 1].out;
    size_t size = (size_t)rnn_net_out_size(net), at = (size_t)begin * size;
    if (net->loss->predict != NULL)
        net->loss->predict(c->predictions, out, (int)size, begin, end);
    else
        memcpy(c->predictions + at, out + at, (size_t)(end - begin) * size * sizeof(float));
}

/* Gradients by rows go to the slice's own; its first rows begin them. */
static void
backward_rows(const chain *c, int begin, int end, int slice, bool begins)
{
    const rnn_net *net = c->run->net;
    int bottom = lowest_step(c->run);
    for (int i = c->end - 1; i >= c->begin && i >= bottom; i--) {
        const rnn_step *step = &net->steps[i];
        rnn_io io = step_io(c->run, i, begin, end - begin, slice);
        io.target =
            net->partials + (size_t)slice * net->partial_count + step->partial_offset;
        io.alpha = 1.0f;
        io.beta = begins ? 0.0f : 1.0f;
        call_pass(net, i, RNN_OUTPUT, &io, slice);
        if (io.to_input)
            call_pass(net, i, RNN_INPUT, &io, slice);
        if (step->layer.slices[RNN_PARAMS] == RNN_BY_ROWS)
            call_pass(net, i, RNN_PARAMS, &io, slice);
    }
}

static void
chain_rows(const chain *c, int begin, int end, int slice, bool begins)
{
    const rnn_net *net = c->run->net;
    int64_t clock = profile_begin(net);
    if (c->gather != NULL) {
        gather_rows(c, begin, end);
        prefetch_next(c, begin, end);
    }
    profile_end(net, slice, net->n_steps, RNN_WORK_GATHER, clock);
    for (int i = c->begin; c->forward && i < c->end; i++) {
        rnn_io io = step_io(c->run, i, begin, end - begin, slice);
        call_pass(net, i, RNN_FORWARD, &io, slice);
    }
    clock = profile_begin(net);
    if (c->score)
        score_rows(c, begin, end);
    if (c->predictions != NULL)
        predict_rows(c, begin, end);
    profile_end(net, slice, net->n_steps, RNN_WORK_LOSS, clock);
    if (c->backward)
        backward_rows(c, begin, end, slice, begins);
}

static void
chain_slice(void *context, int slice)
{
    const chain *c = context;
    int first = rnn_row_begin(c->run->rows, slice);
    int last = rnn_row_begin(c->run->rows, slice + 1);
    for (int begin = first; begin < last; begin += CHUNK_ROWS)
        chain_rows(c, begin, begin + CHUNK_ROWS < last ? begin + CHUNK_ROWS : last, slice,
                   begin == first);
}

static double
chain_work(const chain *c)
{
    const rnn_net *net = c->run->net;
    double work = 0;
    if (c->gather != NULL)
        work += ELEMENT_WORK * rnn_net_in_size(net);
    if (c->score || c->predictions != NULL)
        work += ELEMENT_WORK * rnn_net_out_size(net);
    for (int i = c->begin; i < c->end; i++) {
        const double *of = net->steps[i].layer.work;
        work += c->forward ? of[RNN_FORWARD] : 0;
        work += c->backward ? of[RNN_OUTPUT] + of[RNN_INPUT] + of[RNN_PARAMS] : 0;
    }
    return work * c->run->rows;
}

static void
run_chain(rnn_run *r, chain *c)
{
    c->run = r;
    run_slices(r, chain_slice, c, rnn_row_slices(r->rows), chain_work(c));
}

/* The end of the chain that begins with step i, or i itself. */
static int
chain_end(const rnn_net *net, int i)
{
    while (i < net->n_steps && net->steps[i].by_rows)
        i++;
    return i;
}

/* ---- a batch ---- */

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
    return r->is_sparse || batch->order != NULL || batch->data->x_is_bytes;
}

static rnn_score
sum_scores(const rnn_net *net, int rows)
{
    rnn_score score = {0, 0};
    for (int i = 0; i < rows; i++) {
        score.loss += net->loss_of_row[i];
        score.hits += net->hit_of_row[i];
    }
    return score;
}

rnn_score
rnn_run_forward(rnn_run *r, const rnn_batch *batch, rnn_purpose purpose, float *predictions)
{
    rnn_net *net = r->net;
    bool gather = needs_gathering(r, batch), score = purpose != RNN_FOR_OUTPUTS;
    r->rows = batch->rows;
    r->inp = gather ? net->inp
                    : (const float *)batch->data->x
                          + (ptrdiff_t)batch->begin * rnn_net_in_size(net);
    r->backward_from = net->n_steps;
    if (score)
        gather_targets(net, batch);
    for (int i = 0;; i++) {
        chain c = {.begin = i,
                   .end = chain_end(net, i),
                   .gather = i == 0 && gather ? batch : NULL,
                   .forward = true};
        bool is_last = c.end == net->n_steps;
        if (is_last) {
            c.score = score;
            c.targets = net->targets;
            c.weights = batch->data->weights != NULL ? net->weights : NULL;
            c.predictions = predictions;
            c.backward = purpose == RNN_FOR_TRAINING;
        }
        if (c.gather != NULL || c.end > i || c.score || c.predictions != NULL)
            run_chain(r, &c);
        if (is_last) {
            r->backward_from = c.backward ? i : net->n_steps;
            break;
        }
        i = c.end;
        run_pass(r, i, RNN_FORWARD);
    }
    return score ? sum_scores(net, batch->rows) : (rnn_score){0, 0};
}

static void
list_columns_slice(void *context, int slice)
{
    list_columns(context, slice, RNN_NONZERO_RANGES);
}

/* PARAMS that is cut by columns; `first` is OUTPUT where that goes with it. */
static void
run_params(rnn_run *r, int i, rnn_pass first, float *target, float alpha, float beta)
{
    const rnn_step *step = &r->net->steps[i];
    if (step->layer.slices[RNN_PARAMS] <= 0 || i < r->net->first_trainable)
        return;
    if (i == 0 && r->is_sparse && step->by_rows)
        run_slices(r, list_columns_slice, r, RNN_NONZERO_RANGES,
                   ELEMENT_WORK * rnn_net_in_size(r->net) * r->rows);
    column_job job = {r, i, first, RNN_PARAMS, step_io(r, i, 0, r->rows, 0), 0};
    job.io.target = target + step->param_offset;
    job.io.alpha = alpha;
    job.io.beta = beta;
    run_columns(r, &job);
}

/* A step cut by columns: its passes one after the other, OUTPUT together with PARAMS when
 * they have the same slices and nothing in between reads what OUTPUT wrote. */
static void
backward_columns(rnn_run *r, int i, float *target, float alpha, float beta)
{
    const int *slices = r->net->steps[i].layer.slices;
    bool to_input = i > r->net->first_trainable || r->to_input;
    if (!to_input && slices[RNN_OUTPUT] == slices[RNN_PARAMS]) {
        run_params(r, i, RNN_OUTPUT, target, alpha, beta);
        return;
    }
    run_pass(r, i, RNN_OUTPUT);
    if (to_input)
        run_pass(r, i, RNN_INPUT);
    run_params(r, i, RNN_PARAMS, target, alpha, beta);
}

typedef struct {
    const rnn_run *run;
    float *target;
    float alpha, beta;
} reduce_job;

/* target[i] = beta * target[i] + alpha * (the slices' own, in their order) */
static void
reduce_range(const reduce_job *job, size_t target, size_t partials, int begin, int end)
{
    const rnn_net *net = job->run->net;
    size_t at = (size_t)begin;
    net->level->reduce(job->target + target + at, net->partials + partials + at,
                       net->partial_count, rnn_row_slices(job->run->rows), end - begin,
                       job->alpha, job->beta);
}

static void
reduce_slice(void *context, int slice)
{
    const reduce_job *job = context;
    const rnn_net *net = job->run->net;
    int64_t clock = profile_begin(net);
    for (int i = net->first_trainable; i < net->n_steps; i++) {
        const rnn_step *step = &net->steps[i];
        int count = (int)step->layer.param_count;
        if (step->layer.slices[RNN_PARAMS] == RNN_BY_ROWS)
            reduce_range(job, step->param_offset, step->partial_offset,
                         rnn_slice_begin(count, RNN_MAX_ROW_SLICES, slice),
                         rnn_slice_begin(count, RNN_MAX_ROW_SLICES, slice + 1));
    }
    profile_end(net, slice, net->n_steps, RNN_WORK_REDUCE, clock);
}

void
rnn_run_backward(rnn_run *r, float *target, float alpha, float beta)
{
    const rnn_net *net = r->net;
    int bottom = lowest_step(r), i = net->n_steps;
    while (i > bottom) {
        chain c = {.begin = i, .end = i, .backward = true};
        while (c.begin > bottom && net->steps[c.begin - 1].by_rows)
            c.begin--;
        if (c.begin == i) {
            backward_columns(r, --i, target, alpha, beta);
            continue;
        }
        if (c.begin < r->backward_from)
            run_chain(r, &c);
        while (i > c.begin)
            run_params(r, --i, RNN_PARAMS, target, alpha, beta);
    }
    if (net->partial_count > 0) {
        reduce_job job = {r, target, alpha, beta};
        run_slices(r, reduce_slice, &job, RNN_MAX_ROW_SLICES,
                   (double)net->partial_count * rnn_row_slices(r->rows));
    }
}

/* ---- update ---- */

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
    int64_t clock = profile_begin(job->net);
    job->net->optimizer.type->update(&job->update, update_begin(job, slice),
                                     update_end(job, slice));
    profile_end(job->net, slice, job->net->n_steps, RNN_WORK_UPDATE, clock);
}

static float
clip_scale(rnn_run *r, update_job *job, double clip_norm)
{
    double sum = 0;
    run_slices(r, norm_slice, job, job->slices, (double)job->net->param_count);
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
    run_slices(r, update_slice, &job, job.slices, ELEMENT_WORK * (double)net->param_count);
}

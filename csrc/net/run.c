#include "run.h"

#include "../base/rng.h"

#include <math.h>
#include <string.h>
#include <time.h>

/* Multiply-adds below which a step, or a whole call, is not worth waking other threads. */
#define MIN_STEP_WORK 2e5
#define MIN_CALL_WORK 5e6

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

rnn_run
rnn_run_begin(rnn_net *net, int threads, rnn_stop stop, double rows)
{
    rnn_run r = {.net = net, .stop = stop, .asked = nanoseconds()};
    for (int i = 0; i < net->n_layers; i++)
        r.work_a_row += net->layers[i].work[RNN_FORWARD];
    r.lease = rnn_team_acquire(r.work_a_row * rows < MIN_CALL_WORK ? 1 : threads);
    return r;
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

/* ---- one step of the plan, cut into slices ---- */

static void
run_slices(rnn_run *r, rnn_slice_fn fn, void *job, int slices, double work)
{
    if (work >= MIN_STEP_WORK)
        rnn_team_run(&r->lease, fn, job, slices);
    else
        for (int slice = 0; slice < slices; slice++)
            fn(job, slice);
}

typedef struct {
    const rnn_layer *layer;
    rnn_pass_fn fn;
    rnn_io io;
} pass_job;

static void
pass_slice(void *context, int slice)
{
    const pass_job *job = context;
    job->fn(job->layer, &job->io, slice);
}

static void
run_pass(rnn_run *r, pass_job *job, rnn_pass pass)
{
    const rnn_layer *layer = job->layer;
    int slices = layer->slices[pass], rows = job->io.rows;
    job->fn = layer->type->pass[pass];
    run_slices(r, pass_slice, job, slices == RNN_BY_ROWS ? rnn_row_slices(rows) : slices,
               layer->work[pass] * rows);
}

/* A pass of layer i; what the direction adds is filled in by the caller. */
static pass_job
layer_job(const rnn_run *r, int i, const float *inp, int rows)
{
    const rnn_net *net = r->net;
    return (pass_job){.layer = &net->layers[i],
                      .io = {.rows = rows,
                             .training = r->training,
                             .moves_state = r->moves_state,
                             .key = rnn_mask_key(r->key, (uint64_t)i),
                             .inp = inp,
                             .out = net->out[i],
                             .cache = net->cache[i],
                             .scratch = net->scratch[i],
                             .params = net->params + net->param_offset[i],
                             .state = net->params + net->state_offset[i]}};
}

/* Steps over rows (gather, loss) give the same bits however the rows are cut. */

typedef struct {
    const rnn_net *net;
    const rnn_data *data;
    const int32_t *order; /* NULL: rows as they stand */
    int rows;
    const void *targets;
    const float *weights;
    float smoothing;
    float *result;
} row_job;

static void
gather_slice(void *context, int slice)
{
    const row_job *job = context;
    int begin = rnn_row_begin(job->rows, slice), end = rnn_row_begin(job->rows, slice + 1);
    int size = rnn_net_in_size(job->net);
    const rnn_level *level = job->net->level;
    if (job->data->x_is_bytes)
        level->gather_u8(job->net->inp, job->data->x, job->order, size, begin, end);
    else
        level->gather_f32(job->net->inp, job->data->x, job->order, size, begin, end);
}

static void
loss_slice(void *context, int slice)
{
    const row_job *job = context;
    const rnn_net *net = job->net;
    int begin = rnn_row_begin(job->rows, slice), end = rnn_row_begin(job->rows, slice + 1);
    int size = rnn_net_out_size(net);
    net->loss->gradient(job->result, net->loss_of_row, net->hit_of_row,
                        net->out[net->n_layers - 1], job->targets, job->smoothing, size,
                        begin, end);
    if (job->weights != NULL)
        net->level->weigh_rows(job->result, net->loss_of_row, job->weights, size, begin,
                               end);
}

static void
predict_slice(void *context, int slice)
{
    const row_job *job = context;
    const rnn_net *net = job->net;
    net->loss->predict(job->result, net->out[net->n_layers - 1], rnn_net_out_size(net),
                       rnn_row_begin(job->rows, slice),
                       rnn_row_begin(job->rows, slice + 1));
}

/* ---- a batch ---- */

void
rnn_run_gather(rnn_run *r, const rnn_data *data, const int32_t *order, int rows)
{
    rnn_net *net = r->net;
    row_job job = {.net = net, .data = data, .order = order, .rows = rows};
    run_slices(r, gather_slice, &job, rnn_row_slices(rows),
               (double)rnn_net_in_size(net) * rows);
    size_t item = net->loss->targets == RNN_LABELS
                      ? sizeof(int32_t)
                      : (size_t)rnn_net_out_size(net) * sizeof(float);
    for (int i = 0; i < rows; i++) {
        memcpy((char *)net->targets + (size_t)i * item,
               (const char *)data->targets + (size_t)order[i] * item, item);
        if (data->weights != NULL)
            net->weights[i] = data->weights[order[i]];
    }
}

void
rnn_run_forward(rnn_run *r, const float *inp, int rows)
{
    for (int i = 0; i < r->net->n_layers; i++) {
        pass_job job = layer_job(r, i, inp, rows);
        run_pass(r, &job, RNN_FORWARD);
        inp = r->net->out[i];
    }
}

/* The gradient goes to dact[0], where backward begins. */
rnn_score
rnn_run_score(rnn_run *r, const void *targets, const float *weights, int rows)
{
    rnn_net *net = r->net;
    row_job job = {.net = net,
                   .rows = rows,
                   .targets = targets,
                   .weights = weights,
                   .smoothing = r->smoothing,
                   .result = net->dact[0]};
    run_slices(r, loss_slice, &job, rnn_row_slices(rows),
               (double)rnn_net_out_size(net) * rows * 8);
    rnn_score score = {0, 0};
    for (int i = 0; i < rows; i++) {
        score.loss += net->loss_of_row[i];
        score.hits += net->hit_of_row[i];
    }
    return score;
}

const float *
rnn_run_backward(rnn_run *r, const float *inp, int rows, float *target, float alpha,
                 float beta, bool to_input)
{
    rnn_net *net = r->net;
    float *dout = net->dact[0], *dinp = net->dact[1];
    int last = to_input ? 0 : net->first_trainable;
    for (int i = net->n_layers - 1; i >= last; i--) {
        pass_job job = layer_job(r, i, i > 0 ? net->out[i - 1] : inp, rows);
        job.io.dout = dout;
        job.io.dinp = i > last || to_input ? dinp : NULL;
        job.io.target = target + net->param_offset[i];
        job.io.alpha = alpha;
        job.io.beta = beta;
        run_pass(r, &job, RNN_OUTPUT);
        if (job.io.dinp != NULL)
            run_pass(r, &job, RNN_INPUT);
        run_pass(r, &job, RNN_PARAMS);
        float *used = dout;
        dout = dinp;
        dinp = used;
    }
    return to_input ? dout : NULL;
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
    job->net->partial[slice] = job->net->level->sum_of_squares(
        job->net->grads + begin, (int)(update_end(job, slice) - begin));
}

static void
update_slice(void *context, int slice)
{
    const update_job *job = context;
    job->net->optimizer.type->update(&job->update, update_begin(job, slice),
                                     update_end(job, slice));
}

static float
clip_scale(rnn_run *r, update_job *job, double clip_norm)
{
    double sum = 0;
    run_slices(r, norm_slice, job, job->slices, (double)job->net->param_count);
    for (int slice = 0; slice < job->slices; slice++)
        sum += job->net->partial[slice];
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
    run_slices(r, update_slice, &job, job.slices, 8.0 * (double)net->param_count);
}

const float *
rnn_run_input(rnn_run *r, const rnn_data *data, int begin, int rows)
{
    ptrdiff_t offset = (ptrdiff_t)begin * rnn_net_in_size(r->net);
    if (!data->x_is_bytes)
        return (const float *)data->x + offset;
    rnn_data rest = {.x = (const uint8_t *)data->x + offset, .x_is_bytes = true};
    row_job job = {.net = r->net, .data = &rest, .rows = rows};
    run_slices(r, gather_slice, &job, rnn_row_slices(rows),
               (double)rnn_net_in_size(r->net) * rows);
    return r->net->inp;
}

void
rnn_run_predict(rnn_run *r, float *predictions, int rows)
{
    rnn_net *net = r->net;
    int out = rnn_net_out_size(net);
    row_job job = {.net = net, .rows = rows, .result = predictions};
    if (net->loss->predict != NULL)
        run_slices(r, predict_slice, &job, rnn_row_slices(rows), (double)out * rows * 8);
    else
        memcpy(predictions, net->out[net->n_layers - 1],
               (size_t)rows * (size_t)out * sizeof(float));
}

/* Passes without training: evaluation, predictions, and what layers show of rows. */
#include "run.h"

#include "../memory.h"

/* Rows that evaluate and predict compute at a time: FEW_ROWS; more where what the net keeps
 * of them stays in the L2 cache, or where a stage is cut by columns, as each block copies
 * its weights; fewer where a row is large, so that a block has at most 128 MB, or what one
 * row needs. */
#define FEW_ROWS 128
#define MANY_ROWS 1024
#define CACHED_FLOATS ((double)(1 << 18))
#define COLUMNS_FLOATS ((double)(1 << 23))
#define BLOCK_FLOATS ((double)(1 << 25))

static int
most_rows(const rnn_net *net)
{
    double each = rnn_net_in_size(net), many = CACHED_FLOATS;
    for (int i = 0; i < net->n_stages; i++) {
        each += rnn_layer_row_floats(&net->stages[i].layer);
        if (!net->stages[i].by_rows)
            many = COLUMNS_FLOATS;
    }
    int rows = FEW_ROWS;
    while (rows < MANY_ROWS && 2 * rows * each <= many)
        rows *= 2;
    while (rows > 1 && rows * each > BLOCK_FLOATS)
        rows /= 2;
    return rows;
}

/* Rows of the block that begins with row `begin`. */
static int
block_rows(const rnn_data *data, int begin, int most)
{
    int left = data->n - begin;
    return left < most ? left : most;
}

/* The work on rows begin.. of the data: forward and more. */
typedef void (*block_fn)(rnn_run *r, const rnn_batch *block, void *context);

/* All rows in inference mode, block by block. */
static rnn_status
for_each_block(rnn_net *net, const rnn_data *data, int threads, rnn_stop stop, block_fn fn,
               void *context)
{
    rnn_run r;
    int most = most_rows(net);
    rnn_batch all = {data, NULL, 0, data->n, 0};
    rnn_status status = rnn_net_reserve(net, block_rows(data, 0, most));
    if (status == RNN_OK)
        status = rnn_run_begin(&r, net, threads, stop, data->n, &all);
    if (status != RNN_OK)
        return status;
    r.only_forward = true;
    rnn_run_prepare(&r);
    for (int begin = 0, rows; begin < data->n && status == RNN_OK; begin += rows) {
        rows = block_rows(data, begin, most);
        rnn_batch block = {data, NULL, begin, rows, 0};
        fn(&r, &block, context);
        if (rnn_run_stop_wanted(&r, rows))
            status = RNN_EINTERRUPTED;
    }
    rnn_run_end(&r);
    return status;
}

static void
score_block(rnn_run *r, const rnn_batch *block, void *context)
{
    rnn_run_forward(r, block, RNN_FOR_SCORE, NULL);
    rnn_run_add_scores(r, context);
}

rnn_status
rnn_net_evaluate(rnn_net *net, const rnn_data *data, int threads, rnn_stop stop,
                 rnn_score *score)
{
    return for_each_block(net, data, threads, stop, score_block, score);
}

typedef struct {
    float *predictions;
    bool raw;
    float *carried; /* or NULL */
} predict_job;

static void
predict_block(rnn_run *r, const rnn_batch *block, void *context)
{
    const predict_job *job = context;
    size_t at = (size_t)block->begin * (size_t)rnn_net_out_size(r->net);
    r->raw = job->raw;
    r->carried = job->carried;
    r->carried_rows = block->data->n;
    r->first_carried = block->begin;
    rnn_run_forward(r, block, RNN_FOR_OUTPUTS, job->predictions + at);
}

rnn_status
rnn_net_predict(rnn_net *net, const rnn_data *data, bool raw, int threads, rnn_stop stop,
                float *predictions)
{
    predict_job job = {predictions, raw, NULL};
    return for_each_block(net, data, threads, stop, predict_block, &job);
}

rnn_status
rnn_net_advance(rnn_net *net, const rnn_data *data, int threads, float *carried,
                float *predictions)
{
    predict_job job = {predictions, false, carried};
    return for_each_block(net, data, threads, (rnn_stop){0}, predict_block, &job);
}

typedef struct {
    int layer;
    float *maps;
} maps_job;

static void
maps_block(rnn_run *r, const rnn_batch *block, void *context)
{
    const maps_job *job = context;
    r->maps_of = rnn_stage_giving(r->net, job->layer);
    size_t size = (size_t)rnn_shape_size(&r->net->stages[r->maps_of].layer.maps);
    r->maps = job->maps + (size_t)block->begin * size;
    rnn_run_forward(r, block, RNN_FOR_OUTPUTS, NULL);
}

rnn_status
rnn_net_maps(rnn_net *net, const rnn_data *data, int index, int threads, rnn_stop stop,
             float *maps)
{
    maps_job job = {index, maps};
    return for_each_block(net, data, threads, stop, maps_block, &job);
}

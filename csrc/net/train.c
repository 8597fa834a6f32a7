#include "run.h"

#include "../base/size.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows that evaluate and predict take at a time. */
#define EVALUATE_ROWS 256

static int
smaller(int a, int b)
{
    return a < b ? a : b;
}

static rnn_status
train_epoch(rnn_run *r, const rnn_data *data, const rnn_schedule *schedule,
            rnn_score *score, int *batch)
{
    rnn_net *net = r->net;
    *batch = 0;
    for (int begin = 0, rows; begin < schedule->n_order; begin += rows) {
        rows = smaller(schedule->batch_size, schedule->n_order - begin);
        rnn_run_gather(r, data, schedule->order + begin, rows);
        rnn_run_forward(r, net->inp, rows);
        rnn_score rows_score = rnn_run_score(r, net->targets, rows);
        if (!isfinite(rows_score.loss))
            return RNN_ENONFINITE;
        rnn_run_backward(r, net->inp, rows, net->params, -schedule->lr / (float)rows, 1.0f);
        score->loss += rows_score.loss;
        score->hits += rows_score.hits;
        ++*batch;
        if (rnn_run_stop_wanted(r, 3.0 * rows))
            return RNN_EINTERRUPTED;
    }
    return RNN_OK;
}

/* The fused kernel for this net and schedule, or NULL. */
static const rnn_fused_epoch *
find_fused_epoch(const rnn_net *net, const rnn_data *data, const rnn_schedule *schedule)
{
    const rnn_fused_epoch *fused = net->level->fused_epochs;
    for (; fused->run != NULL; fused++)
        if (!data->x_is_bytes && net->loss->targets == RNN_VALUES
            && fused->matches(net->layers, net->n_layers, net->loss, schedule->batch_size))
            return fused;
    return NULL;
}

static rnn_status
train_fused_epoch(rnn_run *r, const rnn_fused_epoch *fused, const rnn_data *data,
                  const rnn_schedule *schedule, rnn_score *score)
{
    fused->run(r->net->params, &score->loss, &score->hits, data->x, data->targets,
               schedule->order, schedule->n_order, schedule->lr);
    if (!isfinite(score->loss))
        return RNN_ENONFINITE;
    return rnn_run_stop_wanted(r, schedule->n_order) ? RNN_EINTERRUPTED : RNN_OK;
}

rnn_status
rnn_net_train(rnn_net *net, const rnn_data *data, const rnn_schedule *schedule, int threads,
              rnn_stop stop, rnn_score *scores, int *epoch, int *batch)
{
    rnn_status status =
        rnn_net_reserve(net, smaller(schedule->batch_size, schedule->n_order));
    if (status != RNN_OK)
        return status;
    const rnn_fused_epoch *fused = find_fused_epoch(net, data, schedule);
    rnn_run r =
        rnn_run_begin(net, threads, stop, (double)schedule->n_order * schedule->epochs);
    *batch = 0;
    for (*epoch = 0; *epoch < schedule->epochs; ++*epoch) {
        rnn_score *score = &scores[*epoch];
        *score = (rnn_score){0, 0};
        status = fused != NULL ? train_fused_epoch(&r, fused, data, schedule, score)
                               : train_epoch(&r, data, schedule, score, batch);
        if (status != RNN_OK)
            break;
    }
    rnn_run_end(&r);
    return status;
}

static const void *
targets_from(const rnn_net *net, const rnn_data *data, int begin)
{
    if (net->loss->targets == RNN_LABELS)
        return (const int32_t *)data->targets + begin;
    return (const float *)data->targets + (ptrdiff_t)begin * rnn_net_out_size(net);
}

rnn_status
rnn_net_evaluate(rnn_net *net, const rnn_data *data, int threads, rnn_stop stop,
                 rnn_score *score)
{
    rnn_status status = rnn_net_reserve(net, smaller(EVALUATE_ROWS, data->n));
    *score = (rnn_score){0, 0};
    if (status != RNN_OK)
        return status;
    rnn_run r = rnn_run_begin(net, threads, stop, data->n);
    for (int begin = 0, rows; begin < data->n && status == RNN_OK; begin += rows) {
        rows = smaller(EVALUATE_ROWS, data->n - begin);
        rnn_run_forward(&r, rnn_run_input(&r, data, begin, rows), rows);
        rnn_score part = rnn_run_score(&r, targets_from(net, data, begin), rows);
        score->loss += part.loss;
        score->hits += part.hits;
        if (rnn_run_stop_wanted(&r, rows))
            status = RNN_EINTERRUPTED;
    }
    rnn_run_end(&r);
    return status;
}

rnn_status
rnn_net_predict(rnn_net *net, const rnn_data *data, int threads, rnn_stop stop,
                float *predictions)
{
    size_t out = (size_t)rnn_net_out_size(net);
    rnn_status status = rnn_net_reserve(net, smaller(EVALUATE_ROWS, data->n));
    if (status != RNN_OK)
        return status;
    rnn_run r = rnn_run_begin(net, threads, stop, data->n);
    for (int begin = 0, rows; begin < data->n && status == RNN_OK; begin += rows) {
        rows = smaller(EVALUATE_ROWS, data->n - begin);
        rnn_run_forward(&r, rnn_run_input(&r, data, begin, rows), rows);
        rnn_run_predict(&r, predictions + (size_t)begin * out, rows);
        if (rnn_run_stop_wanted(&r, rows))
            status = RNN_EINTERRUPTED;
    }
    rnn_run_end(&r);
    return status;
}

rnn_status
rnn_net_gradients(rnn_net *net, const rnn_data *data, int threads, rnn_score *score)
{
    rnn_status status = rnn_net_reserve(net, data->n);
    if (status == RNN_OK && net->grads == NULL) {
        size_t bytes = 0;
        bool fits = rnn_size_add(&bytes, net->param_count, sizeof(float));
        net->grads = fits && bytes > 0 ? calloc(1, bytes) : NULL;
        status = net->grads != NULL ? RNN_OK : RNN_ENOMEM;
    }
    if (status != RNN_OK)
        return status;
    rnn_run r = rnn_run_begin(net, threads, (rnn_stop){NULL, NULL}, data->n);
    const float *inp = rnn_run_input(&r, data, 0, data->n);
    rnn_run_forward(&r, inp, data->n);
    *score = rnn_run_score(&r, data->targets, data->n);
    rnn_run_backward(&r, inp, data->n, net->grads, 1.0f / (float)data->n, 0.0f);
    rnn_run_end(&r);
    return status;
}

/* Gradients that are returned, not trained with: all rows as one batch in training mode. */
#include "run.h"

#include "../../base/rng.h"
#include "../memory.h"

#include <string.h>

/* Room and a run for all rows as one batch in training mode. */
static rnn_status
begin_one_batch(rnn_run *r, rnn_net *net, const rnn_batch *all, const rnn_recipe *recipe,
                int threads)
{
    rnn_status status = rnn_net_reserve(net, all->rows);
    if (status == RNN_OK)
        status = rnn_net_need_grads(net);
    if (status == RNN_OK)
        status = rnn_run_begin(r, net, threads, (rnn_stop){NULL, NULL}, all->rows, all);
    if (status != RNN_OK)
        return status;
    r->training = true;
    r->smoothing = recipe->smoothing;
    r->key = rnn_mask_key(recipe->seed, (uint64_t)recipe->step);
    return RNN_OK;
}

rnn_status
rnn_net_gradients(rnn_net *net, const rnn_data *data, const rnn_recipe *recipe, int threads,
                  rnn_score *score)
{
    rnn_run r;
    rnn_batch all = {data, NULL, 0, data->n, 0};
    rnn_status status = begin_one_batch(&r, net, &all, recipe, threads);
    if (status != RNN_OK)
        return status;
    rnn_run_prepare(&r);
    rnn_run_forward(&r, &all, RNN_FOR_TRAINING, NULL);
    *score = (rnn_score){0};
    rnn_run_add_scores(&r, score);
    rnn_run_backward(&r, net->grads, 1.0f / (float)data->n, 0.0f);
    rnn_run_end(&r);
    return RNN_OK;
}

rnn_status
rnn_net_backprop(rnn_net *net, const rnn_data *data, const rnn_recipe *recipe, int threads,
                 float *out, float *dinp)
{
    rnn_run r;
    rnn_batch all = {data, NULL, 0, data->n, 0};
    size_t n = (size_t)data->n, size = n * (size_t)rnn_net_out_size(net) * sizeof(float);
    rnn_status status = begin_one_batch(&r, net, &all, recipe, threads);
    if (status != RNN_OK)
        return status;
    const rnn_stage *last = &net->stages[net->n_stages - 1];
    r.to_input = true;
    rnn_run_prepare(&r);
    rnn_run_forward(&r, &all, RNN_FOR_OUTPUTS, NULL);
    memcpy(out, last->out, size);
    memcpy(last->dout, data->targets, size);
    rnn_run_backward(&r, net->grads, 1.0f, 0.0f);
    memcpy(dinp, net->dinp, n * (size_t)rnn_net_in_size(net) * sizeof(float));
    rnn_run_end(&r);
    return RNN_OK;
}

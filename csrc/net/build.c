/* Nets made and freed: of layers, or as readers that share the plan of another. */
#include "memory.h"

#include <stdlib.h>
#include <string.h>

/* Where products of nonzeros and dense ones need the same time: see
 * docs/explanation/performance.md. */
#define SPARSE_BELOW 0.5

rnn_status
rnn_net_new(rnn_net **result, const rnn_level *level, const rnn_layer *layers, int n_layers,
            rnn_shape input, const rnn_loss_type *loss, rnn_optimizer optimizer,
            rnn_error *error)
{
    rnn_status status = RNN_ENOMEM;
    *result = NULL;
    rnn_net *net = calloc(1, sizeof *net);
    if (net == NULL)
        return status;
    *net = (rnn_net){.level = level,
                     .loss = loss,
                     .optimizer = optimizer,
                     .input = input,
                     .n_layers = n_layers,
                     .sparse_below = SPARSE_BELOW};
    size_t count = (size_t)n_layers;
    net->layers = calloc(count, sizeof *net->layers);
    net->param_offset = calloc(count, sizeof *net->param_offset);
    net->state_offset = calloc(count, sizeof *net->state_offset);
    net->stages = calloc(rnn_most_stages(net), sizeof *net->stages);
    if (net->layers == NULL || net->param_offset == NULL || net->state_offset == NULL
        || net->stages == NULL)
        goto done;
    memcpy(net->layers, layers, count * sizeof *layers);
    status = rnn_plan_layers(net, error);
    if (status != RNN_OK)
        goto done;
    rnn_plan_stages(net);
    status = rnn_net_make_arenas(net);
done:
    if (status == RNN_OK)
        *result = net;
    else
        rnn_net_free(net);
    return status;
}

rnn_net *
rnn_net_new_reader(const rnn_net *net)
{
    rnn_net *reader = malloc(sizeof *reader);
    rnn_stage *stages = calloc((size_t)net->n_stages, sizeof *stages);
    if (reader == NULL || stages == NULL) {
        free(reader);
        free(stages);
        return NULL;
    }
    *reader = *net;
    reader->is_reader = true;
    reader->stages = stages;
    memcpy(stages, net->stages, (size_t)net->n_stages * sizeof *stages);
    reader->profile = NULL;
    reader->jobs = NULL;
    rnn_net_forget_memory(reader);
    return reader;
}

void
rnn_net_attach_reader(rnn_net *reader, const rnn_net *net, float *weights)
{
    reader->params = weights != NULL ? weights : net->params;
    reader->sparse_below = net->sparse_below;
    rnn_plan_rates_of(reader, net);
}

void
rnn_net_detach_reader(rnn_net *reader)
{
    reader->params = NULL;
}

void
rnn_net_free(rnn_net *net)
{
    if (net == NULL)
        return;
    free(net->profile);
    free(net->jobs);
    rnn_net_free_memory(net);
    free(net->stages);
    if (!net->is_reader) {
        free(net->rates);
        free(net->state_offset);
        free(net->param_offset);
        free(net->layers);
    }
    free(net);
}

rnn_status
rnn_net_set_optimizer(rnn_net *net, rnn_optimizer optimizer)
{
    int wanted = optimizer.type->moments(optimizer.attr);
    if (rnn_net_need_moments(net, wanted) != RNN_OK)
        return RNN_ENOMEM;
    net->optimizer = optimizer;
    net->n_moments = wanted;
    memset(net->moments, 0, net->param_count * (size_t)wanted * sizeof *net->moments);
    return RNN_OK;
}

rnn_status
rnn_net_set_rates(rnn_net *net, const double *rates)
{
    size_t count = (size_t)net->n_layers, ones = 0;
    while (ones < count && rates[ones] == 1)
        ones++;
    if (ones == count) {
        free(net->rates);
        net->rates = NULL; /* a net as it was made: a tiny one has its fused epoch again */
        rnn_plan_rates(net);
        return RNN_OK;
    }
    if (net->rates == NULL && (net->rates = calloc(count, sizeof *rates)) == NULL)
        return RNN_ENOMEM;
    memcpy(net->rates, rates, count * sizeof *rates);
    rnn_plan_rates(net);
    return RNN_OK;
}

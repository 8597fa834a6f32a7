#include "net.h"

#include "../base/size.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64

static void *
aligned_zeros(size_t bytes)
{
    size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *memory = rounded >= bytes ? aligned_alloc(ALIGNMENT, rounded) : NULL;
    if (memory != NULL)
        memset(memory, 0, rounded);
    return memory;
}

int
rnn_net_in_size(const rnn_net *net)
{
    return rnn_shape_size(&net->input);
}

int
rnn_net_out_size(const rnn_net *net)
{
    return net->layers[net->n_layers - 1].out_size;
}

/* Shapes, parameters and slices of every layer, from the input up. */
static rnn_status
plan_layers(rnn_net *net, rnn_error *error)
{
    rnn_shape shape = net->input;
    net->first_trainable = net->n_layers;
    for (int i = 0; i < net->n_layers; i++) {
        rnn_layer *layer = &net->layers[i];
        rnn_error reason = {""};
        layer->in = shape;
        layer->in_size = rnn_shape_size(&shape);
        if (layer->type->setup(layer, &reason) != RNN_OK) {
            snprintf(error->text, sizeof error->text, "layers[%d].%.170s", i, reason.text);
            return RNN_EINVAL;
        }
        layer->out_size = rnn_shape_size(&layer->out);
        if (layer->n_params > 0 && net->first_trainable == net->n_layers)
            net->first_trainable = i;
        net->param_offset[i] = net->param_count;
        net->state_offset[i] = net->state_count;
        if (!rnn_size_add(&net->param_count, layer->param_count, 1)
            || !rnn_size_add(&net->state_count, layer->state_count, 1))
            return RNN_ENOMEM;
        shape = layer->out;
    }
    if (shape.rank != 1 && net->loss->gradient != NULL)
        return rnn_layer_refuse(error,
                                "layers[%d]: the last layer must give one row of numbers, "
                                "got rank %d",
                                net->n_layers - 1, shape.rank);
    for (int i = 0; i < net->n_layers; i++)
        net->state_offset[i] += net->param_count;
    return RNN_OK;
}

/* count + more zeros that kernels may read a little past the end of, or NULL. */
static float *
new_arena(const rnn_net *net, size_t count, size_t more)
{
    size_t bytes = 0;
    if (!rnn_size_add(&bytes, count, sizeof(float))
        || !rnn_size_add(&bytes, more, sizeof(float))
        || !rnn_size_add(&bytes, (size_t)net->level->read_slack, sizeof(float)))
        return NULL;
    return aligned_zeros(bytes);
}

rnn_status
rnn_net_need_grads(rnn_net *net)
{
    if (net->grads == NULL)
        net->grads = new_arena(net, net->param_count, 0);
    return net->grads != NULL ? RNN_OK : RNN_ENOMEM;
}

static rnn_status
make_arenas(rnn_net *net)
{
    size_t moments = 0;
    net->n_moments = net->optimizer.type->moments(net->optimizer.attr);
    if (!rnn_size_add(&moments, net->param_count, (size_t)net->n_moments))
        return RNN_ENOMEM;
    net->params = new_arena(net, net->param_count, net->state_count);
    net->moments = new_arena(net, moments, 0);
    return net->params != NULL && net->moments != NULL ? RNN_OK : RNN_ENOMEM;
}

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
                     .n_layers = n_layers};
    size_t count = (size_t)n_layers;
    net->layers = calloc(count, sizeof *net->layers);
    net->param_offset = calloc(count, sizeof *net->param_offset);
    net->out = calloc(count, sizeof *net->out);
    net->cache = calloc(count, sizeof *net->cache);
    net->scratch = calloc(count, sizeof *net->scratch);
    net->state_offset = calloc(count, sizeof *net->state_offset);
    if (net->layers == NULL || net->param_offset == NULL || net->out == NULL
        || net->cache == NULL || net->scratch == NULL || net->state_offset == NULL)
        goto done;
    memcpy(net->layers, layers, count * sizeof *layers);
    status = plan_layers(net, error);
    if (status != RNN_OK)
        goto done;
    status = make_arenas(net);
done:
    if (status == RNN_OK)
        *result = net;
    else
        rnn_net_free(net);
    return status;
}

void
rnn_net_free(rnn_net *net)
{
    if (net == NULL)
        return;
    free(net->workspace);
    free(net->grads);
    free(net->moments);
    free(net->params);
    free(net->state_offset);
    free(net->scratch);
    free(net->cache);
    free(net->out);
    free(net->param_offset);
    free(net->layers);
    free(net);
}

/* Adds a block of count * each bytes, aligned, and tells where it begins. */
static bool
lay_out(size_t *total, size_t count, size_t each, size_t *begin)
{
    *begin = *total;
    return rnn_size_add(total, count, each)
           && rnn_size_add(total, (ALIGNMENT - *total % ALIGNMENT) % ALIGNMENT, 1);
}

static size_t
widest_activation(const rnn_net *net)
{
    int widest = 0;
    for (int i = 0; i < net->n_layers; i++) {
        if (net->layers[i].in_size > widest)
            widest = net->layers[i].in_size;
        if (net->layers[i].out_size > widest)
            widest = net->layers[i].out_size;
    }
    return (size_t)widest;
}

/* Offsets of every block of the workspace; with `base`, also the pointers to them. One
 * function for both, so that what is measured is what is handed out. */
static bool
lay_out_workspace(rnn_net *net, int rows, char *base, size_t *total)
{
    size_t n = (size_t)rows, begin;
    size_t in = (size_t)rnn_net_in_size(net), out = (size_t)rnn_net_out_size(net);
    bool fits = true;
    *total = 0;
#define BLOCK(pointer, count, each, type)                                      \
    do {                                                                       \
        fits = fits && lay_out(total, (count), (each) * sizeof(type), &begin); \
        if (fits && base != NULL)                                              \
            (pointer) = (void *)(base + begin);                                \
    } while (0)
    BLOCK(net->inp, n, in, float);
    for (int i = 0; i < net->n_layers; i++) {
        const rnn_layer *layer = &net->layers[i];
        BLOCK(net->out[i], n, (size_t)layer->out_size, float);
        BLOCK(net->cache[i], n, layer->cache, float);
        BLOCK(net->scratch[i], layer->scratch, 1, float);
    }
    BLOCK(net->dact[0], n, widest_activation(net), float);
    BLOCK(net->dact[1], n, widest_activation(net), float);
    BLOCK(net->targets, n, net->loss->targets == RNN_LABELS ? 1 : out, int32_t);
    BLOCK(net->weights, n, 1, float);
    BLOCK(net->loss_of_row, n, 1, double);
    BLOCK(net->hit_of_row, n, 1, uint8_t);
    BLOCK(net->partial, RNN_MAX_SLICES, 1, double);
#undef BLOCK
    return fits && lay_out(total, (size_t)net->level->read_slack, sizeof(float), &begin);
}

rnn_status
rnn_net_reserve(rnn_net *net, int rows)
{
    size_t total;
    if (rows <= net->capacity)
        return RNN_OK;
    if (!lay_out_workspace(net, rows, NULL, &total))
        return RNN_ENOMEM;
    void *workspace = aligned_zeros(total);
    if (workspace == NULL)
        return RNN_ENOMEM;
    free(net->workspace);
    net->workspace = workspace;
    net->capacity = rows;
    lay_out_workspace(net, rows, workspace, &total);
    return RNN_OK;
}

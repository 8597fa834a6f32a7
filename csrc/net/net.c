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
        if (!rnn_size_add(&net->param_count, layer->param_count, 1))
            return RNN_ENOMEM;
        shape = layer->out;
    }
    return RNN_OK;
}

static float *
new_param_arena(const rnn_net *net)
{
    size_t bytes = 0;
    if (!rnn_size_add(&bytes, net->param_count, sizeof(float))
        || !rnn_size_add(&bytes, (size_t)net->level->read_slack, sizeof(float)))
        return NULL;
    return aligned_zeros(bytes);
}

rnn_status
rnn_net_new(rnn_net **result, const rnn_level *level, const rnn_layer *layers, int n_layers,
            rnn_shape input, const rnn_loss_type *loss, rnn_error *error)
{
    rnn_status status = RNN_ENOMEM;
    *result = NULL;
    rnn_net *net = calloc(1, sizeof *net);
    if (net == NULL)
        return status;
    *net = (rnn_net){.level = level, .loss = loss, .input = input, .n_layers = n_layers};
    size_t count = (size_t)n_layers;
    net->layers = calloc(count, sizeof *net->layers);
    net->param_offset = calloc(count, sizeof *net->param_offset);
    net->out = calloc(count, sizeof *net->out);
    net->cache = calloc(count, sizeof *net->cache);
    if (net->layers == NULL || net->param_offset == NULL || net->out == NULL
        || net->cache == NULL)
        goto done;
    memcpy(net->layers, layers, count * sizeof *layers);
    status = plan_layers(net, error);
    if (status != RNN_OK)
        goto done;
    net->params = new_param_arena(net);
    status = net->params != NULL ? RNN_OK : RNN_ENOMEM;
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
    free(net->params);
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
#define BLOCK(pointer, floats_a_row, type)                                       \
    do {                                                                         \
        fits = fits && lay_out(total, n * (floats_a_row), sizeof(type), &begin); \
        if (fits && base != NULL)                                                \
            (pointer) = (void *)(base + begin);                                  \
    } while (0)
    BLOCK(net->inp, in, float);
    for (int i = 0; i < net->n_layers; i++) {
        BLOCK(net->out[i], (size_t)net->layers[i].out_size, float);
        BLOCK(net->cache[i], net->layers[i].cache, float);
    }
    BLOCK(net->dact[0], widest_activation(net), float);
    BLOCK(net->dact[1], widest_activation(net), float);
    BLOCK(net->targets, net->loss->targets == RNN_LABELS ? 1 : out, int32_t);
    BLOCK(net->loss_of_row, 1, double);
    BLOCK(net->hit_of_row, 1, uint8_t);
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

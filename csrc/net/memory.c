/* The arenas of a net: parameters and their like, and the workspace of a batch. */
#include "memory.h"

#include "../base/size.h"
#include "../base/zeros.h"

#include <stdlib.h>
#include <string.h>

/* count + more zeros that kernels may read a little past the end of, or NULL. */
static float *
new_arena(const rnn_net *net, size_t count, size_t more)
{
    size_t bytes = 0;
    if (!rnn_size_add(&bytes, count, sizeof(float))
        || !rnn_size_add(&bytes, more, sizeof(float))
        || !rnn_size_add(&bytes, (size_t)net->level->read_slack, sizeof(float)))
        return NULL;
    return rnn_zeros(bytes);
}

float *
rnn_net_new_weights(const rnn_net *net)
{
    return new_arena(net, net->param_count, net->state_count);
}

void
rnn_net_free_weights(float *weights)
{
    rnn_free_zeros(weights);
}

rnn_status
rnn_net_need_grads(rnn_net *net)
{
    if (net->grads == NULL)
        net->grads = new_arena(net, net->param_count, 0);
    return net->grads != NULL ? RNN_OK : RNN_ENOMEM;
}

rnn_status
rnn_net_make_arenas(rnn_net *net)
{
    size_t moments = 0;
    net->n_moments = net->optimizer.type->moments(net->optimizer.attr);
    if (!rnn_size_add(&moments, net->param_count, (size_t)net->n_moments))
        return RNN_ENOMEM;
    net->params = rnn_net_new_weights(net);
    net->moments = new_arena(net, moments, 0);
    net->moments_room = net->n_moments;
    return net->params != NULL && net->moments != NULL ? RNN_OK : RNN_ENOMEM;
}

/* Room for those of any optimizer is made, so it happens once at most: what is given up
 * then stays allocated. */
rnn_status
rnn_net_need_moments(rnn_net *net, int wanted)
{
    size_t count = 0;
    float *moments = NULL;
    if (wanted <= net->moments_room)
        return RNN_OK;
    if (rnn_size_add(&count, net->param_count, RNN_MAX_MOMENTS))
        moments = new_arena(net, count, 0);
    if (moments == NULL)
        return RNN_ENOMEM;
    net->first_moments = net->moments;
    net->moments = moments;
    net->moments_room = RNN_MAX_MOMENTS;
    return RNN_OK;
}

/* Adds a block of count * each bytes, aligned, and returns where it begins. */
static bool
lay_out(size_t *total, size_t count, size_t each, size_t *begin)
{
    *begin = *total;
    return rnn_size_add(total, count, each)
           && rnn_size_add(total, (RNN_ALIGNMENT - *total % RNN_ALIGNMENT) % RNN_ALIGNMENT,
                           1);
}

/* The outputs of a stage, or for -1 the gathered inputs. */
static float *
outputs_of(const rnn_net *net, int stage)
{
    return stage >= 0 ? net->stages[stage].out : net->inp;
}

/* From above: a sum may be a branch of another. */
static void
point_to_shared(rnn_net *net)
{
    for (int i = net->n_stages - 1; i >= 0; i--)
        if (net->stages[i].dout_of >= 0)
            net->stages[i].dout = net->stages[net->stages[i].dout_of].dout;
}

static void
point_to_sides(rnn_net *net)
{
    for (int i = 0; i < net->n_stages; i++) {
        const rnn_sides *sides = &net->stages[i].layer.sides;
        for (int k = 0; k < sides->n; k++) {
            const rnn_stage *side = &net->stages[rnn_stage_giving(net, sides->layer[k])];
            net->stages[i].sides[k] = (rnn_side){side->out, side->dout};
        }
    }
}

/* Offsets of every block of the workspace; with `base`, also the pointers to them. One
 * function for both, so that what is measured is what is handed out. */
static bool
lay_out_workspace(rnn_net *net, int rows, char *base, size_t *total)
{
    size_t n = (size_t)rows, begin;
    size_t in = (size_t)rnn_net_in_size(net), out = (size_t)rnn_net_out_size(net);
    size_t slices = (size_t)rnn_row_slices(rows, net->most_row_slices);
    size_t workers = slices < RNN_MAX_THREADS ? slices : RNN_MAX_THREADS;
    bool fits = true;
    *total = 0;
#define BLOCK(pointer, count, each, type)                                      \
    do {                                                                       \
        fits = fits && lay_out(total, (count), (each) * sizeof(type), &begin); \
        if (fits && base != NULL)                                              \
            (pointer) = (void *)(base + begin);                                \
    } while (0)
    BLOCK(net->inp, n, in, float);
    BLOCK(net->dinp, n, in, float);
    for (int i = 0; i < net->n_stages; i++) {
        rnn_stage *stage = &net->stages[i];
        const rnn_layer *layer = &stage->layer;
        if (rnn_gives_input(layer))
            stage->out = outputs_of(net, stage->source);
        else
            BLOCK(stage->out, n, (size_t)layer->out_size, float);
        BLOCK(stage->dout, n, stage->dout_of < 0 ? (size_t)layer->out_size : 0, float);
        BLOCK(stage->cache, n, layer->cache, float);
        BLOCK(stage->scratch, layer->scratch, workers, float);
        BLOCK(stage->shared, layer->shared, 1, float);
        BLOCK(stage->sums, layer->sums, 1, float);
        BLOCK(stage->statistics, layer->statistics, slices, float);
        BLOCK(stage->folded_params, stage->folds > 0 ? layer->param_count : 0, 1, float);
    }
    BLOCK(net->targets, n, net->loss->targets == RNN_LABELS ? 1 : out, int32_t);
    BLOCK(net->weights, n, 1, float);
    BLOCK(net->loss_of_row, n, 1, double);
    BLOCK(net->hit_of_row, n, 1, uint8_t);
    BLOCK(net->sums, RNN_MAX_COLUMN_SLICES, 1, double);
    BLOCK(net->partials, net->partial_count, slices, float);
#undef BLOCK
    point_to_shared(net);
    point_to_sides(net);
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
    void *workspace = rnn_zeros(total);
    if (workspace == NULL)
        return RNN_ENOMEM;
    rnn_free_zeros(net->workspace);
    rnn_free_zeros(net->nonzeros_memory);
    net->nonzeros_memory = NULL;
    net->workspace = workspace;
    net->capacity = rows;
    lay_out_workspace(net, rows, workspace, &total);
    return RNN_OK;
}

/* `own`: elements of the rows' own lists; `entries`: those of the columns' lists. */
static rnn_status
make_nonzeros(rnn_net *net, bool is_compact, size_t own, size_t entries)
{
    size_t total = 0, begin[7];
    size_t rows = (size_t)net->capacity, columns = (size_t)rnn_net_in_size(net);
    rnn_free_zeros(net->nonzeros_memory);
    net->nonzeros_memory = NULL;
    if (!lay_out(&total, own, sizeof(int32_t), &begin[0])
        || !lay_out(&total, own, sizeof(float), &begin[1])
        || !lay_out(&total, entries, sizeof(int32_t), &begin[2])
        || !lay_out(&total, entries, sizeof(float), &begin[3])
        || !lay_out(&total, rows * sizeof(int32_t), RNN_NONZERO_RANGES + 1, &begin[4])
        || !lay_out(&total, columns, sizeof(int32_t), &begin[5])
        || !lay_out(&total, columns, sizeof(int32_t), &begin[6])
        || (net->nonzeros_memory = rnn_zeros(total)) == NULL)
        return RNN_ENOMEM;
    char *base = net->nonzeros_memory;
    net->nonzeros = (rnn_nonzeros){.columns = (int)columns,
                                   .is_compact = is_compact,
                                   .room = (int64_t)entries,
                                   .own_column = (void *)(base + begin[0]),
                                   .own_value = (void *)(base + begin[1]),
                                   .row = (void *)(base + begin[2]),
                                   .row_value = (void *)(base + begin[3]),
                                   .range = (void *)(base + begin[4]),
                                   .start = (void *)(base + begin[5]),
                                   .count = (void *)(base + begin[6])};
    net->nonzeros.column = net->nonzeros.own_column;
    net->nonzeros.value = net->nonzeros.own_value;
    return RNN_OK;
}

rnn_status
rnn_net_need_nonzeros(rnn_net *net)
{
    size_t all = 0;
    int columns = rnn_net_in_size(net);
    if (net->nonzeros_memory != NULL && !net->nonzeros.is_compact)
        return RNN_OK;
    if (!rnn_size_add(&all, (size_t)net->capacity, (size_t)columns)
        || make_nonzeros(net, false, all, all) != RNN_OK)
        return RNN_ENOMEM;
    for (int i = 0; i < columns; i++)
        net->nonzeros.start[i] = i * net->capacity;
    return RNN_OK;
}

rnn_status
rnn_net_need_compact(rnn_net *net, int64_t entries)
{
    const rnn_nonzeros *now = &net->nonzeros;
    if (net->nonzeros_memory != NULL && now->is_compact && now->room >= entries)
        return RNN_OK;
    return make_nonzeros(net, true, 0, (size_t)entries);
}

rnn_status
rnn_net_need_packed(rnn_net *net)
{
    size_t count = 0;
    if (net->packed != NULL)
        return RNN_OK;
    for (int i = 0; i < net->n_stages; i++)
        count += net->stages[i].layer.packed;
    net->packed = new_arena(net, count, 0);
    if (net->packed == NULL)
        return RNN_ENOMEM;
    float *next = net->packed;
    for (int i = 0; i < net->n_stages; next += net->stages[i++].layer.packed)
        if (net->stages[i].layer.packed > 0)
            net->stages[i].packed = next;
    return RNN_OK;
}

rnn_status
rnn_net_need_making(rnn_net *net, const rnn_augmentation *augmentation)
{
    int in = rnn_net_in_size(net), out = rnn_net_out_size(net);
    size_t each = (size_t)(in > out ? in : out), count = 0;
    if (augmentation != NULL)
        each += rnn_augmentation_scratch(augmentation);
    if (each <= net->making_each)
        return RNN_OK;
    if (!rnn_size_add(&count, each, RNN_MAX_THREADS))
        return RNN_ENOMEM;
    float *making = new_arena(net, count, 0);
    if (making == NULL)
        return RNN_ENOMEM;
    rnn_free_zeros(net->making);
    net->making = making;
    net->making_each = each;
    return RNN_OK;
}

void
rnn_net_free_memory(rnn_net *net)
{
    rnn_free_zeros(net->workspace);
    rnn_free_zeros(net->nonzeros_memory);
    rnn_free_zeros(net->making);
    rnn_free_zeros(net->packed);
    rnn_free_zeros(net->grads);
    if (net->is_reader)
        return;
    rnn_free_zeros(net->moments);
    rnn_free_zeros(net->first_moments);
    rnn_free_zeros(net->params);
}

void
rnn_net_forget_memory(rnn_net *net)
{
    net->moments = NULL;
    rnn_net_forget_working_memory(net);
}

void
rnn_net_forget_working_memory(rnn_net *net)
{
    net->grads = net->packed = net->making = NULL;
    net->nonzeros_memory = net->workspace = NULL;
    net->making_each = 0;
    net->capacity = 0;
    for (int i = 0; i < net->n_stages; i++)
        net->stages[i].packed = NULL;
}

#include "net.h"

#include "../base/finite.h"
#include "../base/size.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64

/* Where products of nonzeros and dense ones take the same time: see docs/performance.md. */
#define SPARSE_BELOW 0.5

/* Zeros that take up memory only from when they are written to: rows need not all be used.
 * What calloc gave is noted in front of them. */
static void *
aligned_zeros(size_t bytes)
{
    if (!rnn_size_add(&bytes, ALIGNMENT, 1))
        return NULL;
    char *memory = calloc(1, bytes);
    if (memory == NULL)
        return NULL;
    void **aligned = (void *)(memory + ALIGNMENT - (uintptr_t)memory % ALIGNMENT);
    aligned[-1] = memory;
    return aligned;
}

static void
free_aligned(void *aligned)
{
    if (aligned != NULL)
        free(((void **)aligned)[-1]);
}

int
rnn_net_in_size(const rnn_net *net)
{
    return rnn_shape_size(&net->input);
}

size_t
rnn_step_maps(const rnn_step *step)
{
    return step->layer.maps.rank > 0 ? (size_t)rnn_shape_size(&step->layer.maps) : 0;
}

size_t
rnn_step_sums(const rnn_step *step)
{
    return step->layer.sums > 0 ? step->layer.sums : step->layer.param_count;
}

int
rnn_net_out_size(const rnn_net *net)
{
    return net->layers[net->n_layers - 1].out_size;
}

double
rnn_net_work(const rnn_net *net)
{
    double work = 0;
    for (int i = 0; i < net->n_steps; i++)
        work += net->steps[i].layer.work[RNN_FORWARD];
    return work;
}

/* Shapes, parameters and slices of every layer, from the input up. */
static rnn_status
plan_layers(rnn_net *net, rnn_error *error)
{
    rnn_shape shape = net->input;
    bool is_first = true;
    for (int i = 0; i < net->n_layers; i++) {
        rnn_layer *layer = &net->layers[i];
        rnn_error reason = {""};
        layer->in = shape;
        layer->is_first = is_first;
        layer->in_size = rnn_shape_size(&shape);
        if (layer->type->setup(layer, &reason) != RNN_OK) {
            snprintf(error->text, sizeof error->text, "layers[%d].%.170s", i, reason.text);
            return RNN_EINVAL;
        }
        layer->out_size = rnn_shape_size(&layer->out);
        net->param_offset[i] = net->param_count;
        net->state_offset[i] = net->state_count;
        if (!rnn_size_add(&net->param_count, layer->param_count, 1)
            || !rnn_size_add(&net->state_count, layer->state_count, 1))
            return RNN_ENOMEM;
        shape = layer->out;
        is_first = is_first && layer->is_identity;
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

static bool
goes_by_rows(const rnn_layer *layer)
{
    return layer->slices[RNN_FORWARD] == RNN_BY_ROWS;
}

/* What layers[first] becomes; returns how many layers the step stands for. */
static int
plan_step(const rnn_net *net, int first, rnn_layer *step)
{
    for (const rnn_fusion *fuse = net->level->fusions; *fuse != NULL; fuse++) {
        int replaced = (*fuse)(step, net->layers + first, net->n_layers - first);
        if (replaced > 0)
            return replaced;
    }
    *step = net->layers[first];
    return 1;
}

/* The plan: layers fused where a pattern matches, and those that only rename numbers left
 * out as long as one step remains. */
static void
plan_steps(rnn_net *net)
{
    for (int i = 0, replaced; i < net->n_layers; i += replaced) {
        rnn_step *step = &net->steps[net->n_steps];
        replaced = plan_step(net, i, &step->layer);
        if (step->layer.is_identity && (net->n_steps > 0 || i + 1 < net->n_layers))
            continue;
        step->first = i;
        step->by_rows = goes_by_rows(&step->layer);
        step->param_offset = net->param_offset[i];
        step->state_offset = net->state_offset[i];
        step->partial_offset = net->partial_count;
        if (step->layer.slices[RNN_PARAMS] == RNN_BY_ROWS)
            net->partial_count += rnn_step_sums(step);
        net->n_steps++;
    }
    net->first_trainable = 0;
    while (net->first_trainable < net->n_steps
           && net->steps[net->first_trainable].layer.param_count == 0)
        net->first_trainable++;
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
    net->params = rnn_net_new_weights(net);
    net->moments = new_arena(net, moments, 0);
    net->moments_room = net->n_moments;
    return net->params != NULL && net->moments != NULL ? RNN_OK : RNN_ENOMEM;
}

/* Makes room for the moments of any optimiser. It happens once at most: what is given up
 * then stays allocated. */
static rnn_status
need_all_moments(rnn_net *net)
{
    size_t count = 0;
    float *moments = NULL;
    if (rnn_size_add(&count, net->param_count, RNN_MAX_MOMENTS))
        moments = new_arena(net, count, 0);
    if (moments == NULL)
        return RNN_ENOMEM;
    net->first_moments = net->moments;
    net->moments = moments;
    net->moments_room = RNN_MAX_MOMENTS;
    return RNN_OK;
}

rnn_status
rnn_net_set_optimizer(rnn_net *net, rnn_optimizer optimizer)
{
    int wanted = optimizer.type->moments(optimizer.attr);
    if (wanted > net->moments_room && need_all_moments(net) != RNN_OK)
        return RNN_ENOMEM;
    net->optimizer = optimizer;
    net->n_moments = wanted;
    memset(net->moments, 0, net->param_count * (size_t)wanted * sizeof *net->moments);
    return RNN_OK;
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
                     .n_layers = n_layers,
                     .sparse_below = SPARSE_BELOW};
    size_t count = (size_t)n_layers;
    net->layers = calloc(count, sizeof *net->layers);
    net->param_offset = calloc(count, sizeof *net->param_offset);
    net->state_offset = calloc(count, sizeof *net->state_offset);
    net->steps = calloc(count, sizeof *net->steps);
    if (net->layers == NULL || net->param_offset == NULL || net->state_offset == NULL
        || net->steps == NULL)
        goto done;
    memcpy(net->layers, layers, count * sizeof *layers);
    status = plan_layers(net, error);
    if (status != RNN_OK)
        goto done;
    plan_steps(net);
    status = make_arenas(net);
done:
    if (status == RNN_OK)
        *result = net;
    else
        rnn_net_free(net);
    return status;
}

/* Forgets working memory, which another net owns. */
static void
begin_without_memory(rnn_net *net)
{
    net->grads = net->moments = net->packed = net->making = NULL;
    net->nonzeros_memory = net->workspace = NULL;
    net->profile = NULL;
    net->making_each = 0;
    net->capacity = 0;
    for (int i = 0; i < net->n_steps; i++)
        net->steps[i].packed = NULL;
}

rnn_net *
rnn_net_new_reader(const rnn_net *net)
{
    rnn_net *reader = malloc(sizeof *reader);
    rnn_step *steps = calloc((size_t)net->n_layers, sizeof *steps);
    if (reader == NULL || steps == NULL) {
        free(reader);
        free(steps);
        return NULL;
    }
    *reader = *net;
    reader->is_reader = true;
    reader->steps = steps;
    memcpy(steps, net->steps, (size_t)net->n_steps * sizeof *steps);
    begin_without_memory(reader);
    return reader;
}

float *
rnn_net_new_weights(const rnn_net *net)
{
    return new_arena(net, net->param_count, net->state_count);
}

void
rnn_net_free_weights(float *weights)
{
    free_aligned(weights);
}

static void
free_plan_and_parameters(rnn_net *net)
{
    free_aligned(net->moments);
    free_aligned(net->first_moments);
    free_aligned(net->params);
    free(net->state_offset);
    free(net->param_offset);
    free(net->layers);
}

void
rnn_net_free(rnn_net *net)
{
    if (net == NULL)
        return;
    free(net->profile);
    free_aligned(net->workspace);
    free_aligned(net->nonzeros_memory);
    free_aligned(net->making);
    free_aligned(net->packed);
    free_aligned(net->grads);
    free(net->steps);
    if (!net->is_reader)
        free_plan_and_parameters(net);
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
    BLOCK(net->dinp, n, in, float);
    for (int i = 0; i < net->n_steps; i++) {
        rnn_step *step = &net->steps[i];
        const rnn_layer *layer = &step->layer;
        BLOCK(step->out, n, (size_t)layer->out_size, float);
        BLOCK(step->dout, n, (size_t)layer->out_size, float);
        BLOCK(step->cache, n, layer->cache, float);
        BLOCK(step->maps, n, rnn_step_maps(step), float);
        BLOCK(step->scratch, layer->scratch, (size_t)rnn_row_slices(rows), float);
        BLOCK(step->shared, layer->shared, 1, float);
        BLOCK(step->sums, layer->sums, 1, float);
    }
    BLOCK(net->targets, n, net->loss->targets == RNN_LABELS ? 1 : out, int32_t);
    BLOCK(net->weights, n, 1, float);
    BLOCK(net->loss_of_row, n, 1, double);
    BLOCK(net->hit_of_row, n, 1, uint8_t);
    BLOCK(net->sums, RNN_MAX_SLICES, 1, double);
    BLOCK(net->partials, net->partial_count, (size_t)rnn_row_slices(rows), float);
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
    free_aligned(net->workspace);
    free_aligned(net->nonzeros_memory);
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
    free_aligned(net->nonzeros_memory);
    net->nonzeros_memory = NULL;
    if (!lay_out(&total, own, sizeof(int32_t), &begin[0])
        || !lay_out(&total, own, sizeof(float), &begin[1])
        || !lay_out(&total, entries, sizeof(int32_t), &begin[2])
        || !lay_out(&total, entries, sizeof(float), &begin[3])
        || !lay_out(&total, rows * sizeof(int32_t), RNN_NONZERO_RANGES + 1, &begin[4])
        || !lay_out(&total, columns, sizeof(int32_t), &begin[5])
        || !lay_out(&total, columns, sizeof(int32_t), &begin[6])
        || (net->nonzeros_memory = aligned_zeros(total)) == NULL)
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
    for (int i = 0; i < net->n_steps; i++)
        count += net->steps[i].layer.packed;
    net->packed = new_arena(net, count, 0);
    if (net->packed == NULL)
        return RNN_ENOMEM;
    float *next = net->packed;
    for (int i = 0; i < net->n_steps; next += net->steps[i++].layer.packed)
        if (net->steps[i].layer.packed > 0)
            net->steps[i].packed = next;
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
    if (!rnn_size_add(&count, each, RNN_MAX_ROW_SLICES))
        return RNN_ENOMEM;
    float *making = new_arena(net, count, 0);
    if (making == NULL)
        return RNN_ENOMEM;
    free_aligned(net->making);
    net->making = making;
    net->making_each = each;
    return RNN_OK;
}

/* Entries of the profile of one slice. */
static size_t
profile_size(const rnn_net *net)
{
    return ((size_t)net->n_steps + 1) * RNN_WORK_KINDS;
}

rnn_status
rnn_net_set_profile(rnn_net *net, bool on)
{
    free(net->profile);
    net->profile = NULL;
    if (on)
        net->profile = calloc(RNN_MAX_SLICES * profile_size(net), sizeof *net->profile);
    return on && net->profile == NULL ? RNN_ENOMEM : RNN_OK;
}

int64_t
rnn_net_profile(const rnn_net *net, int step, int kind)
{
    int64_t total = 0;
    for (size_t slice = 0; slice < RNN_MAX_SLICES; slice++)
        total += net->profile[slice * profile_size(net) + (size_t)step * RNN_WORK_KINDS
                              + (size_t)kind];
    return total;
}

bool
rnn_net_is_finite(const rnn_net *net)
{
    return rnn_all_finite(net->params, net->param_count);
}

bool
rnn_net_moments_are_finite(const rnn_net *net)
{
    return rnn_all_finite(net->moments, net->param_count * (size_t)net->n_moments);
}

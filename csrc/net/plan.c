/* What the layers of a net become: shapes and offsets, then the stages of the plan. */
#include "plan.h"

#include "../base/size.h"
#include "branches.h"

#include <stdio.h>

size_t
rnn_stage_sums(const rnn_stage *stage)
{
    return stage->layer.sums > 0 ? stage->layer.sums : stage->layer.param_count;
}

/* Lets a layer find its shapes and parameters; its input is known. */
static rnn_status
set_up_layer(rnn_layer *layer, rnn_error *error)
{
    rnn_error reason = {""};
    layer->in_size = rnn_shape_size(&layer->in);
    rnn_status status = layer->type->setup(layer, &reason);
    if (status == RNN_OK) {
        layer->out_size = rnn_shape_size(&layer->out);
        if (layer->out_size == 0)
            status =
                rnn_layer_refuse_size(&reason, "an array", layer->out.dim, layer->out.rank);
    }
    if (status != RNN_OK)
        snprintf(error->text, sizeof error->text, "%s%.320s", layer->path, reason.text);
    return status;
}

/* A mask holds from the layer that makes it as long as tokens keep their places. */
static void
find_mask(rnn_layer *layer, int index, const rnn_layer *below)
{
    int mask = below != NULL ? below->mask : -1;
    bool keeps = layer->type->keeps_tokens && layer->in.rank == 2;
    layer->masked_by = layer->type->takes_mask ? mask : -1;
    layer->mask = layer->type->makes_mask ? index : keeps ? mask : -1;
}

/* Whether a layer's inputs are numbers of the data, perhaps under another shape. */
static bool
reads_data(const rnn_layer *layers, int i)
{
    for (i = layers[i].below; i >= 0; i = layers[i].below)
        if (!layers[i].is_identity && !layers[i].type->keeps_numbers
            && !rnn_gives_input(&layers[i]))
            return false;
    return true;
}

rnn_status
rnn_layers_set_up(rnn_layer *layers, int n_layers, rnn_shape input,
                  const rnn_loss_type *loss, rnn_error *error)
{
    bool is_first = true;
    rnn_status status = rnn_branches_link(layers, n_layers, error);
    for (int i = 0; status == RNN_OK && i < n_layers; i++) {
        int below = layers[i].below;
        bool repeats = layers[i].type->mark == RNN_BRANCH;
        layers[i].in = below < 0 ? input : repeats ? layers[below].in : layers[below].out;
        layers[i].is_first = is_first;
        layers[i].reads_data = reads_data(layers, i);
        find_mask(&layers[i], i, below >= 0 ? &layers[below] : NULL);
        rnn_branches_shapes(&layers[i], layers);
        status = set_up_layer(&layers[i], error);
        is_first = is_first && layers[i].is_identity;
    }
    if (status != RNN_OK)
        return status;
    const rnn_layer *last = &layers[n_layers - 1];
    rnn_shape shape = last->out;
    if (shape.rank == 1 || loss->gradient == NULL)
        return RNN_OK;
    snprintf(error->text, sizeof error->text,
             "%s: expected the last layer to give one row of numbers, got %s; put "
             "flatten (rn.Flatten()) before the dense layers, or mean_pool after tokens",
             last->path, rnn_describe_extents(shape.dim, shape.rank).text);
    return RNN_EINVAL;
}

rnn_status
rnn_plan_layers(rnn_net *net, rnn_error *error)
{
    rnn_status status =
        rnn_layers_set_up(net->layers, net->n_layers, net->input, net->loss, error);
    for (int i = 0; status == RNN_OK && i < net->n_layers; i++) {
        net->param_offset[i] = net->param_count;
        net->state_offset[i] = net->state_count;
        if (!rnn_size_add(&net->param_count, net->layers[i].param_count, 1)
            || !rnn_size_add(&net->state_count, net->layers[i].state_count, 1))
            status = RNN_ENOMEM;
    }
    for (int i = 0; status == RNN_OK && i < net->n_layers; i++)
        net->state_offset[i] += net->param_count;
    return status;
}

static bool
goes_by_rows(const rnn_layer *layer)
{
    return layer->slices[RNN_FORWARD] == RNN_BY_ROWS;
}

/* What layers[first] becomes; returns how many layers the stage stands for. */
static int
plan_stage(const rnn_net *net, int first, rnn_layer *stage)
{
    for (const rnn_fusion *fuse = net->level->fusions; *fuse != NULL; fuse++) {
        int replaced = (*fuse)(stage, net->layers + first, net->n_layers - first);
        if (replaced > 0)
            return replaced;
    }
    *stage = net->layers[first];
    return 1;
}

int
rnn_stage_giving(const rnn_net *net, int layer)
{
    int stage = net->n_stages - 1;
    while (stage >= 0 && net->stages[stage].first > layer)
        stage--;
    return stage;
}

/* ---- layouts ---- */

/* The outputs of a stage, or for -1 the net's inputs. */
static rnn_layout
given_layout(const rnn_net *net, int stage)
{
    const rnn_layer *layer = stage < 0 ? NULL : &net->stages[stage].layer;
    return layer != NULL && layer->out.rank > 1 ? layer->layout : RNN_PLANES;
}

static rnn_shape
given_shape(const rnn_net *net, int stage)
{
    return stage < 0 ? net->input : net->stages[stage].layer.out;
}

/* Whether both layouts are the same: one channel, or channels of one number. */
static bool
has_one_layout(const rnn_shape *shape)
{
    return shape->dim[0] == 1 || rnn_shape_size(shape) == shape->dim[0];
}

/* Adds a stage, which reads the outputs of stage `below`. */
static rnn_stage *
add_stage(rnn_net *net, int first, int end, int below)
{
    rnn_stage *stage = &net->stages[net->n_stages++];
    stage->first = first;
    stage->end = end;
    stage->dout_of = -1;
    stage->below = stage->source = below;
    while (stage->source >= 0 && rnn_gives_input(&net->stages[stage->source].layer))
        stage->source = net->stages[stage->source].below;
    return stage;
}

/* Has the outputs of stage `below`, in the layout `given`, rearranged if need be, before
 * layer `first` is reached; returns the stage to read. */
static int
arrange(rnn_net *net, int below, rnn_layout given, rnn_shape shape, rnn_layout layout,
        int first)
{
    if (given == layout || has_one_layout(&shape))
        return below;
    rnn_stage *stage = add_stage(net, first, first, below);
    net->level->rearranging_layer(&stage->layer, shape, layout);
    stage->mask = -1;
    stage->by_rows = true;
    return net->n_stages - 1;
}

/* Layouts of forks whose joins are still to come. */
typedef struct {
    int depth;
    rnn_layout fork[RNN_MAX_DEPTH];
} open_layouts;

/* In which layout a stage reads its input. Forks settle that of their branches' ends. */
static rnn_layout
wanted_layout(const rnn_net *net, const open_layouts *open, const rnn_layer *stage,
              int first, int below)
{
    rnn_layout given = given_layout(net, below);
    rnn_shape shape = given_shape(net, below);
    if (stage->type->mark == RNN_BRANCH || stage->type->mark == RNN_JOIN)
        return open->fork[open->depth - 1];
    if (stage->type->mark == RNN_FORK) {
        const rnn_layer *join = &net->layers[rnn_branches_join(net->layers, first)];
        return join->layout == RNN_ANY_LAYOUT && rnn_same_shape(&shape, &stage->in)
                   ? given
                   : RNN_PLANES;
    }
    if (stage->layout != RNN_ANY_LAYOUT)
        return stage->layout;
    return rnn_same_shape(&shape, &stage->in) ? given : RNN_PLANES;
}

/* Has the outputs of stage `below` in the shape and layout that are wanted. Layers that
 * only change the shape are skipped: in between, the numbers lie plane by plane. */
static int
arrange_as(rnn_net *net, int below, rnn_shape shape, rnn_layout layout, int first)
{
    rnn_layout given = given_layout(net, below);
    rnn_shape before = given_shape(net, below);
    if (!rnn_same_shape(&before, &shape)) {
        below = arrange(net, below, given, before, RNN_PLANES, first);
        given = RNN_PLANES;
    }
    return arrange(net, below, given, shape, layout, first);
}

/* Before layer i, a mark that ends a branch: its outputs as its join wants them.
 */
static void
end_branch(rnn_net *net, const open_layouts *open, int i)
{
    arrange_as(net, rnn_stage_giving(net, i - 1), net->layers[i - 1].out,
               open->fork[open->depth - 1], i - 1);
}

/* ---- stages ---- */

/* Whether a branch passes the net's inputs to a join. */
static bool
joins_inputs(const rnn_net *net, const rnn_layer *layer)
{
    for (int k = 0; layer->type->mark == RNN_JOIN && k < layer->sides.n; k++) {
        const rnn_stage *side = &net->stages[rnn_stage_giving(net, layer->sides.layer[k])];
        if (rnn_gives_input(&side->layer) && side->source < 0)
            return true;
    }
    return false;
}

/* The stage that stands for layers first..end. */
static void
plan_layers(rnn_net *net, open_layouts *open, const rnn_layer *layer, int first, int end)
{
    int below = rnn_stage_giving(net, net->layers[first].below);
    rnn_layout wanted = wanted_layout(net, open, layer, first, below);
    below = arrange_as(net, below, layer->in, wanted, first);
    rnn_stage *stage = add_stage(net, first, end, below);
    stage->layer = *layer;
    stage->layer.layout = wanted;
    stage->mask = rnn_stage_giving(net, layer->masked_by);
    stage->by_rows = goes_by_rows(layer);
    stage->param_offset = net->param_offset[first];
    stage->state_offset = net->state_offset[first];
    stage->partial_offset = net->partial_count;
    if (layer->slices[RNN_PARAMS] == RNN_BY_ROWS)
        net->partial_count += rnn_stage_sums(stage);
    net->joins_inputs |= joins_inputs(net, layer);
    if (layer->type->mark == RNN_FORK)
        open->fork[open->depth++] = wanted;
    open->depth -= layer->type->mark == RNN_JOIN;
}

/* Partial sums of slices of rows need at most the larger of these, unless two
 * slices do. */
#define PARTIAL_FLOATS ((64u << 20) / sizeof(float)) /* 64 MB */
#define PARTIAL_PARAMS 4                             /* of each parameter */

static int
most_row_slices(const rnn_net *net)
{
    uint64_t by_params = (uint64_t)PARTIAL_PARAMS * net->param_count;
    uint64_t room = by_params > PARTIAL_FLOATS ? by_params : PARTIAL_FLOATS;
    int most = RNN_MAX_SLICES;
    while (most > 2 && (uint64_t)most * net->partial_count > room)
        most /= 2;
    return most;
}

/* The last stages of branches that are added up have the sum's gradient. */
static void
share_gradients(rnn_net *net, int sum)
{
    const rnn_stage *stage = &net->stages[sum];
    if (!stage->layer.type->sums_branches)
        return;
    const int branches[] = {stage->below,
                            rnn_stage_giving(net, stage->layer.sides.layer[0])};
    for (int k = 0; k < 2; k++)
        if (net->stages[branches[k]].layer.keeps_dout)
            net->stages[branches[k]].dout_of = sum;
}

/* Most stages above that one may do the work of in inference. */
#define MOST_FOLDED 2

/* Stages that in inference do the work of some above, which read each other and nothing
 * else. */
static void
fold_stages(rnn_net *net, int i)
{
    rnn_stage *stage = &net->stages[i];
    const rnn_layer *above[MOST_FOLDED];
    int n = 0;
    while (n < MOST_FOLDED && i + n + 1 < net->n_stages
           && net->stages[i + n + 1].source == i + n) {
        above[n] = &net->stages[i + n + 1].layer;
        n++;
    }
    stage->folds = net->level->folds_above(&stage->folded, &stage->layer, above, n);
    for (int k = 1; k <= stage->folds; k++)
        net->stages[i + k].is_folded = true;
}

void
rnn_plan_stages(rnn_net *net)
{
    open_layouts open = {.depth = 0};
    rnn_layer layer;
    for (int i = 0, replaced; i < net->n_layers; i += replaced) {
        rnn_mark mark = net->layers[i].type->mark;
        if (mark == RNN_BRANCH || mark == RNN_JOIN)
            end_branch(net, &open, i);
        replaced = plan_stage(net, i, &layer);
        if (!layer.is_identity || (net->n_stages == 0 && i + 1 == net->n_layers))
            plan_layers(net, &open, &layer, i, i + replaced);
    }
    arrange_as(net, net->n_stages - 1, net->layers[net->n_layers - 1].out, RNN_PLANES,
               net->n_layers - 1);
    for (int i = 0; i < net->n_stages; i++) {
        share_gradients(net, i);
        fold_stages(net, i);
    }
    net->most_row_slices = most_row_slices(net);
    rnn_plan_rates(net);
}

/* Whether no layer that a stage stands for learns; notes rates that are not 1. */
static bool
is_frozen(const rnn_net *net, int stage, bool *has_own_rates)
{
    bool learns = false, has_own = false;
    for (int i = net->stages[stage].first; i < net->stages[stage].end; i++) {
        if (net->layers[i].param_count == 0)
            continue;
        learns |= rnn_net_rate(net, i) > 0;
        has_own |= rnn_net_rate(net, i) != 1;
    }
    *has_own_rates |= learns && has_own;
    return !learns;
}

void
rnn_plan_rates(rnn_net *net)
{
    net->has_own_rates = false;
    net->first_trainable = net->n_stages;
    for (int i = net->n_stages - 1; i >= 0; i--) {
        rnn_stage *stage = &net->stages[i];
        stage->is_frozen =
            stage->layer.param_count > 0 && is_frozen(net, i, &net->has_own_rates);
        if (stage->layer.param_count > 0 && !stage->is_frozen)
            net->first_trainable = i;
    }
}

void
rnn_plan_rates_of(rnn_net *reader, const rnn_net *net)
{
    reader->rates = net->rates;
    reader->has_own_rates = net->has_own_rates;
    reader->first_trainable = net->first_trainable;
    for (int i = 0; i < net->n_stages; i++)
        reader->stages[i].is_frozen = net->stages[i].is_frozen;
}

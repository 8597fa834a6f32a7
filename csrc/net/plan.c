/* What the layers of a net become: shapes and offsets, then the stages of the plan. */
#include "plan.h"

#include "../base/size.h"

#include <stdio.h>

size_t
rnn_stage_maps(const rnn_stage *stage)
{
    return stage->layer.maps.rank > 0 ? (size_t)rnn_shape_size(&stage->layer.maps) : 0;
}

size_t
rnn_stage_sums(const rnn_stage *stage)
{
    return stage->layer.sums > 0 ? stage->layer.sums : stage->layer.param_count;
}

rnn_status
rnn_plan_layers(rnn_net *net, rnn_error *error)
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

void
rnn_plan_stages(rnn_net *net)
{
    for (int i = 0, replaced; i < net->n_layers; i += replaced) {
        rnn_stage *stage = &net->stages[net->n_stages];
        replaced = plan_stage(net, i, &stage->layer);
        if (stage->layer.is_identity && (net->n_stages > 0 || i + 1 < net->n_layers))
            continue;
        stage->first = i;
        stage->by_rows = goes_by_rows(&stage->layer);
        stage->param_offset = net->param_offset[i];
        stage->state_offset = net->state_offset[i];
        stage->partial_offset = net->partial_count;
        if (stage->layer.slices[RNN_PARAMS] == RNN_BY_ROWS)
            net->partial_count += rnn_stage_sums(stage);
        net->n_stages++;
    }
    net->first_trainable = 0;
    while (net->first_trainable < net->n_stages
           && net->stages[net->first_trainable].layer.param_count == 0)
        net->first_trainable++;
}

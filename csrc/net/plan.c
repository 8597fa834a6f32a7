/* What the layers of a net become: shapes and offsets, then the steps of the plan. */
#include "plan.h"

#include "../base/size.h"

#include <stdio.h>

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

void
rnn_plan_steps(rnn_net *net)
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

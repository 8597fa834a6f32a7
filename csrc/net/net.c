/* What can be asked of a net. */
#include "plan.h"

const rnn_level *
rnn_net_level(const rnn_net *net)
{
    return net->level;
}

const rnn_loss_type *
rnn_net_loss(const rnn_net *net)
{
    return net->loss;
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

int
rnn_net_n_layers(const rnn_net *net)
{
    return net->n_layers;
}

const rnn_layer *
rnn_net_layer(const rnn_net *net, int index)
{
    return &net->layers[index];
}

size_t
rnn_net_offset(const rnn_net *net, int index, const rnn_param *param)
{
    const size_t *offsets = param->is_state ? net->state_offset : net->param_offset;
    return offsets[index] + param->offset;
}

float *
rnn_net_params(rnn_net *net)
{
    return net->params;
}

size_t
rnn_net_param_count(const rnn_net *net)
{
    return net->param_count;
}

size_t
rnn_net_weight_count(const rnn_net *net)
{
    return net->param_count + net->state_count;
}

const float *
rnn_net_grads(const rnn_net *net)
{
    return net->grads;
}

float *
rnn_net_moments(rnn_net *net)
{
    return net->moments;
}

size_t
rnn_net_moment_count(const rnn_net *net)
{
    return net->param_count * (size_t)net->n_moments;
}

double
rnn_net_sparse_below(const rnn_net *net)
{
    return net->sparse_below;
}

void
rnn_net_set_sparse_below(rnn_net *net, double density)
{
    net->sparse_below = density;
}

double
rnn_net_rate(const rnn_net *net, int layer)
{
    return net->rates != NULL ? net->rates[layer] : 1;
}

bool
rnn_net_learns(const rnn_net *net)
{
    return net->first_trainable < net->n_stages;
}

double
rnn_net_work(const rnn_net *net)
{
    double work = 0;
    for (int i = 0; i < net->n_stages; i++)
        work += net->stages[i].layer.work[RNN_FORWARD];
    return work;
}

size_t
rnn_net_carried(const rnn_net *net)
{
    size_t carried = 0;
    for (int i = 0; i < net->n_layers; i++)
        carried += net->layers[i].carried;
    return carried;
}

bool
rnn_net_is_finite(const rnn_net *net)
{
    return net->level->all_finite(net->params, net->param_count);
}

bool
rnn_net_moments_are_finite(const rnn_net *net)
{
    return net->level->all_finite(net->moments, rnn_net_moment_count(net));
}

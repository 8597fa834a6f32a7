/* What can be asked of a net. */
#include "net.h"

#include "../base/finite.h"

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

double
rnn_net_work(const rnn_net *net)
{
    double work = 0;
    for (int i = 0; i < net->n_steps; i++)
        work += net->steps[i].layer.work[RNN_FORWARD];
    return work;
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

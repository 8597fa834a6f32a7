/* A batch in training mode whose loss is the caller's: what its forward pass leaves waits
 * for the gradient with respect to the outputs. */
#include "run.h"

#include "../../base/rng.h"
#include "../memory.h"

#include <stdlib.h>
#include <string.h>

struct rnn_tape {
    rnn_net *net; /* a reader: its working memory and its gradients are the tape's */
    rnn_run run;
    bool is_open;
};

rnn_tape *
rnn_tape_new(const rnn_net *net)
{
    rnn_tape *tape = calloc(1, sizeof *tape);
    if (tape == NULL || (tape->net = rnn_net_new_reader(net)) == NULL) {
        free(tape);
        return NULL;
    }
    return tape;
}

void
rnn_tape_free(rnn_tape *tape)
{
    if (tape == NULL)
        return;
    rnn_net_free(tape->net);
    free(tape);
}

int
rnn_tape_open_rows(const rnn_tape *tape)
{
    return tape != NULL && tape->is_open ? tape->run.rows : 0;
}

void
rnn_tape_close(rnn_tape *tape)
{
    if (tape != NULL)
        tape->is_open = false;
}

const float *
rnn_tape_grads(const rnn_tape *tape)
{
    return tape != NULL ? tape->net->grads : NULL;
}

rnn_status
rnn_tape_forward(rnn_tape *tape, const rnn_net *net, const rnn_data *data,
                 const rnn_recipe *recipe, int threads, float *out)
{
    rnn_run *r = &tape->run;
    rnn_batch all = {data, NULL, 0, data->n, 0};
    rnn_net_attach_reader(tape->net, net, NULL);
    rnn_status status = rnn_net_reserve(tape->net, data->n);
    if (status == RNN_OK)
        status =
            rnn_run_begin(r, tape->net, threads, (rnn_stop){NULL, NULL}, data->n, &all);
    if (status != RNN_OK)
        return status;
    r->training = r->moves_state = r->to_input = r->keeps_inputs = true;
    r->key = rnn_mask_key(recipe->seed, (uint64_t)recipe->step);
    rnn_run_prepare(r);
    rnn_run_forward(r, &all, RNN_FOR_OUTPUTS, NULL);
    const rnn_stage *last = &tape->net->stages[tape->net->n_stages - 1];
    memcpy(out, last->out, (size_t)data->n * (size_t)rnn_net_out_size(net) * sizeof(float));
    rnn_run_end(r);
    tape->is_open = true;
    return RNN_OK;
}

rnn_status
rnn_tape_backward(rnn_tape *tape, const float *dout, bool adds, int threads, float *dinp)
{
    rnn_net *net = tape->net;
    rnn_run *r = &tape->run;
    size_t n = (size_t)r->rows;
    rnn_status status = rnn_net_need_grads(net);
    if (status != RNN_OK)
        return status;
    r->to_input = dinp != NULL;
    rnn_run_resume(r, threads, 2.0 * r->rows);
    const rnn_stage *last = &net->stages[net->n_stages - 1];
    memcpy(last->dout, dout, n * (size_t)rnn_net_out_size(net) * sizeof(float));
    rnn_run_backward(r, net->grads, 1.0f, adds ? 1.0f : 0.0f);
    if (dinp != NULL)
        memcpy(dinp, net->dinp, n * (size_t)rnn_net_in_size(net) * sizeof(float));
    rnn_run_end(r);
    tape->is_open = false;
    return RNN_OK;
}

rnn_status
rnn_net_apply(rnn_net *net, const float *grads, const rnn_recipe *recipe, int threads)
{
    rnn_run r = {.net = net, .divisor = 1};
    rnn_status status = rnn_net_reserve(net, 1); /* room for sums over slices */
    if (status == RNN_OK)
        status = rnn_net_need_grads(net);
    if (status != RNN_OK)
        return status;
    if (!net->level->all_finite(grads, net->param_count))
        return RNN_ENONFINITE;
    memcpy(net->grads, grads, net->param_count * sizeof(float));
    rnn_run_resume(&r, threads, 1.0);
    rnn_run_update(&r, recipe, recipe->lr[0], 1);
    rnn_run_end(&r);
    if (!rnn_net_is_finite(net))
        return RNN_EWEIGHTS;
    return rnn_net_moments_are_finite(net) ? RNN_OK : RNN_EMOMENTS;
}

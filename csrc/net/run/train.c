/* Training: epochs of batches, or of a fused kernel. */
#include "exchange.h"
#include "inputs.h"
#include "run.h"

#include "../../base/rng.h"
#include "../memory.h"

#include <math.h>
#include <string.h>

static int
smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Rows of an update that is not the last of an epoch. */
static int64_t
rows_of_update(const rnn_recipe *recipe)
{
    return (int64_t)recipe->batch_size * recipe->accumulate;
}

int64_t
rnn_recipe_steps(const rnn_recipe *recipe)
{
    int64_t n = recipe->n_order, size = rows_of_update(recipe);
    return n / size + (n % size != 0);
}

/* Learning rate of a step, counted from 0 within the call. */
static double
lr_of(const rnn_recipe *recipe, int64_t step)
{
    return recipe->n_lr == 0 ? recipe->lr[0] : recipe->lr[step];
}

/* Whether the update is folded into the gradient: no gradient is stored then. */
static bool
is_folded(const rnn_net *net, const rnn_recipe *recipe)
{
    return recipe->clip_norm == 0 && recipe->l2 == 0 && !rnn_recipe_moves_average(recipe)
           && recipe->accumulate == 1 && !net->has_own_rates
           && net->optimizer.type->is_plain(net->optimizer.attr);
}

/* Whether rows are not trained on as they lie in the data. */
static bool
makes_inputs(const rnn_recipe *recipe)
{
    return recipe->augmentation != NULL || recipe->mixup > 0;
}

/* What an update's sums are divided by. Weights that are all zero leave only the penalty.
 */
static double
divisor_of(const rnn_batch *rows, const rnn_recipe *recipe)
{
    const float *weights = rows->data->weights;
    double sum = 0;
    for (int i = 0; recipe->weighted_mean && weights != NULL && i < rows->rows; i++)
        sum += (double)weights[rows->order[i]];
    return sum > 0 ? sum : rows->rows;
}

/* Forward over one batch, and backward: all of a plain update, else the gradient, which is
 * added to that of the update's batches before. */
static rnn_status
train_batch(rnn_run *r, const rnn_batch *batch, const rnn_recipe *recipe, uint64_t key,
            double lr, bool adds, rnn_score *score)
{
    rnn_net *net = r->net;
    double divisor = r->divisor;
    r->key = key;
    if (recipe->mixup > 0)
        r->share = rnn_draw_share(recipe->mixup, key);
    rnn_score batch_score = {0};
    rnn_run_forward(r, batch, RNN_FOR_TRAINING, NULL);
    if (r->status != RNN_OK)
        return r->status;
    rnn_run_add_scores(r, &batch_score);
    if (!isfinite(batch_score.loss))
        return RNN_ENONFINITE;
    if (is_folded(net, recipe))
        rnn_run_backward(r, net->params, -(float)lr / (float)divisor, 1.0f);
    else
        rnn_run_backward(r, net->grads, 1.0f / (float)divisor, adds ? 1.0f : 0.0f);
    score->loss += batch_score.loss;
    score->hits += batch_score.hits;
    return r->status;
}

/* One update: by one batch, or by the gradient of several. */
static rnn_status
train_step(rnn_run *r, const rnn_batch *rows, const rnn_recipe *recipe, int64_t step,
           rnn_score *score)
{
    double lr = lr_of(recipe, step);
    rnn_score sum = {0};
    rnn_batch batch = *rows;
    int64_t number = (recipe->step + step) * recipe->accumulate;
    rnn_run_prepare(r);
    r->divisor = divisor_of(rows, recipe);
    for (int begin = 0; begin < rows->rows; begin += batch.rows) {
        batch.order = rows->order + begin;
        batch.rows = smaller(recipe->batch_size, rows->rows - begin);
        batch.following = rows->following - begin;
        uint64_t key = rnn_mask_key(recipe->seed, (uint64_t)number++);
        rnn_status status = train_batch(r, &batch, recipe, key, lr, begin > 0, &sum);
        if (status != RNN_OK)
            return status;
    }
    if (!is_folded(r->net, recipe))
        sum.penalty = rnn_run_update(r, recipe, lr, step + 1);
    if (r->status != RNN_OK)
        return r->status;
    double rows_in_mean = rows->rows / r->divisor;
    score->loss += (sum.loss + sum.penalty) * rows_in_mean;
    score->hits += sum.hits;
    score->penalty += sum.penalty * rows_in_mean;
    return RNN_OK;
}

static rnn_status
train_epoch(rnn_run *r, const rnn_data *data, const rnn_recipe *recipe, int64_t step,
            rnn_score *score, int *batch)
{
    *batch = 0;
    for (int begin = 0, rows; begin < recipe->n_order; begin += rows) {
        int64_t left = recipe->n_order - begin, most = rows_of_update(recipe);
        rows = (int)(left < most ? left : most);
        rnn_batch part = {data, recipe->order + begin, 0, rows, (int)left};
        rnn_status status = train_step(r, &part, recipe, step + *batch, score);
        if (status != RNN_OK)
            return status;
        ++*batch;
        /* A reader that has its copy now wants a core, too. */
        rnn_team_rest(&r->lease, rnn_exchange_serve(r->exchange));
        if (r->ranks_stop || (rnn_run_stop_wanted(r, 3.0 * rows) && r->ranks == NULL))
            return RNN_EINTERRUPTED;
    }
    return RNN_OK;
}

/* The fused kernel for this net and recipe, or NULL. */
static const rnn_fused_epoch *
find_fused_epoch(const rnn_net *net, const rnn_data *data, const rnn_recipe *recipe)
{
    const rnn_fused_epoch *fused = net->level->fused_epochs;
    for (; fused->run != NULL; fused++)
        if (recipe->ranks == NULL && data->x != NULL && !data->x_is_bytes
            && net->param_count <= RNN_MAX_FUSED_PARAMS && net->rates == NULL
            && data->weights == NULL && recipe->n_lr == 0 && recipe->smoothing == 0
            && is_folded(net, recipe) && !makes_inputs(recipe)
            && fused->matches(net->layers, net->n_layers, net->loss, recipe->batch_size))
            return fused;
    return NULL;
}

static rnn_status
train_fused_epoch(rnn_run *r, const rnn_fused_epoch *fused, const rnn_data *data,
                  const rnn_recipe *recipe, rnn_score *score)
{
    float before[RNN_MAX_FUSED_PARAMS];
    size_t bytes = r->net->param_count * sizeof(float);
    memcpy(before, r->net->params, bytes);
    const rnn_net *net = r->net;
    fused->run(net->layers, net->n_layers, net->loss, net->params, &score->loss,
               &score->hits, data->x, data->targets, recipe->order, recipe->n_order,
               recipe->batch_size, (float)recipe->lr[0]);
    if (!isfinite(score->loss)) {
        memcpy(r->net->params, before, bytes);
        return RNN_ENONFINITE;
    }
    rnn_exchange_serve(r->exchange);
    return rnn_run_stop_wanted(r, recipe->n_order) ? RNN_EINTERRUPTED : RNN_OK;
}

static void
swap_average(rnn_net *net, const rnn_recipe *recipe)
{
    if (recipe->average == NULL || !recipe->average_is_outside)
        return;
    for (size_t i = 0; i < net->param_count; i++) {
        float average = net->params[i];
        net->params[i] = recipe->average[i];
        recipe->average[i] = average;
    }
}

rnn_status
rnn_net_train(rnn_net *net, const rnn_data *data, const rnn_recipe *recipe, int threads,
              rnn_stop stop, rnn_exchange *exchange, rnn_score *scores, int *epoch,
              int *batch)
{
    int most = smaller(recipe->batch_size, recipe->n_order);
    int64_t steps = rnn_recipe_steps(recipe);
    rnn_status status = rnn_net_reserve(net, most);
    if (status == RNN_OK && !is_folded(net, recipe))
        status = rnn_net_need_grads(net);
    if (status == RNN_OK && makes_inputs(recipe))
        status = rnn_net_need_making(net, recipe->augmentation);
    if (status != RNN_OK)
        return status;
    const rnn_fused_epoch *fused = find_fused_epoch(net, data, recipe);
    rnn_batch all = {data, recipe->order, 0, recipe->n_order, 0};
    rnn_run r;
    *epoch = *batch = 0;
    status = rnn_run_begin(&r, net, threads, stop, (double)recipe->n_order * recipe->epochs,
                           &all);
    if (status != RNN_OK)
        return status;
    swap_average(net, recipe);
    if (!rnn_net_is_finite(net))
        status = RNN_EWEIGHTS;
    else if (!rnn_net_moments_are_finite(net))
        status = RNN_EMOMENTS;
    else if (fused == NULL && is_folded(net, recipe))
        status = rnn_run_pack(&r);
    r.exchange = exchange;
    r.ranks = recipe->ranks;
    exchange->run = &r;
    exchange->average = recipe->average;
    r.training = r.moves_state = true;
    r.smoothing = recipe->smoothing;
    r.augmentation = recipe->augmentation;
    for (*epoch = 0; *epoch < recipe->epochs && status == RNN_OK; ++*epoch) {
        rnn_score *score = &scores[*epoch];
        status = fused != NULL
                     ? train_fused_epoch(&r, fused, data, recipe, score)
                     : train_epoch(&r, data, recipe, steps * *epoch, score, batch);
        rnn_run_unpack(&r);
        /* Fused epochs multiply every weight: the next loss would show it. */
        bool looks = fused == NULL || *epoch + 1 == recipe->epochs;
        if (status == RNN_OK && looks && !rnn_net_is_finite(net))
            status = RNN_EWEIGHTS;
        if (status == RNN_OK && !rnn_net_moments_are_finite(net))
            status = RNN_EMOMENTS;
        if (status == RNN_EWEIGHTS || status == RNN_EMOMENTS)
            *batch = (int)steps; /* all were made */
        if (status != RNN_OK)
            break;
    }
    exchange->run = NULL;
    exchange->average = NULL;
    swap_average(net, recipe);
    rnn_run_end(&r);
    return status;
}

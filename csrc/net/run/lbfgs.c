/* L-BFGS (Liu and Nocedal 1989): all rows as one batch, the last HISTORY steps, and a line
 * search for the strong Wolfe conditions. */
#include "exchange.h"
#include "line_search.h"
#include "run.h"

#include "../../base/rng.h"
#include "../../base/size.h"
#include "../../base/zeros.h"
#include "../memory.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define HISTORY 10

/* A loss that falls by no more than this, beside the greater of itself and 1, has stopped:
 * SciPy's factor of 1e7 of the rounding of float64. */
#define LEAST_DECREASE 2.220446049250313e-9

/* The objective, and its place: net->params, net->grads. */
typedef struct {
    rnn_run run;
    rnn_batch batch;
    const rnn_recipe *recipe;
    double followed, divisor;
    double penalty; /* of the last value */
    int64_t evaluations;
} objective;

/* Vectors of all parameters. */
typedef struct {
    void *memory;
    size_t n;
    float *direction;
    float *params, *grads;                /* of the last whole iteration */
    float *step[HISTORY], *bend[HISTORY]; /* differences of parameters, of gradients */
    double curvature[HISTORY];            /* their products */
    double scale;                         /* of the inverse Hessian to begin with */
    int count, next;                      /* entries; where the next one goes */
} history;

static rnn_status
make_history(history *h, const rnn_net *net)
{
    const size_t vectors = 3 + 2 * HISTORY;
    size_t bytes = 0, each = 0, n = net->param_count;
    /* Kernels read whole vectors. */
    if (!rnn_size_add(&each, n + (size_t)net->level->read_slack, 1)
        || !rnn_size_add(&bytes, each * sizeof(float), vectors))
        return RNN_ENOMEM;
    *h = (history){.memory = rnn_zeros(bytes), .n = n, .scale = 1};
    if (h->memory == NULL)
        return RNN_ENOMEM;
    float *next = h->memory;
    h->direction = next;
    h->params = next + each;
    h->grads = next + 2 * each;
    for (int k = 0; k < HISTORY; k++) {
        h->step[k] = next + (3 + 2 * (size_t)k) * each;
        h->bend[k] = next + (4 + 2 * (size_t)k) * each;
    }
    return RNN_OK;
}

/* What a sum over rows is divided by. */
static double
divisor_of(const rnn_data *data, const rnn_recipe *recipe)
{
    double sum = 0;
    for (int i = 0; recipe->weighted_mean && data->weights != NULL && i < data->n; i++)
        sum += (double)data->weights[i];
    return sum > 0 ? sum : data->n;
}

/* Adds the penalty's gradient to that of all parameters but vectors, and takes the gradient
 * of layers that do not learn away. Returns the penalty. */
static double
penalize(const objective *o)
{
    const rnn_net *net = o->run.net;
    double squares = 0, l2 = o->recipe->l2 / o->divisor;
    for (int l = 0; l < net->n_layers; l++)
        for (int k = 0; k < net->layers[l].n_params; k++) {
            const rnn_param *p = &net->layers[l].param[k];
            size_t begin = net->param_offset[l] + p->offset;
            int n = rnn_shape_size(&p->shape);
            if (p->is_state)
                continue;
            if (p->shape.rank > 1 && l2 > 0) {
                squares += net->level->sum_of_squares(net->params + begin, n);
                net->level->add_scaled(net->grads + begin, net->params + begin, n,
                                       (float)l2);
            }
            if (net->rates != NULL && net->rates[l] == 0)
                memset(net->grads + begin, 0, (size_t)n * sizeof(float));
        }
    return l2 / 2 * squares;
}

/* The value at net->params, whose gradient is left in net->grads. */
static double
evaluate(objective *o)
{
    rnn_run *r = &o->run;
    rnn_score score = {0};
    rnn_run_prepare(r);
    rnn_run_forward(r, &o->batch, RNN_FOR_TRAINING, NULL);
    rnn_run_add_scores(r, &score);
    rnn_run_backward(r, r->net->grads, (float)(1 / o->divisor), 0.0f);
    o->penalty = penalize(o);
    o->evaluations++;
    return o->followed * score.loss / o->divisor + o->penalty;
}

static float
greatest(const float *x, size_t n)
{
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    return most;
}

/* direction = -(inverse Hessian) gradient, by two loops over the history. */
static void
find_direction(history *h, const rnn_level *level)
{
    double alpha[HISTORY];
    int n = (int)h->n;
    for (size_t i = 0; i < h->n; i++)
        h->direction[i] = -h->grads[i];
    for (int back = 1; back <= h->count; back++) {
        int k = (h->next - back + HISTORY) % HISTORY;
        alpha[k] = level->dot(h->step[k], h->direction, n) / h->curvature[k];
        level->add_scaled(h->direction, h->bend[k], n, (float)-alpha[k]);
    }
    for (size_t i = 0; i < h->n; i++)
        h->direction[i] *= (float)h->scale;
    for (int back = h->count; back >= 1; back--) {
        int k = (h->next - back + HISTORY) % HISTORY;
        double beta = level->dot(h->bend[k], h->direction, n) / h->curvature[k];
        level->add_scaled(h->direction, h->step[k], n, (float)(alpha[k] - beta));
    }
}

/* Notes the step from h->params to the net's, unless its curvature is lost in rounding. */
static void
remember(history *h, const rnn_net *net)
{
    float *step = h->step[h->next], *bend = h->bend[h->next];
    int n = (int)h->n;
    for (size_t i = 0; i < h->n; i++) {
        step[i] = net->params[i] - h->params[i];
        bend[i] = net->grads[i] - h->grads[i];
    }
    double curvature = net->level->dot(step, bend, n);
    if (!(curvature > (double)FLT_EPSILON * -net->level->dot(h->grads, step, n)))
        return;
    h->curvature[h->next] = curvature;
    h->scale = curvature / net->level->sum_of_squares(bend, n);
    h->next = (h->next + 1) % HISTORY;
    h->count += h->count < HISTORY;
}

static void
forget(history *h)
{
    h->count = h->next = 0;
    h->scale = 1;
}

static double
value_at(objective *o, const history *h, double step)
{
    rnn_net *net = o->run.net;
    memcpy(net->params, h->params, h->n * sizeof(float));
    net->level->add_scaled(net->params, h->direction, (int)h->n, (float)step);
    return evaluate(o);
}

/* Moves the net along the direction; false where nothing along it is less. */
static bool
search_line(objective *o, const history *h, double slope, double *value)
{
    const rnn_net *net = o->run.net;
    rnn_line_search search;
    double size = sqrt(net->level->sum_of_squares(h->direction, (int)h->n));
    double first = h->count > 0 ? 1 : 1 / size, before = *value;
    rnn_line_begin(&search, before, slope, first);
    for (;;) {
        *value = value_at(o, h, search.step);
        slope = net->level->dot(net->grads, h->direction, (int)h->n);
        rnn_line_advice advice = rnn_line_see(&search, *value, slope);
        if (advice == RNN_LINE_TAKE)
            return true;
        if (advice == RNN_LINE_BEST)
            break;
    }
    if (!(search.best.step > 0 && search.best.value < before))
        return false;
    if (search.step != search.best.step || *value != search.best.value)
        *value = value_at(o, h, search.best.step);
    return true;
}

/* From h->params and *value to the next; false where the loss does not fall, even along its
 * gradient. */
static bool
iterate(objective *o, history *h, double *value)
{
    const rnn_net *net = o->run.net;
    double before = *value;
    for (;;) {
        find_direction(h, net->level);
        double slope = net->level->dot(h->grads, h->direction, (int)h->n);
        if (slope < 0 && isfinite(slope) && search_line(o, h, slope, value))
            return true;
        *value = before;
        if (h->count == 0)
            return false;
        forget(h);
    }
}

/* Whether the minimization has ended, and how: limits first, as in SciPy. */
static bool
has_ended(const objective *o, const rnn_limits *limits, double before, rnn_minimum *m)
{
    const rnn_net *net = o->run.net;
    double size = fmax(1, fmax(fabs(before), fabs(m->value)));
    if (m->iterations >= limits->iterations)
        m->end = RNN_ITERATIONS;
    else if (o->evaluations > limits->evaluations)
        m->end = RNN_EVALUATIONS;
    else if ((double)greatest(net->grads, net->param_count) <= limits->tolerance)
        m->end = RNN_FLAT;
    else if (m->iterations > 0 && before - m->value <= LEAST_DECREASE * size)
        m->end = RNN_NO_DECREASE;
    else
        return false;
    return true;
}

static rnn_status
minimize(objective *o, history *h, const rnn_limits *limits, double *values,
         int64_t n_values, rnn_minimum *m)
{
    rnn_net *net = o->run.net;
    size_t bytes = h->n * sizeof(float);
    double before = INFINITY;
    m->value = evaluate(o);
    if (!isfinite(m->value) || !net->level->all_finite(net->grads, h->n))
        return RNN_ENONFINITE;
    while (!has_ended(o, limits, before, m)) {
        memcpy(h->params, net->params, bytes);
        memcpy(h->grads, net->grads, bytes);
        m->penalty = o->penalty;
        before = m->value;
        if (!iterate(o, h, &m->value)) {
            memcpy(net->params, h->params, bytes);
            m->end = RNN_NO_DECREASE;
            return RNN_OK;
        }
        remember(h, net);
        if (m->iterations < n_values)
            values[m->iterations] = m->value;
        m->iterations++;
        rnn_team_rest(&o->run.lease, rnn_exchange_serve(o->run.exchange));
        if (rnn_run_stop_wanted(&o->run, 3.0 * o->batch.rows))
            return RNN_EINTERRUPTED;
    }
    m->penalty = o->penalty;
    return RNN_OK;
}

rnn_status
rnn_net_minimize(rnn_net *net, const rnn_data *data, const rnn_recipe *recipe,
                 const rnn_limits *limits, int threads, rnn_stop stop,
                 rnn_exchange *exchange, double *values, int64_t n_values,
                 rnn_minimum *minimum)
{
    objective o = {.batch = {data, NULL, 0, data->n, 0},
                   .recipe = recipe,
                   .followed = limits->followed,
                   .divisor = divisor_of(data, recipe)};
    history h = {0};
    *minimum = (rnn_minimum){0};
    rnn_status status = rnn_net_reserve(net, data->n);
    if (status == RNN_OK)
        status = rnn_net_need_grads(net);
    if (status == RNN_OK)
        status = make_history(&h, net);
    if (status == RNN_OK)
        status = rnn_run_begin(&o.run, net, threads, stop, 3.0 * data->n, &o.batch);
    if (status != RNN_OK) {
        rnn_free_zeros(h.memory);
        return status;
    }
    o.run.training = true;
    o.run.smoothing = recipe->smoothing;
    o.run.key = rnn_mask_key(recipe->seed, (uint64_t)recipe->step);
    o.run.exchange = exchange;
    exchange->run = &o.run;
    exchange->average = NULL;
    status = minimize(&o, &h, limits, values, n_values, minimum);
    minimum->evaluations = o.evaluations;
    exchange->run = NULL;
    rnn_run_end(&o.run);
    rnn_free_zeros(h.memory);
    return status;
}

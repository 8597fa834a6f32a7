/* Nets of any layers with any attributes, as a caller of the core may describe them.
 *
 *     core_driver specs SEED COUNT BLAS      each is refused, or trained and asked
 *     core_driver threads SEED COUNT BLAS    some trained and read at the same time
 *
 * Built with sanitizers by core_specs.py and races.py; prints how many were refused and how
 * many ran. Built as a target of libFuzzer (RNN_GUIDED) by core_guided.py, the first
 * choices are its bytes, and one net of RUNS_OF is run. Attributes are what the binding
 * lets through: numbers in their ranges, names as numbers, NaN where a key was left out and
 * the layer decides. */
#include "../../csrc/base/blas.h"
#include "../../csrc/net/net.h"
#include "../../csrc/net/run/exchange.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LAYERS = 7, ROWS = 21, RUNS_OF = 64 };

/* Nets beyond these are set up, and no more. The fuzzer has many cases a second. */
#ifdef RNN_GUIDED
enum { MOST_SIZE = 1 << 14, MOST_WORK = 20000 };
#else
enum { MOST_SIZE = 1 << 20, MOST_WORK = 2000000 };
#endif

typedef struct {
    uint64_t state;
    const uint8_t *bytes; /* of the fuzzer: choices, two bytes each, then dice again */
    size_t left;
} dice;

static uint64_t
next(dice *d)
{
    if (d->left >= 2) {
        uint64_t chosen = d->bytes[0] | (uint64_t)d->bytes[1] << 8;
        d->bytes += 2;
        d->left -= 2;
        return chosen;
    }
    d->state ^= d->state << 13;
    d->state ^= d->state >> 7;
    d->state ^= d->state << 17;
    return d->state * 0x2545f4914f6cdd1dULL >> 11;
}

/* A number below n. */
static int
below(dice *d, int n)
{
    return (int)(next(d) % (uint64_t)n);
}

static double
whole_number(dice *d, double min, double max)
{
    double span = max - min, small = span < 8 ? span : 8;
    if (below(d, 16) == 0)
        return max;
    if (below(d, 40) == 0)
        return floor(min + span / (1 + below(d, 1000)));
    return min + below(d, (int)small + 1);
}

static double
number(dice *d, double min, double max)
{
    if (below(d, 6) == 0)
        return below(d, 2) ? min : max;
    double top = max < min + 2 ? max : min + 2;
    return min + (top - min) * below(d, 1000) / 1000;
}

static int
count_choices(const rnn_attr *attr)
{
    int n = 0;
    while (attr->choice != NULL && attr->choice(n) != NULL)
        n++;
    return n;
}

static double
integer(dice *d, const rnn_attr *attr)
{
    int names = count_choices(attr);
    return names > 0 && below(d, 3) == 0 ? -1 - below(d, names)
                                         : whole_number(d, attr->min, attr->max);
}

static void
draw_key(dice *d, const rnn_attr *attr, double *value)
{
    int count = rnn_attr_count(attr);
    bool is_left_out = !attr->required && below(d, 2) == 0;
    double one = integer(d, attr);
    for (int i = 0; i < count; i++)
        value[i] = is_left_out                  ? attr->fallback
                   : attr->kind == RNN_BOOL     ? below(d, 2)
                   : attr->kind == RNN_CHOICE   ? below(d, count_choices(attr))
                   : attr->kind == RNN_FLOAT    ? number(d, attr->min, attr->max)
                   : one < 0 || below(d, 3) > 0 ? one
                                                : whole_number(d, attr->min, attr->max);
    if (attr->kind == RNN_INTS && !is_left_out)
        for (int i = 1 + below(d, count); i < count; i++)
            value[i] = NAN;
}

static void
draw_attrs(dice *d, const rnn_attr *attrs, double *value)
{
    for (int i = 0; attrs[i].name != NULL; i++)
        if (rnn_attr_is_key(&attrs[i]))
            draw_key(d, &attrs[i], &value[i]);
}

static int
draw_layers(dice *d, const rnn_level *level, rnn_layer *layers)
{
    int types = 0, n = 1 + below(d, 1 + below(d, MOST_LAYERS));
    while (level->layers[types] != NULL)
        types++;
    memset(layers, 0, sizeof *layers * MOST_LAYERS);
    for (int i = 0; i < n; i++) {
        layers[i].type = level->layers[below(d, types)];
        snprintf(layers[i].path, sizeof layers[i].path, "layers[%d]", i);
        draw_attrs(d, layers[i].type->attrs, layers[i].attr);
    }
    return n;
}

static rnn_shape
draw_shape(dice *d)
{
    rnn_shape shape = {.rank = 1 + below(d, RNN_MAX_RANK)};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = below(d, 50) == 0 ? 1 + below(d, 100000) : 1 + below(d, 9);
    return shape;
}

static const rnn_loss_type *
draw_loss(dice *d, const rnn_level *level)
{
    int n = 0;
    while (level->losses[n].name != NULL)
        n++;
    return &level->losses[below(d, n)];
}

/* Whether all of a net that is set up is small enough to run. */
static bool
is_small(const rnn_layer *layers, int n)
{
    double size = 0, work = 0;
    for (int i = 0; i < n; i++) {
        const rnn_layer *z = &layers[i];
        size += (double)z->param_count + z->state_count + ROWS * (double)z->cache
                + z->scratch + z->shared + z->packed + ROWS * (double)z->out_size;
        for (int pass = 0; pass < RNN_PASSES; pass++)
            work += z->work[pass];
    }
    return size < MOST_SIZE && work < MOST_WORK;
}

typedef struct {
    float *x, *dinp, *out, *values;
    int32_t *labels, *order;
    rnn_data data;
} rows;

static void
free_rows(rows *r)
{
    free(r->x);
    free(r->dinp);
    free(r->out);
    free(r->values);
    free(r->labels);
    free(r->order);
}

static rows
draw_rows(dice *d, const rnn_net *net)
{
    size_t in = (size_t)rnn_net_in_size(net), out = (size_t)rnn_net_out_size(net);
    rows r = {malloc(ROWS * in * 4),
              malloc(ROWS * in * 4),
              malloc(ROWS * out * 4),
              malloc(ROWS * out * 4),
              malloc(ROWS * 4),
              malloc(2 * ROWS * 4),
              {0}};
    for (size_t i = 0; i < ROWS * in; i++)
        r.x[i] = below(d, 3) == 0 ? 0 : (float)below(d, 1000) / 1000;
    for (size_t i = 0; i < ROWS * out; i++)
        r.values[i] = (float)below(d, 2);
    for (int i = 0; i < ROWS; i++)
        r.labels[i] = below(d, (int)out);
    for (int i = 0; i < 2 * ROWS; i++)
        r.order[i] = below(d, ROWS);
    bool takes_labels = rnn_net_loss(net)->targets == RNN_LABELS;
    r.data = (rnn_data){
        .x = r.x, .targets = takes_labels ? (void *)r.labels : (void *)r.values, .n = ROWS};
    return r;
}

static rnn_recipe
draw_recipe(dice *d, const rows *r, const double *lr)
{
    return (rnn_recipe){.order = r->order,
                        .n_order = 2 * ROWS,
                        .batch_size = 1 + below(d, 2 * ROWS),
                        .accumulate = 1 + below(d, 3),
                        .epochs = 1,
                        .lr = lr,
                        .clip_norm = below(d, 4) == 0 ? 1 : 0,
                        .l2 = below(d, 4) == 0 ? 0.01 : 0,
                        .mixup = below(d, 6) == 0 ? 0.5 : 0,
                        .seed = next(d)};
}

/* A step whose loss is the caller's, and rows that continue where others ended. */
static void
use_steps(dice *d, rnn_net *net, rows *r, const rnn_recipe *recipe, int threads)
{
    float *states = calloc(ROWS * rnn_net_carried(net) + 1, sizeof *states);
    rnn_tape *tape = rnn_tape_new(net);
    if (rnn_net_carried(net) > 0)
        rnn_net_advance(net, &r->data, threads, states, r->out);
    if (rnn_tape_forward(tape, net, &r->data, recipe, threads, r->out) == RNN_OK
        && rnn_tape_backward(tape, r->out, below(d, 2), threads, r->dinp) == RNN_OK)
        rnn_net_apply(net, rnn_tape_grads(tape), recipe, threads);
    rnn_tape_free(tape);
    free(states);
}

/* Trains and asks a net in every way there is. */
static void
use(dice *d, rnn_net *net)
{
    rows r = draw_rows(d, net);
    double lr = 0.01;
    rnn_recipe recipe = draw_recipe(d, &r, &lr);
    rnn_stop never = {NULL, NULL};
    rnn_score score = {0};
    rnn_limits limits = {
        .tolerance = 1e-5, .iterations = 3, .evaluations = 9, .followed = 1};
    rnn_minimum minimum;
    rnn_exchange exchange;
    int epoch = 0, batch = 0, threads = 1 + below(d, 3);
    rnn_exchange_init(&exchange);
    for (size_t i = 0; i < rnn_net_param_count(net); i++)
        rnn_net_params(net)[i] = (float)(below(d, 200) - 100) / 200;
    rnn_net_predict(net, &r.data, below(d, 2), threads, never, r.out);
    if (rnn_net_loss(net)->gradient != NULL && rnn_net_learns(net)) {
        rnn_exchange_open(&exchange, net);
        rnn_net_train(net, &r.data, &recipe, threads, never, &exchange, &score, &epoch,
                      &batch);
        rnn_net_minimize(net, &r.data, &recipe, &limits, threads, never, &exchange, NULL, 0,
                         &minimum);
        rnn_exchange_close(&exchange);
        rnn_net_evaluate(net, &r.data, threads, never, &score);
        rnn_net_gradients(net, &r.data, &recipe, threads, &score);
    }
    use_steps(d, net, &r, &recipe, threads);
    r.data.targets = r.values;
    rnn_net_backprop(net, &r.data, &recipe, threads, r.out, r.dinp);
    rnn_exchange_destroy(&exchange);
    free_rows(&r);
}

/* A net that can be run, or NULL. */
static rnn_net *
draw_net(dice *d)
{
    const rnn_level *level = rnn_level_current();
    rnn_layer layers[MOST_LAYERS], plan[MOST_LAYERS];
    int n = draw_layers(d, level, layers), optimizers = 0;
    rnn_shape shape = draw_shape(d);
    const rnn_loss_type *loss = draw_loss(d, level);
    rnn_optimizer optimizer = {NULL, {0}};
    rnn_error error = {""};
    rnn_net *net = NULL;
    while (level->optimizers[optimizers].name != NULL)
        optimizers++;
    optimizer.type = &level->optimizers[below(d, optimizers)];
    draw_attrs(d, optimizer.type->attrs, optimizer.attr);
    memcpy(plan, layers, sizeof plan);
    if (rnn_shape_size(&shape) == 0)
        return NULL;
    if (rnn_layers_set_up(plan, n, shape, loss, &error) != RNN_OK) {
        if (strchr(error.text, '\n') != NULL || strlen(error.text) < 10)
            abort(); /* a message is one line that says something */
        return NULL;
    }
    if (is_small(plan, n)
        && rnn_net_new(&net, level, layers, n, shape, loss, optimizer, &error) != RNN_OK)
        abort(); /* what can be set up can be made */
    return net;
}

static void
run_specs(uint64_t seed, long count)
{
    long ran = 0;
    for (long i = 0; i < count; i++) {
        dice d = {(seed + 1) * 0x9e3779b97f4a7c15ULL + (uint64_t)i * 0xd1342543de82ef95ULL};
        rnn_net *net = NULL;
        next(&d);
        fprintf(stderr, "\r%ld", i); /* the case, should the process end here */
        if ((net = draw_net(&d)) != NULL) {
            use(&d, net);
            rnn_net_free(net);
            ran++;
        }
    }
    printf("%ld %ld\n", count - ran, ran);
}

/* ---- threads ---- */

typedef struct {
    rnn_net *net, *reader;
    rnn_exchange *exchange;
    atomic_bool *ended;
    uint64_t seed;
} shared;

static void *
train_on(void *context)
{
    shared *s = context;
    dice d = {s->seed};
    rows r = draw_rows(&d, s->net);
    double lr = 0.01;
    rnn_score score = {0};
    int epoch = 0, batch = 0;
    for (int i = 0; i < 5; i++) {
        rnn_recipe recipe = draw_recipe(&d, &r, &lr);
        rnn_exchange_open(s->exchange, s->net);
        rnn_net_train(s->net, &r.data, &recipe, 2 + below(&d, 3), (rnn_stop){NULL, NULL},
                      s->exchange, &score, &epoch, &batch);
        rnn_exchange_close(s->exchange);
    }
    atomic_store(s->ended, true);
    free_rows(&r);
    return NULL;
}

static void *
read_on(void *context)
{
    shared *s = context;
    dice d = {s->seed ^ 77};
    rows r = draw_rows(&d, s->net);
    while (!atomic_load(s->ended)) {
        rnn_weights *weights = NULL;
        rnn_exchange_take(s->exchange, &weights);
        if (weights == NULL)
            continue;
        rnn_net_attach_reader(s->reader, s->net, weights->values);
        rnn_net_predict(s->reader, &r.data, false, 2, (rnn_stop){NULL, NULL}, r.out);
        rnn_net_detach_reader(s->reader);
        rnn_exchange_release(s->exchange, weights);
    }
    free_rows(&r);
    return NULL;
}

/* Two nets in training at the same time, each with somebody who reads it meanwhile. */
static void
run_threads(uint64_t seed, long count)
{
    dice d = {(seed + 1) * 0x9e3779b97f4a7c15ULL};
    for (long i = 0; i < count; i++) {
        pthread_t thread[4];
        shared s[2];
        rnn_exchange exchange[2];
        atomic_bool ended[2] = {false, false};
        for (int k = 0; k < 2; k++) {
            rnn_net *net = NULL;
            while (net == NULL || rnn_net_loss(net)->gradient == NULL
                   || !rnn_net_learns(net)) {
                rnn_net_free(net);
                net = draw_net(&d);
            }
            for (size_t p = 0; p < rnn_net_param_count(net); p++)
                rnn_net_params(net)[p] = (float)(below(&d, 200) - 100) / 200;
            rnn_exchange_init(&exchange[k]);
            s[k] =
                (shared){net, rnn_net_new_reader(net), &exchange[k], &ended[k], next(&d)};
            pthread_create(&thread[2 * k], NULL, train_on, &s[k]);
            pthread_create(&thread[2 * k + 1], NULL, read_on, &s[k]);
        }
        for (int t = 0; t < 4; t++)
            pthread_join(thread[t], NULL);
        for (int k = 0; k < 2; k++) {
            rnn_net_free(s[k].reader);
            rnn_net_free(s[k].net);
            rnn_exchange_destroy(&exchange[k]);
        }
        fprintf(stderr, "\r%ld", i);
    }
    printf("0 %ld\n", 2 * count);
}

#ifdef RNN_GUIDED
/* Whether what these bytes describe is run, too: that takes a thousand times as long. */
static bool
is_run(const uint8_t *bytes, size_t size)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 16777619U;
    return (hash >> 16) % RUNS_OF == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static bool is_loaded;
    dice d = {.state = 88172645463325252ULL, .bytes = bytes, .left = size};
    rnn_error error = {""};
    rnn_net *net;
    if (!is_loaded && rnn_blas_load(getenv("RNN_GUIDED_BLAS"), &error) != RNN_OK) {
        fprintf(stderr, "core_driver: %s\n", error.text);
        exit(2);
    }
    is_loaded = true;
    if ((net = draw_net(&d)) != NULL && is_run(bytes, size))
        use(&d, net);
    rnn_net_free(net);
    return 0;
}
#else
int
main(int argc, char **argv)
{
    rnn_error error = {""};
    if (argc != 5 || rnn_blas_load(argv[4], &error) != RNN_OK) {
        fprintf(stderr, "core_driver specs|threads SEED COUNT BLAS: %s\n", error.text);
        return 2;
    }
    uint64_t seed = strtoull(argv[2], NULL, 10);
    (strcmp(argv[1], "specs") == 0 ? run_specs : run_threads)(seed, atol(argv[3]));
    return 0;
}
#endif

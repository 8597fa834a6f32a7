/* Nets of any layers with any attributes, as a caller of the core may describe them.
 *
 *     core_driver specs SEED COUNT BLAS      each is refused, or trained and asked
 *     core_driver threads SEED COUNT BLAS    some trained and read at the same time
 *
 * Built with sanitizers by core_specs.py and races.py; prints how many were refused and how
 * many ran. Built as a target of libFuzzer (RNN_GUIDED) by core_guided.py, the first
 * choices are its bytes, and one net of RUNS_OF is run. */
#include "../../csrc/base/blas.h"
#include "../../csrc/net/run/exchange.h"
#include "random_nets.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS_OF = 64 }; /* inputs of the fuzzer for each that is run */

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

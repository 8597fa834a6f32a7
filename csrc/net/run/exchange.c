#include "exchange.h"

#include "../../base/clock.h"
#include "../memory.h"
#include "run.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

void
rnn_exchange_init(rnn_exchange *e)
{
    *e = (rnn_exchange){.mutex = PTHREAD_MUTEX_INITIALIZER,
                        .changed = PTHREAD_COND_INITIALIZER};
}

static void
free_weights(rnn_weights *weights)
{
    if (weights == NULL)
        return;
    rnn_net_free_weights(weights->values);
    free(weights);
}

void
rnn_exchange_destroy(rnn_exchange *e)
{
    free_weights(e->spare);
    free_weights(e->latest);
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->mutex);
}

void
rnn_exchange_enter(rnn_exchange *e)
{
    pthread_mutex_lock(&e->mutex);
    e->live++;
    pthread_mutex_unlock(&e->mutex);
}

void
rnn_exchange_leave(rnn_exchange *e)
{
    pthread_mutex_lock(&e->mutex);
    if (--e->live == 0 && e->is_open)
        pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->mutex);
}

/* The mutex is held. Memory for one copy is kept: new memory would be slow to write. */
static void
drop(rnn_exchange *e, rnn_weights *weights)
{
    if (weights == NULL || --weights->users > 0)
        return;
    if (e->spare == NULL)
        e->spare = weights;
    else
        free_weights(weights);
}

/* Makes a copy, for which there must be room. */
static void
publish(rnn_exchange *e)
{
    const rnn_net *net = e->net;
    pthread_mutex_lock(&e->mutex);
    rnn_weights *copy = e->spare;
    e->spare = NULL;
    pthread_mutex_unlock(&e->mutex);
    if (e->run != NULL)
        rnn_run_unpack(e->run);
    memcpy(copy->values, e->average != NULL ? e->average : net->params,
           net->param_count * sizeof(float));
    memcpy(copy->values + net->param_count, net->params + net->param_count,
           net->state_count * sizeof(float));
    pthread_mutex_lock(&e->mutex);
    copy->users = 1;
    copy->made = rnn_nanoseconds();
    drop(e, e->latest);
    e->latest = copy;
    e->published++;
    atomic_store(&e->wanted, false);
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->mutex);
}

void
rnn_exchange_open(rnn_exchange *e, const rnn_net *net)
{
    pthread_mutex_lock(&e->mutex);
    e->is_open = true;
    e->opened++;
    e->net = net;
    while (e->live > 0) {
        if (atomic_load(&e->wanted)) {
            pthread_mutex_unlock(&e->mutex);
            publish(e);
            pthread_mutex_lock(&e->mutex);
        }
        else {
            pthread_cond_wait(&e->changed, &e->mutex);
        }
    }
    pthread_mutex_unlock(&e->mutex);
}

void
rnn_exchange_close(rnn_exchange *e)
{
    pthread_mutex_lock(&e->mutex);
    e->is_open = false;
    atomic_store(&e->wanted, false);
    drop(e, e->latest);
    e->latest = NULL;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->mutex);
}

bool
rnn_exchange_serve(rnn_exchange *e)
{
    bool wanted = atomic_load_explicit(&e->wanted, memory_order_relaxed);
    if (wanted)
        publish(e);
    return wanted;
}

static rnn_weights *
new_weights(const rnn_net *net)
{
    rnn_weights *weights = calloc(1, sizeof *weights);
    if (weights != NULL)
        weights->values = rnn_net_new_weights(net);
    if (weights != NULL && weights->values != NULL)
        return weights;
    free_weights(weights);
    return NULL;
}

/* Room for the next copy. The mutex is held, but not while memory is found. */
static rnn_status
make_room(rnn_exchange *e)
{
    while (e->is_open && e->spare == NULL) {
        const rnn_net *net = e->net;
        pthread_mutex_unlock(&e->mutex);
        rnn_weights *room = new_weights(net);
        pthread_mutex_lock(&e->mutex);
        if (room == NULL)
            return RNN_ENOMEM;
        if (e->is_open && e->spare == NULL)
            e->spare = room;
        else
            free_weights(room);
    }
    return RNN_OK;
}

/* When the patience of a reader that comes now ends. */
static struct timespec
end_of_patience(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += RNN_PATIENCE_NANOSECONDS;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static bool
is_recent(const rnn_weights *weights)
{
    return weights != NULL && rnn_nanoseconds() - weights->made < RNN_STALE_NANOSECONDS;
}

/* Whether that training call is still under way: another may have followed it while a
 * reader slept, with no copy and no knowledge of what the reader wants. */
static bool
is_open_since(const rnn_exchange *e, int64_t opened)
{
    return e->is_open && e->opened == opened;
}

rnn_status
rnn_exchange_take(rnn_exchange *e, rnn_weights **taken)
{
    struct timespec end = end_of_patience();
    *taken = NULL;
    pthread_mutex_lock(&e->mutex);
    rnn_status status = make_room(e);
    int64_t opened = e->opened, published = e->published;
    if (status == RNN_OK && e->is_open) {
        atomic_store(&e->wanted, true);
        pthread_cond_broadcast(&e->changed);
    }
    while (status == RNN_OK && is_open_since(e, opened) && e->published == published) {
        if (!is_recent(e->latest))
            pthread_cond_wait(&e->changed, &e->mutex);
        else if (pthread_cond_timedwait(&e->changed, &e->mutex, &end) != 0)
            break;
    }
    if (status == RNN_OK && is_open_since(e, opened)) {
        *taken = e->latest;
        e->latest->users++;
    }
    pthread_mutex_unlock(&e->mutex);
    return status;
}

rnn_status
rnn_exchange_take_here(rnn_exchange *e, rnn_weights **taken)
{
    *taken = NULL;
    pthread_mutex_lock(&e->mutex);
    rnn_status status = make_room(e);
    pthread_mutex_unlock(&e->mutex);
    if (status != RNN_OK)
        return status;
    publish(e);
    pthread_mutex_lock(&e->mutex);
    *taken = e->latest;
    e->latest->users++;
    pthread_mutex_unlock(&e->mutex);
    return RNN_OK;
}

void
rnn_exchange_release(rnn_exchange *e, rnn_weights *weights)
{
    pthread_mutex_lock(&e->mutex);
    drop(e, weights);
    pthread_mutex_unlock(&e->mutex);
}

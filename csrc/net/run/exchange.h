/* Weights of one net between the call that trains it and calls that read it.
 *
 * Without a training call readers use the net's own parameters; a training call waits until
 * the last of these has ended. During a training call readers use copies, which it makes
 * between batches, and only when a reader has asked for one. */
#ifndef RNN_EXCHANGE_H
#define RNN_EXCHANGE_H

#include "../net.h"

#include <pthread.h>
#include <stdatomic.h>

/* A copy of parameters and state that no one changes. */
typedef struct {
    float *values;
    int users;    /* guarded by the exchange's mutex */
    int64_t made; /* nanoseconds */
} rnn_weights;

/* A copy this old, in nanoseconds, still serves a reader that has waited PATIENCE for the
 * border between two long batches. */
#define RNN_STALE_NANOSECONDS 1000000000
#define RNN_PATIENCE_NANOSECONDS 1000000

struct rnn_exchange {
    pthread_mutex_t mutex;  /* guards what follows, the flag aside */
    pthread_cond_t changed; /* any of it */
    atomic_bool wanted;     /* a reader waits: looked at without the mutex */
    bool is_open;           /* a training call is under way */
    int live;               /* readers of the net's own parameters */
    int64_t opened;         /* training calls so far */
    int64_t published;      /* copies made */
    rnn_weights *spare;     /* where the next copy goes; not NULL when one is wanted */
    rnn_weights *latest;    /* or NULL */

    /* Of the training call under way, for its own thread: */
    struct rnn_run *run; /* NULL before the first batch */
    const rnn_net *net;
    const float *average; /* in place of parameters; or NULL */
};

void rnn_exchange_init(rnn_exchange *exchange);
void rnn_exchange_destroy(rnn_exchange *exchange);

/* A reader of the net's own parameters. Not to be called while a training call is open. */
void rnn_exchange_enter(rnn_exchange *exchange);
void rnn_exchange_leave(rnn_exchange *exchange);

/* Between these two, copies are made at borders. Open returns when no reader of the net's
 * own parameters is left, and serves those that come meanwhile. */
void rnn_exchange_open(rnn_exchange *exchange, const rnn_net *net);
void rnn_exchange_close(rnn_exchange *exchange);

/* By the training call between two batches: makes a copy when one is wanted, and returns
 * whether. */
bool rnn_exchange_serve(rnn_exchange *exchange);

/* Waits for a copy of this moment or a recent one; *taken is NULL when the training call
 * has ended meanwhile. `release` gives it back. RNN_ENOMEM. */
rnn_status rnn_exchange_take(rnn_exchange *exchange, rnn_weights **taken);

/* The same for the thread of the training call itself, at a border. */
rnn_status rnn_exchange_take_here(rnn_exchange *exchange, rnn_weights **taken);
void rnn_exchange_release(rnn_exchange *exchange, rnn_weights *weights);

#endif

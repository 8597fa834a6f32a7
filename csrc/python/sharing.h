/* Who uses a net at a time: one call that trains it, and any number that read it. */
#ifndef RNN_SHARING_H
#define RNN_SHARING_H

#include "core.h"

#include "../net/run/exchange.h"

/* Readers that wait for the next call with their working memory; more are freed. */
#define MAX_IDLE_READERS 8

/* A call that reads. */
typedef struct reading {
    rnn_net *net;         /* to run; its parameters are those to read */
    rnn_weights *weights; /* a copy during training; NULL: the net's own */
    unsigned long thread;
    struct reading *next; /* of those that read the net's own parameters */
} reading;

/* Read and written with the GIL held, except the exchange, which has a mutex. */
typedef struct {
    rnn_net *net;
    rnn_tape *tape; /* NULL before the first forward pass of a step of the caller's */
    rnn_exchange exchange;
    bool is_training;
    bool is_torn;          /* training did not end in this process: it was forked off */
    unsigned long trainer; /* thread */
    unsigned forks;        /* that this process came from when the calls under way began */
    bool is_taken;         /* the net's own working memory, by a reader */
    reading *readings;     /* under way, of the net's own parameters */
    rnn_net *idle[MAX_IDLE_READERS];
    int n_idle;
} net_sharing;

void init_sharing(net_sharing *sharing, rnn_net *net);
void end_sharing(net_sharing *sharing);

/* 0, or -1 with the exception; every begin that gave 0 has its end. A reader never waits
 * for more than the border between two batches of a training call. */
int begin_reading(net_sharing *sharing, const char *function, reading *r);
void end_reading(net_sharing *sharing, reading *r);

/* Refused while the net is trained already. Waits for readers of the net's own parameters,
 * and closes the tape. */
int begin_training(net_sharing *sharing, const char *function);
void end_training(net_sharing *sharing);

/* Whether a call is under way. */
bool is_in_use(net_sharing *sharing);

/* Weights that were half an update in a child of fork are about to be replaced. */
void forget_fork(net_sharing *sharing);

#endif

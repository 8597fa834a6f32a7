#include "sharing.h"

#include <pthread.h>
#include <pythread.h>

/* Counted in each child, which is cheaper than to ask for the process in each call. */
static unsigned forks;

static void
count_fork(void)
{
    forks++;
}

static void
watch_fork(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

void
init_sharing(net_sharing *s, rnn_net *net)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_fork);
    *s = (net_sharing){.net = net};
    rnn_exchange_init(&s->exchange);
}

void
end_sharing(net_sharing *s)
{
    if (s->net == NULL)
        return;
    for (int i = 0; i < s->n_idle; i++)
        rnn_net_free(s->idle[i]);
    rnn_exchange_destroy(&s->exchange);
    rnn_tape_free(s->tape);
    rnn_net_free(s->net);
}

/* In a child of fork the threads of calls under way are gone, and what they held with them.
 * Their memory is not used again. */
static void
notice_fork(net_sharing *s)
{
    if ((s->is_training || s->readings != NULL) && s->forks != forks) {
        s->is_torn |= s->is_training;
        s->is_training = s->is_taken = false;
        s->readings = NULL;
        s->tape = NULL;
        rnn_net_forget_working_memory(s->net);
        rnn_exchange_init(&s->exchange);
    }
    s->forks = forks;
}

bool
is_in_use(net_sharing *s)
{
    notice_fork(s);
    return s->is_training || s->readings != NULL;
}

static int
refuse_torn(const net_sharing *s, const char *function)
{
    if (!s->is_torn)
        return 0;
    PyErr_Format(PyExc_RuntimeError,
                 "%s: this process was forked while the net was trained, its weights are "
                 "those of half an update; give it others with set_weights",
                 function);
    return -1;
}

/* Working memory for a reader; NULL with the exception. */
static rnn_net *
take_reader(net_sharing *s)
{
    if (s->n_idle > 0)
        return s->idle[--s->n_idle];
    rnn_net *reader = rnn_net_new_reader(s->net);
    if (reader == NULL)
        PyErr_NoMemory();
    return reader;
}

static void
give_reader_back(net_sharing *s, rnn_net *reader)
{
    rnn_net_detach_reader(reader);
    if (s->n_idle < MAX_IDLE_READERS)
        s->idle[s->n_idle++] = reader;
    else
        rnn_net_free(reader);
}

/* A copy of the weights from the training call; r->weights stays NULL when that has ended.
 */
static int
take_copy_of_weights(net_sharing *s, reading *r)
{
    rnn_status status;
    if (s->trainer == r->thread) {
        /* A signal handler of the training call, which waits at a border. */
        status = rnn_exchange_take_here(&s->exchange, &r->weights);
    }
    else {
        PyThreadState *saved = PyEval_SaveThread();
        status = rnn_exchange_take(&s->exchange, &r->weights);
        PyEval_RestoreThread(saved);
    }
    if (status == RNN_OK)
        return 0;
    raise_status(status, NULL);
    return -1;
}

static void
link_reading(net_sharing *s, reading *r)
{
    rnn_exchange_enter(&s->exchange);
    r->next = s->readings;
    s->readings = r;
}

static void
unlink_reading(net_sharing *s, reading *r)
{
    reading **at = &s->readings;
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    rnn_exchange_leave(&s->exchange);
}

int
begin_reading(net_sharing *s, const char *function, reading *r)
{
    *r = (reading){.thread = PyThread_get_thread_ident()};
    notice_fork(s);
    if (refuse_torn(s, function) < 0)
        return -1;
    while (s->is_training && r->weights == NULL)
        if (take_copy_of_weights(s, r) < 0)
            return -1;
    if (r->weights == NULL && !s->is_taken) {
        s->is_taken = true;
        r->net = s->net;
    }
    else if ((r->net = take_reader(s)) == NULL) {
        if (r->weights != NULL)
            rnn_exchange_release(&s->exchange, r->weights);
        return -1;
    }
    if (r->weights == NULL)
        link_reading(s, r);
    if (r->net != s->net)
        rnn_net_attach_reader(r->net, s->net,
                              r->weights != NULL ? r->weights->values : NULL);
    return 0;
}

void
end_reading(net_sharing *s, reading *r)
{
    if (r->weights != NULL)
        rnn_exchange_release(&s->exchange, r->weights);
    else
        unlink_reading(s, r);
    if (r->net == s->net)
        s->is_taken = false;
    else
        give_reader_back(s, r->net);
}

static int
refuse_in_reading(const net_sharing *s, const char *function)
{
    for (const reading *r = s->readings; r != NULL; r = r->next)
        if (r->thread == PyThread_get_thread_ident()) {
            PyErr_Format(PyExc_RuntimeError,
                         "%s: called by a signal handler while this thread predicts with "
                         "this net; use a copy of it",
                         function);
            return -1;
        }
    return 0;
}

int
begin_training(net_sharing *s, const char *function)
{
    notice_fork(s);
    if (s->is_training) {
        PyErr_Format(PyExc_RuntimeError,
                     "%s: this net is in training in another thread; wait for it or train "
                     "a copy",
                     function);
        return -1;
    }
    if (refuse_torn(s, function) < 0 || refuse_in_reading(s, function) < 0)
        return -1;
    rnn_tape_close(s->tape);
    s->is_training = true;
    s->trainer = PyThread_get_thread_ident();
    PyThreadState *saved = PyEval_SaveThread();
    rnn_exchange_open(&s->exchange, s->net);
    PyEval_RestoreThread(saved);
    return 0;
}

void
end_training(net_sharing *s)
{
    rnn_exchange_close(&s->exchange);
    s->is_training = false;
}

void
forget_fork(net_sharing *s)
{
    notice_fork(s);
    s->is_torn = false;
}

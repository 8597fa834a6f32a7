/* The object behind Net, for the files that implement it. */
#ifndef RNN_NET_OBJECT_H
#define RNN_NET_OBJECT_H

#include "core.h"

#include "../net/net.h"

typedef struct {
    PyObject ob_base;
    rnn_net *net;
    int busy; /* read and written with the GIL held */
} NetObject;

#define NET(op) (((NetObject *)(op))->net)

/* ---- call.c: functions that return int give 0, or -1 with the exception ---- */

/* A net is used by one thread at a time: between enter and leave nobody else may. */
int enter(PyObject *op, const char *function);
void leave(PyObject *op);

/* A stop hook: takes the GIL for a moment and lets signal handlers run. */
bool signal_pending(void *context);

/* A copy of what was given, for indices: they are checked with the GIL and used without,
 * when another thread may write to the caller's array. */
PyArrayObject *take_copy(PyObject *object, const array_rule *rule);

/* Rows as they were given: `x` holds all numbers, or, where the rows are compressed, those
 * that are kept, of columns `column`; row i begins at begin[i]. */
typedef struct {
    PyArrayObject *x, *column, *begin;
    npy_intp n;
} rows_argument;

/* An array, or compressed rows: an object with begin, column and value. */
int take_x(PyObject *op, const char *function, PyObject *x, rows_argument *rows);
void release_rows(rows_argument *rows);

PyArrayObject *take_y(PyObject *op, const char *function, PyObject *y, npy_intp n);

/* Row weights; *array stays NULL for None. */
int take_weights(const char *function, PyObject *weights, npy_intp n,
                 PyArrayObject **array);
int check_smoothing(const char *function, double smoothing);

/* y and weights may be NULL. */
rnn_data data_of(const rows_argument *x, PyArrayObject *y, PyArrayObject *weights);

/* ---- train_call.c ---- */

extern const char train_doc[];
PyObject *net_train(PyObject *op, PyObject *args, PyObject *kwds);

/* ---- net_calls.c: train, evaluate, predict, gradients, maps ---- */

extern PyMethodDef net_methods[];

#endif

/* The object behind Net, for the files that implement it. */
#ifndef RNN_NET_OBJECT_H
#define RNN_NET_OBJECT_H

#include "sharing.h"

typedef struct {
    PyObject ob_base;
    net_sharing sharing;
} NetObject;

#define SHARING(op) (&((NetObject *)(op))->sharing)
#define NET(op) (SHARING(op)->net)

/* ---- call.c: functions that return int return 0, or -1 with the exception ---- */

/* Native work, without the GIL unless it is short: to release the GIL and wait for it can
 * take longer than the work. */
typedef struct {
    PyThreadState *saved; /* NULL: the GIL is held */
} native_work;

bool is_short_work(const rnn_net *net, double rows);
void begin_work(native_work *work, const rnn_net *net, double rows);
void end_work(native_work *work);

/* Lets signal handlers run now and then, for which it acquires the GIL; nothing for short
 * work. */
rnn_stop stop_of(native_work *work);

/* A copy of the argument, for indices: they are checked with the GIL and used without,
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

/* Refuses a net whose layers are all frozen; accepts one without parameters. */
int refuse_frozen(const rnn_net *net);
int check_smoothing(const char *function, double smoothing);

/* y and weights may be NULL. */
rnn_data data_of(const rows_argument *x, PyArrayObject *y, PyArrayObject *weights);

/* ---- ranks_argument.c ---- */

/* The processes that train together, as an object with rank, size, stop and swap. */
typedef struct {
    rnn_ranks ranks; /* size 0: None was given */
    PyObject *swap;
    PyArrayObject *stop;
    native_work *work; /* of the call under way */
} ranks_argument;

int take_ranks(PyObject *object, ranks_argument *argument);
void release_ranks(ranks_argument *argument);

/* ---- train_call.c ---- */

extern const char train_doc[];
PyObject *net_train(PyObject *op, PyObject *args, PyObject *kwds);

/* ---- minimize_call.c ---- */

extern const char minimize_doc[];
PyObject *net_minimize(PyObject *op, PyObject *args, PyObject *kwds);

/* ---- predict_call.c ---- */

extern const char predict_doc[], predict_plain_doc[], advance_doc[], advance_plain_doc[];
PyObject *net_predict(PyObject *op, PyObject *args, PyObject *kwds);
PyObject *net_predict_plain(PyObject *op, PyObject *const *args, Py_ssize_t count);
PyObject *net_advance_plain(PyObject *op, PyObject *const *args, Py_ssize_t count);
PyObject *net_advance(PyObject *op, PyObject *args, PyObject *kwds);

/* ---- step_calls.c ---- */

extern const char forward_doc[], backward_doc[], apply_doc[];
PyObject *net_forward(PyObject *op, PyObject *args, PyObject *kwds);
PyObject *net_backward(PyObject *op, PyObject *args, PyObject *kwds);
PyObject *net_apply(PyObject *op, PyObject *args, PyObject *kwds);

/* ---- net_calls.c: train, evaluate, predict, gradients, maps ---- */

extern PyMethodDef net_methods[];

#endif

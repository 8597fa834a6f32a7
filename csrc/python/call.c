/* What the methods of Net share: native work and arguments. */
#include "net_object.h"

/* Multiply-adds below which work is short: about 50 microseconds. */
#define SHORT_WORK 5e5

bool
is_short_work(const rnn_net *net, double rows)
{
    return rnn_net_work(net) * rows < SHORT_WORK;
}

void
begin_work(native_work *work, const rnn_net *net, double rows)
{
    work->saved = is_short_work(net, rows) ? NULL : PyEval_SaveThread();
}

void
end_work(native_work *work)
{
    if (work->saved != NULL)
        PyEval_RestoreThread(work->saved);
}

static bool
signal_pending(void *context)
{
    native_work *work = context;
    PyEval_RestoreThread(work->saved);
    bool raised = PyErr_CheckSignals() != 0;
    work->saved = PyEval_SaveThread();
    return raised;
}

rnn_stop
stop_of(native_work *work)
{
    return (rnn_stop){work->saved != NULL ? signal_pending : NULL, work};
}

PyArrayObject *
take_copy(PyObject *object, const array_rule *rule)
{
    PyArrayObject *array = take_array(object, rule);
    PyArrayObject *copy =
        array != NULL ? (PyArrayObject *)PyArray_NewCopy(array, NPY_CORDER) : NULL;
    release_array(array);
    return copy;
}

/* Rows that follow each other, with ascending columns below `columns`. */
static int
check_compressed(const char *function, const rows_argument *rows, int columns)
{
    const int32_t *begin = PyArray_DATA(rows->begin), *column = PyArray_DATA(rows->column);
    npy_intp kept = PyArray_DIM(rows->column, 0), bad = begin[0] == 0 ? -1 : 0;
    for (npy_intp i = 0; i < rows->n && bad < 0; i++) {
        if (begin[i + 1] < begin[i] || begin[i + 1] > kept)
            bad = i;
        for (int32_t k = begin[i]; k < begin[i + 1] && bad < 0; k++)
            if (column[k] >= columns || column[k] <= (k > begin[i] ? column[k - 1] : -1))
                bad = i;
    }
    if (bad < 0)
        return 0;
    PyErr_Format(PyExc_ValueError,
                 "%s: x: expected compressed rows in order, with ascending columns in "
                 "0..%d, got others in row %zd",
                 function, columns - 1, (Py_ssize_t)bad);
    return -1;
}

/* An attribute of compressed rows of `n` elements (-1: any number). */
static PyArrayObject *
take_part(const char *function, PyObject *x, const char *name, int type, npy_intp n)
{
    char what[16];
    PyOS_snprintf(what, sizeof what, "x.%s", name);
    array_rule rule = {function, what, type, -1, 1, {n}, 0};
    PyObject *part = PyObject_GetAttrString(x, name);
    PyArrayObject *array = NULL;
    if (part != NULL && type == NPY_INT32)
        array = take_copy(part, &rule);
    else if (part != NULL)
        array = take_array(part, &rule);
    Py_XDECREF(part);
    return array;
}

static int
take_compressed(PyObject *op, const char *function, PyObject *x, rows_argument *rows)
{
    if ((rows->begin = take_part(function, x, "begin", NPY_INT32, -1)) == NULL
        || (rows->column = take_part(function, x, "column", NPY_INT32, -1)) == NULL)
        return -1;
    npy_intp kept = PyArray_DIM(rows->column, 0);
    if ((rows->x = take_part(function, x, "value", NPY_FLOAT32, kept)) == NULL)
        return -1;
    rows->n = PyArray_DIM(rows->begin, 0) - 1;
    if (rows->n < 1) {
        PyErr_Format(PyExc_ValueError, "%s: x: expected at least one row, got 0", function);
        return -1;
    }
    return check_compressed(function, rows, rnn_net_in_size(NET(op)));
}

/* Whether these are compressed rows; -1 with the exception if that cannot be asked. */
static int
is_compressed(PyObject *x)
{
    if (PyArray_Check(x))
        return 0;
    PyObject *begin = PyObject_GetAttrString(x, "begin");
    bool has_none = begin == NULL && PyErr_ExceptionMatches(PyExc_AttributeError);
    if (has_none)
        PyErr_Clear();
    int result = begin != NULL ? 1 : has_none ? 0 : -1;
    Py_XDECREF(begin);
    return result;
}

int
take_x(PyObject *op, const char *function, PyObject *x, rows_argument *rows)
{
    int compressed = is_compressed(x);
    if (compressed != 0)
        return compressed < 0 ? -1 : take_compressed(op, function, x, rows);
    array_rule rule = {
        function, "x", NPY_FLOAT32, NPY_UINT8, 2, {-1, rnn_net_in_size(NET(op))}, 0};
    if ((rows->x = take_array(x, &rule)) == NULL)
        return -1;
    rows->n = PyArray_DIM(rows->x, 0);
    return 0;
}

void
release_rows(rows_argument *rows)
{
    release_array(rows->x);
    release_array(rows->column);
    release_array(rows->begin);
}

static int
check_labels(const char *function, PyArrayObject *labels, int classes)
{
    const int32_t *y = PyArray_DATA(labels);
    npy_intp n = PyArray_DIM(labels, 0);
    for (npy_intp i = 0; i < n; i++)
        if (y[i] < 0 || y[i] >= classes) {
            PyErr_Format(PyExc_ValueError, "%s: y[%zd] is %d, expected a label in 0..%d",
                         function, (Py_ssize_t)i, (int)y[i], classes - 1);
            return -1;
        }
    return 0;
}

PyArrayObject *
take_y(PyObject *op, const char *function, PyObject *y, npy_intp n)
{
    if (rnn_net_loss(NET(op))->gradient == NULL) {
        PyErr_Format(PyExc_ValueError, "%s: this net was made without a loss", function);
        return NULL;
    }
    int out = rnn_net_out_size(NET(op));
    int labels = rnn_net_loss(NET(op))->targets == RNN_LABELS;
    array_rule rule = {function, "y", labels ? NPY_INT32 : NPY_FLOAT32, -1, labels ? 1 : 2,
                       {n, out}, 0};
    PyArrayObject *array = labels ? take_copy(y, &rule) : take_array(y, &rule);
    if (array != NULL && labels && check_labels(function, array, out) < 0) {
        release_array(array);
        array = NULL;
    }
    return array;
}

int
take_weights(const char *function, PyObject *weights, npy_intp n, PyArrayObject **array)
{
    array_rule rule = {function, "weights", NPY_FLOAT32, -1, 1, {n}, 0};
    if (weights == NULL || weights == Py_None)
        return 0;
    *array = take_array(weights, &rule);
    return *array != NULL ? 0 : -1;
}

int
refuse_frozen(const rnn_net *net)
{
    if (rnn_net_learns(net) || rnn_net_param_count(net) == 0)
        return 0;
    PyErr_Format(PyExc_ValueError,
                 "trainable: expected a layer that learns, got a net whose layers are all "
                 "frozen; set one of lr_multipliers above 0");
    return -1;
}

int
check_smoothing(const char *function, double smoothing)
{
    if (smoothing >= 0 && smoothing < 1)
        return 0;
    char text[100];
    PyOS_snprintf(text, sizeof text, "%s: smoothing: expected a number in [0, 1), got %g",
                  function, smoothing);
    PyErr_SetString(PyExc_ValueError, text);
    return -1;
}

rnn_data
data_of(const rows_argument *x, PyArrayObject *y, PyArrayObject *weights)
{
    rnn_data data = {.targets = y != NULL ? PyArray_DATA(y) : NULL,
                     .weights = weights != NULL ? PyArray_DATA(weights) : NULL,
                     .n = (int)x->n};
    if (x->begin != NULL) {
        data.compressed = (rnn_compressed){PyArray_DATA(x->begin), PyArray_DATA(x->column),
                                           PyArray_DATA(x->x)};
        return data;
    }
    data.x = PyArray_DATA(x->x);
    data.x_is_bytes = PyArray_TYPE(x->x) == NPY_UINT8;
    return data;
}

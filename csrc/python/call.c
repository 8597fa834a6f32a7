/* What the methods of Net share: entering and leaving a call, arguments. */
#include "net_object.h"

int
enter(PyObject *op, const char *function)
{
    NetObject *self = (NetObject *)op;
    if (self->busy) {
        PyErr_Format(PyExc_RuntimeError,
                     "%s: this net is in use by another thread; wait for it or use a copy",
                     function);
        return -1;
    }
    self->busy = 1;
    return 0;
}

void
leave(PyObject *op)
{
    ((NetObject *)op)->busy = 0;
}

bool
signal_pending(void *context)
{
    PyThreadState **saved = context;
    PyEval_RestoreThread(*saved);
    bool raised = PyErr_CheckSignals() != 0;
    *saved = PyEval_SaveThread();
    return raised;
}

PyArrayObject *
take_x(PyObject *op, const char *function, PyObject *x)
{
    array_rule rule = {
        function, "x", NPY_FLOAT32, NPY_UINT8, 2, {-1, rnn_net_in_size(NET(op))}, 0};
    return take_array(x, &rule);
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
    if (NET(op)->loss->gradient == NULL) {
        PyErr_Format(PyExc_ValueError, "%s: this net was made without a loss", function);
        return NULL;
    }
    int out = rnn_net_out_size(NET(op));
    int labels = NET(op)->loss->targets == RNN_LABELS;
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
check_smoothing(const char *function, double smoothing)
{
    if (smoothing >= 0 && smoothing < 1)
        return 0;
    char text[100];
    PyOS_snprintf(text, sizeof text, "%s: smoothing must be in [0, 1), got %g", function,
                  smoothing);
    PyErr_SetString(PyExc_ValueError, text);
    return -1;
}

rnn_data
data_of(PyArrayObject *x, PyArrayObject *y, PyArrayObject *weights)
{
    return (rnn_data){.x = PyArray_DATA(x),
                      .x_is_bytes = PyArray_TYPE(x) == NPY_UINT8,
                      .targets = y != NULL ? PyArray_DATA(y) : NULL,
                      .weights = weights != NULL ? PyArray_DATA(weights) : NULL,
                      .n = (int)PyArray_DIM(x, 0)};
}

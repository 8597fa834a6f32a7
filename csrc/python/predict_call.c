/* Net.predict; Net.advance, which leaves a state to the next call; and both again for
 * calls so short that looking at arguments counts. */
#include "net_object.h"

/* The outputs of rows that were taken; `carried` may be NULL. NULL with the exception. */
static PyObject *
predictions_of(PyObject *op, const rows_argument *x, bool raw, int threads, float *carried)
{
    reading reader;
    native_work work;
    npy_intp shape[2] = {x->n, rnn_net_out_size(NET(op))};
    PyObject *out = PyArray_SimpleNew(2, shape, NPY_FLOAT32);
    const char *function = carried != NULL ? "advance" : "predict";
    if (out == NULL || begin_reading(SHARING(op), function, &reader) < 0) {
        Py_XDECREF(out);
        return NULL;
    }
    rnn_data data = data_of(x, NULL, NULL);
    float *predictions = PyArray_DATA((PyArrayObject *)out);
    begin_work(&work, reader.net, data.n);
    rnn_status status =
        carried != NULL
            ? rnn_net_advance(reader.net, &data, threads, carried, predictions)
            : rnn_net_predict(reader.net, &data, raw, threads, stop_of(&work), predictions);
    end_work(&work);
    end_reading(SHARING(op), &reader);
    if (status == RNN_OK)
        return out;
    raise_status(status, NULL);
    Py_DECREF(out);
    return NULL;
}

const char predict_doc[] =
    "predict($self, /, x, *, threads=1, raw=False)\n--\n\n"
    "Return float32 (n, outputs): probabilities under the cross entropies, rates\n"
    "under poisson, else the last layer's outputs; with `raw` always these. A row's\n"
    "bits do not depend on the other rows.";

PyObject *
net_predict(PyObject *op, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"x", "threads", "raw", NULL};
    PyObject *x_b, *result = NULL;
    rows_argument x = {0};
    int threads = 1, raw = 0;
    if (PyArg_ParseTupleAndKeywords(args, kwds, "O|$ip:predict", names, &x_b, &threads,
                                    &raw)
        && check_threads("predict", threads) == 0 && take_x(op, "predict", x_b, &x) == 0)
        result = predictions_of(op, &x, raw, threads, NULL);
    release_rows(&x);
    return result;
}

/* Whether rows are one behind the other: each flat, or in the shape of the net's input. */
static bool
has_row_shape(PyArrayObject *array, const rnn_net *net)
{
    const rnn_shape *in = &rnn_net_layer(net, 0)->in;
    int rank = PyArray_NDIM(array);
    if (rank == 2)
        return PyArray_DIM(array, 1) == rnn_net_in_size(net);
    if (rank < 2 || rank != 1 + in->rank)
        return false;
    for (int i = 0; i < in->rank; i++)
        if (PyArray_DIM(array, 1 + i) != in->dim[i])
            return false;
    return true;
}

/* Whether n rows, which fit the net, need no further look. */
static bool
is_plain(PyArrayObject *array, const rnn_net *net, npy_intp n, double low, double high)
{
    return n > 0 && PyArray_TYPE(array) == NPY_FLOAT32 && PyArray_ISCARRAY_RO(array)
           && is_short_work(net, (double)n)
           && rnn_level_current()->all_within(
               PyArray_DATA(array), (size_t)PyArray_SIZE(array), (float)low, (float)high);
}

/* The last two of `expected` arguments. 0, or -1 with the exception. */
static int
take_range(const char *function, Py_ssize_t expected, PyObject *const *args,
           Py_ssize_t count, double *low, double *high)
{
    if (count != expected) {
        PyErr_Format(PyExc_TypeError, "%s: expected %zd arguments, got %zd", function,
                     expected, count);
        return -1;
    }
    *low = PyFloat_AsDouble(args[count - 2]);
    *high = PyFloat_AsDouble(args[count - 1]);
    return PyErr_Occurred() != NULL ? -1 : 0;
}

/* Whether the call may read an argument without a view of its memory. During training it
 * waits for weights, and releases the lock: then another thread could move the memory. */
static bool
can_look_at(PyObject *op, PyObject *argument)
{
    return !SHARING(op)->is_training && PyArray_CheckExact(argument);
}

const char predict_plain_doc[] =
    "predict_plain($self, x, low, high, /)\n--\n\n"
    "Return what predict returns, on one thread, if x is an array of float32 rows as they\n"
    "lie, all of it within low..high, and the work is short; None for all else.";

PyObject *
net_predict_plain(PyObject *op, PyObject *const *args, Py_ssize_t count)
{
    double low, high;
    if (take_range("predict_plain", 3, args, count, &low, &high) < 0)
        return NULL;
    if (!can_look_at(op, args[0]))
        Py_RETURN_NONE;
    PyArrayObject *array = (PyArrayObject *)args[0];
    npy_intp n = has_row_shape(array, NET(op)) ? PyArray_DIM(array, 0) : 0;
    if (!is_plain(array, NET(op), n, low, high))
        Py_RETURN_NONE;
    return predictions_of(op, &(rows_argument){.x = array, .n = n}, false, 1, NULL);
}

/* Of how many streams an array is one step; 0 if it is not a step. */
static npy_intp
streams_in(PyArrayObject *array, const rnn_net *net)
{
    int rank = PyArray_NDIM(array);
    if (rank < 1 || rank > 2 || PyArray_DIM(array, rank - 1) != rnn_net_in_size(net))
        return 0;
    return rank == 1 ? 1 : PyArray_DIM(array, 0);
}

/* Whether the states of n rows are in an array, and can be overridden there. */
static bool
has_states(PyArrayObject *array, const rnn_net *net, npy_intp n)
{
    npy_intp each = (npy_intp)rnn_net_carried(net);
    return each > 0 && PyArray_TYPE(array) == NPY_FLOAT32 && PyArray_ISCARRAY(array)
           && PyArray_SIZE(array) / each == n && PyArray_SIZE(array) % each == 0;
}

const char advance_plain_doc[] =
    "advance_plain($self, x, carried, low, high, /)\n--\n\n"
    "Return what advance returns, on one thread, if x is a step, (inputs,), or a step of\n"
    "n streams, (n, inputs), for which the conditions of predict_plain hold, and carried\n"
    "has the states of as many streams; None for all else.";

PyObject *
net_advance_plain(PyObject *op, PyObject *const *args, Py_ssize_t count)
{
    double low, high;
    if (take_range("advance_plain", 4, args, count, &low, &high) < 0)
        return NULL;
    if (!can_look_at(op, args[0]) || !PyArray_CheckExact(args[1]))
        Py_RETURN_NONE;
    PyArrayObject *array = (PyArrayObject *)args[0], *carried = (PyArrayObject *)args[1];
    npy_intp n = streams_in(array, NET(op));
    if (!is_plain(array, NET(op), n, low, high) || !has_states(carried, NET(op), n))
        Py_RETURN_NONE;
    rows_argument x = {.x = array, .n = n};
    return predictions_of(op, &x, false, 1, PyArray_DATA(carried));
}

const char advance_doc[] =
    "advance($self, /, x, carried, *, threads=1)\n--\n\n"
    "Return what predict returns, from the states in `carried` on, where those after the\n"
    "last step are left: float32, for each layer in turn its `carried` numbers of each\n"
    "row. One call at a time for each array.";

PyObject *
net_advance(PyObject *op, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"x", "carried", "threads", NULL};
    PyObject *x_b, *carried_b, *result = NULL;
    PyArrayObject *carried = NULL;
    rows_argument x = {0};
    int threads = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "OO|$i:advance", names, &x_b, &carried_b,
                                     &threads)
        || check_threads("advance", threads) < 0 || take_x(op, "advance", x_b, &x) < 0)
        goto done;
    npy_intp each = (npy_intp)rnn_net_carried(NET(op));
    if (each == 0) {
        PyErr_SetString(PyExc_ValueError, "advance: no layer of this net has a state");
        goto done;
    }
    array_rule rule = {"advance", "carried", NPY_FLOAT32, -1, 1, {x.n * each}, 1};
    if ((carried = take_array(carried_b, &rule)) != NULL)
        result = predictions_of(op, &x, false, threads, PyArray_DATA(carried));
done:
    release_array(carried);
    release_rows(&x);
    return result;
}

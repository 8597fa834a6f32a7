/* Net.predict, Net.predict_plain for calls so short that looking at arguments counts, and
 * Net.advance, which leaves a state to the next call. */
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
    if (rank != 1 + in->rank)
        return false;
    for (int i = 0; i < in->rank; i++)
        if (PyArray_DIM(array, 1 + i) != in->dim[i])
            return false;
    return true;
}

static bool
is_plain(PyArrayObject *array, const rnn_net *net, float low, float high)
{
    if (PyArray_TYPE(array) != NPY_FLOAT32 || PyArray_NDIM(array) < 2
        || !PyArray_ISCARRAY_RO(array) || !has_row_shape(array, net))
        return false;
    npy_intp n = PyArray_DIM(array, 0);
    return n > 0 && is_short_work(net, (double)n)
           && rnn_level_current()->all_within(PyArray_DATA(array),
                                              (size_t)PyArray_SIZE(array), low, high);
}

const char predict_plain_doc[] =
    "predict_plain($self, x, low, high, /)\n--\n\n"
    "Return what predict returns, on one thread, if x is an array of float32 rows as they\n"
    "lie, all of it within low..high, and the work is short; None for all else.";

PyObject *
net_predict_plain(PyObject *op, PyObject *const *args, Py_ssize_t count)
{
    if (count != 3) {
        PyErr_Format(PyExc_TypeError, "predict_plain: expected 3 arguments, got %zd",
                     count);
        return NULL;
    }
    double low = PyFloat_AsDouble(args[1]), high = PyFloat_AsDouble(args[2]);
    if (PyErr_Occurred() != NULL)
        return NULL;
    PyArrayObject *array = (PyArrayObject *)args[0];
    /* During training the call waits for weights, and gives up the lock: then another
     * thread could move the array's memory, which a view would prevent. */
    if (SHARING(op)->is_training || !PyArray_CheckExact(args[0])
        || !is_plain(array, NET(op), (float)low, (float)high))
        Py_RETURN_NONE;
    rows_argument x = {.x = array, .n = PyArray_DIM(array, 0)};
    return predictions_of(op, &x, false, 1, NULL);
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

/* The methods of Net: each parses, checks, runs without the GIL, and builds its result. */
#include "net_object.h"

#include <string.h>

/* ---- entering and leaving a call ---- */

static int
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

static void
leave(PyObject *op)
{
    ((NetObject *)op)->busy = 0;
}

/* The stop hook: takes the GIL for a moment and lets signal handlers run. */
static bool
signal_pending(void *context)
{
    PyThreadState **saved = context;
    PyEval_RestoreThread(*saved);
    bool raised = PyErr_CheckSignals() != 0;
    *saved = PyEval_SaveThread();
    return raised;
}

/* ---- arguments that several methods share ---- */

static PyArrayObject *
take_x(PyObject *op, const char *function, PyObject *x)
{
    array_rule rule = {
        function, "x", NPY_FLOAT32, NPY_UINT8, 2, {-1, rnn_net_in_size(NET(op))}, 0};
    return take_array(x, &rule);
}

/* A copy of what was given, for indices: they are checked with the GIL and used without,
 * when another thread may write to the caller's array. */
static PyArrayObject *
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

static PyArrayObject *
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

static PyArrayObject *
take_order(const char *function, PyObject *order, npy_intp n)
{
    array_rule rule = {function, "order", NPY_INT32, -1, 1, {-1}, 0};
    PyArrayObject *array = take_copy(order, &rule);
    if (array == NULL)
        return NULL;
    const int32_t *row = PyArray_DATA(array);
    for (npy_intp i = 0; i < PyArray_DIM(array, 0); i++)
        if (row[i] < 0 || row[i] >= n) {
            PyErr_Format(PyExc_ValueError, "%s: order[%zd] is %d, expected a row in 0..%zd",
                         function, (Py_ssize_t)i, (int)row[i], (Py_ssize_t)n - 1);
            release_array(array);
            return NULL;
        }
    return array;
}

static int
check_at_least_one(const char *function, const char *name, int value)
{
    if (value >= 1)
        return 0;
    PyErr_Format(PyExc_ValueError, "%s: %s must be at least 1, got %d", function, name,
                 value);
    return -1;
}

/* Row weights, or NULL without an exception for None. */
static int
take_weights(const char *function, PyObject *weights, npy_intp n, PyArrayObject **array)
{
    array_rule rule = {function, "weights", NPY_FLOAT32, -1, 1, {n}, 0};
    if (weights == NULL || weights == Py_None)
        return 0;
    *array = take_array(weights, &rule);
    return *array != NULL ? 0 : -1;
}

static int
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

static int
check_not_negative(const char *function, const char *name, double value)
{
    if (value >= 0)
        return 0;
    char text[100];
    PyOS_snprintf(text, sizeof text, "%s: %s must be at least 0, got %g", function, name,
                  value);
    PyErr_SetString(PyExc_ValueError, text);
    return -1;
}

/* y and weights may be NULL. */
static rnn_data
data_of(PyArrayObject *x, PyArrayObject *y, PyArrayObject *weights)
{
    return (rnn_data){.x = PyArray_DATA(x),
                      .x_is_bytes = PyArray_TYPE(x) == NPY_UINT8,
                      .targets = y != NULL ? PyArray_DATA(y) : NULL,
                      .weights = weights != NULL ? PyArray_DATA(weights) : NULL,
                      .n = (int)PyArray_DIM(x, 0)};
}

/* ---- methods ---- */

PyDoc_STRVAR(
    train_doc,
    "train($self, /, x, y, order, batch_size, lr, *, epochs=1, threads=1, epoch=1,\n"
    "      weights=None, smoothing=0.0, clip_norm=0.0, seed=0, step=0)\n--\n\n"
    "Train on the rows x[order], in that order, `epochs` times.\n\n"
    "`lr` is one learning rate, or float64 with one for each step. Returns two arrays\n"
    "with an entry for each epoch: the loss summed over rows (float64, each row before\n"
    "its batch's update) and the number of hits (int64). `seed` is that of masks;\n"
    "`step` counts the steps before this call. `epoch` is the number of the first epoch\n"
    "in messages. A loss that is not finite raises FloatingPointError before that batch\n"
    "changes the parameters; so does a parameter, before the first epoch and after each.");

static PyObject *
scores_as_arrays(const rnn_score *scores, int epochs)
{
    npy_intp n = epochs;
    PyObject *result = NULL;
    PyObject *loss = PyArray_SimpleNew(1, &n, NPY_FLOAT64);
    PyObject *hits = PyArray_SimpleNew(1, &n, NPY_INT64);
    if (loss == NULL || hits == NULL)
        goto done;
    for (int e = 0; e < epochs; e++) {
        ((double *)PyArray_DATA((PyArrayObject *)loss))[e] = scores[e].loss;
        ((int64_t *)PyArray_DATA((PyArrayObject *)hits))[e] = scores[e].hits;
    }
    result = PyTuple_Pack(2, loss, hits);
done:
    Py_XDECREF(loss);
    Py_XDECREF(hits);
    return result;
}

static void
raise_train_status(rnn_status status, int epoch, int batch, double lr)
{
    const char *what = status == RNN_EWEIGHTS ? "a weight" : "the loss";
    char text[200];
    PyOS_snprintf(text, sizeof text,
                  "%s is not finite at epoch %d, batch %d (learning rate %g); lower "
                  "the learning rate or look for extreme values in the data or weights",
                  what, epoch, batch, lr);
    raise_status(status, text);
}

/* One learning rate in *one, or an array with one for each step. */
static int
take_lr(PyObject *lr, int64_t steps, double *one, PyArrayObject **many)
{
    if (PyArray_Check(lr)) {
        array_rule rule = {"train", "lr", NPY_FLOAT64, -1, 1, {(npy_intp)steps}, 0};
        *many = take_array(lr, &rule);
        return *many != NULL ? 0 : -1;
    }
    *one = PyFloat_AsDouble(lr);
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *
net_train(PyObject *op, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"x",         "y",       "order", "batch_size", "lr",
                            "epochs",    "threads", "epoch", "weights",    "smoothing",
                            "clip_norm", "seed",    "step",  NULL};
    PyObject *x_b, *y_b, *order_b, *lr_b, *weights_b = NULL;
    PyArrayObject *x = NULL, *y = NULL, *order = NULL, *weights = NULL, *rates = NULL;
    PyObject *result = NULL;
    rnn_score *scores = NULL;
    int epochs = 1, threads = 1, first_epoch = 1, epoch = 0, batch = 0;
    rnn_schedule schedule = {0};
    double lr = 0, smoothing = 0;
    unsigned long long seed = 0;
    long long step = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "OOOiO|$iiiOddKL:train", names, &x_b, &y_b,
                                     &order_b, &schedule.batch_size, &lr_b, &epochs,
                                     &threads, &first_epoch, &weights_b, &smoothing,
                                     &schedule.clip_norm, &seed, &step))
        goto done;
    if (check_at_least_one("train", "batch_size", schedule.batch_size) < 0
        || check_at_least_one("train", "epochs", epochs) < 0
        || check_threads("train", threads) < 0 || check_smoothing("train", smoothing) < 0
        || check_not_negative("train", "clip_norm", schedule.clip_norm) < 0
        || check_not_negative("train", "step", (double)step) < 0)
        goto done;
    if ((x = take_x(op, "train", x_b)) == NULL
        || (y = take_y(op, "train", y_b, PyArray_DIM(x, 0))) == NULL
        || (order = take_order("train", order_b, PyArray_DIM(x, 0))) == NULL
        || take_weights("train", weights_b, PyArray_DIM(x, 0), &weights) < 0)
        goto done;
    schedule.order = PyArray_DATA(order);
    schedule.n_order = (int)PyArray_DIM(order, 0);
    schedule.epochs = epochs;
    schedule.smoothing = (float)smoothing;
    schedule.seed = seed;
    schedule.step = step;
    int64_t steps = schedule.n_order / schedule.batch_size
                    + (schedule.n_order % schedule.batch_size != 0);
    if (take_lr(lr_b, steps * epochs, &lr, &rates) < 0)
        goto done;
    schedule.lr = rates != NULL ? PyArray_DATA(rates) : &lr;
    schedule.n_lr = rates != NULL ? steps * epochs : 1;
    if ((scores = PyMem_Calloc((size_t)epochs, sizeof *scores)) == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    if (enter(op, "train") < 0)
        goto done;
    rnn_data data = data_of(x, y, weights);
    PyThreadState *saved = PyEval_SaveThread();
    rnn_status status =
        rnn_net_train(NET(op), &data, &schedule, threads,
                      (rnn_stop){signal_pending, &saved}, scores, &epoch, &batch);
    PyEval_RestoreThread(saved);
    leave(op);
    if (status == RNN_OK)
        result = scores_as_arrays(scores, epochs);
    else
        raise_train_status(status, first_epoch + epoch, batch + 1,
                           schedule.lr[schedule.n_lr > 1 ? steps * epoch + batch : 0]);
done:
    PyMem_Free(scores);
    release_array(x);
    release_array(y);
    release_array(order);
    release_array(weights);
    release_array(rates);
    return result;
}

PyDoc_STRVAR(
    evaluate_doc,
    "evaluate($self, /, x, y, *, threads=1)\n--\n\n"
    "Return the loss summed over the rows of x (float) and the number of hits (int).");

static PyObject *
net_evaluate(PyObject *op, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"x", "y", "threads", NULL};
    PyObject *x_b, *y_b;
    PyArrayObject *x = NULL, *y = NULL;
    PyObject *result = NULL;
    rnn_score score;
    int threads = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "OO|$i:evaluate", names, &x_b, &y_b,
                                     &threads))
        goto done;
    if (check_threads("evaluate", threads) < 0 || (x = take_x(op, "evaluate", x_b)) == NULL
        || (y = take_y(op, "evaluate", y_b, PyArray_DIM(x, 0))) == NULL
        || enter(op, "evaluate") < 0)
        goto done;
    rnn_data data = data_of(x, y, NULL);
    PyThreadState *saved = PyEval_SaveThread();
    rnn_status status = rnn_net_evaluate(NET(op), &data, threads,
                                         (rnn_stop){signal_pending, &saved}, &score);
    PyEval_RestoreThread(saved);
    leave(op);
    if (status == RNN_OK)
        result = Py_BuildValue("dL", score.loss, (long long)score.hits);
    else
        raise_status(status, NULL);
done:
    release_array(x);
    release_array(y);
    return result;
}

PyDoc_STRVAR(predict_doc,
             "predict($self, /, x, *, threads=1)\n--\n\n"
             "Return float32 (n, outputs): probabilities under softmax_cross_entropy, else "
             "the last\n"
             "layer's outputs. A row's bits do not depend on the other rows.");

static PyObject *
net_predict(PyObject *op, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"x", "threads", NULL};
    PyObject *x_b;
    PyArrayObject *x = NULL;
    PyObject *out = NULL, *result = NULL;
    int threads = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "O|$i:predict", names, &x_b, &threads))
        goto done;
    if (check_threads("predict", threads) < 0 || (x = take_x(op, "predict", x_b)) == NULL)
        goto done;
    npy_intp shape[2] = {PyArray_DIM(x, 0), rnn_net_out_size(NET(op))};
    if ((out = PyArray_SimpleNew(2, shape, NPY_FLOAT32)) == NULL
        || enter(op, "predict") < 0)
        goto done;
    rnn_data data = data_of(x, NULL, NULL);
    float *predictions = PyArray_DATA((PyArrayObject *)out);
    PyThreadState *saved = PyEval_SaveThread();
    rnn_status status = rnn_net_predict(NET(op), &data, threads,
                                        (rnn_stop){signal_pending, &saved}, predictions);
    PyEval_RestoreThread(saved);
    leave(op);
    if (status == RNN_OK)
        result = Py_NewRef(out);
    else
        raise_status(status, NULL);
done:
    release_array(x);
    Py_XDECREF(out);
    return result;
}

PyDoc_STRVAR(
    gradients_doc,
    "gradients($self, /, x, y, *, threads=1, weights=None, smoothing=0.0, seed=0, step=0)\n"
    "--\n\n"
    "Return the loss summed over rows (float) and the gradient of its mean with respect\n"
    "to all parameters (float32, laid out as `params`), with all rows as one batch in\n"
    "training mode, and the masks of `seed` and `step`.");

static PyObject *
net_gradients(PyObject *op, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"x",         "y",    "threads", "weights",
                            "smoothing", "seed", "step",    NULL};
    PyObject *x_b, *y_b, *weights_b = NULL;
    PyArrayObject *x = NULL, *y = NULL, *weights = NULL;
    PyObject *grads = NULL, *result = NULL;
    rnn_score score;
    int threads = 1;
    double smoothing = 0;
    unsigned long long seed = 0;
    long long step = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "OO|$iOdKL:gradients", names, &x_b, &y_b,
                                     &threads, &weights_b, &smoothing, &seed, &step))
        goto done;
    if (check_threads("gradients", threads) < 0
        || check_smoothing("gradients", smoothing) < 0
        || (x = take_x(op, "gradients", x_b)) == NULL
        || (y = take_y(op, "gradients", y_b, PyArray_DIM(x, 0))) == NULL
        || take_weights("gradients", weights_b, PyArray_DIM(x, 0), &weights) < 0)
        goto done;
    npy_intp count = (npy_intp)NET(op)->param_count;
    if ((grads = PyArray_SimpleNew(1, &count, NPY_FLOAT32)) == NULL
        || enter(op, "gradients") < 0)
        goto done;
    rnn_data data = data_of(x, y, weights);
    rnn_schedule schedule = {.smoothing = (float)smoothing, .seed = seed, .step = step};
    float *copy = PyArray_DATA((PyArrayObject *)grads);
    PyThreadState *saved = PyEval_SaveThread();
    rnn_status status = rnn_net_gradients(NET(op), &data, &schedule, threads, &score);
    if (status == RNN_OK)
        memcpy(copy, NET(op)->grads, (size_t)count * sizeof(float));
    PyEval_RestoreThread(saved);
    leave(op);
    if (status == RNN_OK)
        result = Py_BuildValue("dO", score.loss, grads);
    else
        raise_status(status, NULL);
done:
    release_array(x);
    release_array(y);
    release_array(weights);
    Py_XDECREF(grads);
    return result;
}

PyDoc_STRVAR(
    backprop_doc,
    "backprop($self, /, x, dout, *, threads=1, seed=0, step=0)\n--\n\n"
    "Run one step in training mode without a loss, dout (n, outputs) being the gradient\n"
    "with respect to the outputs. Returns the outputs (n, outputs), the gradient with\n"
    "respect to x (n, inputs), and that of all parameters, summed over rows.");

static PyObject *
net_backprop(PyObject *op, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"x", "dout", "threads", "seed", "step", NULL};
    PyObject *x_b, *dout_b;
    PyArrayObject *x = NULL, *dout = NULL;
    PyObject *out = NULL, *dinp = NULL, *grads = NULL, *result = NULL;
    int threads = 1;
    unsigned long long seed = 0;
    long long step = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "OO|$iKL:backprop", names, &x_b, &dout_b,
                                     &threads, &seed, &step))
        goto done;
    if (check_threads("backprop", threads) < 0 || (x = take_x(op, "backprop", x_b)) == NULL)
        goto done;
    npy_intp n = PyArray_DIM(x, 0), count = (npy_intp)NET(op)->param_count;
    npy_intp out_shape[2] = {n, rnn_net_out_size(NET(op))};
    npy_intp in_shape[2] = {n, rnn_net_in_size(NET(op))};
    array_rule rule = {"backprop", "dout", NPY_FLOAT32, -1, 2, {n, out_shape[1]}, 0};
    if ((dout = take_array(dout_b, &rule)) == NULL
        || (out = PyArray_SimpleNew(2, out_shape, NPY_FLOAT32)) == NULL
        || (dinp = PyArray_SimpleNew(2, in_shape, NPY_FLOAT32)) == NULL
        || (grads = PyArray_SimpleNew(1, &count, NPY_FLOAT32)) == NULL
        || enter(op, "backprop") < 0)
        goto done;
    rnn_data data = data_of(x, dout, NULL);
    rnn_schedule schedule = {.seed = seed, .step = step};
    float *outputs = PyArray_DATA((PyArrayObject *)out);
    float *to_input = PyArray_DATA((PyArrayObject *)dinp);
    float *copy = PyArray_DATA((PyArrayObject *)grads);
    PyThreadState *saved = PyEval_SaveThread();
    rnn_status status =
        rnn_net_backprop(NET(op), &data, &schedule, threads, outputs, to_input);
    if (status == RNN_OK)
        memcpy(copy, NET(op)->grads, (size_t)count * sizeof(float));
    PyEval_RestoreThread(saved);
    leave(op);
    if (status == RNN_OK)
        result = PyTuple_Pack(3, out, dinp, grads);
    else
        raise_status(status, NULL);
done:
    release_array(x);
    release_array(dout);
    Py_XDECREF(out);
    Py_XDECREF(dinp);
    Py_XDECREF(grads);
    return result;
}

PyDoc_STRVAR(maps_doc,
             "maps($self, /, x, layer, *, threads=1)\n--\n\n"
             "Return what a layer shows of each row (float32), such as attention weights.");

static PyObject *
net_maps(PyObject *op, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"x", "layer", "threads", NULL};
    PyObject *x_b;
    PyArrayObject *x = NULL;
    PyObject *maps = NULL, *result = NULL;
    int layer, threads = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "Oi|$i:maps", names, &x_b, &layer,
                                     &threads))
        goto done;
    if (layer < 0 || layer >= NET(op)->n_layers || NET(op)->layers[layer].maps.rank == 0) {
        PyErr_Format(PyExc_ValueError, "maps: layer %d shows nothing", layer);
        goto done;
    }
    if (check_threads("maps", threads) < 0 || (x = take_x(op, "maps", x_b)) == NULL)
        goto done;
    const rnn_shape *shape = &NET(op)->layers[layer].maps;
    npy_intp dims[1 + RNN_MAX_RANK] = {PyArray_DIM(x, 0)};
    for (int i = 0; i < shape->rank; i++)
        dims[1 + i] = shape->dim[i];
    if ((maps = PyArray_SimpleNew(1 + shape->rank, dims, NPY_FLOAT32)) == NULL
        || enter(op, "maps") < 0)
        goto done;
    rnn_data data = data_of(x, NULL, NULL);
    float *values = PyArray_DATA((PyArrayObject *)maps);
    PyThreadState *saved = PyEval_SaveThread();
    rnn_status status = rnn_net_maps(NET(op), &data, layer, threads,
                                     (rnn_stop){signal_pending, &saved}, values);
    PyEval_RestoreThread(saved);
    leave(op);
    if (status == RNN_OK)
        result = Py_NewRef(maps);
    else
        raise_status(status, NULL);
done:
    release_array(x);
    Py_XDECREF(maps);
    return result;
}

PyMethodDef net_methods[] = {
    {"train", (PyCFunction)(void (*)(void))net_train, METH_VARARGS | METH_KEYWORDS,
     train_doc},
    {"evaluate", (PyCFunction)(void (*)(void))net_evaluate, METH_VARARGS | METH_KEYWORDS,
     evaluate_doc},
    {"predict", (PyCFunction)(void (*)(void))net_predict, METH_VARARGS | METH_KEYWORDS,
     predict_doc},
    {"gradients", (PyCFunction)(void (*)(void))net_gradients, METH_VARARGS | METH_KEYWORDS,
     gradients_doc},
    {"backprop", (PyCFunction)(void (*)(void))net_backprop, METH_VARARGS | METH_KEYWORDS,
     backprop_doc},
    {"maps", (PyCFunction)(void (*)(void))net_maps, METH_VARARGS | METH_KEYWORDS, maps_doc},
    {NULL, NULL, 0, NULL},
};

/* The heap type Net: train, evaluate, predict and gradients over one native net. */
#include "core.h"

#include "../base/size.h"
#include "../net/net.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    PyObject ob_base;
    rnn_net *net;
    int busy; /* read and written with the GIL held */
} NetObject;

#define NET(op) (((NetObject *)(op))->net)

/* ---- entering and leaving a native call ---- */

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
    int out = rnn_net_out_size(NET(op));
    int labels = NET(op)->loss->targets == RNN_LABELS;
    array_rule rule = {function, "y", labels ? NPY_INT32 : NPY_FLOAT32, -1, labels ? 1 : 2,
                       {n, out}, 0};
    PyArrayObject *array = take_array(y, &rule);
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
    PyArrayObject *array = take_array(order, &rule);
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

static int
check_threads(const char *function, int threads)
{
    if (threads >= 1 && threads <= RNN_MAX_THREADS)
        return 0;
    PyErr_Format(PyExc_ValueError, "%s: threads must be in 1..%d, got %d", function,
                 RNN_MAX_THREADS, threads);
    return -1;
}

static rnn_data
data_of(PyArrayObject *x, PyArrayObject *y)
{
    return (rnn_data){.x = PyArray_DATA(x),
                      .x_is_bytes = PyArray_TYPE(x) == NPY_UINT8,
                      .targets = y != NULL ? PyArray_DATA(y) : NULL,
                      .n = (int)PyArray_DIM(x, 0)};
}

/* ---- methods ---- */

PyDoc_STRVAR(
    train_doc,
    "train($self, /, x, y, order, batch_size, lr, *, epochs=1, threads=1, epoch=1)\n--\n\n"
    "Train with plain SGD on the rows x[order], in that order, `epochs` times.\n\n"
    "Returns two arrays with an entry for each epoch: the loss summed over rows\n"
    "(float64, each row before its batch's update) and the number of hits (int64).\n"
    "`epoch` is the number of the first epoch in messages. A loss that is not finite\n"
    "raises FloatingPointError before that batch changes the parameters.");

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
    char text[200];
    PyOS_snprintf(text, sizeof text,
                  "the loss is not finite at epoch %d, batch %d (learning rate %g); lower "
                  "the learning rate or look for extreme values in the data or weights",
                  epoch, batch, lr);
    raise_status(status, text);
}

static PyObject *
net_train(PyObject *op, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"x",      "y",       "order", "batch_size", "lr",
                            "epochs", "threads", "epoch", NULL};
    PyObject *x_b, *y_b, *order_b;
    PyArrayObject *x = NULL, *y = NULL, *order = NULL;
    PyObject *result = NULL;
    rnn_score *scores = NULL;
    int batch_size, epochs = 1, threads = 1, first_epoch = 1, epoch = 0, batch = 0;
    double lr;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "OOOid|$iii:train", names, &x_b, &y_b,
                                     &order_b, &batch_size, &lr, &epochs, &threads,
                                     &first_epoch))
        return NULL;
    if (check_at_least_one("train", "batch_size", batch_size) < 0
        || check_at_least_one("train", "epochs", epochs) < 0
        || check_threads("train", threads) < 0)
        goto done;
    if ((x = take_x(op, "train", x_b)) == NULL
        || (y = take_y(op, "train", y_b, PyArray_DIM(x, 0))) == NULL
        || (order = take_order("train", order_b, PyArray_DIM(x, 0))) == NULL)
        goto done;
    if ((scores = PyMem_Calloc((size_t)epochs, sizeof *scores)) == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    if (enter(op, "train") < 0)
        goto done;
    rnn_data data = data_of(x, y);
    rnn_schedule schedule = {PyArray_DATA(order), (int)PyArray_DIM(order, 0), batch_size,
                             epochs, (float)lr};
    PyThreadState *saved = PyEval_SaveThread();
    rnn_status status =
        rnn_net_train(NET(op), &data, &schedule, threads,
                      (rnn_stop){signal_pending, &saved}, scores, &epoch, &batch);
    PyEval_RestoreThread(saved);
    leave(op);
    if (status == RNN_OK)
        result = scores_as_arrays(scores, epochs);
    else
        raise_train_status(status, first_epoch + epoch, batch + 1, lr);
done:
    PyMem_Free(scores);
    release_array(x);
    release_array(y);
    release_array(order);
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
        return NULL;
    if (check_threads("evaluate", threads) < 0 || (x = take_x(op, "evaluate", x_b)) == NULL
        || (y = take_y(op, "evaluate", y_b, PyArray_DIM(x, 0))) == NULL
        || enter(op, "evaluate") < 0)
        goto done;
    rnn_data data = data_of(x, y);
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
        return NULL;
    if (check_threads("predict", threads) < 0 || (x = take_x(op, "predict", x_b)) == NULL)
        goto done;
    npy_intp shape[2] = {PyArray_DIM(x, 0), rnn_net_out_size(NET(op))};
    if ((out = PyArray_SimpleNew(2, shape, NPY_FLOAT32)) == NULL
        || enter(op, "predict") < 0)
        goto done;
    rnn_data data = data_of(x, NULL);
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

PyDoc_STRVAR(gradients_doc,
             "gradients($self, /, x, y, *, threads=1)\n--\n\n"
             "Return the loss summed over rows (float) and the gradient of its mean with "
             "respect to\n"
             "all parameters (float32, laid out as `params`), with all rows as one batch.");

static PyObject *
net_gradients(PyObject *op, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"x", "y", "threads", NULL};
    PyObject *x_b, *y_b;
    PyArrayObject *x = NULL, *y = NULL;
    PyObject *grads = NULL, *result = NULL;
    rnn_score score;
    int threads = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "OO|$i:gradients", names, &x_b, &y_b,
                                     &threads))
        return NULL;
    if (check_threads("gradients", threads) < 0
        || (x = take_x(op, "gradients", x_b)) == NULL
        || (y = take_y(op, "gradients", y_b, PyArray_DIM(x, 0))) == NULL)
        goto done;
    npy_intp count = (npy_intp)NET(op)->param_count;
    if ((grads = PyArray_SimpleNew(1, &count, NPY_FLOAT32)) == NULL
        || enter(op, "gradients") < 0)
        goto done;
    rnn_data data = data_of(x, y);
    float *copy = PyArray_DATA((PyArrayObject *)grads);
    PyThreadState *saved = PyEval_SaveThread();
    rnn_status status = rnn_net_gradients(NET(op), &data, threads, &score);
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
    Py_XDECREF(grads);
    return result;
}

static PyMethodDef net_methods[] = {
    {"train", (PyCFunction)(void (*)(void))net_train, METH_VARARGS | METH_KEYWORDS,
     train_doc},
    {"evaluate", (PyCFunction)(void (*)(void))net_evaluate, METH_VARARGS | METH_KEYWORDS,
     evaluate_doc},
    {"predict", (PyCFunction)(void (*)(void))net_predict, METH_VARARGS | METH_KEYWORDS,
     predict_doc},
    {"gradients", (PyCFunction)(void (*)(void))net_gradients, METH_VARARGS | METH_KEYWORDS,
     gradients_doc},
    {NULL, NULL, 0, NULL},
};

/* ---- attributes ---- */

static PyObject *
net_params(PyObject *op, void *closure)
{
    (void)closure;
    npy_intp count = (npy_intp)NET(op)->param_count;
    PyObject *view = PyArray_SimpleNewFromData(1, &count, NPY_FLOAT32, NET(op)->params);
    if (view != NULL && PyArray_SetBaseObject((PyArrayObject *)view, Py_NewRef(op)) < 0)
        Py_CLEAR(view);
    return view;
}

static PyObject *
shape_as_tuple(const rnn_shape *shape)
{
    PyObject *tuple = PyTuple_New(shape->rank);
    for (int i = 0; tuple != NULL && i < shape->rank; i++) {
        PyObject *extent = PyLong_FromLong(shape->dim[i]);
        if (extent == NULL || PyTuple_SetItem(tuple, i, extent) < 0)
            Py_CLEAR(tuple);
    }
    return tuple;
}

static PyObject *
param_as_dict(const rnn_param *param, size_t layer_offset)
{
    PyObject *shape = shape_as_tuple(&param->shape);
    if (shape == NULL)
        return NULL;
    return Py_BuildValue("{s:s, s:N, s:n, s:s, s:i, s:i}", "name", param->name, "shape",
                         shape, "offset", (Py_ssize_t)(layer_offset + param->offset),
                         "init",
                         param->init == RNN_GLOROT_UNIFORM ? "glorot_uniform" : "zeros",
                         "fan_in", param->fan_in, "fan_out", param->fan_out);
}

static PyObject *
layer_as_dict(const rnn_net *net, int index)
{
    const rnn_layer *layer = &net->layers[index];
    PyObject *params = PyList_New(layer->n_params);
    PyObject *shape = shape_as_tuple(&layer->out);
    for (int i = 0; params != NULL && i < layer->n_params; i++) {
        PyObject *param = param_as_dict(&layer->param[i], net->param_offset[index]);
        if (param == NULL || PyList_SetItem(params, i, param) < 0)
            Py_CLEAR(params);
    }
    if (params == NULL || shape == NULL) {
        Py_XDECREF(params);
        Py_XDECREF(shape);
        return NULL;
    }
    return Py_BuildValue("{s:s, s:N, s:N}", "type", layer->type->name, "shape", shape,
                         "params", params);
}

static PyObject *
net_layers(PyObject *op, void *closure)
{
    (void)closure;
    PyObject *list = PyList_New(NET(op)->n_layers);
    for (int i = 0; list != NULL && i < NET(op)->n_layers; i++) {
        PyObject *layer = layer_as_dict(NET(op), i);
        if (layer == NULL || PyList_SetItem(list, i, layer) < 0)
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *
net_level(PyObject *op, void *closure)
{
    (void)closure;
    return PyUnicode_FromString(NET(op)->level->name);
}

static PyGetSetDef net_getset[] = {
    {"params", net_params, NULL,
     PyDoc_STR("All parameters: a writable float32 view of the net's own memory."), NULL},
    {"layers", net_layers, NULL,
     PyDoc_STR("A dict for each layer: type, output shape, and params with name, shape,\n"
               "offset in floats, init, fan_in and fan_out."),
     NULL},
    {"level", net_level, NULL, PyDoc_STR("The CPU level that this net's kernels use."),
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* ---- construction ---- */

static int
take_shape(PyObject *sequence, rnn_shape *shape)
{
    Py_ssize_t rank = PySequence_Size(sequence);
    if (rank < 0)
        return -1;
    *shape = (rnn_shape){.rank = rank <= RNN_MAX_RANK ? (int)rank : 0};
    for (int i = 0; i < shape->rank; i++) {
        PyObject *item = PySequence_GetItem(sequence, i);
        long extent = item != NULL ? PyLong_AsLong(item) : -1;
        Py_XDECREF(item);
        if (PyErr_Occurred())
            return -1;
        shape->dim[i] = extent >= 1 && extent <= RNN_MAX_EXTENT ? (int)extent : 0;
    }
    if (shape->rank == 0 || rnn_shape_size(shape) <= 0) {
        PyErr_Format(PyExc_ValueError,
                     "input_shape: expected 1 to %d extents of at least 1 with a product "
                     "below 2^31, got %R",
                     RNN_MAX_RANK, sequence);
        return -1;
    }
    return 0;
}

PyDoc_STRVAR(
    net_doc,
    "Net(layers, input_shape, loss)\n--\n\n"
    "A net compiled from layer dicts, with all parameters zero.\n\n"
    "`loss` is 'softmax_cross_entropy' (y: int32 labels) or 'squared_error' (y: float32\n"
    "(n, outputs)).");

static PyObject *
net_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"layers", "input_shape", "loss", NULL};
    PyObject *layers_b, *shape_b;
    const char *loss_name_b;
    NetObject *self = NULL;
    layer_specs specs = {NULL, 0};
    rnn_shape input;
    rnn_error error = {""};
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "OOs:Net", names, &layers_b, &shape_b,
                                     &loss_name_b))
        return NULL;
    const rnn_level *level = rnn_level_current();
    const rnn_loss_type *loss = rnn_level_find_loss(level, loss_name_b);
    if (loss == NULL) {
        PyErr_Format(PyExc_ValueError,
                     "loss: expected softmax_cross_entropy or squared_error, got '%s'",
                     loss_name_b);
        return NULL;
    }
    if (take_layer_specs(layers_b, &specs) < 0 || take_shape(shape_b, &input) < 0)
        goto done;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    if ((self = (NetObject *)allocate(type, 0)) == NULL)
        goto done;
    rnn_status status =
        rnn_net_new(&self->net, level, specs.layers, specs.n_layers, input, loss, &error);
    if (status != RNN_OK) {
        Py_CLEAR(self);
        raise_status(status, error.text);
    }
done:
    PyMem_Free(specs.layers);
    return (PyObject *)self;
}

static void
net_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    rnn_net_free(NET(op));
    release(op);
    Py_DECREF(type);
}

static PyType_Slot net_slots[] = {
    {Py_tp_new, net_new},       {Py_tp_dealloc, net_dealloc}, {Py_tp_methods, net_methods},
    {Py_tp_getset, net_getset}, {Py_tp_doc, (void *)net_doc}, {0, NULL},
};

static PyType_Spec net_spec = {
    .name = "rnn_native._core.Net",
    .basicsize = sizeof(NetObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = net_slots,
};

PyObject *
new_net_type(PyObject *module)
{
    return PyType_FromModuleAndSpec(module, &net_spec, NULL);
}

/* The methods of Net but train and predict: each parses, checks, runs as a reader of the
 * weights, and builds its result. */
#include "net_object.h"

#include <string.h>

/* Of a layer, that the learning rate is multiplied by. */
#define MAX_RATE 1000000

PyDoc_STRVAR(
    evaluate_doc,
    "evaluate($self, /, x, y, *, threads=1, weights=None, loss=0.0)\n--\n\n"
    "Return the loss summed over the rows of x (float) and the number of hits (int). With\n"
    "weights of rows (float32) both count each row as its weight, and both are float.\n"
    "`loss` is the sum over rows before these, which the sum continues.");

static PyObject *
net_evaluate(PyObject *op, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"x", "y", "threads", "weights", "loss", NULL};
    PyObject *x_b, *y_b, *weights_b = NULL;
    rows_argument x = {0};
    PyArrayObject *y = NULL, *weights = NULL;
    reading reader;
    native_work work;
    PyObject *result = NULL;
    rnn_score score = {0};
    int threads = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "OO|$iOd:evaluate", names, &x_b, &y_b,
                                     &threads, &weights_b, &score.loss))
        goto done;
    if (check_threads("evaluate", threads) < 0 || take_x(op, "evaluate", x_b, &x) < 0
        || (y = take_y(op, "evaluate", y_b, x.n)) == NULL
        || take_weights("evaluate", weights_b, x.n, &weights) < 0
        || begin_reading(SHARING(op), "evaluate", &reader) < 0)
        goto done;
    rnn_data data = data_of(&x, y, weights);
    begin_work(&work, reader.net, data.n);
    rnn_status status =
        rnn_net_evaluate(reader.net, &data, threads, stop_of(&work), &score);
    end_work(&work);
    end_reading(SHARING(op), &reader);
    if (status != RNN_OK)
        raise_status(status, NULL);
    else if (weights != NULL)
        result = Py_BuildValue("dd", score.loss, score.weighted_hits);
    else
        result = Py_BuildValue("dL", score.loss, (long long)score.hits);
done:
    release_rows(&x);
    release_array(y);
    release_array(weights);
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
    rows_argument x = {0};
    PyArrayObject *y = NULL, *weights = NULL;
    reading reader;
    native_work work;
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
        || take_x(op, "gradients", x_b, &x) < 0
        || (y = take_y(op, "gradients", y_b, x.n)) == NULL
        || take_weights("gradients", weights_b, x.n, &weights) < 0)
        goto done;
    npy_intp count = (npy_intp)rnn_net_param_count(NET(op));
    if ((grads = PyArray_SimpleNew(1, &count, NPY_FLOAT32)) == NULL
        || begin_reading(SHARING(op), "gradients", &reader) < 0)
        goto done;
    rnn_data data = data_of(&x, y, weights);
    rnn_recipe recipe = {.smoothing = (float)smoothing, .seed = seed, .step = step};
    float *copy = PyArray_DATA((PyArrayObject *)grads);
    begin_work(&work, reader.net, 3.0 * data.n);
    rnn_status status = rnn_net_gradients(reader.net, &data, &recipe, threads, &score);
    if (status == RNN_OK)
        memcpy(copy, rnn_net_grads(reader.net), (size_t)count * sizeof(float));
    end_work(&work);
    end_reading(SHARING(op), &reader);
    if (status == RNN_OK)
        result = Py_BuildValue("dO", score.loss, grads);
    else
        raise_status(status, NULL);
done:
    release_rows(&x);
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
    rows_argument x = {0};
    PyArrayObject *dout = NULL;
    reading reader;
    native_work work;
    PyObject *out = NULL, *dinp = NULL, *grads = NULL, *result = NULL;
    int threads = 1;
    unsigned long long seed = 0;
    long long step = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "OO|$iKL:backprop", names, &x_b, &dout_b,
                                     &threads, &seed, &step))
        goto done;
    if (check_threads("backprop", threads) < 0 || take_x(op, "backprop", x_b, &x) < 0)
        goto done;
    npy_intp n = x.n, count = (npy_intp)rnn_net_param_count(NET(op));
    npy_intp out_shape[2] = {n, rnn_net_out_size(NET(op))};
    npy_intp in_shape[2] = {n, rnn_net_in_size(NET(op))};
    array_rule rule = {"backprop", "dout", NPY_FLOAT32, -1, 2, {n, out_shape[1]}, 0};
    if ((dout = take_array(dout_b, &rule)) == NULL
        || (out = PyArray_SimpleNew(2, out_shape, NPY_FLOAT32)) == NULL
        || (dinp = PyArray_SimpleNew(2, in_shape, NPY_FLOAT32)) == NULL
        || (grads = PyArray_SimpleNew(1, &count, NPY_FLOAT32)) == NULL
        || begin_reading(SHARING(op), "backprop", &reader) < 0)
        goto done;
    rnn_data data = data_of(&x, dout, NULL);
    rnn_recipe recipe = {.seed = seed, .step = step};
    float *outputs = PyArray_DATA((PyArrayObject *)out);
    float *to_input = PyArray_DATA((PyArrayObject *)dinp);
    float *copy = PyArray_DATA((PyArrayObject *)grads);
    begin_work(&work, reader.net, 3.0 * data.n);
    rnn_status status =
        rnn_net_backprop(reader.net, &data, &recipe, threads, outputs, to_input);
    if (status == RNN_OK)
        memcpy(copy, rnn_net_grads(reader.net), (size_t)count * sizeof(float));
    end_work(&work);
    end_reading(SHARING(op), &reader);
    if (status == RNN_OK)
        result = PyTuple_Pack(3, out, dinp, grads);
    else
        raise_status(status, NULL);
done:
    release_rows(&x);
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
    rows_argument x = {0};
    reading reader;
    native_work work;
    PyObject *maps = NULL, *result = NULL;
    int layer, threads = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "Oi|$i:maps", names, &x_b, &layer,
                                     &threads))
        goto done;
    if (layer < 0 || layer >= rnn_net_n_layers(NET(op))
        || rnn_net_layer(NET(op), layer)->maps.rank == 0) {
        PyErr_Format(PyExc_ValueError,
                     "maps: expected a layer with attention maps, got layer %d", layer);
        goto done;
    }
    if (check_threads("maps", threads) < 0 || take_x(op, "maps", x_b, &x) < 0)
        goto done;
    const rnn_shape *shape = &rnn_net_layer(NET(op), layer)->maps;
    npy_intp dims[1 + RNN_MAX_RANK] = {x.n};
    for (int i = 0; i < shape->rank; i++)
        dims[1 + i] = shape->dim[i];
    if ((maps = PyArray_SimpleNew(1 + shape->rank, dims, NPY_FLOAT32)) == NULL
        || begin_reading(SHARING(op), "maps", &reader) < 0)
        goto done;
    rnn_data data = data_of(&x, NULL, NULL);
    float *values = PyArray_DATA((PyArrayObject *)maps);
    begin_work(&work, reader.net, data.n);
    rnn_status status =
        rnn_net_maps(reader.net, &data, layer, threads, stop_of(&work), values);
    end_work(&work);
    end_reading(SHARING(op), &reader);
    if (status == RNN_OK)
        result = Py_NewRef(maps);
    else
        raise_status(status, NULL);
done:
    release_rows(&x);
    Py_XDECREF(maps);
    return result;
}

PyDoc_STRVAR(
    set_optimizer_doc,
    "set_optimizer($self, optimizer, /)\n--\n\n"
    "Update with another optimizer from now on, a dict as for Net. Parameters stay;\n"
    "moments are zero, and views of them that were made before are stale.");

static PyObject *
net_set_optimizer(PyObject *op, PyObject *spec)
{
    rnn_optimizer optimizer = {0};
    PyObject *result = NULL;
    if (take_optimizer_spec(spec, &optimizer) < 0
        || begin_training(SHARING(op), "set_optimizer") < 0)
        goto done;
    rnn_status status = rnn_net_set_optimizer(NET(op), optimizer);
    end_training(SHARING(op));
    if (status == RNN_OK)
        result = Py_NewRef(Py_None);
    else
        raise_status(status, NULL);
done:
    return result;
}

PyDoc_STRVAR(
    get_weights_doc,
    "get_weights($self, /)\n--\n\n"
    "Return a copy of the weights; beside a call that trains in another thread those\n"
    "between two of its batches.");

static PyObject *
net_get_weights(PyObject *op, PyObject *unused)
{
    (void)unused;
    reading reader;
    npy_intp count = (npy_intp)rnn_net_weight_count(NET(op));
    PyObject *copy = NULL, *result = NULL;
    if ((copy = PyArray_SimpleNew(1, &count, NPY_FLOAT32)) == NULL
        || begin_reading(SHARING(op), "get_weights", &reader) < 0)
        goto done;
    memcpy(PyArray_DATA((PyArrayObject *)copy), rnn_net_params(reader.net),
           (size_t)count * sizeof(float));
    end_reading(SHARING(op), &reader);
    result = Py_NewRef(copy);
done:
    Py_XDECREF(copy);
    return result;
}

PyDoc_STRVAR(set_weights_doc,
             "set_weights($self, weights, /)\n--\n\n"
             "Set all weights at once: calls that read them in other threads use the ones\n"
             "before or these. Refused while another thread trains the net.");

static PyObject *
net_set_weights(PyObject *op, PyObject *weights_b)
{
    array_rule rule = {"set_weights",
                       "weights",
                       NPY_FLOAT32,
                       -1,
                       1,
                       {(npy_intp)rnn_net_weight_count(NET(op))},
                       0};
    PyArrayObject *weights = NULL;
    PyObject *result = NULL;
    if ((weights = take_array(weights_b, &rule)) == NULL)
        goto done;
    forget_fork(SHARING(op));
    if (begin_training(SHARING(op), "set_weights") < 0)
        goto done;
    memcpy(rnn_net_params(NET(op)), PyArray_DATA(weights),
           rnn_net_weight_count(NET(op)) * sizeof(float));
    end_training(SHARING(op));
    result = Py_NewRef(Py_None);
done:
    release_array(weights);
    return result;
}

PyDoc_STRVAR(
    set_rates_doc,
    "set_rates($self, rates, /)\n--\n\n"
    "Multiply the learning rate of each layer (float64, an entry for each) from now\n"
    "on; 0 freezes a layer, which then costs no gradient.");

static PyObject *
net_set_rates(PyObject *op, PyObject *rates_b)
{
    npy_intp count = rnn_net_n_layers(NET(op));
    array_rule rule = {"set_rates", "rates", NPY_FLOAT64, -1, 1, {count}, 0};
    PyArrayObject *rates = NULL;
    PyObject *result = NULL;
    if ((rates = take_array(rates_b, &rule)) == NULL)
        goto done;
    const double *rate = PyArray_DATA(rates);
    for (npy_intp i = 0; i < count; i++)
        if (!(rate[i] >= 0 && rate[i] <= MAX_RATE)) {
            PyErr_Format(PyExc_ValueError,
                         "set_rates: rates[%zd]: expected a number in [0, %d]",
                         (Py_ssize_t)i, MAX_RATE);
            goto done;
        }
    if (begin_training(SHARING(op), "set_rates") < 0)
        goto done;
    rnn_status status = rnn_net_set_rates(NET(op), rate);
    end_training(SHARING(op));
    if (status == RNN_OK)
        result = Py_NewRef(Py_None);
    else
        raise_status(status, NULL);
done:
    release_array(rates);
    return result;
}

PyMethodDef net_methods[] = {
    {"train", (PyCFunction)(void (*)(void))net_train, METH_VARARGS | METH_KEYWORDS,
     train_doc},
    {"minimize", (PyCFunction)(void (*)(void))net_minimize, METH_VARARGS | METH_KEYWORDS,
     minimize_doc},
    {"evaluate", (PyCFunction)(void (*)(void))net_evaluate, METH_VARARGS | METH_KEYWORDS,
     evaluate_doc},
    {"predict", (PyCFunction)(void (*)(void))net_predict, METH_VARARGS | METH_KEYWORDS,
     predict_doc},
    {"predict_plain", (PyCFunction)(void (*)(void))net_predict_plain, METH_FASTCALL,
     predict_plain_doc},
    {"advance", (PyCFunction)(void (*)(void))net_advance, METH_VARARGS | METH_KEYWORDS,
     advance_doc},
    {"advance_plain", (PyCFunction)(void (*)(void))net_advance_plain, METH_FASTCALL,
     advance_plain_doc},
    {"gradients", (PyCFunction)(void (*)(void))net_gradients, METH_VARARGS | METH_KEYWORDS,
     gradients_doc},
    {"backprop", (PyCFunction)(void (*)(void))net_backprop, METH_VARARGS | METH_KEYWORDS,
     backprop_doc},
    {"forward", (PyCFunction)(void (*)(void))net_forward, METH_VARARGS | METH_KEYWORDS,
     forward_doc},
    {"backward", (PyCFunction)(void (*)(void))net_backward, METH_VARARGS | METH_KEYWORDS,
     backward_doc},
    {"apply", (PyCFunction)(void (*)(void))net_apply, METH_VARARGS | METH_KEYWORDS,
     apply_doc},
    {"get_weights", net_get_weights, METH_NOARGS, get_weights_doc},
    {"set_weights", net_set_weights, METH_O, set_weights_doc},
    {"set_rates", net_set_rates, METH_O, set_rates_doc},
    {"maps", (PyCFunction)(void (*)(void))net_maps, METH_VARARGS | METH_KEYWORDS, maps_doc},
    {"set_optimizer", net_set_optimizer, METH_O, set_optimizer_doc},
    {NULL, NULL, 0, NULL},
};

/* A step whose loss is the caller's: Net.forward, Net.backward and Net.apply. */
#include "net_object.h"

const char forward_doc[] = PyDoc_STR(
    "forward($self, /, x, *, threads=1, seed=0, step=0)\n--\n\n"
    "Return the last layer's outputs (n, outputs) in training mode, with the masks of\n"
    "`seed` and `step`, and keep what backward needs. Running statistics move.");

PyObject *
net_forward(PyObject *op, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"x", "threads", "seed", "step", NULL};
    PyObject *x_b, *out = NULL, *result = NULL;
    rows_argument x = {0};
    net_sharing *sharing = SHARING(op);
    native_work work;
    int threads = 1;
    unsigned long long seed = 0;
    long long step = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "O|$iKL:forward", names, &x_b, &threads,
                                     &seed, &step)
        || check_threads("forward", threads) < 0 || take_x(op, "forward", x_b, &x) < 0)
        goto done;
    if (x.begin != NULL) {
        PyErr_SetString(PyExc_ValueError,
                        "forward: expected an array x, got compressed rows");
        goto done;
    }
    npy_intp shape[2] = {x.n, rnn_net_out_size(NET(op))};
    if ((out = PyArray_SimpleNew(2, shape, NPY_FLOAT32)) == NULL
        || begin_training(sharing, "forward") < 0)
        goto done;
    rnn_data data = data_of(&x, NULL, NULL);
    rnn_recipe recipe = {.seed = seed, .step = step};
    float *outputs = PyArray_DATA((PyArrayObject *)out);
    begin_work(&work, NET(op), data.n);
    if (sharing->tape == NULL)
        sharing->tape = rnn_tape_new(NET(op));
    rnn_status status =
        sharing->tape == NULL
            ? RNN_ENOMEM
            : rnn_tape_forward(sharing->tape, NET(op), &data, &recipe, threads, outputs);
    end_work(&work);
    end_training(sharing);
    if (status == RNN_OK)
        result = Py_NewRef(out);
    else
        raise_status(status, NULL);
done:
    release_rows(&x);
    Py_XDECREF(out);
    return result;
}

const char backward_doc[] = PyDoc_STR(
    "backward($self, /, dout, *, threads=1, accumulate=False, to_input=True)\n--\n\n"
    "From dout (n, outputs), the gradient with respect to what forward returned, compute\n"
    "`grads`, to which it is added with `accumulate`. Returns the gradient with respect "
    "to\n"
    "x (n, inputs), or None without `to_input`. RuntimeError unless forward was called "
    "since\n"
    "the last backward, and the weights are those of then.");

PyObject *
net_backward(PyObject *op, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"dout", "threads", "accumulate", "to_input", NULL};
    PyObject *dout_b, *dinp = NULL, *result = NULL;
    PyArrayObject *dout = NULL;
    net_sharing *sharing = SHARING(op);
    native_work work;
    int threads = 1, adds = 0, to_input = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "O|$ipp:backward", names, &dout_b,
                                     &threads, &adds, &to_input)
        || check_threads("backward", threads) < 0)
        goto done;
    npy_intp rows = rnn_tape_open_rows(sharing->tape);
    if (rows == 0) {
        PyErr_SetString(PyExc_RuntimeError,
                        "backward: expected a forward before it, whose weights are still "
                        "the net's; call forward(x) first");
        goto done;
    }
    array_rule rule = {"backward",
                       "output_gradient",
                       NPY_FLOAT32,
                       -1,
                       2,
                       {rows, rnn_net_out_size(NET(op))},
                       0};
    npy_intp shape[2] = {rows, rnn_net_in_size(NET(op))};
    if ((dout = take_array(dout_b, &rule)) == NULL)
        goto done;
    dinp = to_input ? PyArray_SimpleNew(2, shape, NPY_FLOAT32) : Py_NewRef(Py_None);
    if (dinp == NULL || begin_training(sharing, "backward") < 0)
        goto done;
    float *inputs = to_input ? PyArray_DATA((PyArrayObject *)dinp) : NULL;
    begin_work(&work, NET(op), 2.0 * (double)rows);
    rnn_status status =
        rnn_tape_backward(sharing->tape, PyArray_DATA(dout), adds != 0, threads, inputs);
    end_work(&work);
    end_training(sharing);
    if (status == RNN_OK)
        result = Py_NewRef(dinp);
    else
        raise_status(status, NULL);
done:
    release_array(dout);
    Py_XDECREF(dinp);
    return result;
}

const char apply_doc[] = PyDoc_STR(
    "apply($self, /, lr, *, threads=1, clip_norm=0.0, updates=0)\n--\n\n"
    "Update the parameters with `grads`; `updates` counts the optimizer's before this "
    "one.\n"
    "FloatingPointError for gradients that are not finite, before anything is changed, "
    "and\n"
    "for parameters or moments that have become so.");

/* What apply found, as an exception. */
static void
raise_apply_status(rnn_status status, double lr)
{
    char text[160];
    if (status == RNN_ENONFINITE) {
        raise_status(status, "the gradient is not finite; the weights are as before");
        return;
    }
    PyOS_snprintf(text, sizeof text,
                  "%s is not finite after the update (learning rate %g); lower the "
                  "learning rate",
                  status == RNN_EWEIGHTS ? "a weight" : "a moment of the optimizer", lr);
    raise_status(status, text);
}

PyObject *
net_apply(PyObject *op, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"lr", "threads", "clip_norm", "updates", NULL};
    PyObject *result = NULL;
    net_sharing *sharing = SHARING(op);
    native_work work;
    double lr = 0, clip_norm = 0;
    int threads = 1;
    long long updates = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "d|$idL:apply", names, &lr, &threads,
                                     &clip_norm, &updates)
        || check_threads("apply", threads) < 0)
        goto done;
    const float *grads = rnn_tape_grads(sharing->tape);
    if (grads == NULL) {
        PyErr_SetString(
            PyExc_RuntimeError,
            "apply_gradients: expected a backward before it; call backward(gradient) "
            "first");
        goto done;
    }
    if (refuse_frozen(NET(op)) < 0 || begin_training(sharing, "apply") < 0)
        goto done;
    rnn_recipe recipe = {.lr = &lr, .clip_norm = clip_norm, .updates = updates};
    begin_work(&work, NET(op), 1.0);
    rnn_status status = rnn_net_apply(NET(op), grads, &recipe, threads);
    end_work(&work);
    end_training(sharing);
    if (status == RNN_OK)
        result = Py_NewRef(Py_None);
    else
        raise_apply_status(status, lr);
done:
    return result;
}

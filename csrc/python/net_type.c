/* The heap type Net: its attributes and construction. */
#include "net_object.h"

#include "../base/blas.h"
#include "../base/size.h"
#include "../base/team.h"

/* ---- attributes ---- */

/* A float32 view of the net's memory that keeps the net alive. */
static PyObject *
view_of(PyObject *op, float *memory, size_t count)
{
    npy_intp n = (npy_intp)count;
    PyObject *view = PyArray_SimpleNewFromData(1, &n, NPY_FLOAT32, memory);
    if (view != NULL && PyArray_SetBaseObject((PyArrayObject *)view, Py_NewRef(op)) < 0)
        Py_CLEAR(view);
    return view;
}

static PyObject *
net_params(PyObject *op, void *closure)
{
    (void)closure;
    return view_of(op, rnn_net_params(NET(op)), rnn_net_param_count(NET(op)));
}

static PyObject *
net_weights(PyObject *op, void *closure)
{
    (void)closure;
    return view_of(op, rnn_net_params(NET(op)), rnn_net_weight_count(NET(op)));
}

static PyObject *
net_moments(PyObject *op, void *closure)
{
    (void)closure;
    return view_of(op, rnn_net_moments(NET(op)), rnn_net_moment_count(NET(op)));
}

static PyObject *
net_gradients_view(PyObject *op, void *closure)
{
    (void)closure;
    const float *grads = rnn_tape_grads(SHARING(op)->tape);
    if (grads == NULL)
        return Py_NewRef(Py_None);
    PyObject *view = view_of(op, (float *)grads, rnn_net_param_count(NET(op)));
    if (view != NULL)
        PyArray_CLEARFLAGS((PyArrayObject *)view, NPY_ARRAY_WRITEABLE);
    return view;
}

static const char *const init_names[] = {
    [RNN_ZEROS] = "zeros",
    [RNN_ONES] = "ones",
    [RNN_GLOROT_UNIFORM] = "glorot_uniform",
    [RNN_UNIFORM] = "uniform",
    [RNN_CONSTANT] = "constant",
    [RNN_SINUSOIDAL] = "sinusoidal",
};

static PyObject *
param_as_dict(const rnn_net *net, int index, const rnn_param *param)
{
    PyObject *shape = shape_as_tuple(&param->shape);
    if (shape == NULL)
        return NULL;
    return Py_BuildValue(
        "{s:s, s:N, s:n, s:s, s:i, s:i, s:d, s:O}", "name", param->name, "shape", shape,
        "offset", (Py_ssize_t)rnn_net_offset(net, index, param), "init",
        init_names[param->init], "fan_in", param->fan_in, "fan_out", param->fan_out,
        "limit", (double)param->limit, "is_state", param->is_state ? Py_True : Py_False);
}

static PyObject *
layer_as_dict(const rnn_net *net, int index)
{
    const rnn_layer *layer = rnn_net_layer(net, index);
    PyObject *params = PyList_New(layer->n_params);
    PyObject *shape = shape_as_tuple(&layer->out);
    PyObject *window = window_as_dict(&layer->window);
    for (int i = 0; params != NULL && i < layer->n_params; i++) {
        PyObject *param = param_as_dict(net, index, &layer->param[i]);
        if (param == NULL || PyList_SetItem(params, i, param) < 0)
            Py_CLEAR(params);
    }
    if (params == NULL || shape == NULL || window == NULL) {
        Py_XDECREF(params);
        Py_XDECREF(shape);
        Py_XDECREF(window);
        return NULL;
    }
    return Py_BuildValue(
        "{s:s, s:N, s:N, s:O, s:n, s:i, s:N}", "type", layer->type->name, "shape", shape,
        "params", params, "has_maps", layer->maps.rank > 0 ? Py_True : Py_False, "carried",
        (Py_ssize_t)layer->carried, "masked_by", layer->masked_by, "window", window);
}

static PyObject *
net_rates(PyObject *op, void *closure)
{
    (void)closure;
    PyObject *list = PyList_New(rnn_net_n_layers(NET(op)));
    for (int i = 0; list != NULL && i < rnn_net_n_layers(NET(op)); i++) {
        PyObject *rate = PyFloat_FromDouble(rnn_net_rate(NET(op), i));
        if (rate == NULL || PyList_SetItem(list, i, rate) < 0)
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *
net_layers(PyObject *op, void *closure)
{
    (void)closure;
    PyObject *list = PyList_New(rnn_net_n_layers(NET(op)));
    for (int i = 0; list != NULL && i < rnn_net_n_layers(NET(op)); i++) {
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
    return PyUnicode_FromString(rnn_net_level(NET(op))->name);
}

static PyObject *
net_sparse_below(PyObject *op, void *closure)
{
    (void)closure;
    return PyFloat_FromDouble(rnn_net_sparse_below(NET(op)));
}

static int
set_net_sparse_below(PyObject *op, PyObject *value, void *closure)
{
    (void)closure;
    double density = value != NULL ? PyFloat_AsDouble(value) : 0;
    if (PyErr_Occurred())
        return -1;
    rnn_net_set_sparse_below(NET(op), density);
    return 0;
}

static const char *const work_names[] = {
    [RNN_PREPARE] = "prepare",    [RNN_STATISTICS] = "statistics",
    [RNN_MERGE] = "merge",        [RNN_FORWARD] = "forward",
    [RNN_OUTPUT] = "output",      [RNN_INPUT] = "input",
    [RNN_PARAMS] = "params",      [RNN_FINISH] = "finish",
    [RNN_MOVE] = "move",          [RNN_WORK_GATHER] = "gather",
    [RNN_WORK_LOSS] = "loss",     [RNN_WORK_REDUCE] = "reduce",
    [RNN_WORK_UPDATE] = "update",
};

/* Appends (what, work, seconds) for each kind of work of a stage. */
static int
append_profile(PyObject *list, const rnn_net *net, int stage)
{
    const char *what =
        stage < rnn_net_n_stages(net) ? rnn_net_stage_name(net, stage) : "net";
    for (int kind = 0; kind < RNN_WORK_KINDS; kind++) {
        int64_t nanoseconds = rnn_net_profile(net, stage, kind);
        if (nanoseconds == 0)
            continue;
        PyObject *entry =
            Py_BuildValue("(ssd)", what, work_names[kind], (double)nanoseconds * 1e-9);
        int status = entry != NULL ? PyList_Append(list, entry) : -1;
        Py_XDECREF(entry);
        if (status < 0)
            return -1;
    }
    return 0;
}

static PyObject *
net_profile(PyObject *op, void *closure)
{
    (void)closure;
    PyObject *list = PyList_New(0);
    int stages = rnn_net_has_profile(NET(op)) ? rnn_net_n_stages(NET(op)) : -1;
    for (int i = 0; list != NULL && i <= stages; i++)
        if (append_profile(list, NET(op), i) < 0)
            Py_CLEAR(list);
    return list;
}

static PyObject *
net_jobs(PyObject *op, void *closure)
{
    (void)closure;
    PyObject *list = PyList_New(0);
    const rnn_job_total *jobs = rnn_net_jobs(NET(op));
    for (int i = 0; list != NULL && jobs != NULL && i <= RNN_MAX_SLICES; i++) {
        if (jobs[i].count == 0)
            continue;
        PyObject *entry = Py_BuildValue("(iLd)", i, (long long)jobs[i].count,
                                        (double)jobs[i].nanoseconds * 1e-9);
        if (entry == NULL || PyList_Append(list, entry) < 0)
            Py_CLEAR(list);
        Py_XDECREF(entry);
    }
    return list;
}

static int
set_net_profile(PyObject *op, PyObject *value, void *closure)
{
    (void)closure;
    int on = value != NULL ? PyObject_IsTrue(value) : 0;
    if (on < 0)
        return -1;
    if (is_in_use(SHARING(op))) {
        PyErr_SetString(PyExc_RuntimeError, "profile: this net is in use");
        return -1;
    }
    if (rnn_net_set_profile(NET(op), on != 0) != RNN_OK) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static PyGetSetDef net_getset[] = {
    {"params", net_params, NULL,
     PyDoc_STR("All parameters: a writable float32 view of the net's own memory."), NULL},
    {"weights", net_weights, NULL,
     PyDoc_STR("Parameters, then running statistics: a view like params."), NULL},
    {"moments", net_moments, NULL,
     PyDoc_STR("What the optimizer keeps from step to step: a view like params."), NULL},
    {"grads", net_gradients_view, NULL,
     PyDoc_STR("What backward left, laid out as params: a view that cannot be written to;\n"
               "None before the first backward."),
     NULL},
    {"sparse_below", net_sparse_below, set_net_sparse_below,
     PyDoc_STR("Zeros of inputs are left out below this density. Not a bit depends on it:\n"
               "0 never leaves them out, 2 always."),
     NULL},
    {"profile", net_profile, set_net_profile,
     PyDoc_STR("A list of (stage, work, seconds summed over threads). Set it to True to\n"
               "begin with zero, to False to end."),
     NULL},
    {"jobs", net_jobs, NULL,
     PyDoc_STR(
         "Since profile was set, a list of (slices, jobs, seconds) for the jobs that\n"
         "several threads share where there are several: each ends at a barrier."),
     NULL},
    {"rates", net_rates, NULL,
     PyDoc_STR("What the learning rate is multiplied by, for each layer; see set_rates."),
     NULL},
    {"layers", net_layers, NULL,
     PyDoc_STR(
         "A dict for each layer: type, output shape, whether it has maps, how many\n"
         "numbers of a row it carries from call to call, and params\n"
         "with name, shape, offset in weights, init with its fans or limit, and\n"
         "whether they are state; window, a dict of kernel, stride, dilation (each rows,\n"
         "columns), padding (top, bottom, left, right), groups and counts_padding, or\n"
         "None."),
     NULL},
    {"level", net_level, NULL, PyDoc_STR("The CPU level that this net's kernels use."),
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* ---- construction ---- */

PyDoc_STRVAR(
    net_doc,
    "Net(layers, input_shape, loss, optimizer=None)\n--\n\n"
    "A net compiled from layer dicts, with all parameters zero.\n\n"
    "`loss` is a name in tables(), whose targets are labels (y: int32) or values (y:\n"
    "float32 (n, outputs)), or 'none'. `optimizer` is a dict with a type in tables(), sgd\n"
    "by default.");

static PyObject *
net_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
    static char *names[] = {"layers", "input_shape", "loss", "optimizer", NULL};
    PyObject *layers_b, *shape_b, *optimizer_b = Py_None;
    const char *loss_name_b;
    NetObject *self = NULL;
    layer_specs specs = {NULL, 0};
    rnn_shape input;
    rnn_optimizer optimizer = {0};
    rnn_error error = {""};
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "OOs|O:Net", names, &layers_b, &shape_b,
                                     &loss_name_b, &optimizer_b))
        goto done;
    if (rnn_blas_path() == NULL) {
        PyErr_SetString(PyExc_RuntimeError,
                        "Net: no BLAS is loaded; import rnn_native.base.runtime first");
        goto done;
    }
    const rnn_level *level = rnn_level_current();
    const rnn_loss_type *loss = take_loss(loss_name_b);
    if (loss == NULL || take_layer_specs(layers_b, &specs) < 0
        || take_input_shape(shape_b, &input) < 0
        || take_optimizer_spec(optimizer_b, &optimizer) < 0)
        goto done;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    if ((self = (NetObject *)allocate(type, 0)) == NULL)
        goto done;
    rnn_net *net;
    rnn_status status = rnn_net_new(&net, level, specs.layers, specs.n_layers, input, loss,
                                    optimizer, &error);
    if (status == RNN_OK) {
        init_sharing(&self->sharing, net);
    }
    else {
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
    end_sharing(SHARING(op));
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

/* Shapes: of samples, as Python passes and receives them, and of the outputs of layers. */
#include "core.h"

#include "../base/size.h"
#include "../net/net.h"

PyObject *
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

PyObject *
window_as_dict(const rnn_window *s)
{
    if (s->KH == 0)
        return Py_NewRef(Py_None);
    return Py_BuildValue("{s:(ii), s:(ii), s:(ii), s:(iiii), s:i, s:O}", "kernel", s->KH,
                         s->KW, "stride", s->SH, s->SW, "dilation", s->DH, s->DW, "padding",
                         s->top, s->bottom, s->left, s->right, "groups", s->groups,
                         "counts_padding", s->counts_padding ? Py_True : Py_False);
}

int
take_input_shape(PyObject *sequence, rnn_shape *shape)
{
    Py_ssize_t rank = PySequence_Size(sequence);
    if (rank < 0)
        return -1;
    *shape = (rnn_shape){.rank = rank <= RNN_MAX_RANK ? (int)rank : 0};
    for (int i = 0; i < shape->rank; i++) {
        PyObject *item = PySequence_GetItem(sequence, i);
        int overflow = 0;
        long extent = item != NULL ? PyLong_AsLongAndOverflow(item, &overflow) : -1;
        Py_XDECREF(item);
        if (PyErr_Occurred())
            return -1;
        shape->dim[i] = extent >= 1 && extent <= RNN_MAX_EXTENT ? (int)extent : 0;
    }
    if (shape->rank == 0 || rnn_shape_size(shape) <= 0) {
        PyErr_Format(PyExc_ValueError,
                     "input_shape: expected 1 to %d extents of at least 1 with a product "
                     "below 2^31, got %.200R",
                     RNN_MAX_RANK, sequence);
        return -1;
    }
    return 0;
}

const rnn_loss_type *
take_loss(const char *name)
{
    const rnn_loss_type *loss = rnn_level_find_loss(rnn_level_current(), name);
    if (loss != NULL)
        return loss;
    name_list names = {""};
    for (loss = rnn_level_current()->losses; loss->name != NULL; loss++)
        add_name(&names, loss->name);
    PyObject *got = PyUnicode_FromString(name);
    if (got != NULL)
        PyErr_Format(PyExc_ValueError, "loss: expected one of %s, got %.60R", names.text,
                     got);
    Py_XDECREF(got);
    return NULL;
}

/* The shape of a layer's output. */
static PyObject *
output_shape(const rnn_layer *layer)
{
    return shape_as_tuple(&layer->out);
}

/* (name, shape) of each of a layer's parameters and states. */
static PyObject *
param_shapes(const rnn_layer *layer)
{
    PyObject *list = PyList_New(layer->n_params);
    for (int i = 0; list != NULL && i < layer->n_params; i++) {
        PyObject *shape = shape_as_tuple(&layer->param[i].shape);
        PyObject *pair =
            shape != NULL ? Py_BuildValue("(sN)", layer->param[i].name, shape) : NULL;
        if (pair == NULL || PyList_SetItem(list, i, pair) < 0)
            Py_CLEAR(list);
    }
    return list;
}

/* A list of the results of `tell` for each layer, or NULL with the exception. */
static PyObject *
told_of_layers(const layer_specs *specs, rnn_shape input, const rnn_loss_type *loss,
               PyObject *(*tell)(const rnn_layer *))
{
    rnn_error error = {""};
    rnn_status status =
        rnn_layers_set_up(specs->layers, specs->n_layers, input, loss, &error);
    if (status != RNN_OK) {
        raise_status(status, error.text);
        return NULL;
    }
    PyObject *list = PyList_New(specs->n_layers);
    for (int i = 0; list != NULL && i < specs->n_layers; i++) {
        PyObject *told = tell(&specs->layers[i]);
        if (told == NULL || PyList_SetItem(list, i, told) < 0)
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *
layers_told(PyObject *args, PyObject *kwds, const char *format,
            PyObject *(*tell)(const rnn_layer *))
{
    static char *names[] = {"layers", "input_shape", "loss", NULL};
    PyObject *layers_b, *shape_b, *result = NULL;
    const char *loss_name_b = "none";
    const rnn_loss_type *loss;
    layer_specs specs = {NULL, 0};
    rnn_shape input;
    if (PyArg_ParseTupleAndKeywords(args, kwds, format, names, &layers_b, &shape_b,
                                    &loss_name_b)
        && (loss = take_loss(loss_name_b)) != NULL
        && take_layer_specs(layers_b, &specs) == 0
        && take_input_shape(shape_b, &input) == 0)
        result = told_of_layers(&specs, input, loss, tell);
    PyMem_Free(specs.layers);
    return result;
}

PyObject *
layer_shapes(PyObject *module, PyObject *args, PyObject *kwds)
{
    (void)module;
    return layers_told(args, kwds, "OO|s:layer_shapes", output_shape);
}

/* The floats that a prediction of one row keeps for a layer. */
static PyObject *
row_memory(const rnn_layer *layer)
{
    return PyLong_FromDouble(rnn_layer_row_floats(layer) + (double)layer->scratch);
}

PyObject *
layer_memory(PyObject *module, PyObject *args, PyObject *kwds)
{
    (void)module;
    return layers_told(args, kwds, "OO|s:layer_memory", row_memory);
}

PyObject *
layer_params(PyObject *module, PyObject *args, PyObject *kwds)
{
    (void)module;
    return layers_told(args, kwds, "OO|s:layer_params", param_shapes);
}

/* Dicts, {"type": "dense", "units": 10, ...}: layers, optimizers and augmentations. */
#include "core.h"

#include "../net/level.h"

/* The dict's "type" as UTF-8 (borrowed), or NULL with the exception. */
static const char *
take_type_name(PyObject *spec_b, const char *where)
{
    if (!PyDict_Check(spec_b)) {
        PyErr_Format(PyExc_TypeError, "%s: expected a dict, got %.200R", where, spec_b);
        return NULL;
    }
    PyObject *name_b = value_of(spec_b, "type");
    if (name_b == NULL) {
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_ValueError, "%s.type: missing", where);
        return NULL;
    }
    const char *text_b = text_of(name_b);
    if (text_b == NULL)
        PyErr_Format(PyExc_ValueError, "%s.type: expected a name, got %.60R", where,
                     name_b);
    return text_b;
}

static int
raise_layers(const char *where, PyObject *spec_b)
{
    const rnn_layer_type *const *type = rnn_level_current()->layers;
    PyObject *got_b = value_of(spec_b, "type");
    name_list names = {""};
    if (got_b == NULL)
        return -1;
    for (int i = 0; type[i] != NULL; i++)
        if (type[i]->mark == RNN_NO_MARK)
            add_name(&names, type[i]->name);
    PyErr_Format(PyExc_ValueError, "%s.type: unknown layer type %.60R; known are %s", where,
                 got_b, names.text);
    return -1;
}

/* What messages call the layer: its "path", or its place in the list. */
static int
take_path(PyObject *spec_b, int index, rnn_layer *layer)
{
    PyObject *path_b = PyDict_Check(spec_b) ? value_of(spec_b, "path") : NULL;
    if (path_b == NULL && PyErr_Occurred())
        return -1;
    const char *text_b = path_b != NULL ? text_of(path_b) : NULL;
    if (text_b != NULL)
        PyOS_snprintf(layer->path, sizeof layer->path, "%s", text_b);
    else
        PyOS_snprintf(layer->path, sizeof layer->path, "layers[%d]", index);
    return 0;
}

static int
take_layer(PyObject *spec_b, int index, rnn_layer *layer)
{
    const char *where = layer->path;
    const char *name_b =
        take_path(spec_b, index, layer) < 0 ? NULL : take_type_name(spec_b, where);
    if (name_b == NULL)
        return -1;
    layer->type = rnn_level_find_layer(rnn_level_current(), name_b);
    if (layer->type == NULL)
        return raise_layers(where, spec_b);
    return take_attrs(spec_b, layer->type->attrs, name_b, where, layer->attr);
}

static int
raise_optimizers(PyObject *spec_b)
{
    const rnn_optimizer_type *type = rnn_level_current()->optimizers;
    PyObject *got_b = value_of(spec_b, "type");
    name_list names = {""};
    if (got_b == NULL)
        return -1;
    for (int i = 0; type[i].name != NULL; i++)
        add_name(&names, type[i].name);
    PyErr_Format(PyExc_ValueError, "optimizer.type: expected one of %s, got %.60R",
                 names.text, got_b);
    return -1;
}

static int
take_optimizer(PyObject *spec_b, rnn_optimizer *optimizer)
{
    const char *name_b = take_type_name(spec_b, "optimizer");
    if (name_b == NULL)
        return -1;
    optimizer->type = rnn_level_find_optimizer(rnn_level_current(), name_b);
    if (optimizer->type == NULL)
        return raise_optimizers(spec_b);
    return take_attrs(spec_b, optimizer->type->attrs, name_b, "optimizer", optimizer->attr);
}

int
take_optimizer_spec(PyObject *spec, rnn_optimizer *optimizer)
{
    PyObject *own =
        spec == Py_None ? Py_BuildValue("{s:s}", "type", "sgd") : own_dict(spec);
    int result = own != NULL ? take_optimizer(own, optimizer) : -1;
    Py_XDECREF(own);
    return result;
}

enum { CHANNELS, HEIGHT, WIDTH, SHIFT, ROTATION, SCALE, SHEAR, ELASTIC };

static const rnn_attr augmentation_attrs[] = {
    [CHANNELS] = {"channels", RNN_INT, true, 0, 1, INT32_MAX, NULL},
    [HEIGHT] = {"height", RNN_INT, true, 0, 1, INT32_MAX, NULL},
    [WIDTH] = {"width", RNN_INT, true, 0, 1, INT32_MAX, NULL},
    [SHIFT] = {"shift", RNN_FLOAT, false, 0, 0, 1e6, NULL},
    [ROTATION] = {"rotation", RNN_FLOAT, false, 0, 0, 10, NULL},
    [SCALE] = {"scale", RNN_FLOAT, false, 0, 0, 0.99, NULL},
    [SHEAR] = {"shear", RNN_FLOAT, false, 0, 0, 100, NULL},
    [ELASTIC] = {"elastic", RNN_FLOAT, false, 0, 0, 1e6, NULL},
    RNN_ATTRS_END,
};

int
take_augmentation_spec(PyObject *spec, int inputs, rnn_augmentation *augmentation)
{
    double value[sizeof augmentation_attrs / sizeof *augmentation_attrs];
    if (!PyDict_Check(spec)) {
        PyErr_Format(PyExc_TypeError, "augment: expected a dict, got %.200R", spec);
        return -1;
    }
    PyObject *own = own_dict(spec);
    int status =
        own != NULL ? take_attrs(own, augmentation_attrs, "augment", "augment", value) : -1;
    Py_XDECREF(own);
    if (status < 0)
        return -1;
    if (value[CHANNELS] * value[HEIGHT] * value[WIDTH] != inputs) {
        PyErr_Format(PyExc_ValueError,
                     "augment: images of %d x %d x %d do not fit the net's %d inputs",
                     (int)value[CHANNELS], (int)value[HEIGHT], (int)value[WIDTH], inputs);
        return -1;
    }
    *augmentation = (rnn_augmentation){.channels = (int)value[CHANNELS],
                                       .height = (int)value[HEIGHT],
                                       .width = (int)value[WIDTH],
                                       .shift = (float)value[SHIFT],
                                       .rotation = (float)value[ROTATION],
                                       .scale = (float)value[SCALE],
                                       .shear = (float)value[SHEAR],
                                       .elastic = (float)value[ELASTIC]};
    return 0;
}

int
take_layer_specs(PyObject *sequence, layer_specs *specs)
{
    int result = -1;
    Py_ssize_t n = PySequence_Size(sequence);
    *specs = (layer_specs){NULL, 0};
    if (n < 0)
        return -1;
    if (n < 1 || n > 1000) {
        PyErr_Format(PyExc_ValueError, "layers: expected 1 to 1000 layers, got %zd", n);
        return -1;
    }
    specs->layers = PyMem_Calloc((size_t)n, sizeof *specs->layers);
    if (specs->layers == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (int i = 0; i < n; i++) {
        PyObject *spec = PySequence_GetItem(sequence, i);
        PyObject *own = spec != NULL ? own_dict(spec) : NULL;
        int status = own != NULL ? take_layer(own, i, &specs->layers[i]) : -1;
        Py_XDECREF(own);
        Py_XDECREF(spec);
        if (status < 0)
            goto done;
    }
    specs->n_layers = (int)n;
    result = 0;
done:
    if (result < 0) {
        PyMem_Free(specs->layers);
        specs->layers = NULL;
    }
    return result;
}

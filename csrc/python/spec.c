/* Dicts, {"type": "dense", "units": 10, ...}, checked against the tables of layers and
 * optimizers. */
#include "core.h"

#include "../base/size.h"
#include "../net/level.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Where a value stands, for messages: "layers[2]" and "units". */
typedef struct {
    const char *where;
    const char *key;
} place;

/* The text of a str (borrowed), or NULL without an exception when it is not a str, cannot
 * be UTF-8, or holds a zero, where C would end it. */
static const char *
text_of(PyObject *value_b)
{
    Py_ssize_t size = 0;
    const char *text_b =
        PyUnicode_Check(value_b) ? PyUnicode_AsUTF8AndSize(value_b, &size) : NULL;
    PyErr_Clear();
    return text_b != NULL && strlen(text_b) == (size_t)size ? text_b : NULL;
}

/* The value of a key (borrowed); NULL without an exception when there is none. */
static PyObject *
value_of(PyObject *dict_b, const char *key)
{
    PyObject *name = PyUnicode_FromString(key);
    PyObject *value_b = name != NULL ? PyDict_GetItemWithError(dict_b, name) : NULL;
    Py_XDECREF(name);
    return value_b;
}

static int
raise_at(place at, PyObject *exception, const char *expected, PyObject *got_b)
{
    PyErr_Format(exception, "%s.%s: expected %s, got %.200R", at.where, at.key, expected,
                 got_b);
    return -1;
}

static int
raise_choices(place at, const rnn_attr *attr, PyObject *got_b)
{
    name_list names = {""};
    char expected[sizeof names.text + 8];
    for (int i = 0; attr->choice(i) != NULL; i++)
        add_name(&names, attr->choice(i));
    snprintf(expected, sizeof expected, "one of %s", names.text);
    return raise_at(at, PyExc_ValueError, expected, got_b);
}

static int
take_choice(PyObject *value_b, const rnn_attr *attr, place at, double *result)
{
    const char *text_b = text_of(value_b);
    for (int i = 0; text_b != NULL && attr->choice(i) != NULL; i++)
        if (strcmp(text_b, attr->choice(i)) == 0) {
            *result = i;
            return 0;
        }
    return raise_choices(at, attr, value_b);
}

static int
take_number(PyObject *value_b, const rnn_attr *attr, place at, double *result)
{
    int is_int = PyLong_Check(value_b) && !PyBool_Check(value_b);
    if (!is_int && (attr->kind == RNN_INT || !PyFloat_Check(value_b)))
        return raise_at(at, PyExc_TypeError,
                        attr->kind == RNN_INT ? "an integer" : "a number", value_b);
    double number = is_int ? PyLong_AsDouble(value_b) : PyFloat_AsDouble(value_b);
    if (PyErr_Occurred()) {
        PyErr_Clear(); /* an integer beyond double's range is beyond any range below */
        number = INFINITY;
    }
    if (!(number >= attr->min && number <= attr->max)) {
        char expected[80];
        PyOS_snprintf(expected, sizeof expected, "%s in [%.10g, %.10g]",
                      attr->kind == RNN_INT ? "an integer" : "a number", attr->min,
                      attr->max);
        return raise_at(at, PyExc_ValueError, expected, value_b);
    }
    *result = number;
    return 0;
}

/* Whether this many integers can stand for `count` numbers. */
static int
is_length(Py_ssize_t given, int count)
{
    return count > 1 && given > 1 && (given == 2 || given == count);
}

static int
raise_integers(place at, const rnn_attr *attr, PyObject *got_b)
{
    name_list kinds = {""};
    char text[80];
    PyOS_snprintf(text, sizeof text, "an integer in [%.10g, %.10g]", attr->min, attr->max);
    add_name(&kinds, text);
    for (int n = 2; n <= rnn_attr_count(attr); n += 2) {
        PyOS_snprintf(text, sizeof text, "%d of them", n);
        add_name(&kinds, text);
    }
    for (int i = 0; attr->choice != NULL && attr->choice(i) != NULL; i++)
        add_name(&kinds, attr->choice(i));
    return raise_at(at, PyExc_ValueError, kinds.text, got_b);
}

/* An integer in the range, or false without an exception. */
static bool
integer_within(PyObject *value_b, const rnn_attr *attr, double *result)
{
    if (!PyLong_Check(value_b) || PyBool_Check(value_b))
        return false;
    *result = PyLong_AsDouble(value_b);
    if (PyErr_Occurred()) {
        PyErr_Clear(); /* beyond double's range */
        return false;
    }
    return *result >= attr->min && *result <= attr->max;
}

/* The number of a name, or false. */
static bool
named_integer(PyObject *value_b, const rnn_attr *attr, double *result)
{
    const char *text_b = text_of(value_b);
    for (int i = 0; text_b != NULL && attr->choice != NULL && attr->choice(i) != NULL; i++)
        if (strcmp(text_b, attr->choice(i)) == 0) {
            *result = -1 - i;
            return true;
        }
    return false;
}

/* All numbers of a key: from a name, an integer, or some integers in a list or tuple. */
static int
take_integers(PyObject *value_b, const rnn_attr *attr, place at, double *result)
{
    int count = rnn_attr_count(attr);
    Py_ssize_t given = 1;
    if (PyList_Check(value_b) || PyTuple_Check(value_b)) {
        given = PySequence_Size(value_b);
        if (!is_length(given, count))
            return raise_integers(at, attr, value_b);
    }
    for (int i = 0; i < count; i++) {
        PyObject *item = given == 1 ? Py_NewRef(value_b)
                                    : PySequence_GetItem(value_b, i * given / count);
        if (item == NULL)
            return -1;
        bool is_good = integer_within(item, attr, &result[i])
                       || (given == 1 && named_integer(item, attr, &result[i]));
        Py_DECREF(item);
        if (!is_good)
            return raise_integers(at, attr, value_b);
    }
    return 0;
}

/* One integer, or a list or tuple of as many as fit. */
static int
take_list(PyObject *value_b, const rnn_attr *attr, place at, double *result)
{
    int count = rnn_attr_count(attr);
    bool is_list = PyList_Check(value_b) || PyTuple_Check(value_b);
    Py_ssize_t given = is_list ? PySequence_Size(value_b) : 1;
    bool is_good = given >= 1 && given <= count;
    for (int i = 0; i < count; i++)
        result[i] = NAN;
    for (int i = 0; is_good && i < given; i++) {
        PyObject *item = is_list ? PySequence_GetItem(value_b, i) : Py_NewRef(value_b);
        is_good = item != NULL && integer_within(item, attr, &result[i]);
        Py_XDECREF(item);
    }
    if (is_good)
        return 0;
    char expected[96];
    PyErr_Clear();
    PyOS_snprintf(expected, sizeof expected,
                  "an integer in [%.10g, %.10g], or 1 to %d of them", attr->min, attr->max,
                  count);
    return raise_at(at, PyExc_ValueError, expected, value_b);
}

static int
take_bool(PyObject *value_b, place at, double *result)
{
    if (!PyBool_Check(value_b))
        return raise_at(at, PyExc_TypeError, "true or false", value_b);
    *result = value_b == Py_True;
    return 0;
}

static int
take_attr(PyObject *spec_b, const rnn_attr *attr, const char *type, const char *where,
          double *result)
{
    place at = {where, attr->name};
    PyObject *value_b = value_of(spec_b, attr->name);
    if (value_b == NULL && PyErr_Occurred())
        return -1;
    if (value_b == NULL || value_b == Py_None) {
        if (attr->required)
            PyErr_Format(PyExc_ValueError, "%s.%s: missing; %s needs it", where, attr->name,
                         type);
        for (int i = 0; i < rnn_attr_count(attr); i++)
            result[i] = attr->fallback;
        return attr->required ? -1 : 0;
    }
    if (attr->kind == RNN_CHOICE)
        return take_choice(value_b, attr, at, result);
    if (attr->kind == RNN_BOOL)
        return take_bool(value_b, at, result);
    if (attr->kind == RNN_INTS)
        return take_list(value_b, attr, at, result);
    if (attr->choice != NULL || rnn_attr_count(attr) > 1)
        return take_integers(value_b, attr, at, result);
    return take_number(value_b, attr, at, result);
}

static int
is_known_key(const rnn_attr *attrs, const char *key)
{
    if (strcmp(key, "type") == 0 || strcmp(key, "path") == 0)
        return 1;
    for (const rnn_attr *attr = attrs; attr->name != NULL; attr++)
        if (rnn_attr_is_key(attr) && strcmp(attr->name, key) == 0)
            return 1;
    return 0;
}

static int
raise_unknown_key(const rnn_attr *attrs, const char *type, const char *where,
                  PyObject *key_b)
{
    name_list names = {""};
    for (const rnn_attr *attr = attrs; attr->name != NULL; attr++)
        if (rnn_attr_is_key(attr))
            add_name(&names, attr->name);
    const char *known = names.text[0] != '\0' ? names.text : "none";
    PyObject *key = printable(key_b);
    if (key != NULL)
        PyErr_Format(PyExc_ValueError, "%s.%.60U: unknown key; %s has %s", where, key, type,
                     known);
    Py_XDECREF(key);
    return -1;
}

/* A dict of our own with what a dict holds, or any other object itself (a new reference):
 * names and values that are borrowed from it stay, whatever the methods of its keys do. */
static PyObject *
own_dict(PyObject *spec)
{
    return PyDict_Check(spec) ? PyDict_Copy(spec) : Py_NewRef(spec);
}

/* All keys of a dict into values, in the order of attrs; 0, or -1 with the exception. */
static int
take_attrs(PyObject *spec_b, const rnn_attr *attrs, const char *type, const char *where,
           double *values)
{
    Py_ssize_t position = 0;
    PyObject *key_b = NULL;
    while (PyDict_Next(spec_b, &position, &key_b, NULL)) {
        const char *text_b = text_of(key_b);
        if (text_b == NULL || !is_known_key(attrs, text_b))
            return raise_unknown_key(attrs, type, where, key_b);
    }
    for (int i = 0; attrs[i].name != NULL; i++)
        if (rnn_attr_is_key(&attrs[i])
            && take_attr(spec_b, &attrs[i], type, where, &values[i]) < 0)
            return -1;
    return 0;
}

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

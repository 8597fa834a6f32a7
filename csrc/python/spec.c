/* Layer dicts, {"type": "dense", "units": 10, ...}, checked against the layers' tables. */
#include "core.h"

#include "../base/size.h"
#include "../net/level.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Where a value stands, for messages. */
typedef struct {
    int index;
    const char *key;
} place;

static int
raise_at(place at, PyObject *exception, const char *expected, PyObject *got_b)
{
    PyErr_Format(exception, "layers[%d].%s: expected %s, got %R", at.index, at.key,
                 expected, got_b);
    return -1;
}

static int
raise_choices(place at, const rnn_attr *attr, PyObject *got_b)
{
    char expected[200] = "one of";
    size_t used = strlen(expected);
    for (int i = 0; attr->choice(i) != NULL && used < sizeof expected; i++)
        used += (size_t)snprintf(expected + used, sizeof expected - used, "%s %s",
                                 i > 0 ? "," : "", attr->choice(i));
    return raise_at(at, PyExc_ValueError, expected, got_b);
}

static int
take_choice(PyObject *value_b, const rnn_attr *attr, place at, double *result)
{
    const char *text_b =
        PyUnicode_Check(value_b) ? PyUnicode_AsUTF8AndSize(value_b, NULL) : NULL;
    PyErr_Clear(); /* a string that is not UTF-8 is no choice either */
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
        PyOS_snprintf(expected, sizeof expected, "a value in [%g, %g]", attr->min,
                      attr->max);
        return raise_at(at, PyExc_ValueError, expected, value_b);
    }
    *result = number;
    return 0;
}

static int
take_attr(PyObject *spec_b, const rnn_attr *attr, int index, double *result)
{
    place at = {index, attr->name};
    PyObject *value_b = PyDict_GetItemString(spec_b, attr->name);
    if (value_b != NULL && value_b != Py_None)
        return attr->kind == RNN_CHOICE ? take_choice(value_b, attr, at, result)
                                        : take_number(value_b, attr, at, result);
    if (attr->required) {
        PyErr_Format(PyExc_ValueError, "layers[%d]: key '%s' is missing", index,
                     attr->name);
        return -1;
    }
    *result = attr->fallback;
    return 0;
}

static int
is_known_key(const rnn_layer_type *type, const char *key)
{
    if (strcmp(key, "type") == 0)
        return 1;
    for (const rnn_attr *attr = type->attrs; attr->name != NULL; attr++)
        if (strcmp(attr->name, key) == 0)
            return 1;
    return 0;
}

static int
check_keys(PyObject *spec_b, const rnn_layer_type *type, int index)
{
    Py_ssize_t position = 0;
    PyObject *key_b = NULL;
    while (PyDict_Next(spec_b, &position, &key_b, NULL)) {
        const char *text_b =
            PyUnicode_Check(key_b) ? PyUnicode_AsUTF8AndSize(key_b, NULL) : NULL;
        if (text_b == NULL || !is_known_key(type, text_b)) {
            PyErr_Clear();
            PyErr_Format(PyExc_ValueError, "layers[%d]: a %s layer has no key %R", index,
                         type->name, key_b);
            return -1;
        }
    }
    return 0;
}

static const rnn_layer_type *
take_type(PyObject *spec_b, int index)
{
    PyObject *name_b = PyDict_GetItemString(spec_b, "type");
    const char *text_b = name_b != NULL && PyUnicode_Check(name_b)
                             ? PyUnicode_AsUTF8AndSize(name_b, NULL)
                             : NULL;
    const rnn_layer_type *type =
        text_b != NULL ? rnn_level_find_layer(rnn_level_current(), text_b) : NULL;
    PyErr_Clear();
    if (name_b == NULL)
        PyErr_Format(PyExc_ValueError, "layers[%d]: key 'type' is missing", index);
    else if (type == NULL)
        PyErr_Format(PyExc_ValueError, "layers[%d].type: unknown layer type %R", index,
                     name_b);
    return type;
}

static int
take_layer(PyObject *spec_b, int index, rnn_layer *layer)
{
    if (!PyDict_Check(spec_b)) {
        PyErr_Format(PyExc_TypeError, "layers[%d]: expected a dict, got %R", index, spec_b);
        return -1;
    }
    layer->type = take_type(spec_b, index);
    if (layer->type == NULL || check_keys(spec_b, layer->type, index) < 0)
        return -1;
    for (int i = 0; layer->type->attrs[i].name != NULL; i++)
        if (take_attr(spec_b, &layer->type->attrs[i], index, &layer->attr[i]) < 0)
            return -1;
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
        if (spec == NULL || take_layer(spec, i, &specs->layers[i]) < 0) {
            Py_XDECREF(spec);
            goto done;
        }
        Py_DECREF(spec);
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

/* The core's tables as plain data: the layers, activations, optimizers and
 * losses, with names, ranges and defaults. */
#include "core.h"

#include "../net/level.h"

#include <math.h>

/* Stores a value under a key and releases both; 0, or -1 with the exception. */
static int
put(PyObject *dict, const char *key, PyObject *value)
{
    int result = value != NULL ? PyDict_SetItemString(dict, key, value) : -1;
    Py_XDECREF(value);
    return result;
}

static PyObject *
number_of(const rnn_attr *attr, double value)
{
    if (isnan(value))
        return Py_NewRef(Py_None);
    return attr->kind == RNN_FLOAT ? PyFloat_FromDouble(value) : PyLong_FromDouble(value);
}

/* None where the key must be given or the layer decides. */
static PyObject *
default_of(const rnn_attr *attr)
{
    if (attr->required || isnan(attr->fallback))
        return Py_NewRef(Py_None);
    if (attr->kind == RNN_BOOL)
        return PyBool_FromLong(attr->fallback != 0);
    if (attr->kind == RNN_CHOICE)
        return PyUnicode_FromString(attr->choice((int)attr->fallback));
    return number_of(attr, attr->fallback);
}

static PyObject *
choices_of(const rnn_attr *attr)
{
    PyObject *list = PyList_New(0), *tuple = NULL;
    for (int i = 0; list != NULL && attr->choice(i) != NULL; i++) {
        PyObject *name = PyUnicode_FromString(attr->choice(i));
        if (name == NULL || PyList_Append(list, name) < 0)
            Py_CLEAR(list);
        Py_XDECREF(name);
    }
    if (list != NULL)
        tuple = PyList_AsTuple(list);
    Py_XDECREF(list);
    return tuple;
}

static PyObject *
attr_as_dict(const rnn_attr *attr)
{
    static const char *const kinds[] = {[RNN_INT] = "int",
                                        [RNN_FLOAT] = "float",
                                        [RNN_BOOL] = "bool",
                                        [RNN_CHOICE] = "choice",
                                        [RNN_INTS] = "ints"};
    bool has_range = attr->kind != RNN_BOOL && attr->kind != RNN_CHOICE;
    double min = has_range ? attr->min : NAN, max = has_range ? attr->max : NAN;
    PyObject *dict = PyDict_New();
    if (dict != NULL
        && (put(dict, "kind", PyUnicode_FromString(kinds[attr->kind])) < 0
            || put(dict, "required", PyBool_FromLong(attr->required)) < 0
            || put(dict, "default", default_of(attr)) < 0
            || put(dict, "min", number_of(attr, min)) < 0
            || put(dict, "max", number_of(attr, max)) < 0
            || put(dict, "count", PyLong_FromLong(rnn_attr_count(attr))) < 0
            || put(dict, "choices",
                   attr->choice != NULL ? choices_of(attr) : PyTuple_New(0))
                   < 0))
        Py_CLEAR(dict);
    return dict;
}

static PyObject *
attrs_as_dict(const rnn_attr *attrs)
{
    PyObject *dict = PyDict_New();
    for (; dict != NULL && attrs->name != NULL; attrs++)
        if (rnn_attr_is_key(attrs) && put(dict, attrs->name, attr_as_dict(attrs)) < 0)
            Py_CLEAR(dict);
    return dict;
}

static PyObject *
layers_as_dict(const rnn_level *level)
{
    PyObject *dict = PyDict_New();
    for (int i = 0; dict != NULL && level->layers[i] != NULL; i++) {
        const rnn_layer_type *type = level->layers[i];
        if (type->mark != RNN_NO_MARK)
            continue;
        PyObject *keys = attrs_as_dict(type->attrs);
        PyObject *row =
            keys != NULL
                ? Py_BuildValue("{s:N, s:O, s:O}", "keys", keys, "keeps_bounds",
                                type->keeps_bounds ? Py_True : Py_False, "keeps_factors",
                                type->keeps_factors ? Py_True : Py_False)
                : NULL;
        if (put(dict, type->name, row) < 0)
            Py_CLEAR(dict);
    }
    return dict;
}

static PyObject *
optimizers_as_dict(const rnn_level *level)
{
    PyObject *dict = PyDict_New();
    const rnn_optimizer_type *type = level->optimizers;
    for (; dict != NULL && type->name != NULL; type++)
        if (put(dict, type->name, attrs_as_dict(type->attrs)) < 0)
            Py_CLEAR(dict);
    return dict;
}

static PyObject *
activations_as_dict(const rnn_level *level)
{
    PyObject *dict = PyDict_New();
    const rnn_activation_info *info = level->activations;
    for (; dict != NULL && info->name != NULL; info++) {
        PyObject *alpha =
            info->alpha != 0 ? PyFloat_FromDouble(info->alpha) : Py_NewRef(Py_None);
        PyObject *row =
            alpha != NULL ? Py_BuildValue("{s:N, s:O, s:O}", "alpha", alpha, "below",
                                          info->bounded_below ? Py_True : Py_False, "above",
                                          info->bounded_above ? Py_True : Py_False)
                          : NULL;
        if (put(dict, info->name, row) < 0)
            Py_CLEAR(dict);
    }
    return dict;
}

static PyObject *
losses_as_dict(const rnn_level *level)
{
    PyObject *dict = PyDict_New();
    const rnn_loss_type *type = level->losses;
    for (; dict != NULL && type->name != NULL; type++) {
        if (type->gradient == NULL)
            continue;
        const char *targets = type->targets == RNN_LABELS ? "labels" : "values";
        if (put(dict, type->name,
                Py_BuildValue("{s:s, s:s}", "targets", targets, "function", type->function))
            < 0)
            Py_CLEAR(dict);
    }
    return dict;
}

PyObject *
tables_as_dict(void)
{
    const rnn_level *level = rnn_levels[0]; /* the names are those of every level */
    PyObject *dict = PyDict_New();
    if (dict != NULL
        && (put(dict, "layers", layers_as_dict(level)) < 0
            || put(dict, "activations", activations_as_dict(level)) < 0
            || put(dict, "optimizers", optimizers_as_dict(level)) < 0
            || put(dict, "losses", losses_as_dict(level)) < 0))
        Py_CLEAR(dict);
    return dict;
}

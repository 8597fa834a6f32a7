/* Values of dicts, {"units": 10, ...}, checked against a table of attributes. */
#include "core.h"

#include "../net/level.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Where a value stands, for messages: "layers[2]" and "units". */
typedef struct {
    const char *where;
    const char *key;
} place;

const char *
text_of(PyObject *value_b)
{
    Py_ssize_t size = 0;
    const char *text_b =
        PyUnicode_Check(value_b) ? PyUnicode_AsUTF8AndSize(value_b, &size) : NULL;
    PyErr_Clear();
    return text_b != NULL && strlen(text_b) == (size_t)size ? text_b : NULL;
}

PyObject *
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

PyObject *
own_dict(PyObject *spec)
{
    return PyDict_Check(spec) ? PyDict_Copy(spec) : Py_NewRef(spec);
}

int
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

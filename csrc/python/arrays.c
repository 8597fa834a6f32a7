#include "core.h"

#include "../base/team.h"

#include <stdio.h>

static void
describe_shape(char *text, size_t room, const array_rule *rule)
{
    char dims[2][24];
    for (int i = 0; i < rule->rank; i++)
        if (rule->dim[i] < 0)
            snprintf(dims[i], sizeof dims[i], "%c", i == 0 ? 'n' : 'm');
        else
            snprintf(dims[i], sizeof dims[i], "%lld", (long long)rule->dim[i]);
    if (rule->rank == 1)
        snprintf(text, room, "(%s,)", dims[0]);
    else
        snprintf(text, room, "(%s, %s)", dims[0], dims[1]);
}

static const char *
type_name(int type)
{
    switch (type) {
        case NPY_FLOAT64:
            return "float64";
        case NPY_FLOAT32:
            return "float32";
        case NPY_UINT8:
            return "uint8";
        case NPY_INT32:
            return "int32";
        default:
            return "array";
    }
}

static void
raise_mismatch(PyObject *exception, const array_rule *rule, PyArrayObject *array,
               const char *fault)
{
    char shape[64];
    PyObject *got = PyObject_GetAttrString((PyObject *)array, "shape");
    if (got == NULL)
        return;
    describe_shape(shape, sizeof shape, rule);
    PyErr_Format(exception,
                 "%s: %s: expected a C-contiguous%s %s%s%s array of shape %s, got %S %S%s",
                 rule->function, rule->name, rule->writable ? ", writable" : "",
                 type_name(rule->type), rule->other_type >= 0 ? " or " : "",
                 rule->other_type >= 0 ? type_name(rule->other_type) : "", shape,
                 (PyObject *)PyArray_DESCR(array), got, fault);
    Py_DECREF(got);
}

static int
has_shape(PyArrayObject *array, const array_rule *rule)
{
    if (PyArray_NDIM(array) != rule->rank)
        return 0;
    for (int i = 0; i < rule->rank; i++) {
        npy_intp extent = PyArray_DIM(array, i);
        if (rule->dim[i] < 0 ? extent < 1 || extent > NPY_MAX_INT : extent != rule->dim[i])
            return 0;
    }
    return 1;
}

/* Whatever keeps the memory of an array from going: the array and, since `resize` asks
 * nobody before it moves memory except for weak references, one of those to the owner. */
static PyObject *
keeper_of(PyArrayObject *array)
{
    PyObject *owner = (PyObject *)array;
    for (PyObject *base = owner; base != NULL && PyArray_Check(base);
         base = PyArray_BASE((PyArrayObject *)base))
        owner = base;
    PyObject *reference = PyWeakref_NewRef(owner, NULL);
    PyObject *keeper =
        reference != NULL ? PyTuple_Pack(2, (PyObject *)array, reference) : NULL;
    Py_XDECREF(reference);
    return keeper;
}

/* An array of NumPy's own type over the same memory, which nobody else knows: its type and
 * shape stay, and no method of a subclass is called for it. */
static PyArrayObject *
plain_view(PyArrayObject *array)
{
    PyArray_Descr *type = PyArray_DESCR(array);
    PyObject *keeper = keeper_of(array);
    if (keeper == NULL)
        return NULL;
    Py_INCREF((PyObject *)type); /* the view takes it over */
    PyObject *view =
        PyArray_NewFromDescr(&PyArray_Type, type, PyArray_NDIM(array), PyArray_DIMS(array),
                             PyArray_STRIDES(array), PyArray_DATA(array),
                             PyArray_FLAGS(array) & NPY_ARRAY_WRITEABLE, NULL);
    if (view == NULL)
        Py_DECREF(keeper);
    else if (PyArray_SetBaseObject((PyArrayObject *)view, keeper) < 0) /* takes it over */
        Py_CLEAR(view);
    return (PyArrayObject *)view;
}

/* Whether a plain array obeys the rule; the exception if not. */
static bool
obeys(PyArrayObject *array, const array_rule *rule)
{
    int type = PyArray_TYPE(array);
    if (type != rule->type && type != rule->other_type)
        raise_mismatch(PyExc_TypeError, rule, array, "");
    else if (!has_shape(array, rule))
        raise_mismatch(PyExc_ValueError, rule, array, "");
    else if (!PyArray_IS_C_CONTIGUOUS(array))
        raise_mismatch(PyExc_ValueError, rule, array, ", not C-contiguous");
    else if (!PyArray_ISALIGNED(array) || !PyArray_ISNOTSWAPPED(array))
        raise_mismatch(PyExc_ValueError, rule, array, ", misaligned or byte-swapped");
    else if (rule->writable && !PyArray_ISWRITEABLE(array))
        raise_mismatch(PyExc_ValueError, rule, array, ", read-only");
    else
        return true;
    return false;
}

PyArrayObject *
take_array(PyObject *object, const array_rule *rule)
{
    if (!PyArray_Check(object)) {
        PyObject *type = PyType_GetName(Py_TYPE(object));
        if (type != NULL)
            PyErr_Format(PyExc_TypeError, "%s: %s: expected a NumPy array, got %U",
                         rule->function, rule->name, type);
        Py_XDECREF(type);
        return NULL;
    }
    PyArrayObject *array = plain_view((PyArrayObject *)object);
    if (array != NULL && obeys(array, rule))
        return array;
    release_array(array);
    return NULL;
}

int
check_threads(const char *function, int threads)
{
    if (threads >= 1 && threads <= RNN_MAX_THREADS)
        return 0;
    PyErr_Format(PyExc_ValueError, "%s: threads: expected 1 to %d, got %d", function,
                 RNN_MAX_THREADS, threads);
    return -1;
}

/* Net.train's `ranks`: other processes, reached through a Python function. */
#include "net_object.h"

#include <stdlib.h>

/* swap(partner, give, take): the exception of one that fails ends the call. */
static bool
call_swap(void *context, int partner, const void *out, size_t out_bytes, void *in,
          size_t in_bytes)
{
    ranks_argument *argument = context;
    PyEval_RestoreThread(argument->work->saved);
    PyObject *give =
        PyMemoryView_FromMemory((char *)out, (Py_ssize_t)out_bytes, PyBUF_READ);
    PyObject *take = PyMemoryView_FromMemory(in, (Py_ssize_t)in_bytes, PyBUF_WRITE);
    PyObject *result = NULL;
    if (give != NULL && take != NULL)
        result = PyObject_CallFunction(argument->swap, "iOO", partner, give, take);
    bool swapped = result != NULL;
    Py_XDECREF(give);
    Py_XDECREF(take);
    Py_XDECREF(result);
    argument->work->saved = PyEval_SaveThread();
    return swapped;
}

static int
take_number(PyObject *object, const char *name, int *number)
{
    PyObject *value = PyObject_GetAttrString(object, name);
    long taken = value != NULL ? PyLong_AsLong(value) : -1;
    Py_XDECREF(value);
    if (taken == -1 && PyErr_Occurred())
        return -1;
    *number = taken < 0 || taken > RNN_MAX_RANKS ? -1 : (int)taken;
    return 0;
}

int
take_ranks(PyObject *object, ranks_argument *argument)
{
    rnn_ranks *ranks = &argument->ranks;
    array_rule rule = {"train", "ranks.stop", NPY_UINT8, -1, 1, {1}, 1};
    if (object == NULL || object == Py_None)
        return 0;
    if (take_number(object, "rank", &ranks->rank) < 0
        || take_number(object, "size", &ranks->size) < 0)
        return -1;
    if (ranks->size < 1 || (ranks->size & (ranks->size - 1)) != 0 || ranks->rank < 0
        || ranks->rank >= ranks->size) {
        PyErr_Format(PyExc_ValueError,
                     "train: ranks: expected a rank of 1, 2, 4, ... %d, got rank %d of %d",
                     RNN_MAX_RANKS, ranks->rank, ranks->size);
        return -1;
    }
    PyObject *stop = PyObject_GetAttrString(object, "stop");
    argument->stop = stop != NULL ? take_array(stop, &rule) : NULL;
    Py_XDECREF(stop);
    if (argument->stop == NULL
        || (argument->swap = PyObject_GetAttrString(object, "swap")) == NULL)
        return -1;
    ranks->stop = PyArray_DATA(argument->stop);
    ranks->swap = call_swap;
    ranks->context = argument;
    return 0;
}

void
release_ranks(ranks_argument *argument)
{
    release_array(argument->stop);
    Py_XDECREF(argument->swap);
    free(argument->ranks.room);
}

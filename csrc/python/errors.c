#include "core.h"

#include <stdio.h>
#include <string.h>

/* The text may hold a path in any encoding, and may be cut inside a character. */
static void
set_text(PyObject *exception, const char *text)
{
    PyObject *message = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
    if (message != NULL)
        PyErr_SetObject(exception, message);
    Py_XDECREF(message);
}

void
raise_status(rnn_status status, const char *text)
{
    switch (status) {
        case RNN_OK:
            break;
        case RNN_ENOMEM:
            PyErr_NoMemory();
            break;
        case RNN_EINVAL:
            set_text(PyExc_ValueError, text);
            break;
        case RNN_ENONFINITE:
        case RNN_EWEIGHTS:
        case RNN_EMOMENTS:
            set_text(PyExc_FloatingPointError, text);
            break;
        case RNN_EINTERRUPTED:
            /* The stop hook has left its exception; without one there is nothing to report.
             */
            if (!PyErr_Occurred())
                PyErr_SetNone(PyExc_KeyboardInterrupt);
            break;
    }
}

PyObject *
printable(PyObject *text_b)
{
    if (PyUnicode_Check(text_b)) {
        PyObject *is_printable = PyObject_CallMethod(text_b, "isprintable", NULL);
        if (is_printable == NULL)
            return NULL;
        Py_DECREF(is_printable);
        if (is_printable == Py_True)
            return Py_NewRef(text_b);
    }
    return PyObject_Repr(text_b);
}

void
add_name(name_list *list, const char *name)
{
    size_t used = strlen(list->text);
    snprintf(list->text + used, sizeof list->text - used, "%s%s", used > 0 ? ", " : "",
             name);
}

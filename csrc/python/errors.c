#include "core.h"

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
            PyErr_SetString(PyExc_ValueError, text);
            break;
        case RNN_ENONFINITE:
            PyErr_SetString(PyExc_FloatingPointError, text);
            break;
        case RNN_EINTERRUPTED:
            /* The stop hook has left its exception; without one there is nothing to report.
             */
            if (!PyErr_Occurred())
                PyErr_SetNone(PyExc_KeyboardInterrupt);
            break;
    }
}

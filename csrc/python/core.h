/* Shared by the binding's files, the only ones that know Python.
 *
 * The GIL is released for every call that runs the net. A binding function has one exit,
 * its owned pointers start NULL, and borrowed references end in _b. */
#ifndef RNN_CORE_H
#define RNN_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define PY_ARRAY_UNIQUE_SYMBOL rnn_native_array_api
#ifndef RNN_IMPORTS_NUMPY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#include "../base/augmentation.h"
#include "../base/status.h"
#include "../net/level.h"
#include "../net/optimizer.h"

/* ---- arrays.c: checks at the edge; a message names function, argument, expected, got ----
 */

typedef struct {
    const char *function; /* for messages: "train" */
    const char *name;     /* "x" */
    int type, other_type; /* NumPy type numbers; other_type -1: only one is taken */
    int rank;
    npy_intp dim[2]; /* -1: any extent of at least 1 */
    int writable;
} array_rule;

/* `object` as an array that obeys the rule (a new reference), or NULL with the exception: a
 * view of it, which keeps the memory where it is whatever other threads do to `object`. */
PyArrayObject *take_array(PyObject *object, const array_rule *rule);

/* 0, or -1 with the exception. */
int check_threads(const char *function, int threads);

/* Py_XDECREF for what take_array gave. */
static inline void
release_array(PyArrayObject *array)
{
    Py_XDECREF((PyObject *)array);
}

/* ---- errors.c ---- */

/* Sets the exception for a status other than RNN_OK; `text` says more, or is NULL. */
void raise_status(rnn_status status, const char *text);

/* Text of a stranger for a message, a new reference: its repr if it holds what no terminal
 * should get. NULL with the exception. */
PyObject *printable(PyObject *text_b);

/* Names for messages, "a, b, c"; the last are left out where there is no room. */
typedef struct {
    char text[400];
} name_list;

void add_name(name_list *list, const char *name);

/* ---- attrs.c ---- */

/* The text of a str (borrowed), or NULL without an exception when it is not a str, cannot
 * be UTF-8, or holds a zero, where C would end it. */
const char *text_of(PyObject *value_b);

/* The value of a key (borrowed); NULL without an exception where it does not exist. */
PyObject *value_of(PyObject *dict_b, const char *key);

/* A dict of our own with what a dict holds, or any other object itself (a new reference):
 * names and values that are borrowed from it stay, whatever the methods of its keys do. */
PyObject *own_dict(PyObject *spec);

/* All keys of a dict into values, in the order of attrs; 0, or -1 with the exception.
 * `type` and `where` are for messages. */
int take_attrs(PyObject *spec_b, const rnn_attr *attrs, const char *type, const char *where,
               double *values);

/* ---- spec.c ---- */

typedef struct {
    rnn_layer *layers; /* from PyMem_Malloc */
    int n_layers;
} layer_specs;

/* Reads a sequence of layer dicts; 0, or -1 with the exception. What messages call one is
 * its "path", layers[i] without one. */
int take_layer_specs(PyObject *sequence, layer_specs *specs);

/* Reads an optimizer's dict, or plain SGD from None; 0, or -1 with the exception. */
int take_optimizer_spec(PyObject *spec, rnn_optimizer *optimizer);

/* Reads how images of `inputs` numbers are distorted; 0, or -1 with the exception. */
int take_augmentation_spec(PyObject *spec, int inputs, rnn_augmentation *augmentation);

/* ---- shapes.c ---- */

/* Reads the shape of a sample; 0, or -1 with the exception. */
int take_input_shape(PyObject *sequence, rnn_shape *shape);

/* A tuple of int (a new reference), or NULL with the exception. */
PyObject *shape_as_tuple(const rnn_shape *shape);
/* None for a layer without one. */
PyObject *window_as_dict(const rnn_window *window);

/* Finds a loss by name; NULL with the exception. */
const rnn_loss_type *take_loss(const char *name);

/* The module's function. */
PyObject *layer_shapes(PyObject *module, PyObject *args, PyObject *kwds);
PyObject *layer_memory(PyObject *module, PyObject *args, PyObject *kwds);
PyObject *layer_params(PyObject *module, PyObject *args, PyObject *kwds);

/* ---- tables.c ---- */

/* Layers, activations, optimizers and losses, each by name (a new reference), or NULL with
 * the exception. */
PyObject *tables_as_dict(void);

/* ---- net_type.c ---- */

/* The heap type Net (a new reference), or NULL with the exception. */
PyObject *new_net_type(PyObject *module);

#endif

#define RNN_IMPORTS_NUMPY
#include "core.h"

#include "../base/blas.h"
#include "../base/cpu.h"
#include "../base/rng.h"
#include "../net/level.h"
#include "../net/net.h"
#include "../net/peak.h"

#include <string.h>

PyDoc_STRVAR(
    load_blas_doc,
    "load_blas($module, path, /)\n--\n\n"
    "Open the BLAS library at an absolute path. Only the first call has an effect.");

static PyObject *
load_blas(PyObject *module, PyObject *path)
{
    (void)module;
    rnn_error error = {""};
    PyObject *bytes = NULL, *result = NULL;
    if (!PyUnicode_FSConverter(path, &bytes))
        goto done;
    rnn_status status = rnn_blas_load(PyBytes_AsString(bytes), &error);
    if (status == RNN_OK)
        result = Py_NewRef(Py_None);
    else
        raise_status(status, error.text);
done:
    Py_XDECREF(bytes);
    return result;
}

PyDoc_STRVAR(choose_cpu_level_doc,
             "choose_cpu_level($module, name, /)\n--\n\n"
             "Use the kernels of this CPU level for every Net made from now on.");

static PyObject *
choose_cpu_level(PyObject *module, PyObject *name)
{
    (void)module;
    rnn_error error = {""};
    PyObject *result = NULL;
    const char *text_b = PyUnicode_AsUTF8AndSize(name, NULL);
    if (text_b == NULL)
        goto done;
    rnn_status status = rnn_level_choose(text_b, &error);
    if (status == RNN_OK)
        result = Py_NewRef(Py_None);
    else
        raise_status(status, error.text);
done:
    return result;
}

PyDoc_STRVAR(build_config_doc,
             "build_config($module, /)\n--\n\n"
             "Return what the core was built with and what it found here, as a dict.");

static PyObject *
runnable_levels(void)
{
    PyObject *list = PyList_New(0);
    for (int i = 0; list != NULL && rnn_levels[i] != NULL; i++) {
        if (!rnn_cpu_runs(rnn_levels[i]->name))
            continue;
        PyObject *name = PyUnicode_FromString(rnn_levels[i]->name);
        if (name == NULL || PyList_Append(list, name) < 0)
            Py_CLEAR(list);
        Py_XDECREF(name);
    }
    return list;
}

#if defined(__clang__)
#define COMPILER __VERSION__
#else
#define COMPILER "GCC " __VERSION__
#endif

static PyObject *
build_config(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    PyObject *result = NULL, *levels = NULL, *blas_path = NULL;
    const char *path = rnn_blas_path();
    blas_path = path != NULL ? PyUnicode_DecodeFSDefault(path) : Py_NewRef(Py_None);
    if (blas_path == NULL || (levels = runnable_levels()) == NULL)
        goto done;
    result = Py_BuildValue("{s:O, s:z, s:z, s:s, s:O, s:s}", "blas_path", blas_path,
                           "blas_config", rnn_blas_config(), "blas_core", rnn_blas_core(),
                           "cpu_level", rnn_level_current()->name, "cpu_levels", levels,
                           "compiler", COMPILER);
done:
    Py_XDECREF(blas_path);
    Py_XDECREF(levels);
    return result;
}

PyDoc_STRVAR(
    rng_uniform_doc,
    "rng_uniform($module, state, low, high, out, /)\n--\n\n"
    "Fill out (float32, 1-D) with low + (high - low) * u and return the new state.");

static PyObject *
rng_uniform(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned long long state;
    float low, high;
    PyObject *out_b, *result = NULL;
    PyArrayObject *out = NULL;
    array_rule rule = {"rng_uniform", "out", NPY_FLOAT32, -1, 1, {-1}, 1};
    if (!PyArg_ParseTuple(args, "KffO:rng_uniform", &state, &low, &high, &out_b)
        || (out = take_array(out_b, &rule)) == NULL)
        goto done;
    uint64_t next = state;
    rnn_rng_uniform(&next, low, high, PyArray_DATA(out), (size_t)PyArray_DIM(out, 0));
    result = PyLong_FromUnsignedLongLong(next);
done:
    release_array(out);
    return result;
}

PyDoc_STRVAR(
    rng_shuffle_doc,
    "rng_shuffle($module, state, order, /)\n--\n\n"
    "Shuffle order (int32, 1-D) in place (Fisher and Yates) and return the new state.");

static PyObject *
rng_shuffle(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned long long state;
    PyObject *order_b, *result = NULL;
    PyArrayObject *order = NULL;
    array_rule rule = {"rng_shuffle", "order", NPY_INT32, -1, 1, {-1}, 1};
    if (!PyArg_ParseTuple(args, "KO:rng_shuffle", &state, &order_b)
        || (order = take_array(order_b, &rule)) == NULL)
        goto done;
    uint64_t next = state;
    rnn_rng_shuffle(&next, PyArray_DATA(order), (size_t)PyArray_DIM(order, 0));
    result = PyLong_FromUnsignedLongLong(next);
done:
    release_array(order);
    return result;
}

/* Floats that are looked at in about 50 microseconds. To release the lock for fewer would
 * make threads with small predictions wait for each other. */
#define SHORT_LOOK ((size_t)200000)

PyDoc_STRVAR(all_within_doc,
             "all_within($module, array, low, high, /)\n--\n\n"
             "Whether every element of a float32 (n, m) array is at least low and at most "
             "high.");

static PyObject *
all_within(PyObject *module, PyObject *args)
{
    (void)module;
    array_rule rule = {"all_within", "array", NPY_FLOAT32, -1, 2, {-1, -1}, 0};
    PyObject *array_b;
    PyArrayObject *array = NULL;
    PyObject *result = NULL;
    float low, high;
    if (!PyArg_ParseTuple(args, "Off:all_within", &array_b, &low, &high)
        || (array = take_array(array_b, &rule)) == NULL)
        goto done;
    const float *x = PyArray_DATA(array);
    size_t n = (size_t)PyArray_DIM(array, 0) * (size_t)PyArray_DIM(array, 1);
    PyThreadState *saved = n < SHORT_LOOK ? NULL : PyEval_SaveThread();
    bool within = rnn_level_current()->all_within(x, n, low, high);
    if (saved != NULL)
        PyEval_RestoreThread(saved);
    result = PyBool_FromLong(within);
done:
    release_array(array);
    return result;
}

PyDoc_STRVAR(check_optimizer_doc,
             "check_optimizer($module, optimizer, /)\n--\n\n"
             "Raise what Net would raise for this dict.");

static PyObject *
check_optimizer(PyObject *module, PyObject *spec)
{
    (void)module;
    rnn_optimizer optimizer;
    if (take_optimizer_spec(spec, &optimizer) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(measure_peak_doc,
             "measure_peak($module, kind, threads, /)\n--\n\n"
             "Return the GF/s that threads reach together in about 50 ms: kind 'fma' is a\n"
             "loop over registers, 'sgemm' the BLAS with matrices of each thread's own.");

static int
take_peak_kind(const char *text, rnn_peak_kind *kind)
{
    static const char *const names[] = {[RNN_PEAK_FMA] = "fma", [RNN_PEAK_SGEMM] = "sgemm"};
    for (int i = 0; i < 2; i++)
        if (strcmp(text, names[i]) == 0) {
            *kind = (rnn_peak_kind)i;
            return 0;
        }
    PyObject *got = PyUnicode_FromString(text);
    if (got != NULL)
        PyErr_Format(PyExc_ValueError,
                     "measure_peak: kind: expected fma or sgemm, got %.60R", got);
    Py_XDECREF(got);
    return -1;
}

static PyObject *
measure_peak(PyObject *module, PyObject *args)
{
    (void)module;
    const char *text_b;
    int threads;
    rnn_peak_kind kind;
    rnn_error error = {""};
    double gflops = 0;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(args, "si:measure_peak", &text_b, &threads)
        || take_peak_kind(text_b, &kind) < 0 || check_threads("measure_peak", threads) < 0)
        goto done;
    PyThreadState *saved = PyEval_SaveThread();
    rnn_status status = rnn_measure_peak(kind, threads, &gflops, &error);
    PyEval_RestoreThread(saved);
    if (status == RNN_OK)
        result = PyFloat_FromDouble(gflops);
    else
        raise_status(status, error.text);
done:
    return result;
}

PyDoc_STRVAR(augment_doc,
             "augment($module, rows, spec, seed, step, /)\n--\n\n"
             "Distort images, float32 (n, inputs), in place, as Net.train does those of a\n"
             "batch in this step; `spec` is its `augment`.");

static PyObject *
augment(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *rows_b, *spec_b, *result = NULL;
    PyArrayObject *rows = NULL;
    rnn_augmentation augmentation;
    float *scratch = NULL;
    unsigned long long seed;
    long long step;
    array_rule rule = {"augment", "rows", NPY_FLOAT32, -1, 2, {-1, -1}, 1};
    if (!PyArg_ParseTuple(args, "OOKL:augment", &rows_b, &spec_b, &seed, &step)
        || (rows = take_array(rows_b, &rule)) == NULL
        || take_augmentation_spec(spec_b, (int)PyArray_DIM(rows, 1), &augmentation) < 0)
        goto done;
    size_t count = rnn_augmentation_scratch(&augmentation);
    if ((scratch = PyMem_Malloc(count * sizeof *scratch)) == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    float *data = PyArray_DATA(rows);
    int n = (int)PyArray_DIM(rows, 0);
    PyThreadState *saved = PyEval_SaveThread();
    rnn_augment_rows(rnn_level_current(), data, n, &augmentation, seed, step, scratch);
    PyEval_RestoreThread(saved);
    result = Py_NewRef(Py_None);
done:
    PyMem_Free(scratch);
    release_array(rows);
    return result;
}

PyDoc_STRVAR(tables_doc,
             "tables($module, /)\n--\n\n"
             "Return what the core has, by name: layers and optimizers with their keys,\n"
             "activations and losses. Ranges include both ends.");

static PyObject *
tables(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return tables_as_dict();
}

PyDoc_STRVAR(layer_shapes_doc,
             "layer_shapes($module, layers, input_shape, loss='none')\n--\n\n"
             "Return the shape of each layer's output, or raise what Net would raise for\n"
             "these layers; messages call a layer by its 'path', layers[i] without one.");

PyDoc_STRVAR(
    layer_memory_doc,
    "layer_memory($module, layers, input_shape, loss='none')\n--\n\n"
    "Return the float32 numbers that a prediction of one row keeps for each layer,\n"
    "without memory for them.");

PyDoc_STRVAR(layer_params_doc,
             "layer_params($module, layers, input_shape, loss='none')\n--\n\n"
             "Return a list of (name, shape) of the parameters and states of each layer,\n"
             "without making them; otherwise like layer_shapes.");

static PyMethodDef module_methods[] = {
    {"augment", augment, METH_VARARGS, augment_doc},
    {"all_within", all_within, METH_VARARGS, all_within_doc},
    {"layer_shapes", (PyCFunction)(void (*)(void))layer_shapes,
     METH_VARARGS | METH_KEYWORDS, layer_shapes_doc},
    {"layer_memory", (PyCFunction)(void (*)(void))layer_memory,
     METH_VARARGS | METH_KEYWORDS, layer_memory_doc},
    {"layer_params", (PyCFunction)(void (*)(void))layer_params,
     METH_VARARGS | METH_KEYWORDS, layer_params_doc},
    {"load_blas", load_blas, METH_O, load_blas_doc},
    {"choose_cpu_level", choose_cpu_level, METH_O, choose_cpu_level_doc},
    {"check_optimizer", check_optimizer, METH_O, check_optimizer_doc},
    {"build_config", build_config, METH_NOARGS, build_config_doc},
    {"measure_peak", measure_peak, METH_VARARGS, measure_peak_doc},
    {"rng_uniform", rng_uniform, METH_VARARGS, rng_uniform_doc},
    {"rng_shuffle", rng_shuffle, METH_VARARGS, rng_shuffle_doc},
    {"tables", tables, METH_NOARGS, tables_doc},
    {NULL, NULL, 0, NULL},
};

typedef struct {
    PyObject *net_type;
} module_state;

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    module_state *state = PyModule_GetState(module);
    Py_VISIT(state->net_type);
    return 0;
}

static int
module_clear(PyObject *module)
{
    module_state *state = PyModule_GetState(module);
    Py_CLEAR(state->net_type);
    return 0;
}

/* NumPy and the BLAS keep process-wide state, so one interpreter has the module. */
static int
refuse_second_interpreter(void)
{
    static int64_t owner = -1;
    int64_t here = PyInterpreterState_GetID(PyInterpreterState_Get());
    if (owner < 0)
        owner = here;
    if (here == owner)
        return 0;
    PyErr_SetString(PyExc_ImportError,
                    "rnn_native: another interpreter of this process has loaded it; "
                    "subinterpreters are not supported");
    return -1;
}

static int
module_exec(PyObject *module)
{
    module_state *state = PyModule_GetState(module);
    if (refuse_second_interpreter() < 0 || PyArray_ImportNumPyAPI() < 0)
        return -1;
    state->net_type = new_net_type(module);
    if (state->net_type == NULL)
        return -1;
    return PyModule_AddType(module, (PyTypeObject *)state->net_type);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "rnn_native._core",
    .m_doc = PyDoc_STR("Native training kernels of rnn_native."),
    .m_size = sizeof(module_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&module_def);
}

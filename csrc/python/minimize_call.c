/* Net.minimize. */
#include "net_object.h"

const char minimize_doc[] = PyDoc_STR(
    "minimize($self, /, x, y, tolerance, iterations, evaluations, *, threads=1,\n"
    "         weights=None, smoothing=0.0, l2=0.0, followed=1.0, values=None)\n"
    "--\n\n"
    "Minimize the mean loss of all rows, as one batch, by L-BFGS.\n\n"
    "What is minimized is `followed` times the loss, whose gradient the core has, and l2 "
    "/\n"
    "2 times the sum of squares of all parameters but vectors, by the sum of `weights` or\n"
    "the rows. Ends when no entry of the gradient is above `tolerance`, when the loss\n"
    "stops to fall, after `iterations`, or after an iteration with more than "
    "`evaluations`\n"
    "before its end. `values` (float64, writable) receives what was reached by the first\n"
    "iterations. Returns the value, the part of it that is l2's, iterations, evaluations,\n"
    "and what ended it: 'gradient', 'decrease', 'iterations' or 'evaluations'.\n"
    "FloatingPointError for a loss or gradient that is not finite at the beginning; then\n"
    "nothing is changed.");

static const char *const end_names[] = {
    [RNN_FLAT] = "gradient",
    [RNN_NO_DECREASE] = "decrease",
    [RNN_ITERATIONS] = "iterations",
    [RNN_EVALUATIONS] = "evaluations",
};

/* What a call is given, and holds references to. */
typedef struct {
    rows_argument x;
    PyArrayObject *y, *weights, *values;
    rnn_recipe recipe;
    rnn_limits limits;
    int threads;
} minimize_arguments;

static void
release_arguments(minimize_arguments *a)
{
    release_rows(&a->x);
    release_array(a->y);
    release_array(a->weights);
    release_array(a->values);
}

/* value >= least, which NaN is not. */
static int
check_least(const char *name, double value, double least)
{
    if (value >= least)
        return 0;
    char text[100];
    PyOS_snprintf(text, sizeof text, "minimize: %s: expected at least %g, got %g", name,
                  least, value);
    PyErr_SetString(PyExc_ValueError, text);
    return -1;
}

static int
check_limits(const minimize_arguments *a)
{
    const rnn_limits *limits = &a->limits;
    if (check_least("tolerance", limits->tolerance, 0) < 0
        || check_least("iterations", (double)limits->iterations, 1) < 0
        || check_least("evaluations", (double)limits->evaluations, 1) < 0
        || check_least("l2", a->recipe.l2, 0) < 0
        || check_least("followed", limits->followed, 0) < 0)
        return -1;
    return check_threads("minimize", a->threads);
}

static int
take_values(PyObject *values, minimize_arguments *a)
{
    array_rule rule = {"minimize", "values", NPY_FLOAT64, -1, 1, {-1}, 1};
    if (values == NULL || values == Py_None)
        return 0;
    return (a->values = take_array(values, &rule)) != NULL ? 0 : -1;
}

/* Everything that net_minimize is given; 0, or -1 with the exception. */
static int
take_arguments(PyObject *op, PyObject *args, PyObject *kwds, minimize_arguments *a)
{
    static char *names[] = {"x",           "y",        "tolerance", "iterations",
                            "evaluations", "threads",  "weights",   "smoothing",
                            "l2",          "followed", "values",    NULL};
    PyObject *x_b, *y_b, *weights_b = NULL, *values_b = NULL;
    long long iterations, evaluations;
    double smoothing = 0;
    a->threads = 1;
    a->limits.followed = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwds, "OOdLL|$iOdddO:minimize", names, &x_b,
                                     &y_b, &a->limits.tolerance, &iterations, &evaluations,
                                     &a->threads, &weights_b, &smoothing, &a->recipe.l2,
                                     &a->limits.followed, &values_b))
        return -1;
    a->limits.iterations = iterations;
    a->limits.evaluations = evaluations;
    a->recipe.smoothing = (float)smoothing;
    a->recipe.weighted_mean = true;
    if (check_limits(a) < 0 || check_smoothing("minimize", smoothing) < 0
        || take_x(op, "minimize", x_b, &a->x) < 0
        || (a->y = take_y(op, "minimize", y_b, a->x.n)) == NULL
        || take_weights("minimize", weights_b, a->x.n, &a->weights) < 0
        || take_values(values_b, a) < 0)
        return -1;
    return 0;
}

PyObject *
net_minimize(PyObject *op, PyObject *args, PyObject *kwds)
{
    minimize_arguments a = {0};
    PyObject *result = NULL;
    rnn_minimum found;
    if (take_arguments(op, args, kwds, &a) < 0 || refuse_frozen(NET(op)) < 0
        || begin_training(SHARING(op), "minimize") < 0)
        goto done;
    rnn_data data = data_of(&a.x, a.y, a.weights);
    double *values = a.values != NULL ? PyArray_DATA(a.values) : NULL;
    int64_t n_values = a.values != NULL ? PyArray_DIM(a.values, 0) : 0;
    native_work work = {PyEval_SaveThread()};
    rnn_status status =
        rnn_net_minimize(NET(op), &data, &a.recipe, &a.limits, a.threads, stop_of(&work),
                         &SHARING(op)->exchange, values, n_values, &found);
    end_work(&work);
    end_training(SHARING(op));
    if (status == RNN_OK)
        result =
            Py_BuildValue("ddLLs", found.value, found.penalty, (long long)found.iterations,
                          (long long)found.evaluations, end_names[found.end]);
    else if (status == RNN_ENONFINITE)
        raise_status(status,
                     "the loss or its gradient is not finite before the first "
                     "iteration; look for extreme values in the data or weights");
    else
        raise_status(status, NULL);
done:
    release_arguments(&a);
    return result;
}

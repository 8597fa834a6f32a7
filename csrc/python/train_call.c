/* Net.train. */
#include "net_object.h"

static PyArrayObject *
take_order(const char *function, PyObject *order, npy_intp n)
{
    array_rule rule = {function, "order", NPY_INT32, -1, 1, {-1}, 0};
    PyArrayObject *array = take_copy(order, &rule);
    if (array == NULL)
        return NULL;
    const int32_t *row = PyArray_DATA(array);
    for (npy_intp i = 0; i < PyArray_DIM(array, 0); i++)
        if (row[i] < 0 || row[i] >= n) {
            PyErr_Format(PyExc_ValueError, "%s: order[%zd] is %d, expected a row in 0..%zd",
                         function, (Py_ssize_t)i, (int)row[i], (Py_ssize_t)n - 1);
            release_array(array);
            return NULL;
        }
    return array;
}

static int
check_at_least_one(const char *function, const char *name, int value)
{
    if (value >= 1)
        return 0;
    PyErr_Format(PyExc_ValueError, "%s: %s: expected at least 1, got %d", function, name,
                 value);
    return -1;
}

static int
check_at_most(const char *function, const char *name, double value, double most)
{
    if (value >= 0 && value <= most)
        return 0;
    char text[100];
    PyOS_snprintf(text, sizeof text, "%s: %s: expected a number in [0, %g], got %g",
                  function, name, most, value);
    PyErr_SetString(PyExc_ValueError, text);
    return -1;
}

static int
check_not_negative(const char *function, const char *name, double value)
{
    if (value >= 0)
        return 0;
    char text[100];
    PyOS_snprintf(text, sizeof text, "%s: %s: expected at least 0, got %g", function, name,
                  value);
    PyErr_SetString(PyExc_ValueError, text);
    return -1;
}

const char train_doc[] = PyDoc_STR(
    "train($self, /, x, y, order, batch_size, lr, *, threads=1, weights=None,\n"
    "      smoothing=0.0, clip_norm=0.0, l2=0.0, seed=0, step=0, updates=-1, done=None,\n"
    "      epochs=1, epoch=1, mixup=0.0, augment=None, average=None, average_decay=0.0,\n"
    "      average_is_outside=False, weighted_mean=False, penalties=None, averaged=-1,\n"
    "      ranks=None, accumulate=1, loss=0.0)\n"
    "--\n\n"
    "Train on the rows x[order], in that order, `epochs` times.\n\n"
    "`lr` is one learning rate, or float64 with one for each step. Returns two arrays\n"
    "with an entry for each epoch: the loss summed over rows (float64, each row before\n"
    "its batch's update) and the number of hits (int64). `l2` adds l2 / 2 times the sum\n"
    "of squares of all parameters but vectors to each batch's summed loss. `augment` is\n"
    "a dict with channels, height, width, shift, rotation, scale, shear, elastic; `mixup`\n"
    "is alpha. `average` (float32, writable, as params) follows the parameters from step\n"
    "to step, or stays where `average_decay` is 1; with `average_is_outside` the two\n"
    "change places for the call, and outside it the net holds the average. With\n"
    "`weighted_mean` a batch is divided by the sum of\n"
    "its weights, not by its rows, and then counts as often as it has rows. `penalties`\n"
    "(float64, writable, an entry for each epoch) receives the part of the loss that is\n"
    "l2's. `seed` is that of masks; `step` counts the steps before this call, `updates`\n"
    "those of the optimizer, `averaged` those of the average: -1 is `step`. `done`\n"
    "(int64, writable, one entry) receives the number of batches done, whatever ends the\n"
    "call. `epoch` is the number of the first epoch in messages. `ranks` has the "
    "processes\n"
    "that train together: rank, size, stop (a byte that is not 0 when this one wants to "
    "end)\n"
    "and swap(partner, give, take), which exchanges bytes. An update follows the mean\n"
    "gradient over all rows of `accumulate` batches: they are one step, which has one\n"
    "learning rate and counts as one batch in `done`. `loss` is the sum over rows of the\n"
    "first epoch before these, which its sum continues. A loss that is not finite raises\n"
    "FloatingPointError before that batch changes the parameters; so does a parameter,\n"
    "before the first epoch and after each.");

static PyObject *
scores_as_arrays(const rnn_score *scores, int epochs)
{
    npy_intp n = epochs;
    PyObject *result = NULL;
    PyObject *loss = PyArray_SimpleNew(1, &n, NPY_FLOAT64);
    PyObject *hits = PyArray_SimpleNew(1, &n, NPY_INT64);
    if (loss == NULL || hits == NULL)
        goto done;
    for (int e = 0; e < epochs; e++) {
        ((double *)PyArray_DATA((PyArrayObject *)loss))[e] = scores[e].loss;
        ((int64_t *)PyArray_DATA((PyArrayObject *)hits))[e] = scores[e].hits;
    }
    result = PyTuple_Pack(2, loss, hits);
done:
    Py_XDECREF(loss);
    Py_XDECREF(hits);
    return result;
}

/* `batch` batches of `epoch` were trained; that after them failed, or what all left did. */
static void
raise_not_finite(const rnn_recipe *recipe, rnn_status status, int first_epoch, int epoch,
                 int batch)
{
    int steps = (int)rnn_recipe_steps(recipe), last = batch < steps ? batch : steps - 1;
    int64_t at = recipe->n_lr > 0 ? (int64_t)steps * epoch + last : 0;
    const char *what = status == RNN_EWEIGHTS   ? "a weight"
                       : status == RNN_EMOMENTS ? "a moment of the optimizer"
                                                : "the loss";
    char text[200];
    PyOS_snprintf(text, sizeof text,
                  "%s is not finite at epoch %d, batch %d (learning rate %g); lower "
                  "the learning rate or look for extreme values in the data or weights",
                  what, first_epoch + epoch, last + 1, recipe->lr[at]);
    raise_status(status, text);
}

static bool
is_not_finite(rnn_status status)
{
    return status == RNN_ENONFINITE || status == RNN_EWEIGHTS || status == RNN_EMOMENTS;
}

/* One learning rate in *one, or an array with one for each step. */
static int
take_lr(PyObject *lr, int64_t steps, double *one, PyArrayObject **many)
{
    if (PyArray_Check(lr)) {
        array_rule rule = {"train", "lr", NPY_FLOAT64, -1, 1, {(npy_intp)steps}, 0};
        *many = take_array(lr, &rule);
        return *many != NULL ? 0 : -1;
    }
    *one = PyFloat_AsDouble(lr);
    return PyErr_Occurred() ? -1 : 0;
}

/* What a call is given, and holds references to. */
typedef struct {
    rows_argument x;
    PyArrayObject *y, *order, *weights, *rates, *average, *penalties, *done;
    rnn_augmentation augmentation;
    rnn_recipe recipe;
    ranks_argument ranks;
    double lr, loss;
    int threads, first_epoch;
} train_arguments;

static void
release_arguments(train_arguments *a)
{
    release_rows(&a->x);
    release_array(a->y);
    release_array(a->order);
    release_array(a->weights);
    release_array(a->rates);
    release_array(a->average);
    release_array(a->penalties);
    release_array(a->done);
    release_ranks(&a->ranks);
}

static int
check_numbers(const train_arguments *a)
{
    const rnn_recipe *s = &a->recipe;
    if (check_at_least_one("train", "batch_size", s->batch_size) < 0
        || check_at_least_one("train", "epochs", s->epochs) < 0
        || check_at_least_one("train", "accumulate", s->accumulate) < 0
        || check_threads("train", a->threads) < 0
        || check_not_negative("train", "clip_norm", s->clip_norm) < 0
        || check_not_negative("train", "l2", s->l2) < 0
        || check_not_negative("train", "step", (double)s->step) < 0
        || check_at_most("train", "mixup", s->mixup, RNN_MAX_MIXUP) < 0
        || check_at_most("train", "average_decay", s->average_decay, 1) < 0)
        return -1;
    return 0;
}

static int
take_average(PyObject *op, PyObject *average, train_arguments *a)
{
    array_rule rule = {"train", "average", NPY_FLOAT32,
                       -1,      1,         {(npy_intp)rnn_net_param_count(NET(op))},
                       1};
    if (average == NULL || average == Py_None)
        return 0;
    if ((a->average = take_array(average, &rule)) == NULL)
        return -1;
    a->recipe.average = PyArray_DATA(a->average);
    return 0;
}

static int
take_penalties(PyObject *penalties, train_arguments *a)
{
    array_rule rule = {"train", "penalties", NPY_FLOAT64, -1, 1, {a->recipe.epochs}, 1};
    if (penalties == NULL || penalties == Py_None)
        return 0;
    return (a->penalties = take_array(penalties, &rule)) != NULL ? 0 : -1;
}

static int
take_done(PyObject *done, train_arguments *a)
{
    array_rule rule = {"train", "done", NPY_INT64, -1, 1, {1}, 1};
    if (done == NULL || done == Py_None)
        return 0;
    return (a->done = take_array(done, &rule)) != NULL ? 0 : -1;
}

static int
take_augmentation(PyObject *op, PyObject *augment, train_arguments *a)
{
    if (augment == NULL || augment == Py_None)
        return 0;
    if (take_augmentation_spec(augment, rnn_net_in_size(NET(op)), &a->augmentation) < 0)
        return -1;
    a->recipe.augmentation = &a->augmentation;
    return 0;
}

/* Rows are distorted and mixed where all their numbers are. */
static int
check_made(const train_arguments *a)
{
    if (a->x.begin == NULL || (a->recipe.augmentation == NULL && a->recipe.mixup == 0))
        return 0;
    PyErr_SetString(PyExc_ValueError,
                    "train: augment and mixup need an array x, got compressed rows");
    return -1;
}

/* Everything that net_train is given; 0, or -1 with the exception. */
static int
take_arguments(PyObject *op, PyObject *args, PyObject *kwds, train_arguments *a)
{
    /* What a step of a small net is given comes first: further names are not looked for. */
    static char *names[] = {"x",
                            "y",
                            "order",
                            "batch_size",
                            "lr",
                            "threads",
                            "weights",
                            "smoothing",
                            "clip_norm",
                            "l2",
                            "seed",
                            "step",
                            "updates",
                            "done",
                            "epochs",
                            "epoch",
                            "mixup",
                            "augment",
                            "average",
                            "average_decay",
                            "average_is_outside",
                            "weighted_mean",
                            "penalties",
                            "averaged",
                            "ranks",
                            "accumulate",
                            "loss",
                            NULL};
    PyObject *x_b, *y_b, *order_b, *lr_b, *weights_b = NULL;
    PyObject *augment_b = NULL, *average_b = NULL, *penalties_b = NULL, *done_b = NULL;
    PyObject *ranks_b = NULL;
    rnn_recipe *s = &a->recipe;
    double smoothing = 0;
    int weighted_mean = 0, outside = 0;
    unsigned long long seed = 0;
    long long step = 0, updates = -1, averaged = -1;
    s->epochs = s->accumulate = a->threads = a->first_epoch = 1;
    if (!PyArg_ParseTupleAndKeywords(
            args, kwds, "OOOiO|$iOdddKLLOiidOOdppOLOid:train", names, &x_b, &y_b, &order_b,
            &s->batch_size, &lr_b, &a->threads, &weights_b, &smoothing, &s->clip_norm,
            &s->l2, &seed, &step, &updates, &done_b, &s->epochs, &a->first_epoch, &s->mixup,
            &augment_b, &average_b, &s->average_decay, &outside, &weighted_mean,
            &penalties_b, &averaged, &ranks_b, &s->accumulate, &a->loss))
        return -1;
    s->smoothing = (float)smoothing;
    s->weighted_mean = weighted_mean;
    s->average_is_outside = outside;
    s->seed = seed;
    s->step = step;
    s->updates = updates < 0 ? step : updates;
    s->averaged = averaged < 0 ? step : averaged;
    if (check_numbers(a) < 0 || check_smoothing("train", smoothing) < 0
        || take_x(op, "train", x_b, &a->x) < 0
        || (a->y = take_y(op, "train", y_b, a->x.n)) == NULL
        || (a->order = take_order("train", order_b, a->x.n)) == NULL
        || take_weights("train", weights_b, a->x.n, &a->weights) < 0
        || take_average(op, average_b, a) < 0 || take_penalties(penalties_b, a) < 0
        || take_done(done_b, a) < 0 || take_augmentation(op, augment_b, a) < 0
        || check_made(a) < 0 || take_ranks(ranks_b, &a->ranks) < 0)
        return -1;
    s->ranks = a->ranks.ranks.size > 0 ? &a->ranks.ranks : NULL;
    s->order = PyArray_DATA(a->order);
    s->n_order = (int)PyArray_DIM(a->order, 0);
    int64_t steps = rnn_recipe_steps(s) * s->epochs;
    if (take_lr(lr_b, steps, &a->lr, &a->rates) < 0)
        return -1;
    s->lr = a->rates != NULL ? PyArray_DATA(a->rates) : &a->lr;
    s->n_lr = a->rates != NULL ? steps : 0;
    return 0;
}

PyObject *
net_train(PyObject *op, PyObject *args, PyObject *kwds)
{
    train_arguments a = {0};
    PyObject *result = NULL;
    rnn_score *scores = NULL;
    int epoch = 0, batch = 0;
    if (take_arguments(op, args, kwds, &a) < 0)
        goto done;
    if ((scores = PyMem_Calloc((size_t)a.recipe.epochs, sizeof *scores)) == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    scores[0].loss = a.loss;
    if (refuse_frozen(NET(op)) < 0 || begin_training(SHARING(op), "train") < 0)
        goto done;
    rnn_data data = data_of(&a.x, a.y, a.weights);
    native_work work = {PyEval_SaveThread()};
    a.ranks.work = &work;
    rnn_status status = rnn_net_train(NET(op), &data, &a.recipe, a.threads, stop_of(&work),
                                      &SHARING(op)->exchange, scores, &epoch, &batch);
    end_work(&work);
    end_training(SHARING(op));
    for (int e = 0; a.penalties != NULL && e < a.recipe.epochs; e++)
        ((double *)PyArray_DATA(a.penalties))[e] = scores[e].penalty;
    if (status == RNN_OK)
        batch = 0; /* of the epoch that would have come next */
    if (a.done != NULL)
        *(int64_t *)PyArray_DATA(a.done) = rnn_recipe_steps(&a.recipe) * epoch + batch;
    if (status == RNN_OK)
        result = scores_as_arrays(scores, a.recipe.epochs);
    else if (is_not_finite(status))
        raise_not_finite(&a.recipe, status, a.first_epoch, epoch, batch);
    else
        raise_status(status, NULL);
done:
    PyMem_Free(scores);
    release_arguments(&a);
    return result;
}

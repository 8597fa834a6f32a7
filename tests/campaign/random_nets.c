/* Attributes are what the binding lets through: numbers in their ranges, names as numbers,
 * NaN where a key was left out and the layer decides. */
#include "random_nets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LAYERS = 7 };

/* Nets beyond these are set up, and no more. The fuzzer has many cases a second. */
#ifdef RNN_GUIDED
enum { MOST_SIZE = 1 << 14, MOST_WORK = 20000 };
#else
enum { MOST_SIZE = 1 << 20, MOST_WORK = 2000000 };
#endif

uint64_t
next(dice *d)
{
    if (d->left >= 2) {
        uint64_t chosen = d->bytes[0] | (uint64_t)d->bytes[1] << 8;
        d->bytes += 2;
        d->left -= 2;
        return chosen;
    }
    d->state ^= d->state << 13;
    d->state ^= d->state >> 7;
    d->state ^= d->state << 17;
    return d->state * 0x2545f4914f6cdd1dULL >> 11;
}

int
below(dice *d, int n)
{
    return (int)(next(d) % (uint64_t)n);
}

static double
whole_number(dice *d, double min, double max)
{
    double span = max - min, small = span < 8 ? span : 8;
    if (below(d, 16) == 0)
        return max;
    if (below(d, 40) == 0)
        return floor(min + span / (1 + below(d, 1000)));
    return min + below(d, (int)small + 1);
}

static double
number(dice *d, double min, double max)
{
    if (below(d, 6) == 0)
        return below(d, 2) ? min : max;
    double top = max < min + 2 ? max : min + 2;
    return min + (top - min) * below(d, 1000) / 1000;
}

static int
count_choices(const rnn_attr *attr)
{
    int n = 0;
    while (attr->choice != NULL && attr->choice(n) != NULL)
        n++;
    return n;
}

static double
integer(dice *d, const rnn_attr *attr)
{
    int names = count_choices(attr);
    return names > 0 && below(d, 3) == 0 ? -1 - below(d, names)
                                         : whole_number(d, attr->min, attr->max);
}

static void
draw_key(dice *d, const rnn_attr *attr, double *value)
{
    int count = rnn_attr_count(attr);
    bool is_left_out = !attr->required && below(d, 2) == 0;
    double one = integer(d, attr);
    for (int i = 0; i < count; i++)
        value[i] = is_left_out                  ? attr->fallback
                   : attr->kind == RNN_BOOL     ? below(d, 2)
                   : attr->kind == RNN_CHOICE   ? below(d, count_choices(attr))
                   : attr->kind == RNN_FLOAT    ? number(d, attr->min, attr->max)
                   : one < 0 || below(d, 3) > 0 ? one
                                                : whole_number(d, attr->min, attr->max);
    if (attr->kind == RNN_INTS && !is_left_out)
        for (int i = 1 + below(d, count); i < count; i++)
            value[i] = NAN;
}

static void
draw_attrs(dice *d, const rnn_attr *attrs, double *value)
{
    for (int i = 0; attrs[i].name != NULL; i++)
        if (rnn_attr_is_key(&attrs[i]))
            draw_key(d, &attrs[i], &value[i]);
}

static int
draw_layers(dice *d, const rnn_level *level, rnn_layer *layers)
{
    int types = 0, n = 1 + below(d, 1 + below(d, MOST_LAYERS));
    while (level->layers[types] != NULL)
        types++;
    memset(layers, 0, sizeof *layers * MOST_LAYERS);
    for (int i = 0; i < n; i++) {
        layers[i].type = level->layers[below(d, types)];
        snprintf(layers[i].path, sizeof layers[i].path, "layers[%d]", i);
        draw_attrs(d, layers[i].type->attrs, layers[i].attr);
    }
    return n;
}

static rnn_shape
draw_shape(dice *d)
{
    rnn_shape shape = {.rank = 1 + below(d, RNN_MAX_RANK)};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = below(d, 50) == 0 ? 1 + below(d, 100000) : 1 + below(d, 9);
    return shape;
}

static const rnn_loss_type *
draw_loss(dice *d, const rnn_level *level)
{
    int n = 0;
    while (level->losses[n].name != NULL)
        n++;
    return &level->losses[below(d, n)];
}

/* Whether all of a net that is set up is small enough to run. */
static bool
is_small(const rnn_layer *layers, int n)
{
    double size = 0, work = 0;
    for (int i = 0; i < n; i++) {
        const rnn_layer *z = &layers[i];
        size += (double)z->param_count + z->state_count + ROWS * (double)z->cache
                + z->scratch + z->shared + z->packed + ROWS * (double)z->out_size;
        for (int pass = 0; pass < RNN_PASSES; pass++)
            work += z->work[pass];
    }
    return size < MOST_SIZE && work < MOST_WORK;
}

void
free_rows(rows *r)
{
    free(r->x);
    free(r->dinp);
    free(r->out);
    free(r->values);
    free(r->labels);
    free(r->order);
}

rows
draw_rows(dice *d, const rnn_net *net)
{
    size_t in = (size_t)rnn_net_in_size(net), out = (size_t)rnn_net_out_size(net);
    rows r = {malloc(ROWS * in * 4),
              malloc(ROWS * in * 4),
              malloc(ROWS * out * 4),
              malloc(ROWS * out * 4),
              malloc(ROWS * 4),
              malloc(2 * ROWS * 4),
              {0}};
    for (size_t i = 0; i < ROWS * in; i++)
        r.x[i] = below(d, 3) == 0 ? 0 : (float)below(d, 1000) / 1000;
    for (size_t i = 0; i < ROWS * out; i++)
        r.values[i] = (float)below(d, 2);
    for (int i = 0; i < ROWS; i++)
        r.labels[i] = below(d, (int)out);
    for (int i = 0; i < 2 * ROWS; i++)
        r.order[i] = below(d, ROWS);
    bool takes_labels = rnn_net_loss(net)->targets == RNN_LABELS;
    r.data = (rnn_data){
        .x = r.x, .targets = takes_labels ? (void *)r.labels : (void *)r.values, .n = ROWS};
    return r;
}

rnn_recipe
draw_recipe(dice *d, const rows *r, const double *lr)
{
    return (rnn_recipe){.order = r->order,
                        .n_order = 2 * ROWS,
                        .batch_size = 1 + below(d, 2 * ROWS),
                        .accumulate = 1 + below(d, 3),
                        .epochs = 1,
                        .lr = lr,
                        .clip_norm = below(d, 4) == 0 ? 1 : 0,
                        .l2 = below(d, 4) == 0 ? 0.01 : 0,
                        .mixup = below(d, 6) == 0 ? 0.5 : 0,
                        .seed = next(d)};
}

rnn_net *
draw_net(dice *d)
{
    const rnn_level *level = rnn_level_current();
    rnn_layer layers[MOST_LAYERS], plan[MOST_LAYERS];
    int n = draw_layers(d, level, layers), optimizers = 0;
    rnn_shape shape = draw_shape(d);
    const rnn_loss_type *loss = draw_loss(d, level);
    rnn_optimizer optimizer = {NULL, {0}};
    rnn_error error = {""};
    rnn_net *net = NULL;
    while (level->optimizers[optimizers].name != NULL)
        optimizers++;
    optimizer.type = &level->optimizers[below(d, optimizers)];
    draw_attrs(d, optimizer.type->attrs, optimizer.attr);
    memcpy(plan, layers, sizeof plan);
    if (rnn_shape_size(&shape) == 0)
        return NULL;
    if (rnn_layers_set_up(plan, n, shape, loss, &error) != RNN_OK) {
        if (strchr(error.text, '\n') != NULL || strlen(error.text) < 10)
            abort(); /* a message is one line that says something */
        return NULL;
    }
    if (is_small(plan, n)
        && rnn_net_new(&net, level, layers, n, shape, loss, optimizer, &error) != RNN_OK)
        abort(); /* what can be set up can be made */
    return net;
}

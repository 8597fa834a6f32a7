#include "branches.h"

#include <stdio.h>

/* Forks whose join is still to come. */
typedef struct {
    int depth;
    int fork[RNN_MAX_DEPTH];
    int n_ends[RNN_MAX_DEPTH]; /* last layers of branches so far */
    int end[RNN_MAX_DEPTH][RNN_MAX_BRANCHES];
} open_forks;

static rnn_status
refuse_mark(const rnn_layer *mark, const char *what, rnn_error *error)
{
    snprintf(error->text, sizeof error->text, "%s: %s", mark->path, what);
    return RNN_EINVAL;
}

static rnn_status
open_fork(open_forks *open, const rnn_layer *layers, int i, rnn_error *error)
{
    if (open->depth == RNN_MAX_DEPTH)
        return refuse_mark(&layers[i], "expected blocks nested at most 32 deep", error);
    open->fork[open->depth] = i;
    open->n_ends[open->depth++] = 0;
    return RNN_OK;
}

/* A further branch of the innermost fork: the layer before it ended the last one. */
static rnn_status
add_branch(open_forks *open, rnn_layer *layers, int i, rnn_error *error)
{
    int at = open->depth - 1;
    if (at < 0)
        return refuse_mark(&layers[i], "branch without a fork", error);
    rnn_layer *fork = &layers[open->fork[at]];
    if (fork->sides.n + 1 == RNN_MAX_BRANCHES)
        return refuse_mark(&layers[i], "expected at most 8 branches", error);
    layers[i].below = open->fork[at];
    fork->sides.layer[fork->sides.n++] = i;
    open->end[at][open->n_ends[at]++] = i - 1;
    return RNN_OK;
}

static rnn_status
close_fork(open_forks *open, rnn_layer *layers, int i, rnn_error *error)
{
    int at = open->depth - 1;
    if (at < 0 || open->n_ends[at] == 0)
        return refuse_mark(&layers[i], "join without a fork and two branches", error);
    layers[i].sides.n = open->n_ends[at];
    for (int k = 0; k < open->n_ends[at]; k++)
        layers[i].sides.layer[k] = open->end[at][k];
    open->depth--;
    return RNN_OK;
}

rnn_status
rnn_branches_link(rnn_layer *layers, int n_layers, rnn_error *error)
{
    open_forks open = {.depth = 0};
    rnn_status status = RNN_OK;
    for (int i = 0; status == RNN_OK && i < n_layers; i++) {
        layers[i].below = i - 1;
        layers[i].sides.n = 0;
        if (layers[i].type->mark == RNN_FORK)
            status = open_fork(&open, layers, i, error);
        else if (layers[i].type->mark == RNN_BRANCH)
            status = add_branch(&open, layers, i, error);
        else if (layers[i].type->mark == RNN_JOIN)
            status = close_fork(&open, layers, i, error);
    }
    if (status == RNN_OK && open.depth > 0)
        status =
            refuse_mark(&layers[open.fork[open.depth - 1]], "fork without a join", error);
    return status;
}

void
rnn_branches_shapes(rnn_layer *mark, const rnn_layer *layers)
{
    for (int k = 0; mark->type->mark == RNN_JOIN && k < mark->sides.n; k++)
        mark->sides.shape[k] = layers[mark->sides.layer[k]].out;
}

int
rnn_branches_join(const rnn_layer *layers, int fork)
{
    int depth = 1, i = fork;
    while (depth > 0) {
        i++;
        depth += layers[i].type->mark == RNN_FORK;
        depth -= layers[i].type->mark == RNN_JOIN;
    }
    return i;
}

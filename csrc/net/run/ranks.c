#include "ranks.h"

#include "pass.h"

#include <stdlib.h>
#include <string.h>

void
rnn_ranks_share(rnn_run *r)
{
    const rnn_ranks *ranks = r->ranks;
    int size = ranks != NULL ? ranks->size : 1, rank = ranks != NULL ? ranks->rank : 0;
    r->own_slice = r->row_slices * rank / size;
    r->own_slices = r->row_slices * (rank + 1) / size - r->own_slice;
    r->own_row = rnn_row_begin(r->rows, r->row_slices, r->own_slice);
    r->own_rows =
        rnn_row_begin(r->rows, r->row_slices, r->own_slice + r->own_slices) - r->own_row;
}

/* The first element of rank `rank`'s part; with size: the number of all elements. */
static size_t
part_begin(const rnn_run *r, rnn_owner of, int rank)
{
    int slice = r->row_slices * rank / r->ranks->size;
    if (of == RNN_OF_RANKS)
        return (size_t)rank;
    return (size_t)(of == RNN_OF_SLICES ? slice
                                        : rnn_row_begin(r->rows, r->row_slices, slice));
}

typedef enum { PACK, UNPACK } direction;

/* Copies elements begin..end of a piece to a buffer or from it, if there is one. Returns
 * their size. */
static size_t
copy_part(const rnn_piece *piece, size_t begin, size_t end, direction way, char *buffer)
{
    size_t each = piece->bytes, stride = piece->stride;
    if (stride == 0) { /* all are one */
        stride = each;
        each *= end - begin;
        end = end > begin ? begin + 1 : begin;
    }
    for (size_t i = begin; buffer != NULL && i < end; i++) {
        char *part = (char *)piece->base + i * stride, *there = buffer + (i - begin) * each;
        if (way == PACK)
            memcpy(there, part, each);
        else
            memcpy(part, there, each);
    }
    return each * (end - begin);
}

/* The same for the parts that ranks first..first + count have of all pieces. */
static size_t
copy_parts(const rnn_run *r, const rnn_piece *pieces, int n, int first, int count,
           direction way, char *buffer)
{
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        size_t begin = part_begin(r, pieces[i].of, first);
        size_t end = part_begin(r, pieces[i].of, first + count);
        char *to = buffer != NULL ? buffer + at : NULL;
        at += copy_part(&pieces[i], begin, end, way, to);
    }
    return at;
}

/* Room for what two ranks swap; NULL after a failure, of now or before. */
static char *
need_room(rnn_run *r, size_t bytes)
{
    rnn_ranks *ranks = r->ranks;
    if (r->status == RNN_OK && bytes > ranks->room_bytes) {
        char *room = realloc(ranks->room, bytes);
        if (room == NULL) {
            r->status = RNN_ENOMEM;
            return NULL;
        }
        ranks->room = room;
        ranks->room_bytes = bytes;
    }
    return r->status == RNN_OK ? ranks->room : NULL;
}

static bool
swap(rnn_run *r, int partner, const void *out, size_t out_bytes, void *in, size_t in_bytes)
{
    const rnn_ranks *ranks = r->ranks;
    if (out_bytes + in_bytes > 0
        && !ranks->swap(ranks->context, partner, out, out_bytes, in, in_bytes))
        r->status = RNN_EINTERRUPTED;
    return r->status == RNN_OK;
}

void
rnn_ranks_gather(rnn_run *r, const rnn_piece *pieces, int n)
{
    if (r->ranks == NULL || r->ranks->size == 1 || n == 0)
        return;
    size_t all = copy_parts(r, pieces, n, 0, r->ranks->size, PACK, NULL);
    char *out = need_room(r, 2 * all);
    if (out == NULL)
        return;
    char *in = out + all;
    for (int step = 1; step < r->ranks->size; step *= 2) {
        int partner = r->ranks->rank ^ step;
        int mine = r->ranks->rank & ~(step - 1), theirs = partner & ~(step - 1);
        size_t out_bytes = copy_parts(r, pieces, n, mine, step, PACK, out);
        size_t in_bytes = copy_parts(r, pieces, n, theirs, step, UNPACK, NULL);
        if (!swap(r, partner, out, out_bytes, in, in_bytes))
            return;
        copy_parts(r, pieces, n, theirs, step, UNPACK, in);
    }
}

/* Whether `count` ranks from `first` on have slices. */
static bool
have_slices(const rnn_run *r, int first, int count)
{
    return part_begin(r, RNN_OF_SLICES, first + count)
           > part_begin(r, RNN_OF_SLICES, first);
}

/* The left part comes first, as in the tree within a process. */
static void
add(float *values, const float *other, size_t n, bool other_is_left)
{
    for (size_t i = 0; i < n; i++)
        values[i] = other_is_left ? other[i] + values[i] : values[i] + other[i];
}

void
rnn_ranks_sum(rnn_run *r, float *values, size_t n)
{
    if (r->ranks == NULL || r->ranks->size == 1 || n == 0)
        return;
    char *in = need_room(r, n * sizeof(float));
    if (in == NULL)
        return;
    for (int step = 1; step < r->ranks->size; step *= 2) {
        int partner = r->ranks->rank ^ step;
        int mine = r->ranks->rank & ~(step - 1), theirs = partner & ~(step - 1);
        bool have = have_slices(r, mine, step), come = have_slices(r, theirs, step);
        size_t bytes = n * sizeof(float);
        if (!swap(r, partner, values, have ? bytes : 0, in, come ? bytes : 0))
            return;
        if (come && have)
            add(values, (const float *)(void *)in, n, theirs < mine);
        else if (come)
            memcpy(values, in, bytes);
    }
}

void
rnn_ranks_gather_scores(rnn_run *r)
{
    uint8_t stops[RNN_MAX_RANKS] = {0};
    if (r->ranks == NULL)
        return;
    stops[r->ranks->rank] = *r->ranks->stop;
    const rnn_piece pieces[] = {{r->net->loss_of_row, sizeof(double), RNN_OF_ROWS, 0},
                                {r->net->hit_of_row, sizeof(uint8_t), RNN_OF_ROWS, 0},
                                {stops, sizeof(uint8_t), RNN_OF_RANKS, 0}};
    rnn_ranks_gather(r, pieces, 3);
    for (int k = 0; k < r->ranks->size; k++)
        r->ranks_stop |= stops[k] != 0;
}

void
rnn_ranks_gather_factors(rnn_run *r, int begin, int end)
{
    const rnn_net *net = r->net;
    for (int i = begin; r->ranks != NULL && i < end; i++) {
        const rnn_stage *stage = &net->stages[i];
        const rnn_layer *layer = &stage->layer;
        rnn_piece pieces[2] = {
            {stage->dout, (size_t)layer->out_size * sizeof(float), RNN_OF_ROWS, 0}};
        if (!rnn_has_params(r, i))
            continue;
        if (stage->source >= 0)
            pieces[1] = (rnn_piece){net->stages[stage->source].out,
                                    (size_t)layer->in_size * sizeof(float), RNN_OF_ROWS, 0};
        rnn_ranks_gather(r, pieces, stage->source >= 0 ? 2 : 1);
    }
}

void
rnn_ranks_gather_for_finish(rnn_run *r)
{
    const rnn_net *net = r->net;
    for (int i = net->first_trainable; r->ranks != NULL && i < net->n_stages; i++) {
        const rnn_stage *stage = &net->stages[i];
        const rnn_layer *layer = &stage->layer;
        const rnn_piece pieces[] = {
            {stage->dout, (size_t)layer->out_size * sizeof(float), RNN_OF_ROWS, 0},
            {stage->cache + layer->cache - layer->finish_cache,
             layer->finish_cache * sizeof(float), RNN_OF_ROWS,
             layer->cache * sizeof(float)}};
        if (layer->finish_cache > 0 && !stage->is_frozen)
            rnn_ranks_gather(r, pieces, 2);
    }
}

bool
rnn_ranks_need_all_inputs(const rnn_run *r)
{
    for (int i = 0; r->ranks != NULL && i < r->net->n_stages; i++)
        if (rnn_has_params(r, i) && r->net->stages[i].source < 0)
            return true;
    return false;
}

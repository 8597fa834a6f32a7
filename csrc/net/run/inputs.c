#include "inputs.h"

#include "../../base/rng.h"

#include <math.h>

/* Parts of a step's key beside those of layers, which count from 0. */
#define AUGMENTATION_PART (UINT64_C(1) << 32)
#define MIXUP_PART (UINT64_C(2) << 32)

/* Bytes that the processor fetches at once. */
#define CACHE_LINE 64

/* Prefetches the rows that replace these rows in the next batch: they lie anywhere in
 * the data. */
static void
prefetch_next(const rnn_run *r, const rnn_batch *batch, int begin, int end)
{
    if (batch->data->compressed.begin != NULL)
        return;
    size_t bytes =
        (size_t)rnn_net_in_size(r->net) * (batch->data->x_is_bytes ? 1 : sizeof(float));
    for (int i = batch->rows + begin; i < batch->rows + end && i < batch->following; i++) {
        const char *row = (const char *)batch->data->x + (size_t)batch->order[i] * bytes;
        for (size_t at = 0; at < bytes; at += CACHE_LINE)
            __builtin_prefetch(row + at, 0, 2);
    }
}

/* The batch's rows as they lie in the data; without an order they begin there. */
static const char *
first_row(const rnn_run *r, const rnn_batch *batch)
{
    size_t item = batch->data->x_is_bytes ? 1 : sizeof(float);
    size_t skipped = batch->order != NULL ? 0 : (size_t)batch->begin;
    return (const char *)batch->data->x + skipped * (size_t)rnn_net_in_size(r->net) * item;
}

static rnn_compressed
first_compressed(const rnn_batch *batch)
{
    rnn_compressed rows = batch->data->compressed;
    rows.begin += batch->order != NULL ? 0 : batch->begin;
    return rows;
}

static void
gather_compressed(const rnn_run *r, const rnn_batch *batch, float *to, int begin, int end)
{
    rnn_compressed rows = first_compressed(batch);
    r->net->level->gather_compressed(to, &rows, batch->order, rnn_net_in_size(r->net),
                                     begin, end);
}

static void
gather(const rnn_run *r, const rnn_batch *batch, float *to, int begin, int end)
{
    if (batch->data->compressed.begin != NULL) {
        gather_compressed(r, batch, to, begin, end);
        return;
    }
    const void *x = first_row(r, batch);
    int size = rnn_net_in_size(r->net);
    if (batch->data->x_is_bytes)
        r->net->level->gather_u8(to, x, batch->order, size, begin, end);
    else
        r->net->level->gather_f32(to, x, batch->order, size, begin, end);
}

/* A worker's own room: scratch for distorting, then for a row of inputs or outputs. */
static float *
scratch_of(const rnn_run *r, int worker)
{
    return r->net->making + (size_t)worker * r->net->making_each;
}

static float *
second_row(const rnn_run *r, int worker)
{
    size_t scratch =
        r->augmentation != NULL ? rnn_augmentation_scratch(r->augmentation) : 0;
    return scratch_of(r, worker) + scratch;
}

static uint64_t
row_key(uint64_t step_key, int index)
{
    return rnn_mask_key(step_key, AUGMENTATION_PART + (uint64_t)index);
}

static void
augment_row(const rnn_run *r, float *row, int index, int worker)
{
    if (r->augmentation != NULL)
        r->net->level->augment(row, r->augmentation, row_key(r->key, index),
                               scratch_of(r, worker));
}

void
rnn_augment_rows(const rnn_level *level, float *rows, int n,
                 const rnn_augmentation *augmentation, uint64_t seed, int64_t step,
                 float *scratch)
{
    const rnn_augmentation *a = augmentation;
    ptrdiff_t size = (ptrdiff_t)a->channels * a->height * a->width;
    uint64_t key = rnn_mask_key(seed, (uint64_t)step);
    for (int i = 0; i < n; i++)
        level->augment(rows + i * size, a, row_key(key, i), scratch);
}

/* The row that another is mixed with; rows come in random order. */
static int
partner(const rnn_run *r, int index)
{
    return index + 1 < r->rows ? index + 1 : 0;
}

/* The partner is computed again: it may be the part of another slice. */
static void
mix_with_partner(const rnn_run *r, const rnn_batch *batch, float *row, int index,
                 int worker)
{
    float *other = second_row(r, worker);
    rnn_batch one = *batch;
    int at = partner(r, index);
    if (batch->order != NULL)
        one.order += at;
    else
        one.begin += at;
    gather(r, &one, other, 0, 1);
    augment_row(r, other, at, worker);
    r->net->level->mix_row(row, other, (float)r->share, rnn_net_in_size(r->net));
}

/* Rows as the net sees them in training, in net->inp. */
static void
distort_and_mix(const rnn_run *r, const rnn_batch *batch, int begin, int end, int worker)
{
    for (int i = begin; i < end; i++) {
        float *row = r->net->inp + (ptrdiff_t)i * rnn_net_in_size(r->net);
        augment_row(r, row, i, worker);
        if (r->share < 1)
            mix_with_partner(r, batch, row, i, worker);
    }
}

static void
list_nonzeros(const rnn_run *r, const rnn_batch *batch, bool changes, int begin, int end)
{
    const rnn_level *level = r->net->level;
    rnn_nonzeros *lists = &r->net->nonzeros;
    if (batch->data->compressed.begin != NULL) {
        rnn_compressed rows = first_compressed(batch);
        level->nonzeros_of_compressed(lists, &rows, batch->order, begin, end);
    }
    else if (changes)
        level->nonzeros_by_row(lists, r->net->inp, false, NULL, begin, end);
    else
        level->nonzeros_by_row(lists, first_row(r, batch), batch->data->x_is_bytes,
                               batch->order, begin, end);
}

void
rnn_make_inputs(const rnn_run *r, const rnn_batch *batch, int begin, int end, int worker)
{
    rnn_net *net = r->net;
    bool changes = r->augmentation != NULL || r->share < 1;
    if (changes || !r->is_sparse)
        gather(r, batch, net->inp, begin, end);
    if (changes)
        distort_and_mix(r, batch, begin, end, worker);
    if (r->is_sparse)
        list_nonzeros(r, batch, changes, begin, end);
    prefetch_next(r, batch, begin, end);
}

/* Joehnk 1964: of two even numbers' powers with a sum of at most 1, the share of one. */
double
rnn_draw_share(double alpha, uint64_t step_key)
{
    uint64_t key = rnn_mask_key(step_key, MIXUP_PART);
    for (uint64_t i = 0;; i += 2) {
        double a = pow(rnn_mask_bits(key, i) / 4294967296.0, 1 / alpha);
        double b = pow(rnn_mask_bits(key, i + 1) / 4294967296.0, 1 / alpha);
        if (a + b > 0 && a + b <= 1)
            return a / (a + b);
    }
}

void
rnn_mix_losses(const rnn_run *r, int begin, int end, int worker)
{
    const rnn_net *net = r->net;
    const rnn_stage *last = &net->stages[net->n_stages - 1];
    size_t size = (size_t)rnn_net_out_size(net);
    size_t item = net->loss->targets == RNN_LABELS ? sizeof(int32_t) : size * sizeof(float);
    float *other = second_row(r, worker), share = (float)r->share;
    for (int i = begin; i < end; i++) {
        int at = partner(r, i);
        double loss;
        uint8_t hit;
        net->loss->gradient(other, &loss, &hit, last->out + (size_t)i * size,
                            (const char *)net->targets + (size_t)at * item, r->smoothing,
                            (int)size, 0, 1);
        if (r->has_weights)
            net->level->weigh_rows(other, &loss, net->weights + at, (int)size, 0, 1);
        net->level->mix_row(last->dout + (size_t)i * size, other, share, (int)size);
        net->loss_of_row[i] = r->share * net->loss_of_row[i] + (1 - r->share) * loss;
        if (r->share < 0.5)
            net->hit_of_row[i] = hit;
    }
}

#include "run.h"

#include "../../base/clock.h"
#include "../memory.h"
#include "pass.h"

/* Multiply-adds below which a whole call is not worth waking other threads. */
#define MIN_CALL_WORK 5e6

/* The stop hook needs the GIL, so it is asked this often; the clock is read after about
 * this many multiply-adds, to which a batch adds a constant for what is not multiplying. */
#define STOP_NANOSECONDS 20000000
#define WORK_BETWEEN_CLOCK_READS 1e6
#define BATCH_OVERHEAD_WORK 1000

/* Rows whose density stands for all. */
#define DENSITY_ROWS 32

/* Nonzeros of a row of the data. */
static int
count_in_row(const rnn_net *net, const rnn_data *data, int row)
{
    if (data->compressed.begin != NULL)
        return data->compressed.begin[row + 1] - data->compressed.begin[row];
    int size = rnn_net_in_size(net);
    size_t bytes = (size_t)size * (data->x_is_bytes ? 1 : sizeof(float));
    const char *x = (const char *)data->x + (size_t)row * bytes;
    return net->level->count_nonzeros(x, data->x_is_bytes, size);
}

static double
density(const rnn_net *net, const rnn_batch *all)
{
    int n = all->rows < DENSITY_ROWS ? all->rows : DENSITY_ROWS;
    double count = 0;
    for (int i = 0; i < n; i++) {
        int row = (int)((int64_t)all->rows * i / n);
        row = all->order != NULL ? all->order[row] : all->begin + row;
        count += count_in_row(net, all->data, row);
    }
    return count / ((double)n * rnn_net_in_size(net));
}

/* Nonzeros in a batch of compressed rows at most, whichever rows are in it. */
static int64_t
most_entries(const rnn_net *net, const rnn_data *data)
{
    const int32_t *begin = data->compressed.begin;
    int64_t most = 0, all = begin[data->n];
    for (int i = 0; i < data->n; i++)
        if (begin[i + 1] - begin[i] > most)
            most = begin[i + 1] - begin[i];
    return most * net->capacity < all ? most * net->capacity : all;
}

/* Makes room for the lists of nonzeros of batches of the data. */
static rnn_status
need_lists(rnn_net *net, const rnn_data *data)
{
    if (data->compressed.begin == NULL)
        return rnn_net_need_nonzeros(net);
    rnn_status status = rnn_net_need_compact(net, most_entries(net, data));
    net->nonzeros.column = data->compressed.column;
    net->nonzeros.value = data->compressed.value;
    return status;
}

rnn_status
rnn_run_begin(rnn_run *r, rnn_net *net, int threads, rnn_stop stop, double rows,
              const rnn_batch *all)
{
    int64_t now = stop.wanted != NULL ? rnn_nanoseconds() : 0;
    *r = (rnn_run){.net = net, .stop = stop, .asked = now, .share = 1};
    double elements = (double)net->capacity * rnn_net_in_size(net);
    bool can = all->data->compressed.begin != NULL || elements < INT32_MAX;
    if (net->stages[0].layer.takes_nonzeros && can
        && density(net, all) < net->sparse_below) {
        if (need_lists(net, all->data) != RNN_OK)
            return RNN_ENOMEM;
        r->is_sparse = true;
    }
    rnn_run_resume(r, threads, rows);
    return RNN_OK;
}

void
rnn_run_resume(rnn_run *r, int threads, double rows)
{
    r->work_a_row = rnn_net_work(r->net);
    r->lease = rnn_team_acquire(r->work_a_row * rows < MIN_CALL_WORK ? 1 : threads);
}

rnn_status
rnn_run_pack(rnn_run *r)
{
    rnn_status status = rnn_net_need_packed(r->net);
    if (status != RNN_OK)
        return status;
    r->is_packed = true;
    for (int i = 0; i < r->net->n_stages; i++) {
        const rnn_stage *stage = &r->net->stages[i];
        float *packed = rnn_run_packed(r, i);
        if (packed != NULL)
            stage->layer.type->pack(&stage->layer, packed,
                                    r->net->params + stage->param_offset);
    }
    return RNN_OK;
}

void
rnn_run_unpack(rnn_run *r)
{
    for (int i = 0; i < r->net->n_stages; i++) {
        const rnn_stage *stage = &r->net->stages[i];
        const float *packed = rnn_run_packed(r, i);
        if (packed != NULL)
            stage->layer.type->unpack(&stage->layer, r->net->params + stage->param_offset,
                                      packed);
    }
}

void
rnn_run_end(rnn_run *r)
{
    rnn_team_release(&r->lease);
}

bool
rnn_run_stop_wanted(rnn_run *r, double rows)
{
    r->work_since_clock += r->work_a_row * rows + BATCH_OVERHEAD_WORK;
    if (r->stop.wanted == NULL || r->work_since_clock < WORK_BETWEEN_CLOCK_READS)
        return false;
    r->work_since_clock = 0;
    int64_t now = rnn_nanoseconds();
    if (now - r->asked < STOP_NANOSECONDS)
        return false;
    r->asked = now;
    return r->stop.wanted(r->stop.context);
}

/* The parameters of stage i with those of the one above. */
static void
fold(const rnn_run *r, int i)
{
    const rnn_net *net = r->net;
    const rnn_stage *stage = &net->stages[i], *above = stage + 1;
    if (rnn_folds(r, i) > 0)
        net->level->fold(stage->folded_params, &stage->layer,
                         net->params + stage->param_offset, &above->layer,
                         net->params + above->param_offset,
                         net->params + above->state_offset);
}

void
rnn_run_prepare(rnn_run *r)
{
    for (int i = 0; i < r->net->n_stages; i++) {
        fold(r, i);
        rnn_run_once(r, i, RNN_PREPARE, NULL, 0.0f, 0.0f);
    }
}

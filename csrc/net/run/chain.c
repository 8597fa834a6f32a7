#include "chain.h"

#include "inputs.h"
#include "pass.h"

#include <string.h>

/* The gradient with respect to the outputs goes where backward begins. */
static void
score_rows(const rnn_chain *c, int begin, int end, int worker)
{
    const rnn_net *net = c->run->net;
    const rnn_stage *last = &net->stages[net->n_stages - 1];
    int size = rnn_net_out_size(net);
    net->loss->gradient(last->dout, net->loss_of_row, net->hit_of_row, last->out,
                        net->targets, c->run->smoothing, size, begin, end);
    if (c->run->has_weights)
        net->level->weigh_rows(last->dout, net->loss_of_row, net->weights, size, begin,
                               end);
    if (c->run->share < 1)
        rnn_mix_losses(c->run, begin, end, worker);
}

static void
predict_rows(const rnn_chain *c, int begin, int end)
{
    const rnn_net *net = c->run->net;
    const float *out = net->stages[net->n_stages - 1].out;
    size_t size = (size_t)rnn_net_out_size(net), at = (size_t)begin * size;
    if (net->loss->predict != NULL && !c->run->raw)
        net->loss->predict(c->predictions, out, (int)size, begin, end);
    else
        memcpy(c->predictions + at, out + at, (size_t)(end - begin) * size * sizeof(float));
}

/* Some rows of a slice. */
typedef struct {
    int begin, end;
    int slice, worker;
    bool is_first; /* of the slice's */
} row_chunk;

/* Redirects values between stages of the chain, and their caches, to the worker's rows. */
static void
reuse_rows(const rnn_chain *c, int i, row_chunk k, rnn_io *io)
{
    const rnn_stage *stage = &c->run->net->stages[i];
    const rnn_layer *layer = &stage->layer;
    int row = k.worker * c->chunk;
    ptrdiff_t moved = (ptrdiff_t)row - k.begin;
    if (i + rnn_folds(c->run, i) + 1 < c->end) {
        io->out += moved * layer->out_size;
        io->cache += moved * (ptrdiff_t)layer->cache;
    }
    if (i == c->begin)
        return;
    io->inp += moved * layer->in_size;
    if (layer->sides.n > 0)
        io->first_row = row;
    if (io->real != NULL)
        io->real += moved * (ptrdiff_t)c->run->net->stages[stage->mask].layer.cache;
}

static rnn_io
chunk_io(const rnn_chain *c, int i, row_chunk k)
{
    const rnn_net *net = c->run->net;
    rnn_io io = rnn_stage_io(c->run, i, k.begin, k.end - k.begin, k.worker);
    io.statistics += (size_t)k.slice * net->stages[i].layer.statistics;
    io.begins = k.is_first;
    if (c->reuses)
        reuse_rows(c, i, k, &io);
    return io;
}

/* What a slice adds up goes to its own target; its first rows begin it. */
static void
backward_stage(const rnn_chain *c, int i, row_chunk k)
{
    const rnn_net *net = c->run->net;
    const rnn_stage *stage = &net->stages[i];
    bool waits = rnn_waits_for_batch(stage);
    rnn_io io = chunk_io(c, i, k);
    io.target =
        net->partials + (size_t)k.slice * net->partial_count + stage->partial_offset;
    io.alpha = 1.0f;
    io.beta = k.is_first ? 0.0f : 1.0f;
    rnn_call_pass(c->run, i, RNN_OUTPUT, &io, k.slice, k.worker);
    if (io.to_input && !waits)
        rnn_call_pass(c->run, i, RNN_INPUT, &io, k.slice, k.worker);
    if (stage->layer.slices[RNN_PARAMS] == RNN_BY_ROWS && (waits || !stage->is_frozen))
        rnn_call_pass(c->run, i, RNN_PARAMS, &io, k.slice, k.worker);
}

static void
backward_rows(const rnn_chain *c, row_chunk k)
{
    int bottom = rnn_lowest_stage(c->run);
    if (c->end_input) {
        rnn_io io = chunk_io(c, c->end, k);
        rnn_call_pass(c->run, c->end, RNN_INPUT, &io, k.slice, k.worker);
    }
    for (int i = c->end - 1; i >= c->begin && i >= bottom; i--)
        backward_stage(c, i, k);
}

static void
chain_rows(const rnn_chain *c, row_chunk k)
{
    const rnn_net *net = c->run->net;
    int64_t clock = rnn_profile_begin(net);
    if (c->gather != NULL)
        rnn_make_inputs(c->run, c->gather, k.begin, k.end, k.worker);
    rnn_profile_end(net, k.worker, net->n_stages, RNN_WORK_GATHER, clock);
    for (int i = c->begin; c->forward && i < c->end; i++) {
        rnn_io io = chunk_io(c, i, k);
        rnn_call_pass(c->run, i, RNN_FORWARD, &io, k.slice, k.worker);
    }
    if (c->statistics) {
        rnn_io io = chunk_io(c, c->end, k);
        rnn_call_pass(c->run, c->end, RNN_STATISTICS, &io, k.slice, k.worker);
    }
    clock = rnn_profile_begin(net);
    if (c->score)
        score_rows(c, k.begin, k.end, k.worker);
    if (c->predictions != NULL)
        predict_rows(c, k.begin, k.end);
    rnn_profile_end(net, k.worker, net->n_stages, RNN_WORK_LOSS, clock);
    if (c->backward)
        backward_rows(c, k);
}

static void
chain_slice(void *context, int own, int worker)
{
    const rnn_chain *c = context;
    int slice = c->run->own_slice + own;
    int first = rnn_row_begin(c->run->rows, c->run->row_slices, slice);
    int last = rnn_row_begin(c->run->rows, c->run->row_slices, slice + 1);
    for (int begin = first; begin < last; begin += c->chunk) {
        int end = begin + c->chunk < last ? begin + c->chunk : last;
        chain_rows(c, (row_chunk){begin, end, slice, worker, begin == first});
    }
}

/* Each chunk reads all weights. Without a backward, and where no stage has scratch, it has
 * more rows; and so many that a stage's inputs and outputs fit into the L2 cache.
 */
#define FORWARD_ROWS 64
#define FORWARD_FLOATS (128u << 10)

static int
chunk_rows(const rnn_chain *c)
{
    size_t most = 1;
    int rows = FORWARD_ROWS;
    if (!c->run->only_forward)
        return RNN_CHUNK_ROWS;
    for (int i = c->begin; i < c->end; i++) {
        const rnn_layer *layer = &c->run->net->stages[i].layer;
        size_t floats = (size_t)layer->in_size + (size_t)layer->out_size + layer->cache;
        if (layer->scratch > 0)
            rows = RNN_CHUNK_ROWS;
        most = floats > most ? floats : most;
    }
    while (rows > 1 && (size_t)rows * most > FORWARD_FLOATS)
        rows /= 2;
    return rows;
}

/* Whether a stage reads outputs of stages first..last. */
static bool
reads_any(const rnn_net *net, const rnn_stage *stage, int first, int last)
{
    bool reads = stage->source >= first && stage->source <= last;
    reads |= stage->mask >= first && stage->mask <= last;
    for (int k = 0; k < stage->layer.sides.n; k++) {
        int side = rnn_stage_giving(net, stage->layer.sides.layer[k]);
        reads |= side >= first && side <= last;
    }
    return reads;
}

/* Whether only the chain's own stages read values between them, and they nothing else. */
static bool
is_closed(const rnn_chain *c)
{
    const rnn_net *net = c->run->net;
    if (rnn_gives_input(&net->stages[c->begin].layer))
        return false;
    for (int i = c->begin + 1; i < c->end; i++)
        if (net->stages[i].source < c->begin
            || reads_any(net, &net->stages[i], 0, c->begin - 1))
            return false;
    for (int i = c->end; i < net->n_stages; i++)
        if (reads_any(net, &net->stages[i], c->begin, c->end - 2))
            return false;
    return true;
}

/* Without a backward nothing between the stages is read again: where all rows of the batch
 * are more than the workers have under way, these few stay in the cache. */
static bool
can_reuse(const rnn_chain *c)
{
    const rnn_run *r = c->run;
    return r->only_forward && c->end - c->begin > 1 && r->rows > r->lease.threads * c->chunk
           && is_closed(c);
}

static double
chain_work(const rnn_chain *c)
{
    const rnn_net *net = c->run->net;
    double work = 0;
    if (c->gather != NULL)
        work += ELEMENT_WORK * rnn_net_in_size(net);
    if (c->score || c->predictions != NULL)
        work += ELEMENT_WORK * rnn_net_out_size(net);
    for (int i = c->begin; i < c->end; i++) {
        const double *of = net->stages[i].layer.work;
        if (rnn_is_folded(c->run, i))
            continue;
        work += c->forward ? of[RNN_FORWARD] : 0;
        work += c->backward ? of[RNN_OUTPUT] + of[RNN_INPUT] + of[RNN_PARAMS] : 0;
    }
    if (c->statistics)
        work += net->stages[c->end].layer.work[RNN_STATISTICS];
    if (c->end_input)
        work += net->stages[c->end].layer.work[RNN_INPUT];
    return work * c->run->own_rows;
}

void
rnn_run_chain(rnn_run *r, rnn_chain *c)
{
    c->run = r;
    c->chunk = chunk_rows(c);
    c->reuses = can_reuse(c);
    rnn_run_slices(r, chain_slice, c, r->own_slices, chain_work(c));
}

int
rnn_chain_end(const rnn_run *r, int i, bool is_ready)
{
    const rnn_net *net = r->net;
    int end = i;
    while (end < net->n_stages && net->stages[end].by_rows
           && !(r->training && rnn_waits_for_batch(&net->stages[end])
                && !(is_ready && end == i)))
        end++;
    return end;
}

int
rnn_chain_begin(const rnn_run *r, int end)
{
    const rnn_net *net = r->net;
    int begin = end, bottom = rnn_lowest_stage(r);
    while (begin > bottom && net->stages[begin - 1].by_rows
           && !(begin < end && rnn_waits_for_batch(&net->stages[begin])))
        begin--;
    return begin;
}

/* dense: out = f(inp W + b), f the activation; an input of rank 2 is taken token by token.
 * Part of level.c. */

enum { DENSE_UNITS, DENSE_ACTIVATION, DENSE_ALPHA };

static const rnn_attr dense_attrs[] = {
    [DENSE_UNITS] = {"units", RNN_INT, true, NAN, 1, RNN_MAX_EXTENT, NULL},
    [DENSE_ACTIVATION] = {"activation", RNN_CHOICE, false, 0, 0, 0, activation_name},
    [DENSE_ALPHA] = {"alpha", RNN_FLOAT, false, NAN, 0, 1e30, NULL},
    RNN_ATTRS_END,
};

static const activation *
dense_activation(const rnn_layer *layer)
{
    return &activations[(int)layer->attr[DENSE_ACTIVATION]];
}

static bool
dense_is_by_rows(const rnn_layer *layer)
{
    return layer->slices[RNN_FORWARD] == RNN_BY_ROWS;
}

/* From this many weights on, for each token of a row, all rows of the batch meet them
 * together, in tiles of the result; a smaller matrix, or one that many tokens share, is
 * read by every thread for its own rows. */
#define DENSE_BY_COLUMNS 32768

static void
dense_go_by_columns(rnn_layer *layer, int in, int units)
{
    layer->slices[RNN_FORWARD] = layer->slices[RNN_OUTPUT] = 1;
    layer->slices[RNN_INPUT] = layer->slices[RNN_PARAMS] = 1;
    layer->packed = layer->takes_nonzeros ? (size_t)in * (size_t)units : 0;
}

/* The weight's transpose is what INPUT wants; the working copy, if any, is that. Tokens are
 * many: their products are taken row by row too; for few rows W^T dZ is cut by rows of W.
 */
static void
dense_go_by_rows(rnn_layer *layer, int in, int units, int rank)
{
    layer->slices[RNN_PREPARE] = 1;
    layer->shared = layer->param_count;
    layer->packed = rank == 1 && !layer->takes_nonzeros ? (size_t)in * (size_t)units : 0;
    layer->slices[RNN_FORWARD] = layer->slices[RNN_OUTPUT] = RNN_BY_ROWS;
    layer->slices[RNN_INPUT] = RNN_BY_ROWS;
    layer->slices[RNN_PARAMS] = rank == 2 ? RNN_BY_ROWS : 1;
}

static rnn_status
dense_setup(rnn_layer *layer, rnn_error *error)
{
    int rank = layer->in.rank, units = (int)layer->attr[DENSE_UNITS];
    if (rank > 2)
        return rnn_layer_refuse_input(
            layer, error, "n values or tokens x n values (put flatten before it)");
    int in = layer->in.dim[rank - 1], tokens = rank == 2 ? layer->in.dim[0] : 1;
    const activation *f = dense_activation(layer);
    if (isnan(layer->attr[DENSE_ALPHA]))
        layer->attr[DENSE_ALPHA] = f->alpha;
    layer->out = layer->in;
    layer->out.dim[rank - 1] = units;
    rnn_param weight = {.name = "weight",
                        .shape = {2, {in, units}},
                        .init = RNN_GLOROT_UNIFORM,
                        .fan_in = in,
                        .fan_out = units};
    rnn_param bias = {.name = "bias", .shape = {1, {units}}};
    if (!rnn_layer_add_param(layer, weight) || !rnn_layer_add_param(layer, bias))
        return rnn_layer_refuse_size(error, "a weight", weight.shape.dim, 2);
    double products = (double)tokens * in * units;
    layer->cache = f->from_input ? (size_t)tokens * (size_t)units : 0;
    layer->takes_nonzeros = layer->is_first && rank == 1;
    if ((double)in * units < (double)DENSE_BY_COLUMNS * tokens)
        dense_go_by_rows(layer, in, units, rank);
    else
        dense_go_by_columns(layer, in, units);
    layer->keeps_dout = f->forward == linear_forward;
    if (layer->keeps_dout)
        layer->slices[RNN_OUTPUT] = 0;
    layer->work[RNN_FORWARD] = layer->work[RNN_PARAMS] = layer->work[RNN_INPUT] = products;
    layer->work[RNN_OUTPUT] = (double)tokens * units;
    return RNN_OK;
}

static int
dense_units(const rnn_layer *layer)
{
    return layer->out.dim[layer->out.rank - 1];
}

/* What a slice has of a product's result. */
typedef struct {
    part rows, columns;
} tile;

static part
part_of(int extent, int parts, int i)
{
    return (part){rnn_slice_begin(extent, parts, i), rnn_slice_begin(extent, parts, i + 1)};
}

/* Tiles for `slices` slices, by_rows * by_columns, as square as can be: each copies its
 * rows and columns of the factors. */
static tile
tile_of(int rows, int columns, int slices, int slice)
{
    int most = rnn_slice_count(columns), best = 1, tiles = 0;
    double copied = 0;
    for (int c = 1; c <= slices && c <= most; c++) {
        int r = slices / c < rnn_slice_count(rows) ? slices / c : rnn_slice_count(rows);
        double copies = (double)rows * c + (double)columns * r;
        if (c * r < tiles || (c * r == tiles && copies >= copied))
            continue;
        best = c;
        tiles = c * r;
        copied = copies;
    }
    if (slice >= tiles)
        return (tile){{0, 0}, {0, 0}};
    return (tile){part_of(rows, tiles / best, slice / best),
                  part_of(columns, best, slice % best)};
}

/* Columns j.. of the weight or its target. In the working
 * copy a panel's columns lie side by side: rows of a wide matrix, a power of two apart,
 * would push each other out of the cache. */
typedef struct {
    float *weight;
    int stride; /* from row to row */
} dense_panel;

static int
panel_width(int extent, int j)
{
    return extent - j < PANEL ? extent - j : PANEL;
}

static dense_panel
dense_panel_of(const rnn_layer *layer, const rnn_io *io, float *weights, int j)
{
    int units = dense_units(layer);
    if (io->packed != NULL)
        return (dense_panel){io->packed + (ptrdiff_t)j * last_extent(layer),
                             panel_width(units, j)};
    return (dense_panel){weights + layer->param[0].offset + j, units};
}

static void
dense_pack(const rnn_layer *layer, float *packed, const float *params)
{
    int in = last_extent(layer), units = dense_units(layer);
    if (dense_is_by_rows(layer)) {
        transpose(packed, in, params, units, in, units);
        return;
    }
    for (int j = 0; j < units; j += PANEL)
        for (int i = 0; i < in; i++, packed += panel_width(units, j))
            memcpy(packed, params + (ptrdiff_t)i * units + j,
                   (size_t)panel_width(units, j) * sizeof(float));
}

static void
dense_unpack(const rnn_layer *layer, float *params, const float *packed)
{
    int in = last_extent(layer), units = dense_units(layer);
    if (dense_is_by_rows(layer)) {
        transpose(params, units, packed, in, units, in);
        return;
    }
    for (int j = 0; j < units; j += PANEL)
        for (int i = 0; i < in; i++, packed += panel_width(units, j))
            memcpy(params + (ptrdiff_t)i * units + j, packed,
                   (size_t)panel_width(units, j) * sizeof(float));
}

static void
dense_prepare_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int in = last_extent(layer), units = dense_units(layer);
    if (io->training && io->to_input && io->packed == NULL)
        transpose(io->shared, in, io->params + layer->param[0].offset, units, in, units);
}

/* Columns c of z from the lists of nonzeros. A few rows go along wide stretches of the
 * weight: they do not come again, so that nothing is gained by keeping a panel. */
static void
dense_forward_listed(const rnn_layer *layer, const rnn_io *io, float *z, bool relu, part c)
{
    const float *bias = io->params + layer->param[1].offset;
    int wide = io->packed == NULL && io->rows <= WIDE_PANEL_ROWS ? WIDE_PANEL : PANEL;
    for (int j = c.begin, width; j < c.end; j += width) {
        width = c.end - j < wide ? panel_width(c.end, j) : wide;
        dense_panel p = dense_panel_of(layer, io, (float *)io->params, j);
        dense_forward_nonzeros(z + j, io->nonzeros, p.weight, p.stride, bias + j, relu,
                               io->first_row, io->rows, dense_units(layer), width);
    }
}

/* Rows at a time of a pass by columns: what a product wrote, or what it will read,
 * is still in the L2 cache when the activation comes. */
#define ACTIVATED_ROWS 256

static bool
is_activated_apart(const rnn_layer *layer)
{
    const activation *f = dense_activation(layer);
    return f->forward != relu_forward && f->forward != linear_forward;
}

/* z of rows first.. for columns c; with relu, the output. */
static void
dense_product(const rnn_layer *layer, const rnn_io *io, float *z, part c, int first,
              int rows)
{
    int in = last_extent(layer), units = dense_units(layer);
    const float *inp = io->inp + (ptrdiff_t)first * in;
    const float *bias = io->params + layer->param[1].offset;
    bool relu = dense_activation(layer)->forward == relu_forward;
    float *to = z + (ptrdiff_t)first * units;
    if (io->packed != NULL)
        dense_forward_transposed(to, inp, io->packed, bias, relu, rows, in, units);
    else
        dense_forward(to, inp, io->params + layer->param[0].offset, bias, relu,
                      layer->takes_nonzeros, rows, in, units, c.begin, c.end);
}

static void
dense_activate(const rnn_layer *layer, const rnn_io *io, const float *z, part c, int first,
               int rows)
{
    int units = dense_units(layer);
    for (int b = first; b < first + rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * units + c.begin;
        dense_activation(layer)->forward(io->out + at, z + at, c.end - c.begin,
                                         (float)layer->attr[DENSE_ALPHA]);
    }
}

static void
dense_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    const activation *f = dense_activation(layer);
    int rows = row_count(layer, io), units = dense_units(layer);
    bool apart = is_activated_apart(layer), listed = io->nonzeros != NULL;
    tile t = {{0, rows}, {0, units}};
    if (!dense_is_by_rows(layer) && listed)
        t.columns = part_of(units, io->slices, slice);
    else if (!dense_is_by_rows(layer))
        t = tile_of(rows, units, io->slices, slice);
    float *z = f->from_input ? io->cache : io->out;
    if (listed)
        dense_forward_listed(layer, io, z, f->forward == relu_forward, t.columns);
    int end = t.rows.end, each = apart && !listed ? ACTIVATED_ROWS : end;
    for (int first = t.rows.begin, n; first < end; first += n) {
        n = end - first < each ? end - first : each;
        if (!listed)
            dense_product(layer, io, z, t.columns, first, n);
        if (apart)
            dense_activate(layer, io, z, t.columns, first, n);
    }
}

/* dout of rows first.. becomes the gradient with respect to z, for columns c. */
static void
dense_slopes(const rnn_layer *layer, const rnn_io *io, part c, int first, int rows)
{
    const activation *f = dense_activation(layer);
    const float *seen = f->from_input ? io->cache : io->out;
    int units = dense_units(layer);
    for (int b = first; b < first + rows; b++) {
        ptrdiff_t at = (ptrdiff_t)b * units + c.begin;
        f->backward(io->dout + at, io->dout + at, seen + at, c.end - c.begin,
                    (float)layer->attr[DENSE_ALPHA]);
    }
}

/* Whether PARAMS computes slopes row by row, as no other pass reads them. */
static bool
slopes_join_params(const rnn_layer *layer, const rnn_io *io)
{
    return !dense_is_by_rows(layer) && !io->to_input && io->nonzeros == NULL
           && layer->slices[RNN_OUTPUT] > 0;
}

/* All columns of a slice's rows: they lie one after the other. Where PARAMS follows at once
 * in the same slice, its columns. */
static void
dense_output_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    int rows = row_count(layer, io), units = dense_units(layer);
    part r = {0, rows}, c = {0, units};
    if (slopes_join_params(layer, io))
        return;
    if (!dense_is_by_rows(layer) && io->to_input)
        r = (part){(int)((int64_t)rows * slice / io->slices),
                   (int)((int64_t)rows * (slice + 1) / io->slices)};
    else if (!dense_is_by_rows(layer))
        c = part_of(units, io->slices, slice);
    dense_slopes(layer, io, c, r.begin, r.end - r.begin);
}

static void
dense_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    int in = last_extent(layer), units = dense_units(layer), rows = row_count(layer, io);
    if (dense_is_by_rows(layer)) {
        gemm(io->dinp, in, io->dout, units, 1, io->packed != NULL ? io->packed : io->shared,
             in, rows, in, units, 1.0f, 0.0f);
        return;
    }
    tile t = tile_of(rows, in, io->slices, slice);
    dense_backward_input_part(io->dinp, io->dout, io->params + layer->param[0].offset, rows,
                              t.rows.begin, t.rows.end, in, units, t.columns.begin,
                              t.columns.end);
}

/* Rows r and columns c of the weight's gradient. Products process whole blocks of
 * ACTIVATED_ROWS terms, to the bits of one product. */
static void
dense_weight_gradient(const rnn_layer *layer, const rnn_io *io, float *target, part r,
                      part c)
{
    int in = last_extent(layer), units = dense_units(layer), rows = row_count(layer, io);
    bool slopes = slopes_join_params(layer, io);
    int each = slopes ? ACTIVATED_ROWS : rows;
    for (int first = 0, n; first < rows; first += n) {
        n = rows - first < each ? rows - first : each;
        if (slopes)
            dense_slopes(layer, io, c, first, n);
        dense_backward_weight(target, io->dout + (ptrdiff_t)first * units,
                              io->inp + (ptrdiff_t)first * in, n, in, units, r.begin, r.end,
                              c.begin, c.end, io->alpha, first == 0 ? io->beta : 1.0f);
    }
}

/* A slice's rows and columns of W: all of it from a slice of tokens. Slopes are taken once
 * for all rows of W, and lists are of columns. */
static tile
dense_params_tile(const rnn_layer *layer, const rnn_io *io, int slice)
{
    int in = last_extent(layer), units = dense_units(layer);
    tile t = {{0, in}, {0, units}};
    if (layer->slices[RNN_PARAMS] == RNN_BY_ROWS)
        return t;
    if (dense_is_by_rows(layer))
        t.rows = part_of(in, io->slices, slice);
    else if (slopes_join_params(layer, io) || io->nonzeros != NULL)
        t.columns = part_of(units, io->slices, slice);
    else
        t = tile_of(in, units, io->slices, slice);
    return t;
}

static void
dense_params_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    int in = last_extent(layer), units = dense_units(layer), rows = row_count(layer, io);
    tile t = dense_params_tile(layer, io, slice);
    part r = t.rows, c = t.columns;
    float *weight = io->target + layer->param[0].offset;
    if (io->nonzeros != NULL)
        for (int j = c.begin; j < c.end; j += PANEL) {
            dense_panel p = dense_panel_of(layer, io, io->target, j);
            dense_backward_weight_nonzeros(p.weight, p.stride, io->dout + j, io->nonzeros,
                                           rows, units, r.begin, r.end,
                                           panel_width(c.end, j), io->alpha, io->beta);
        }
    else if (io->packed != NULL)
        dense_backward_transposed(io->packed, io->dout, io->inp, rows, in, units, r.begin,
                                  r.end, io->alpha, io->beta);
    else
        dense_weight_gradient(layer, io, weight, r, c);
    if (r.begin == 0 && r.end > 0)
        dense_backward_bias(io->target + layer->param[1].offset, io->dout, rows, units,
                            c.begin, c.end, io->alpha, io->beta);
}

static const rnn_layer_type dense_layer = {
    .name = "dense",
    .attrs = dense_attrs,
    .keeps_tokens = true,
    .any_slices = true,
    .setup = dense_setup,
    .pass = {[RNN_PREPARE] = dense_prepare_pass,
             [RNN_FORWARD] = dense_forward_pass,
             [RNN_OUTPUT] = dense_output_pass,
             [RNN_INPUT] = dense_input_pass,
             [RNN_PARAMS] = dense_params_pass},
    .pack = dense_pack,
    .unpack = dense_unpack,
};

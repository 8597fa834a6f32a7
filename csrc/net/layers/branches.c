/* fork, branch, add and concat: marks between branches of layers. Part of level.c. */

/* ---- fork and branch: the block's input, in the same memory ---- */

static rnn_status
fork_setup(rnn_layer *layer, rnn_error *error)
{
    (void)error;
    layer->out = layer->in;
    layer->layout = RNN_ANY_LAYOUT;
    take_rows(layer, layer->in_size);
    layer->work[RNN_FORWARD] = 0;
    return RNN_OK;
}

static rnn_status
branch_setup(rnn_layer *layer, rnn_error *error)
{
    fork_setup(layer, error);
    layer->keeps_dout = true;
    layer->slices[RNN_INPUT] = 0; /* the fork's adds its gradient */
    layer->work[RNN_INPUT] = 0;
    return RNN_OK;
}

static void
fork_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)layer, (void)io, (void)slice;
}

/* dinp = the sum of all branches' gradients, the first branch's first */
static void
fork_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int n = (int)all_elements(io, layer->in_size);
    const float *sum = io->dout;
    for (int k = 0; k < layer->sides.n; k++, sum = io->dinp)
        add(io->dinp, sum, io->sides[k].dout + first_element(io, layer->in_size), n);
}

static const rnn_layer_type fork_layer = {
    .name = "fork",
    .attrs = no_attrs,
    .keeps_tokens = true,
    .mark = RNN_FORK,
    .setup = fork_setup,
    .pass = {[RNN_FORWARD] = fork_forward_pass, [RNN_INPUT] = fork_input_pass},
};

static const rnn_layer_type branch_layer = {
    .name = "branch",
    .attrs = no_attrs,
    .keeps_tokens = true,
    .mark = RNN_BRANCH,
    .setup = branch_setup,
    .pass = {[RNN_FORWARD] = fork_forward_pass},
};

/* ---- add: out = output of the first branch + output of the second ---- */

static rnn_status
refuse_branch(const rnn_layer *layer, rnn_error *error, int k, const char *expected)
{
    const rnn_shape *got = &layer->sides.shape[k], *last = &layer->in;
    return rnn_layer_refuse(
        error, NULL, "expected branches of %s, got %s from branch %d and %s from the last",
        expected, rnn_describe_extents(got->dim, got->rank).text, k,
        rnn_describe_extents(last->dim, last->rank).text);
}

static rnn_status
add_setup(rnn_layer *layer, rnn_error *error)
{
    if (layer->sides.n != 1 || !rnn_same_shape(&layer->sides.shape[0], &layer->in))
        return refuse_branch(layer, error, 0, "one shape");
    layer->out = layer->in;
    layer->layout = RNN_ANY_LAYOUT;
    take_rows(layer, layer->in_size);
    return RNN_OK;
}

static void
add_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    add(io->out, io->sides[0].out + first_element(io, layer->in_size), io->inp,
        (int)all_elements(io, layer->in_size));
}

/* A branch that only reads its gradient has it in the same memory: rnn_stage. */
static void
add_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    size_t bytes = all_elements(io, layer->in_size) * sizeof(float);
    float *dside = io->sides[0].dout + first_element(io, layer->in_size);
    if (dside != io->dout)
        memcpy(dside, io->dout, bytes);
    if (io->dinp != io->dout)
        memcpy(io->dinp, io->dout, bytes);
}

static const rnn_layer_type add_layer = {
    .name = "add",
    .attrs = no_attrs,
    .keeps_tokens = true,
    .mark = RNN_JOIN,
    .sums_branches = true,
    .setup = add_setup,
    .pass = {[RNN_FORWARD] = add_forward_pass, [RNN_INPUT] = add_input_pass},
};

/* ---- concat: outputs of the branches, one after another along an axis ---- */

enum { CONCAT_AXIS };

static const rnn_attr concat_attrs[] = {
    [CONCAT_AXIS] = {"axis", RNN_INT, false, NAN, -RNN_MAX_RANK, RNN_MAX_RANK - 1, NULL},
    RNN_ATTRS_END,
};

/* Channels of an image, else the last axis: values of tokens. */
static int
concat_axis(const rnn_layer *layer)
{
    int rank = layer->in.rank;
    if (isnan(layer->attr[CONCAT_AXIS]))
        return rank == 3 ? 0 : rank - 1;
    int axis = (int)layer->attr[CONCAT_AXIS];
    return axis < 0 ? axis + rank : axis;
}

/* Of a row of this shape: blocks of this many numbers that stay together. Channels side by
 * side are those of a pixel. */
static int
concat_block(const rnn_layer *layer, const rnn_shape *shape, int axis)
{
    int size = 1;
    if (layer->layout == RNN_PIXELS)
        return shape->dim[axis];
    for (int i = axis; i < shape->rank; i++)
        size *= shape->dim[i];
    return size;
}

static rnn_status
concat_setup(rnn_layer *layer, rnn_error *error)
{
    int axis = concat_axis(layer), rank = layer->in.rank;
    if (axis < 0 || axis >= rank)
        return rnn_layer_refuse(error, "axis", "expected an axis of %d, got %d", rank,
                                (int)layer->attr[CONCAT_AXIS]);
    int64_t extent = layer->in.dim[axis];
    for (int k = 0; k < layer->sides.n; k++) {
        rnn_shape other = layer->sides.shape[k];
        int along = axis < other.rank ? other.dim[axis] : 0;
        other.dim[axis] = layer->in.dim[axis];
        if (!rnn_same_shape(&other, &layer->in))
            return refuse_branch(layer, error, k, "one shape except for the axis");
        extent += along;
    }
    if (extent > RNN_MAX_EXTENT)
        return rnn_layer_refuse(error, "axis", "expected an extent of at most %d, got %lld",
                                RNN_MAX_EXTENT, (long long)extent);
    if (axis < rank - 1)
        layer->mask = -1; /* tokens stand elsewhere */
    layer->out = layer->in;
    layer->out.dim[axis] = (int)extent;
    layer->layout = axis == 0 ? RNN_ANY_LAYOUT : RNN_PLANES;
    take_rows(layer, (double)extent * (layer->in_size / layer->in.dim[axis]));
    return RNN_OK;
}

/* The output of branch k, the last of which is the layer's input; blocks have `size`. */
typedef struct {
    const float *out;
    float *dout;
    int size;
} concat_part;

static concat_part
concat_part_of(const rnn_layer *layer, const rnn_io *io, int k, int axis)
{
    if (k == layer->sides.n)
        return (concat_part){io->inp, io->dinp, concat_block(layer, &layer->in, axis)};
    const rnn_shape *shape = &layer->sides.shape[k];
    size_t first = first_element(io, rnn_shape_size(shape));
    return (concat_part){io->sides[k].out + first, io->sides[k].dout + first,
                         concat_block(layer, shape, axis)};
}

static void
concat_forward_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int axis = concat_axis(layer), wide = concat_block(layer, &layer->out, axis), at = 0;
    size_t blocks = all_elements(io, layer->out_size / wide);
    for (int k = 0; k <= layer->sides.n; k++) {
        concat_part one = concat_part_of(layer, io, k, axis);
        copy_blocks(io->out + at, wide, one.out, one.size, one.size, blocks);
        at += one.size;
    }
}

static void
concat_input_pass(const rnn_layer *layer, const rnn_io *io, int slice)
{
    (void)slice;
    int axis = concat_axis(layer), wide = concat_block(layer, &layer->out, axis), at = 0;
    size_t blocks = all_elements(io, layer->out_size / wide);
    for (int k = 0; k <= layer->sides.n; k++) {
        concat_part one = concat_part_of(layer, io, k, axis);
        copy_blocks(one.dout, one.size, io->dout + at, wide, one.size, blocks);
        at += one.size;
    }
}

static const rnn_layer_type concat_layer = {
    .name = "concat",
    .attrs = concat_attrs,
    .keeps_tokens = true,
    .mark = RNN_JOIN,
    .setup = concat_setup,
    .pass = {[RNN_FORWARD] = concat_forward_pass, [RNN_INPUT] = concat_input_pass},
};

"""Marks between branches of layers, as the core expects them: fork, the layers of a branch,
for each further branch `branch` and its layers, then a join."""

import numpy as np

JOINS = ("add", "concat")
MARKS = ("fork", "branch", *JOINS)


def flat(layers):
    """Layers as one list: those of a block, a list among them, stand where it stood."""
    result = []
    for layer in layers:
        result += flat(layer) if isinstance(layer, list) else [layer]
    return result


def nested(layers):
    """Layers without marks, as `Network` accepts them: the inverse of `flat`."""
    result, forks = [], []  # of a fork: the list around it, and its branches
    for layer in layers:
        if layer["type"] == "fork":
            forks.append((result, [[]]))
            result = forks[-1][1][-1]
        elif layer["type"] == "branch":
            forks[-1][1].append([])
            result = forks[-1][1][-1]
        elif layer["type"] in JOINS:
            result, branches = forks.pop()
            result.append(_block_spec(layer, branches))
        else:
            result.append(layer)
    return result


def _block_spec(join, branches):
    if join["type"] == "concat":
        return {**join, "branches": branches}
    return {"type": "residual", "layers": branches[0]}  # the skip follows from shapes


def _block(join, branches, options):
    layers = [{"type": "fork"}]
    for k, branch in enumerate(branches):
        layers += [{"type": "branch"}] if k > 0 else []
        layers += flat(branch)
    return [*layers, {"type": join, **options}]


def residual(*layers, skip=()):
    """The layers of a block that adds its input, or the output of `skip`."""
    return _block("add", [layers, skip], {})


def concat(*branches, **options):
    return _block("concat", branches, options)


def concat_axis(spec, rank):
    """Of one sample: channels of an image, values of tokens."""
    axis = spec.get("axis")
    if axis is None:
        return 0 if rank == 3 else rank - 1
    return axis % rank


def join_forward(spec, parts):
    if spec["type"] == "add":
        return parts[0] + parts[1], {}
    axis = 1 + concat_axis(spec, parts[0].ndim - 1)
    extents = [part.shape[axis] for part in parts]
    return np.concatenate(parts, axis=axis), {"extents": extents, "axis": axis}


def join_backward(spec, cache, dout):
    """The gradients by what each branch gave."""
    if spec["type"] == "add":
        return [dout, dout]
    ends = np.cumsum(cache["extents"])
    before = (slice(None),) * cache["axis"]
    return [
        dout[(*before, slice(end - extent, end))]
        for end, extent in zip(ends, cache["extents"], strict=True)
    ]


class Branches:
    """Where a walk over layers is: values, shapes or gradients of the forks around it."""

    def __init__(self):
        self.open = []

    def forward(self, spec, x):
        """What a fork or branch gives; of a join the list of what its branches gave."""
        if spec["type"] == "fork":
            self.open.append((x, []))
            return x
        given, ends = self.open[-1]
        ends.append(x)
        if spec["type"] == "branch":
            return given
        self.open.pop()
        return ends

    def backward(self, spec, cache, dout):
        if spec["type"] == "fork":
            _, total = self.open.pop()
            for more in reversed(total):
                dout = dout + more
            return dout
        if spec["type"] == "branch":
            ends, total = self.open[-1]
            total.append(dout)
            return ends.pop()
        *ends, last = join_backward(spec, cache, dout)
        self.open.append((ends, []))
        return last


def mask_after(spec, masks, rank):
    """Which tokens are real after a mark: the input's, or what the last branch ended with,
    unless tokens of several branches stand one behind the other."""
    if spec["type"] not in JOINS:
        return masks
    keeps = rank == 2 and (spec["type"] == "add" or concat_axis(spec, rank) == 1)
    return masks[-1] if keeps else None


def join_shape(spec, shapes):
    first = shapes[0]
    if spec["type"] == "add":
        return first
    axis = concat_axis(spec, len(first))
    along = sum(shape[axis] for shape in shapes)
    return (*first[:axis], along, *first[axis + 1 :])

"""The core against the float64 twin on one random net, each number within what rounding
to float32 can explain (rounding.py), and the promises about bits.

Each of five updates starts from the core's own weights and moments, so that no difference
adds up over steps and none is hidden by chaos.
"""

import math
from dataclasses import replace

import numpy as np

import random_nets
import rnn_native._core as _core
import twins
from cases import activation, layer_arrays
from loss_twins import LOSSES
from rnn_native.base import runtime  # noqa: F401  opens the BLAS that the core calls
from rounding import Rounded, U, with_bounds

# Errors allowed in bounds of rounding.py: the core may add in another order, and multiply
# weights with each other first.
SAFETY = 8.0
SMALLEST = 1e-24  # what is made of numbers that are flushed to zero
LARGEST = 1e30  # from here on float32 may overflow where float64 does not
LARGEST_WEIGHT = 1e7  # attention's scores are products of four
LARGEST_LOSS = 1e15  # and from here on what is made of its gradient

SEED, STEP = 7, 3
THREADS = 3


class Mismatch(AssertionError):
    """What differs: `call` is how the core was asked, the rest one number of its answer."""

    def __init__(self, call, where, got, expected, allowed):
        self.call, self.where = call, where
        self.got, self.expected, self.allowed = got, expected, allowed
        super().__init__(
            f"{call}: {where}: got {got!r}, expected {expected!r}"
            + (f" within {allowed:.2g}" if allowed else " exactly")
        )


def compare(call, name, got, expected, error):
    """`got` must be `expected` within SAFETY * error; exactly where there is no error."""
    got = np.asarray(got, np.float64).reshape(expected.shape)
    allowed = np.where(error == 0, 0, SAFETY * error + SMALLEST)
    # What may be anything, or overflow, is not compared.
    known = np.isfinite(allowed) & (np.abs(expected) + allowed < LARGEST)
    wrong = known & ~(np.abs(got - expected) <= allowed)
    if wrong.any():
        excess = np.where(wrong, np.abs(got - expected) - allowed, -1)
        excess[wrong & np.isnan(excess)] = np.inf
        at = np.unravel_index(excess.argmax(), excess.shape)
        place = f"{name}[{', '.join(map(str, at))}]"
        raise Mismatch(call, place, float(got[at]), float(expected[at]), float(allowed[at]))


def compare_bits(call, name, got, expected):
    got, expected = np.asarray(got), np.asarray(expected)
    if got.tobytes() != expected.tobytes():
        differs = np.atleast_1d(got.view(np.uint8) != expected.view(np.uint8))
        at = int(differs.ravel().argmax()) // got.itemsize
        raise Mismatch(call, f"{name}[{at}]", got.flat[at], expected.flat[at], 0)


# ---- the twin with bounds ----


class Twin:
    """A net's layers and data, in the form that the twin takes."""

    def __init__(self, net, x, y, weights):
        self.net, self.shapes = net, layer_arrays(net)
        shape = (net.rows, *net.input_shape)
        self.y, self.weights = y, weights
        # The core divides bytes in float32.
        floats = x / np.float32(255) if net.as_bytes else x
        self.x = Rounded(floats.reshape(shape))

    def params(self, flat):
        """Rounded parameters and state from the core's weights, which are exact."""
        params, at = [twins.Params() for _ in self.shapes], 0
        for is_state in (0, 1):
            for into, shapes in zip(params, self.shapes, strict=True):
                for name, shape in shapes[1 + is_state].items():
                    size = math.prod(shape)
                    value = Rounded(np.float64(flat[at : at + size]).reshape(shape))
                    (into.state if is_state else into)[name] = value
                    at += size
        return params


def flat_parts(params):
    """For each tensor: its name, value and error."""
    for i, layer in enumerate(params):
        for name, x in layer.items():
            yield f"layers.{i}.{name}", x


def compare_flat(call, got, grads, what=""):
    at = 0
    for name, x in flat_parts(grads):
        compare(call, what + name, got[at : at + x.size], x.value, x.error)
        at += x.size


def concatenated(grads, attribute):
    parts = [getattr(x, attribute).ravel() for _, x in flat_parts(grads)]
    return np.concatenate([np.zeros(0), *parts])


def allow_for_blanks(layers, params, grads):
    """Give the dense weight above a convolution and a pool the error of its bias.

    What windows of background give to it is the filter's constant times the gradient of the
    unit, summed over all rows; where other rows have no background there, their part is
    taken off again. A gradient without any part stays exact.
    """
    types = [layer["type"] for layer in layers]
    for i in range(len(types) - 3):
        if types[i : i + 4] != ["conv2d", "maxpool2d", "flatten", "dense"]:
            continue
        bias, weight = params[i]["bias"].value, grads[i + 3]["weight"]
        constant = np.repeat(np.abs(bias), len(weight) // len(bias))
        more = constant[:, None] * grads[i + 3]["bias"].error
        weight.error += np.where(weight.error > 0, more, 0)


# ---- one call against the twin ----


def check_predictions(core, twin, params, x, call="predict(x)"):
    net = twin.net
    out, _ = twins.forward(net.layers, params, twin.x)
    predict = LOSSES[net.loss].predictions
    expected = out if predict is np.asarray else predict(out)
    compare(call, "outputs", core.predict(x), expected.value, expected.error)


def output_gradient(net):
    """What `check_backprop` sends down: some rows are zero."""
    rng = np.random.default_rng(net.seed + 2)
    dout = np.float32(rng.normal(size=(net.rows, layer_arrays(net)[-1][0][0])))
    dout[rng.random(net.rows) < 0.1] = 0
    return dout


def check_backprop(cores, twin, params, x):
    """Outputs and gradients in training mode; the core fused, and not."""
    net = twin.net
    mode = twins.training_mode(SEED, STEP)
    out, caches = twins.forward(net.layers, params, twin.x, mode)
    dout = output_gradient(net)
    dinp, grads = twins.backward(net.layers, params, caches, Rounded(dout))
    allow_for_blanks(net.layers, params, grads)
    for call, core in cores.items():
        call = f"backprop(x, dout) {call}".strip()
        got, got_dinp, got_grads = core.backprop(x, dout, seed=SEED, step=STEP)
        compare(call, "outputs", got, out.value, out.error)
        compare_flat(call, got_grads, grads, "gradient by ")
        compare(call, "gradient by x", got_dinp, dinp.value, dinp.error)


def is_small(row_loss):
    return (np.abs(row_loss.value) < LARGEST_LOSS).all()


def check_gradients(cores, twin, params, x):
    net = twin.net
    mode = twins.training_mode(SEED, STEP)
    row_loss, grads, _ = twins.batch(
        net.layers, params, twin.x, twin.y, net.loss, mode, twin.weights, net.smoothing
    )
    if not is_small(row_loss):
        return
    allow_for_blanks(net.layers, params, grads)
    total = row_loss.sum()
    options = {
        "seed": SEED,
        "step": STEP,
        "weights": twin.weights,
        "smoothing": net.smoothing,
    }
    for call, core in cores.items():
        call = f"gradients(x, y) {call}".strip()
        loss, got = core.gradients(x, twin.y, **options)
        compare(call, "loss", loss, total.value, total.error + 4 * U * np.abs(total.value))
        compare_flat(call, got, grads, "gradient by ")
        many = core.gradients(x, twin.y, threads=THREADS, **options)
        compare_bits(call, "gradient with threads", many[1], got)


# ---- updates ----


def schedule_of(net, rates, average):
    return {
        "weights": None,
        "smoothing": net.smoothing,
        "clip_norm": net.clip_norm,
        "l2": net.l2,
        "weighted_mean": net.weighted_mean,
        "accumulate": net.accumulate,
        "average": average,
        "average_decay": net.average_decay,
        "seed": SEED,
    }


def kinds_of_moments(spec):
    """The names in the twin, in the core's order."""
    if spec["type"] == "sgd":
        return ["velocity"]
    if spec["type"] != "rmsprop":
        return ["m", "v"]
    wanted = {"velocity": spec.get("momentum", 0) > 0, "mean": spec.get("centered", False)}
    return ["v", *(name for name, is_kept in wanted.items() if is_kept)]


def optimizer_from(spec, params, moments):
    """The twin's optimizer with the core's moments."""
    optimizer = twins.Optimizer(spec, params)
    moments = np.float64(moments)
    at = 0
    for kind in kinds_of_moments(spec) if moments.size else []:
        for layer, kept in zip(params, optimizer.moments, strict=True):
            for name, p in layer.items():
                kept[name][kind] = moments[at : at + p.size].reshape(p.shape).copy()
                at += p.size
    return optimizer


def own_error_of_update(net, weights, grads, moments):
    """What the optimizer's sums of a gradient, a penalty and a moment leave, as an error of
    the gradient."""
    spec = net.optimizer
    n = len(grads)
    size = np.abs(grads) + (spec.get("weight_decay", 0.0) + net.l2) * np.abs(weights[:n])
    if spec["type"] == "rmsprop":
        if spec.get("momentum", 0) > 0:  # a step's part, in units of the gradient
            unit = np.sqrt(moments[:n]) + np.abs(grads) + spec.get("epsilon", 1e-8)
            size = size + spec["momentum"] * np.abs(moments[n : 2 * n]) * unit
    elif len(moments):
        kept = spec.get("momentum", 0.0)
        if spec["type"] != "sgd":
            beta = spec.get("beta_1", 0.9)
            kept = beta / (1 - beta)
        size = size + kept * np.abs(moments[:n])
    return 4 * U * size


class Step:
    """One update by the twin from the core's weights and moments, and around it."""

    def __init__(self, twin, weights, moments, rows, lr, step):
        net, self.rows = twin.net, rows
        params = twin.params(weights)
        row_weights = None if twin.weights is None else twin.weights[rows]
        self.losses, self.grads = [], None
        for begin in range(0, len(rows), net.batch_size):
            part = rows[begin : begin + net.batch_size]
            row_loss, grads, caches = twins.batch(
                net.layers,
                params,
                twin.x[part],
                twin.y[part],
                net.loss,
                twins.training_mode(SEED, step * net.accumulate + len(self.losses)),
                None if row_weights is None else twin.weights[part],
                net.smoothing,
            )
            self.losses.append(row_loss)
            grads = twins.weigh(grads, len(part) / len(rows))
            self.grads = grads if self.grads is None else twins.add_up(self.grads, grads)
            for p, cache in zip(params, caches, strict=True):
                p.state = cache.get("state", p.state)
        allow_for_blanks(net.layers, params, self.grads)
        self.state = [p.state for p in params]
        self.share = 1.0
        if net.weighted_mean and row_weights is not None and row_weights.sum() > 0:
            self.share = len(rows) / float(row_weights.sum(dtype=np.float64))
        self.net, self.lr, self.step = net, lr, step
        self.weights, self.moments = np.float64(weights), np.float64(moments)
        self.like = [twins.Params({name: x.value for name, x in p.items()}) for p in params]

    def norm(self, shift=0.0):
        """That of the gradient, shifted by this much, as it is clipped."""
        grads = concatenated(self.grads, "value") + shift
        grads = twins.weigh(twins.unflatten(grads, self.like), self.share)
        params = twins.unflatten(self.weights, self.like)
        penalised, _ = twins.penalise(
            params, grads, self.net.l2, len(self.rows) / self.share
        )
        return max(np.linalg.norm(twins.flatten(penalised)), SMALLEST)

    def after(self, shift, wider=1.0):
        """Weights and moments after the update, the gradient shifted by this much after it was
        scaled to a norm that is wider by it."""
        params = twins.unflatten(self.weights, self.like)
        grads = concatenated(self.grads, "value") + shift
        limit = self.net.clip_norm * wider
        if limit:
            limit *= self.norm(shift) / self.norm()
        optimizer = optimizer_from(self.net.optimizer, params, self.moments)
        penalty = twins.update(
            params,
            twins.unflatten(grads, self.like),
            optimizer,
            self.lr,
            self.step + 1,
            len(self.rows),
            share_of_row=self.share,
            clip_norm=limit,
            l2=self.net.l2,
        )
        moments = optimizer.flat() if self.moments.size else np.zeros(0)
        return twins.flatten(params), moments, penalty

    def is_small(self):
        """Whether no number of float32 overflows."""
        return (
            all(map(is_small, self.losses))
            and (np.abs(self.weights) < LARGEST_WEIGHT).all()
            and (np.abs(self.after(0)[0]) < LARGEST).all()
        )

    def compare(self, call, core, loss, average, average_before):
        n = core.params.size
        self.compare_loss(call, loss)
        at = n
        for name, x in flat_parts(self.state):
            got = core.weights[at : at + x.size]
            compare(call, f"state {name}", got, x.value, x.error)
            at += x.size
        if n == 0:
            return
        grads = concatenated(self.grads, "value")
        error = concatenated(self.grads, "error")
        unknown = ~np.isfinite(error) | ~np.isfinite(grads)
        if self.net.optimizer["type"] != "sgd":
            # Squares of others do not fit float32.
            unknown |= (grads != 0) & ((np.abs(grads) < 1e-16) | (np.abs(grads) > 1e16))
        if self.net.clip_norm > 0 and unknown.any():
            return
        error = np.where(unknown, 0, SAFETY * error)
        # The norm's error is all elements', whichever side each errs to.
        norm = self.norm()
        wider = 1 + self.share * np.linalg.norm(error) / norm + 4 * U
        own = own_error_of_update(self.net, self.weights, grads, self.moments)
        error += own * max(1, norm / self.net.clip_norm) if self.net.clip_norm else own
        weights, moments, _ = self.after(0)
        scales = (wider, 1 / wider) if self.net.clip_norm else (1.0,)
        others = [self.after(s * error, by) for s in (1, -1) for by in scales]
        before = self.weights[:n]
        for name, new, old, got, places in (
            ("weights", weights, before, core.params, slice(0, n)),
            ("moments", moments, self.moments, core.moments, None),
        ):
            k = 0 if places is not None else 1
            moved = np.max([np.abs(other[k] - new) for other in others], axis=0)
            # Each row may be added to the weight by itself, and all may err to one side.
            additions = 8 + len(self.rows)
            allowed = 2 * moved + additions * U * (np.abs(old) + 2 * np.abs(new - old))
            allowed[(moved == 0) & (new == old)] = 0
            if len(new):
                allowed[np.resize(unknown, len(new))] = np.inf
                compare(call, f"{name} after", got, new, allowed / SAFETY)
            if places is not None:
                self.compare_average(call, average, average_before, new, allowed)

    def compare_average(self, call, average, before, weights, allowed):
        if average is None:
            return
        n, step = len(weights), self.step + 1
        decay = self.net.average_decay
        rest = 0 if decay == 1 else 1 - min(decay, (1 + step) / (10 + step))
        before = np.float64(before)
        expected = before + rest * (weights - before)
        error = rest * allowed + 4 * U * (np.abs(before) + np.abs(weights))
        compare(call, "average after", average[:n], expected, error / SAFETY)

    def compare_loss(self, call, loss):
        total = sum(row_loss.sum() for row_loss in self.losses)
        penalty = self.after(0)[2] if self.weights.size and self.like else 0.0
        expected = (total.value + penalty) * self.share
        error = (total.error + 4 * U * np.abs(total.value)) * self.share
        compare(call, "loss", loss, expected, error + 8 * U * penalty * self.share)


def check_updates(core_of, twin, x, call):
    """Five updates, each from the core's own state; then all in one call, on one thread and
    on several, to the same bits."""
    net = twin.net
    order = random_nets.order_of_rows(net)
    rates = net.lr * np.array([1, 0.5, 0.75, 0.25, 1])
    if not net.rate_of_each_step:
        rates[:] = net.lr
    core = core_of()
    average = core.params.copy() if net.average_decay else None
    options = {**schedule_of(net, rates, average), "weights": twin.weights}
    losses = []
    for step in range(5):
        size = net.batch_size * net.accumulate
        rows = order[step * size :][:size]
        one = Step(twin, core.weights.copy(), core.moments.copy(), rows, rates[step], step)
        before = None if average is None else average.copy()
        lr = rates[step : step + 1].copy() if net.rate_of_each_step else net.lr
        try:
            loss, _ = core.train(x, twin.y, rows, net.batch_size, lr, step=step, **options)
        except FloatingPointError:
            if one.is_small():
                raise
            return
        if not one.is_small():
            return
        one.compare(f"{call}, step {step}", core, loss[0], average, before)
        losses.append(loss[0])
    check_one_call(core_of, twin, x, order, rates, (core, losses, average), call)


def check_one_call(core_of, twin, x, order, rates, one_by_one, call):
    net = twin.net
    core, losses, average = one_by_one
    for threads in (1, THREADS):
        same = core_of()
        its_average = None if average is None else same.params.copy()
        options = {**schedule_of(net, rates, its_average), "weights": twin.weights}
        lr = rates if net.rate_of_each_step else net.lr
        loss, _ = same.train(
            x, twin.y, order, net.batch_size, lr, threads=threads, **options
        )
        name = f"{call}, five steps in one call, {threads} threads"
        compare_bits(name, "weights", same.weights, core.weights)
        compare_bits(name, "moments", same.moments, core.moments)
        compare(name, "loss", loss[0], np.sum(losses), 1e-12 * np.abs(losses).sum())
        if average is not None:
            compare_bits(name, "average", its_average, average)


# ---- bits ----


MANY = 64 * THREADS + 1  # more rows than threads have under way


def check_bits(core, twin, x):
    together = core.predict(x)
    compare_bits("predict(x, threads=3)", "outputs", core.predict(x, threads=3), together)
    rows = len(x)
    times = -(-MANY // rows)
    repeated = core.predict(np.concatenate([x] * times), threads=THREADS)
    expected = np.concatenate([together] * times)
    compare_bits(f"predict(x repeated {times} times)", "outputs", repeated, expected)
    for begin, end in {(0, 1), (rows // 2, rows // 2 + 1), (rows // 3, rows)}:
        alone = core.predict(x[begin:end].copy())
        call = f"predict(x[{begin}:{end}])"
        compare_bits(call, "outputs", alone, together[begin:end])
    for below in (0, 2):
        core.sparse_below = below
        call = f"predict(x) with sparse_below={below}"
        compare_bits(call, "outputs", core.predict(x), together)


def unfused(net):
    """The same net with layers between that keep every pattern from matching, or None where
    masks would then be others."""
    if any(layer["type"] in ("dropout", "gaussian_noise") for layer in net.layers):
        return None
    between = activation("linear")
    layers = [part for layer in net.layers for part in (layer, between)]
    # Nothing may come between an embedding, perhaps of some columns, and the inputs.
    layers = [
        layer
        for layer, above in zip(layers, [*layers[1:], {}], strict=True)
        if layer is not between or above.get("type") not in ("embedding", "columns")
    ]
    return replace(net, layers=layers[:-1] if len(layers) > 2 else layers)


def core_of(net, params):
    core = _core.Net(net.layers, net.input_shape, net.loss, net.optimizer)
    core.weights[:] = twins.flatten_all(params)
    return core


def check(net):
    """Raise Mismatch where the core's numbers are not the twin's, or bits differ."""
    x, y, weights, params = random_nets.arrays(net)
    with with_bounds(has_equal_weights=net.params == "eighths"):
        twin = Twin(net, x, y, weights)
        core = core_of(net, params)
        cores = {"": core}
        if (plain := unfused(net)) is not None:
            cores["unfused"] = core_of(plain, params)
        rounded = twin.params(core.weights)
        check_bits(core, twin, x)
        check_predictions(core, twin, rounded, x)
        check_backprop(cores, twin, rounded, x)
        check_gradients(cores, twin, rounded, x)
        check_updates(lambda: core_of(net, params), twin, x, "train(x, y)")

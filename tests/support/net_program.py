"""A random net on which the core failed, as a separate program."""

import numpy as np

import random_nets
import twins

PROGRAM = """\
# {failure}
import numpy as np
import rnn_native._core as _core
from rnn_native.base import runtime

_core.choose_cpu_level({level!r})
layers = {layers}
net = _core.Net(layers, {shape}, {loss!r}, {optimizer})
net.weights[:] = {weights}
x = np.array({x}, np.{x_type}).reshape({rows}, -1)
y = np.array({y}, np.{y_type}){y_shape}
row_weights = {row_weights}
{call}
"""

CALLS = {
    "predict": "print(net.predict(x))",
    "backprop": (
        "dout = np.array({dout}, np.float32)\n"
        "outputs, by_x, by_params = net.backprop(x, dout, seed={seed}, step={step})\n"
        "print(outputs, by_x, by_params, sep='\\n')"
    ),
    "gradients": (
        "options = dict(weights=row_weights, smoothing={smoothing}, seed={seed}, "
        "step={step})\n"
        "loss, by_params = net.gradients(x, y, **options)\n"
        "print(loss, by_params, sep='\\n')"
    ),
    "train": (
        "average = {average}\n"
        "options = dict(weights=row_weights, average=average, {options})\n"
        "order = np.array({order}, np.int32)\n"
        "for step, rows in enumerate(np.split(order, range({update}, len(order), {update}))):\n"
        "    loss, _ = net.train(x, y, rows, {batch}, {lr}, step=step, **options)\n"
        "    print(step, loss, net.weights, sep='\\n')"
    ),
}


def _options(net):
    names = ("smoothing", "clip_norm", "l2", "weighted_mean", "average_decay", "accumulate")
    return ", ".join(f"{name}={getattr(net, name)}" for name in names)


def program(net, mismatch, level):
    """The call that failed, with all numbers written out."""
    import net_check

    x, y, weights, params = random_nets.arrays(net)
    layers = net.layers
    if "unfused" in mismatch.call:
        layers = net_check.unfused(net).layers
    lr = f"np.array([{net.lr}])" if net.rate_of_each_step else net.lr
    call = CALLS[mismatch.call.split("(")[0]].format(
        dout=net_check.output_gradient(net).tolist(),
        seed=net_check.SEED,
        step=net_check.STEP,
        smoothing=net.smoothing,
        average="net.params.copy()" if net.average_decay else None,
        options=f"{_options(net)}, seed={net_check.SEED}",
        order=random_nets.order_of_rows(net).tolist(),
        batch=net.batch_size,
        update=net.batch_size * net.accumulate,
        lr=lr,
    )
    row_weights = None
    if weights is not None:
        row_weights = f"np.array({weights.tolist()}, np.float32)"
    return PROGRAM.format(
        failure=str(mismatch).replace("\n", " "),
        level=level,
        layers=layers,
        shape=net.input_shape,
        loss=net.loss,
        optimizer=net.optimizer,
        weights=np.float32(twins.flatten_all(params)).tolist(),
        x=x.ravel().tolist(),
        x_type=x.dtype.name,
        rows=net.rows,
        y=y.ravel().tolist(),
        y_type=y.dtype.name,
        y_shape="" if y.ndim == 1 else f".reshape({net.rows}, -1)",
        row_weights=row_weights,
        call=call,
    )

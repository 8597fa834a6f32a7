"""JAX: one jitted lax.scan an epoch, parameters donated, and a step for the short tail.

Options: `patches`, a convolution as one product; `channels-last` with that; `calls`, a call
for each of XOR's epochs, as for other nets, instead of one that compiles the loop over them.
"""

import math
import os

import jax
import jax.numpy as jnp
import numpy as np

from peers.jax_layers import AS_PRODUCT, AS_PRODUCT_LAST, LAYERS, build
from peers.protocol import checkpoints

VERSION = f"JAX {jax.__version__}"


def limit_threads(threads):
    """Must come before JAX's first array; XLA has no other switch for its threads."""
    eigen = "true" if threads > 1 else "false"
    os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={eigen}"
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, allowed[:threads])


def set_up(job):
    """Return the forward function and its parameters."""
    limit_threads(job.threads)
    functions = AS_PRODUCT if "patches" in job.options else LAYERS
    if "channels-last" in job.options:
        functions = AS_PRODUCT_LAST
    return build(job.layers, functions)


def arranged(job, images):
    last = "channels-last" in job.options
    return images.transpose(0, 2, 3, 1).copy() if last else images


def cross_entropy(outputs, y):
    log_p = jax.nn.log_softmax(outputs)
    return -jnp.take_along_axis(log_p, y[:, None], axis=1).mean()


def half_squared_error(outputs, y):
    return 0.5 * jnp.square(outputs - y).sum() / len(y)


FINAL = {"softmax_cross_entropy": jax.nn.softmax, "squared_error": lambda x: x}
LOSSES = {"softmax_cross_entropy": cross_entropy, "squared_error": half_squared_error}


def sgd(workload, params, grads, state):
    if "momentum" in workload.optimizer:
        momentum = workload.optimizer["momentum"]
        state = grads = jax.tree.map(lambda v, g: momentum * v + g, state, grads)
    return jax.tree.map(lambda p, g: p - workload.lr * g, params, grads), state


def adam(workload, params, grads, state):
    """Kingma and Ba 2014; `state` is the number of steps, the means and the squares."""
    beta_1, beta_2 = workload.optimizer["beta_1"], workload.optimizer["beta_2"]
    epsilon = workload.optimizer["epsilon"]
    decay = workload.lr * workload.optimizer.get("weight_decay", 0.0)  # AdamW's
    steps, means, squares = state
    steps = steps + 1
    means = jax.tree.map(lambda m, g: beta_1 * m + (1 - beta_1) * g, means, grads)
    squares = jax.tree.map(lambda v, g: beta_2 * v + (1 - beta_2) * g * g, squares, grads)
    # 1 - beta**steps would lose four digits in float32.
    correct_mean = -1 / jnp.expm1(steps * math.log(beta_1))
    correct_square = -1 / jnp.expm1(steps * math.log(beta_2))

    def moved(p, mean, square):
        root = jnp.sqrt(square * correct_square)
        return p - decay * p - workload.lr * (mean * correct_mean) / (root + epsilon)

    return jax.tree.map(moved, params, means, squares), (steps, means, squares)


UPDATES = {"sgd": sgd, "adam": adam, "adamw": adam}


def first_state(workload, params):
    """Return what the optimizer keeps from step to step."""
    zeros = jax.tree.map(jnp.zeros_like, params)
    if workload.optimizer["type"] == "sgd":
        return zeros if "momentum" in workload.optimizer else ()
    return jnp.float32(0), zeros, jax.tree.map(jnp.copy, zeros)


def step_of(workload, forward):
    """Return a function that trains on a batch: new parameters and state, and the loss."""
    update = UPDATES[workload.optimizer["type"]]

    def loss_of(params, x, y, key):
        return LOSSES[workload.loss](forward(params, x, key), y)

    def step(kept, x, y, key=None):
        params, state = kept
        loss, grads = jax.value_and_grad(loss_of)(params, x, y, key)
        return update(workload, params, grads, state), loss

    return step


def epoch_of(step, x, y, batch_size):
    """Return a function that trains an epoch: what is kept, and the mean loss.

    With a key, that of a batch is made of it, for masks.
    """
    whole = len(y) // batch_size * batch_size

    def step_rows(kept, rows_and_key):
        rows, key = rows_and_key
        return step(kept, x[rows], y[rows], key)

    def epoch(kept, order, key=None):
        batches = order[:whole].reshape(-1, batch_size)
        keys = None if key is None else jax.random.split(key, len(batches) + 1)
        first = None if keys is None else keys[1:]
        kept, losses = jax.lax.scan(step_rows, kept, (batches, first))
        total = losses.sum() * batch_size
        tail = order[whole:]
        if len(tail):
            kept, loss = step_rows(kept, (tail, None if keys is None else keys[0]))
            total += loss * len(tail)
        return kept, total / len(order)

    return epoch


def train(job):
    # Threefry, the usual generator, takes several times as long on a CPU.
    jax.config.update("jax_default_prng_impl", "rbg")
    forward, params = set_up(job)
    x, y = jnp.asarray(arranged(job, job.images)), jnp.asarray(job.data.y)
    kept = params, first_state(job.workload, params)
    epoch = epoch_of(step_of(job.workload, forward), x, y, job.workload.batch_size)
    compiled = jax.jit(epoch, donate_argnums=0)
    drops = any(spec["type"] == "dropout" for spec, _ in job.layers)
    epochs = 0

    def train_epoch(order):
        nonlocal kept, epochs
        epochs += 1
        key = [jax.random.key(epochs)] if drops else []
        kept, loss = compiled(kept, jnp.asarray(order), *key)
        jax.block_until_ready(kept)
        return job.workload.loss_factor * loss

    return train_epoch


def xor(job):
    forward, params = set_up(job)
    x, y = jnp.asarray(job.images)[:, None], jnp.asarray(job.data.y)[:, None]
    step = step_of(job.workload, forward)

    def epoch(_, kept_and_loss):
        kept, losses = jax.lax.scan(
            lambda kept, row: step(kept, *row), kept_and_loss[0], (x, y)
        )
        return kept, job.workload.loss_factor * losses.sum()

    @jax.jit
    def epochs_of(kept, number):
        return jax.lax.fori_loop(0, number, epoch, (kept, jnp.float32(0)))

    def calls_of(kept, number):
        loss = 0.0
        for _ in range(number):
            kept, loss = epochs_of(kept, 1)
        return kept, loss

    train_epochs = calls_of if "calls" in job.options else epochs_of

    def run(epochs):
        kept, done, losses = (params, ()), 0, []
        for end in checkpoints(epochs):
            kept, loss = train_epochs(kept, end - done)
            losses.append(float(loss))
            done = end
        jax.block_until_ready(kept)
        return losses

    return run


def predict(job, batches):
    forward, params = set_up(job)
    final = FINAL[job.workload.loss]
    compiled = jax.jit(lambda params, x: final(forward(params, x)))
    return lambda x: np.asarray(compiled(params, x)), [arranged(job, x) for x in batches]

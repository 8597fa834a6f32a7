"""JAX: one jitted lax.scan an epoch, parameters donated, and a step for the short tail."""

import os
import sys

# Read when the CPU client starts; XLA has no other switch for its threads.
_threads = sys.argv[4] if len(sys.argv) > 4 else "2"
os.environ["XLA_FLAGS"] = (
    f"--xla_cpu_multi_thread_eigen={'true' if _threads != '1' else 'false'}"
)
if hasattr(os, "sched_setaffinity"):
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, allowed[: int(_threads)])

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

from peers.protocol import BATCH_SIZE, LR  # noqa: E402

VERSION = f"JAX {jax.__version__}"


def loss_of(params, x, y):
    w1, b1, w2, b2 = params
    logits = jax.nn.relu(x @ w1 + b1) @ w2 + b2
    log_p = jax.nn.log_softmax(logits)
    return -jnp.take_along_axis(log_p, y[:, None], axis=1).mean()


def prepare(model, data, threads):
    x, y = jnp.asarray(data.floats), jnp.asarray(data.y)
    state = {"params": tuple(jnp.asarray(p) for p in data[2:])}

    def step(params, rows):
        loss, grads = jax.value_and_grad(loss_of)(params, x[rows], y[rows])
        return tuple(p - LR * g for p, g in zip(params, grads, strict=True)), loss

    whole = len(data.y) // BATCH_SIZE * BATCH_SIZE

    def epoch(params, order):
        batches = order[:whole].reshape(-1, BATCH_SIZE)
        params, losses = jax.lax.scan(step, params, batches)
        total = losses.sum() * BATCH_SIZE
        tail = order[whole:]
        if len(tail):
            params, loss = step(params, tail)
            total += loss * len(tail)
        return params, total / len(order)

    compiled = jax.jit(epoch, donate_argnums=0)

    def train_epoch(order):
        state["params"], loss = compiled(state["params"], jnp.asarray(order))
        return loss.block_until_ready()

    return train_epoch

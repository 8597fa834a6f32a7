"""Random nets trained in several ways to the same bits: threads, alone or in a batch, resumed.

On one, two and five threads; in one call, and in two with a new net that is given weights and
moments in between; each row predicted in the batch, and some alone. Inputs, layers, optimizers and
options are drawn again: tests/support/random_nets.py.
"""

import itertools

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings

import attack
import net_check
import random_nets

COUNTS = (60, 3_000, 10_000)
NETS_OF_A_SEED = 10
STEPS, FIRST = 5, 2


def run(count, first):
    outcome = attack.Outcome()
    for number in range(-(-count // NETS_OF_A_SEED)):
        for net in _nets_of(first * 1_000_003 + number):
            try:
                _check(net)
            except FloatingPointError:
                outcome.add("diverged")
            except Exception as error:
                outcome.fault(f"{attack.named(error)}: {net!r}")
            else:
                outcome.add("the same bits")
    return outcome


def _nets_of(number):
    found = []

    @settings(
        max_examples=NETS_OF_A_SEED,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @seed(number)
    @given(random_nets.nets())
    def keep(net):
        found.append(net)

    keep()
    return found


def _check(net):
    x, y, weights, params = random_nets.arrays(net)
    core = net_check.core_of(net, params)
    together = core.predict(x)
    for row in {0, len(x) // 2, len(x) - 1}:
        alone = core.predict(x[row : row + 1].copy())
        net_check.compare_bits(
            f"predict(x[{row}])", "outputs", alone, together[row : row + 1]
        )
    for threads in (2, 5):
        many = core.predict(x, threads=threads)
        net_check.compare_bits(f"predict, {threads} threads", "outputs", many, together)
    whole = _trained(net, x, y, weights, params, 1, (0, STEPS))
    for threads, parts in (2, (0, STEPS)), (5, (0, STEPS)), (2, (0, FIRST, STEPS)):
        other = _trained(net, x, y, weights, params, threads, parts)
        for name, got in other.items():
            call = f"train, {threads} threads, calls {parts}"
            net_check.compare_bits(call, name, got, whole[name])


def _trained(net, x, y, weights, params, threads, parts):
    """What the core holds after steps in as many calls as parts."""
    order = random_nets.order_of_rows(net)
    rates = net.lr * np.linspace(1, 0.25, STEPS)
    core = net_check.core_of(net, params)
    average = core.params.copy() if net.average_decay else None
    options = {**net_check.schedule_of(net, rates, average), "weights": weights}
    for begin, end in itertools.pairwise(parts):
        update = net.batch_size * net.accumulate
        rows = order[begin * update : end * update].copy()
        lr = rates[begin : begin + -(-len(rows) // update)].copy()
        before = core.weights.copy(), core.moments.copy()
        core = net_check.core_of(net, params)
        core.weights[:], core.moments[:] = before if begin else (core.weights, core.moments)
        core.train(
            x, y, rows, net.batch_size, lr, threads=threads, step=begin, updates=begin,
            averaged=begin, **options,
        )  # fmt: skip
    found = {"weights": core.weights, "moments": core.moments}
    return found if average is None else {**found, "average": average}

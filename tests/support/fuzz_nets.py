"""Random nets with new seeds, as many as wanted: `make fuzz-nets N=20000`.

    python tests/support/fuzz_nets.py N [SEED [PROCESSES]]

Prints for each failure the smallest net that hypothesis found, as a separate program.
"""

import multiprocessing
import os
import secrets
import sys
import time

from hypothesis import HealthCheck, Phase, given, seed, settings

import net_check
import net_program
import random_nets
import rnn_native._core as _core

# After ten examples of a seed hypothesis repeats parts of earlier ones, which finds less.
NETS_OF_A_SEED = 10


def _for_each_net(number, check):
    """Call `check` with each net of a seed; on an error, with smaller and smaller ones."""
    options = settings(
        max_examples=NETS_OF_A_SEED,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
    )
    seed(number)(options(given(random_nets.nets())(check)))()


def nets_of(number):
    found = []

    def keep(net):
        found.append(net)

    _for_each_net(number, keep)
    return found


def failure_of(number):
    """A program that shows the failure among the nets of a seed, or None."""
    level = _core.build_config()["cpu_level"]
    failure = None

    def run(net):
        nonlocal failure
        try:
            net_check.check(net)
        except net_check.Mismatch as mismatch:
            failure = net_program.program(net, mismatch, level)
            raise
        except Exception as error:
            failure = f"# {error!r}\n{net!r}"
            raise

    try:
        _for_each_net(number, run)
    except Exception:
        if failure is None:
            raise  # of the generator
    return failure


def main(arguments):
    given_numbers = [int(argument) for argument in arguments]
    defaults = [1000, secrets.randbits(32), os.cpu_count() or 1]
    wanted, first, processes = given_numbers + defaults[len(given_numbers) :]
    seeds = range(first, first + -(-wanted // NETS_OF_A_SEED))
    nets = len(seeds) * NETS_OF_A_SEED
    level = _core.build_config()["cpu_level"]
    print(f"{nets} nets at level {level} from seed {first}", flush=True)
    begin = time.monotonic()
    failures = 0
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for number, failure in zip(seeds, pool.imap(failure_of, seeds), strict=True):
            if failure is not None:
                failures += 1
                print(f"\n# seed {number}\n{failure}", flush=True)
    seconds = time.monotonic() - begin
    print(f"{nets} nets, {failures} seeds with a failure, {seconds:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

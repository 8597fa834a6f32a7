"""Layers and attributes at random, given to the core under sanitizers: refused, or run.

What can be set up is made, trained, asked and freed, with one thread and several. Under ASan,
and in more than the short form under UBSan, too.
"""

import attack
import driver

COUNTS = (20_000, 1_000_000, 10_000_000)
AT_A_TIME = 20_000


def run(count, seed):
    outcome = attack.Outcome()
    if count == COUNTS[0]:  # UBSan takes a minute to compile
        program = driver.built("core-address-alone", "address")
    else:
        program = driver.built("core-address", "address,undefined")
    for begin in range(0, count, AT_A_TIME):
        number = attack.seed_of(seed, begin)
        driver.run(
            outcome,
            program,
            "specs",
            number,
            min(AT_A_TIME, count - begin),
            ASAN_OPTIONS="allocator_may_return_null=1",
        )
    return outcome

"""SIGINT and SIGTERM while commands load their modules: one line, and 130 or 143.

Each process gets one signal, at a random moment between its first import from the package and
the end of its work (tests/support/interrupt_starts.py).
"""

import random

import attack
import interrupt_starts

COUNTS = (8, 120, 500)


def run(count, seed):
    outcome = attack.Outcome()
    ends = interrupt_starts.ends_of(count, random.Random(seed))
    for (name, number, how), times in ends.items():
        for _ in range(times):
            if how.startswith("UNCLEAN"):
                outcome.fault(f"{number.name} to {name}: {how}")
            else:
                outcome.add(how)
    return outcome

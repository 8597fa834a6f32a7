"""Changed files of every format that is read: taken, or refused in one line, in bounds.

A case is a file with a few changes, which follow from seed, format and number. Each format
has a child process; when that ends or hangs the case is a fault, and the next child continues
after it.
"""

import mmap
import os
import random
import resource
import signal
import time
import warnings
from pathlib import Path

import attack
from corpus import formats

COUNTS = (100, 6_000, 100_000)  # files of each format
MOST_SECONDS = 20  # of the processor: others may use the machine, too
MOST_WAITED = 600  # seconds in all
MOST_MEMORY = 300 << 20


def run(count, seed):
    outcome = attack.Outcome()
    for name, form in formats().items():
        outcome.take(attack_format(name, form, count, seed).as_dict())
    return outcome


def attack_format(name, form, count, seed):
    """Try all cases of a format; a child that ends early is followed by another."""
    outcome, begin = attack.Outcome(), 0
    place = mmap.mmap(-1, 8)  # the number of the case in hand
    while begin < count:
        numbers = range(begin, count)
        found = attack.in_fork(_cases, name, form, numbers, seed, place, timeout=1e6)
        if "ended" not in found:
            outcome.take(found)
            break
        case = int.from_bytes(place[:8], "little")
        # What the child had seen before is lost with it.
        outcome.cases += case - begin
        outcome.fault(f"{name}, seed {seed}, case {case}: the process {found['ended']}")
        begin = case + 1
    return outcome


def _cases(name, form, numbers, seed, place):
    outcome = attack.Outcome()
    warnings.simplefilter("ignore")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what libraries print of damaged files
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    path = Path("\x1b[31mcase\n" + form.suffix)  # whose name messages must escape
    for number in numbers:
        place[:8] = number.to_bytes(8, "little")
        data = case_of(name, form, number, seed)
        path.write_bytes(data)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
        signal.alarm(MOST_WAITED)
        begin = time.process_time()
        what, is_fault = ended(form, path)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        seconds = time.process_time() - begin
        more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
        if more * 1024 > MOST_MEMORY:
            what, is_fault = f"took {more >> 10} MB, {what}", True
        elif seconds > MOST_SECONDS / 4:
            what, is_fault = f"took {seconds:.0f} s, {what}", True
        if is_fault:
            outcome.fault(f"{name}, seed {seed}, case {number}: {what}")
        else:
            outcome.add(what)
    return outcome.as_dict()


def case_of(name, form, number, seed):
    """The bytes of a case."""
    rng = random.Random(attack.seed_of(seed, name, number))
    return form.mutate(rng.choice(form.files), rng, form.files)


def ended(form, path):
    """How reading a file ended, and whether that is a fault."""
    try:
        form.read(path)
    except form.errors as error:
        wrong = attack.not_one_line(error)
        if wrong:
            return f"{attack.named(error)} {wrong}", True
        return "refused", False
    except BaseException as error:
        return f"undeclared {attack.named(error)}", True
    return "read", False

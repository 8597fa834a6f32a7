"""Two nets trained by several threads while others read them, under TSan: no data race."""

import attack
import driver

COUNTS = (20, 600, 10_000)  # pairs of nets
AT_A_TIME = 20


def run(count, seed):
    outcome = attack.Outcome()
    program = driver.built("core-threads", "thread")
    for begin in range(0, count, AT_A_TIME):
        number = attack.seed_of(seed, begin)
        driver.run(outcome, program, "threads", number, min(AT_A_TIME, count - begin))
    return outcome

"""Random nets against the float64 twin: see random_nets.py and net_check.py."""

import pytest

import fuzz_nets
import rnn_native._core as _core
from environment import SANITIZED


def is_thorough():
    """At the machine's level and without sanitizers; elsewhere a tenth has to do."""
    config = _core.build_config()
    is_best = config["cpu_level"] == config["cpu_levels"][-1]
    return is_best and not SANITIZED


@pytest.mark.parametrize("seed", range(30 if is_thorough() else 3))
def test_random_nets_match_the_twin(seed):
    failure = fuzz_nets.failure_of(seed)
    assert failure is None, f"\n{failure}"

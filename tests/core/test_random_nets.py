"""Random nets against the float64 twin: see random_nets.py and net_check.py."""

import os

import pytest

import fuzz_nets
import rnn_native._core as _core


def is_thorough():
    """At the machine's level and without sanitizers; elsewhere a tenth has to do."""
    config = _core.build_config()
    is_best = config["cpu_level"] == config["cpu_levels"][-1]
    return is_best and "libasan" not in os.environ.get("LD_PRELOAD", "")


@pytest.mark.parametrize("seed", range(30 if is_thorough() else 3))
def test_random_nets_match_the_twin(seed):
    failure = fuzz_nets.failure_of(seed)
    assert failure is None, f"\n{failure}"

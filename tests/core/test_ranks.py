"""A net that several ranks train together has the bits of one that is trained alone."""

import numpy as np
import pytest

import fake_ranks
import fuzz_nets
import net_check
import random_nets


class _Alone:
    rank, size, stop = 0, 1, np.zeros(1, np.uint8)

    def swap(self, partner, give, take):
        raise AssertionError("one rank swaps nothing")


def _outcome(net, ranks):
    x, y, weights, params = random_nets.arrays(net)
    rates = net.lr * np.array([1, 0.5, 0.75, 0.25, 1]) if net.rate_of_each_step else net.lr
    core = net_check.core_of(net, params)
    average = core.params.copy() if net.average_decay else None
    options = {**net_check.schedule_of(net, rates, average), "weights": weights}
    order = random_nets.order_of_rows(net)
    try:
        found = core.train(x, y, order, net.batch_size, rates, ranks=ranks, **options)
    except FloatingPointError as error:
        found = str(error)
    return core.weights.tobytes(), core.moments.tobytes(), str(found)


@pytest.mark.parametrize("seed", range(8))
def test_random_nets(seed):
    for net in fuzz_nets.nets_of(seed):
        alone = _outcome(net, _Alone())
        for size in (2, 4, 8):
            together = fake_ranks.run(
                size, lambda comm, net=net: _outcome(net, fake_ranks.CoreRanks(comm))
            )
            assert all(one == alone for one in together), f"{size} ranks, {net}"


@pytest.mark.parametrize(("rank", "size"), [(0, 3), (2, 2), (-1, 2), (0, 128)])
def test_wrong_ranks_are_refused(rank, size):
    net = fuzz_nets.nets_of(0)[0]
    ranks = _Alone()
    ranks.rank, ranks.size = rank, size
    with pytest.raises(ValueError, match="ranks: expected a rank of 1, 2, 4"):
        _outcome(net, ranks)


def test_an_error_of_an_exchange_ends_the_call():
    class Broken(_Alone):
        size = 2

        def swap(self, partner, give, take):
            raise OSError("the network is gone")

    for net in fuzz_nets.nets_of(1)[:3]:
        with pytest.raises(OSError, match="gone"):
            _outcome(net, Broken())

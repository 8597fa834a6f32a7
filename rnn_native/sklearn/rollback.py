"""A call that fits and raises: the estimator is then as it was before."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from rnn_native.models.network import Network
from rnn_native.sklearn.protocol import TORN_DOWN_LATER
from rnn_native.sklearn.records import GROWING


@contextmanager
def whole_or_not(estimator: Any, *, in_place: bool = False) -> Iterator[None]:
    """Let what a call learns be the estimator's only if the call ends without an error.

    It is restored, rather than put aside until then: callbacks see the estimator meanwhile.

    Parameters
    ----------
    estimator : BaseNetworkEstimator
    in_place : bool
        Whether the call trains the network that the estimator has, instead of a new one.

    Raises
    ------
    RuntimeError
        If another thread trains the network, with `in_place`.
    """
    found = _fitted(estimator)
    network = found.get("network_") if in_place else None
    with ExitStack() as held:
        if network is not None:
            # What is restored must not be what another thread has trained meanwhile.
            held.enter_context(network.being_trained("partial_fit"))
        undo = [_attributes(estimator, found)]
        if "history_" in found:
            undo.append(found["history_"].snapshot())
        if network is not None:
            undo.append(_training(network))
        try:
            yield
        except BaseException:
            for restore in undo:
                restore()
            raise


def _fitted(estimator: Any) -> dict[str, Any]:
    """Return the attributes that a fit may set, not parameters or what users add."""
    return {
        name: value
        for name, value in vars(estimator).items()
        if (name.startswith("_") or name.endswith("_")) and name not in TORN_DOWN_LATER
    }


def _attributes(estimator: Any, found: dict[str, Any]) -> Callable[[], None]:
    """Return what sets the attributes again, and cuts the lists that grew."""
    lengths = {name: len(found[name]) for name in GROWING if found.get(name)}

    def restore() -> None:
        for name in _fitted(estimator).keys() - found.keys():
            delattr(estimator, name)
        vars(estimator).update(found)
        for name in GROWING:
            if found.get(name) is not None:
                del found[name][lengths.get(name, 0) :]

    return restore


def _training(network: Network) -> Callable[[], None]:
    """Return what gives a network its weights, moments and steps again."""
    weights, moments = network.weights.copy(), network.moments.copy()
    restore_state = network.training_state.snapshot()

    def restore() -> None:
        network.weights[:], network.moments[:] = weights, moments
        restore_state()

    return restore

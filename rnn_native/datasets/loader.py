"""What `fit` accepts in place of arrays: batches, and who makes them."""

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")


@runtime_checkable
class Loader(Protocol):
    """Makes the batches of an epoch for a seed; write one for your own data.

    `Network.fit` and its `validation_data` accept it. The next batch is made in a thread while
    the net trains, so a loader must not change what the main thread uses.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> class Sines:
    ...     def __len__(self):
    ...         return 20
    ...
    ...     def batches(self, seed):
    ...         rng = np.random.default_rng(seed)
    ...         for _ in range(len(self)):
    ...             x = rng.uniform(-1, 1, (32, 1)).astype("float32")
    ...             yield x, np.sin(3 * x)
    >>> net = rn.Network(
    ...     [rn.Dense(8, "tanh"), rn.Dense(1)], input_shape=(1,), loss="squared_error"
    ... )
    >>> len(net.fit(Sines(), epochs=3, verbose=0).history["loss"])
    3
    """

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""

    def batches(self, seed: int | None) -> Iterator[tuple[Any, ...]]:
        """Yield (x, y) or (x, y, weights), as `fit` accepts them, `len(self)` times.

        Parameters
        ----------
        seed : int in [0, 2**64), or None
            Another one in each epoch, drawn from the net's generator: the same seed must
            give the same batches. None, with ``shuffle=False`` and for validation: in order.
        """


class Block(NamedTuple):
    """Rows of several batches that are read at once.

    Attributes
    ----------
    x, y : array_like
    weights : array_like of shape (n,), or None
    order : ndarray of int32, or None
        Row numbers; batches are taken from them in turn. None: one batch of all rows.
    batch_size : int
    """

    x: Any
    y: Any
    weights: Any = None
    order: NDArray[np.int32] | None = None
    batch_size: int = 0


def prefetched(items: Iterator[Item]) -> Generator[Item, None, None]:
    """Yield items that a thread reads from an iterator, one ahead of the last one yielded.

    What the iterator raises is raised here, in its place.
    """
    ready: queue.Queue[tuple[bool, Any]] = queue.Queue(maxsize=1)
    is_closed = threading.Event()

    def put(is_item: bool, value: object) -> bool:
        while not is_closed.is_set():
            with suppress(queue.Full):
                ready.put((is_item, value), timeout=0.05)
                return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(True, item):
                    return
            put(False, None)
        except BaseException as error:  # in a thread it would be lost
            put(False, error)

    thread = threading.Thread(target=work, name="rnn_native loader", daemon=True)
    thread.start()
    try:
        while True:
            is_item, value = ready.get()
            if is_item:
                yield value
            elif value is None:
                return
            else:
                raise value
    finally:
        is_closed.set()
        thread.join()

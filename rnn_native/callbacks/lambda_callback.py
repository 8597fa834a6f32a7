"""A callback made of functions."""

from collections.abc import Callable
from typing import Any

from rnn_native.base.text import brief
from rnn_native.training.callback import Callback

Hook = Callable[..., Any]


class LambdaCallback(Callback):
    """Call functions at the hooks they are named after.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : callable, optional
        Called with (epoch, logs).
    on_train_begin, on_train_end : callable, optional
        Called with (logs).
    on_train_batch_begin, on_train_batch_end : callable, optional
        Called with (batch, logs); with one of them epochs go batch by batch.
    on_test_begin, on_test_end : callable, optional
        Called with (logs), around validation.

    Raises
    ------
    TypeError
        If one cannot be called.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> said = rn.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, len(logs)))
    >>> history = net.fit(x, y, epochs=2, callbacks=said, verbose=0)
    0 4
    1 4
    """

    def __init__(
        self,
        on_epoch_begin: Hook | None = None,
        on_epoch_end: Hook | None = None,
        on_train_begin: Hook | None = None,
        on_train_end: Hook | None = None,
        on_train_batch_begin: Hook | None = None,
        on_train_batch_end: Hook | None = None,
        on_test_begin: Hook | None = None,
        on_test_end: Hook | None = None,
    ) -> None:
        given = {name: hook for name, hook in locals().items() if name.startswith("on_")}
        for name, hook in given.items():
            if hook is None:
                continue
            if not callable(hook):
                raise TypeError(f"{name}: expected a function, got {brief(hook)}")
            # Only those that are given: a hook of batches costs time.
            setattr(self, name, hook)

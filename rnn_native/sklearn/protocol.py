"""What scikit-learn asks of a method that fits, and its own callbacks where it has them."""

from collections.abc import Callable
from copy import copy
from typing import Any, TypeVar

from sklearn.base import _fit_context

from rnn_native.callbacks import Callback
from rnn_native.training.callback import Logs

__all__ = ["TORN_DOWN_LATER", "CallbackBridge", "CallbackSupportMixin", "fitting"]

TORN_DOWN_LATER = {"_callback_fit_ctx", "_skl_callbacks_to_teardown"}
"""Attributes that scikit-learn needs, and removes, once a method that fits has ended."""

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to support."""


Method = TypeVar("Method", bound=Callable[..., Any])


def fitting(method: Method) -> Method:
    """Check the estimator's parameters before a method, and end its callbacks after it."""
    checked: Method = _fit_context(prefer_skip_nested_validation=True)(method)
    return checked


class CallbackBridge(Callback):
    """Calls the hooks of callbacks that were set by scikit-learn's `set_callbacks`.

    Parameters
    ----------
    estimator : estimator with `set_callbacks`
    X, y : array_like
        As the user gave them.
    metadata : dict
        What else `fit` was given.
    max_iter : int
        Epochs at most.
    """

    def __init__(
        self, estimator: Any, X: Any, y: Any, metadata: dict[str, Any], max_iter: int
    ) -> None:
        self._facts = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._fit = estimator._init_callback_context(max_subtasks=max_iter)
        self._epoch: Any = None
        self._fit.call_on_fit_task_begin(**self._facts)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Begin a task of the fit."""
        self._epoch = self._fit.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(**self._facts)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """End it; a hook that returns True ends the fit."""
        if self._epoch.call_on_fit_task_end(
            **self._facts, reconstruction_attributes=self._snapshot
        ):
            self.run.stop("callback")

    def _snapshot(self) -> dict[str, Any]:
        """Return what a copy of the estimator needs so that training does not change it."""
        return {"network_": copy(self.model)}

    def finish(self) -> None:
        """End the fit's own task, once the estimator is fitted."""
        self._fit.call_on_fit_task_end(**self._facts, reconstruction_attributes={})

"""The one loop that trains, and what it keeps and writes; imports `net` and below."""

from typing import TYPE_CHECKING, Any

from rnn_native.base import lazy

if TYPE_CHECKING:
    from rnn_native.training.callback import Callback as Callback
    from rnn_native.training.history import History as History
    from rnn_native.training.holding_out import Split, split
    from rnn_native.training.loop import fit
    from rnn_native.training.recipe import Recipe
    from rnn_native.training.run import Run

_HOMES = {
    "Callback": "rnn_native.training.callback",
    "History": "rnn_native.training.history",
    "Recipe": "rnn_native.training.recipe",
    "Run": "rnn_native.training.run",
    "Split": "rnn_native.training.holding_out",
    "fit": "rnn_native.training.loop",
    "split": "rnn_native.training.holding_out",
}

__all__ = ["Recipe", "Run", "Split", "fit", "split"]


def __getattr__(name: str) -> Any:
    # What only predicts needs none of them.
    return lazy.named(__name__, _HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})

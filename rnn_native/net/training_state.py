"""Where a net's training stands: what the next call of `fit` continues from."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.text import brief
from rnn_native.base.xorshift import Xorshift

FIRST_SEED = 1
"""Of the shuffles and masks of a net that has not been trained."""

COUNTERS = (
    "steps",
    "seed",
    "seed_steps",
    "rng",
    "average_steps",
    "average_epochs",
    "taken",
)
"""What `as_dict` holds: integers in [0, 2**64), rng above 0."""

STAYS = 1.0
"""Decay of an average that no step moves."""

ADDED = ("average_epochs", "taken")
"""Those that files of earlier versions lack: 0."""


@dataclass(slots=True, eq=False)
class TrainingState:
    """What training stores in addition to weights and moments.

    Attributes
    ----------
    steps : int
        Updates that the optimizer has made with its moments; Adam's bias correction counts
        them.
    seed, seed_steps : int
        Masks, distortions and mixing are functions of the seed and of the steps since it
        was set.
    rng : Xorshift
        Draws the shuffles.
    order : ndarray of shape (n,), int32, or None
        Row numbers as the last shuffle left them: the next epoch shuffles them further.
    live_params : ndarray of float32 or None
        With `ema_decay`, or from epoch `swa_start` on: the parameters that training continues
        from; between epochs the net holds their average.
    average_steps : int
        Steps that the moving average has followed.
    average_epochs : int
        Epochs whose parameters are in the mean of `swa_start`; 0: a moving average, or none.
    taken : int
        Rows of `order` that epochs of `steps_per_epoch` batches have trained of the pass
        under way.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> history = net.fit(*rn.datasets.synthetic_digits(128), batch_size=64, epochs=3, verbose=0)
    >>> net.training_state.steps
    6
    """

    steps: int = 0
    seed: int = FIRST_SEED
    seed_steps: int = 0
    rng: Xorshift = field(default_factory=lambda: Xorshift(FIRST_SEED))
    order: NDArray[np.int32] | None = None
    live_params: NDArray[np.float32] | None = None
    average_steps: int = 0
    average_epochs: int = 0
    taken: int = 0
    _average_digest: bytes = b""

    def restart(self, seed: int, rng: Xorshift) -> None:
        """Restart shuffles and masks; what belongs to the optimizer stays."""
        self.seed, self.seed_steps = seed, 0
        self.rng, self.order, self.taken = rng, None, 0

    def advance(self, steps: int) -> None:
        """Count steps that were trained."""
        self.steps += steps
        self.seed_steps += steps
        self.average_steps += steps

    def count_from(self, step: int) -> None:
        """Let all counts be `step`."""
        self.steps = self.seed_steps = self.average_steps = step

    def order_of(
        self, rows: int, shuffle: bool, *, in_parts: bool = False
    ) -> NDArray[np.int32]:
        """Return the row numbers that an epoch begins with, and keep the shuffled order.

        Without shuffling, and when the number of rows is another one than before, they are
        0, 1, 2, ... Only with `in_parts`, where an epoch need not have all rows, the pass
        under way continues.
        """
        plain = np.arange(rows, dtype=np.int32)
        if not (shuffle or in_parts):
            self.order, self.taken = None, 0
            return plain
        before = plain[:0] if self.order is None else self.order
        fits = len(before) == rows if shuffle else np.array_equal(before, plain)
        if self.order is None or not fits:
            self.order, self.taken = plain, 0
        if not in_parts:
            self.taken = 0
        return self.order

    def next_rows(
        self, order: NDArray[np.int32], count: int, shuffle: bool
    ) -> NDArray[np.int32]:
        """Return up to `count` row numbers of the pass under way; a new one is shuffled."""
        if self.taken >= len(order):
            self.taken = 0
        if self.taken == 0 and shuffle:
            self.rng.shuffle(order)
        return order[self.taken : self.taken + count]

    def take(self, trained: int, rows: int) -> None:
        """Count what was trained of the pass under way over `rows` rows."""
        self.taken = (self.taken + trained) % rows

    def begin_moving_average(self, params: NDArray[np.float32]) -> None:
        """Continue the average if `params` still holds it, or let a new one begin there."""
        if self.average_epochs or self.live_beside(params) is None:
            self.live_params, self.average_steps = params.copy(), 0
        self.average_epochs = 0

    def begin_mean(self, params: NDArray[np.float32]) -> None:
        """Continue the mean over epochs if `params` still holds it, or let a new one follow."""
        if not self.average_epochs or self.live_beside(params) is None:
            self.end_average()

    def end_average(self) -> None:
        """Let training continue from the net's own parameters."""
        self.live_params, self.average_epochs = None, 0

    def add_epoch(self, mean: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the live parameters into the mean over epochs, in place; return them."""
        live = mean.copy() if self.live_params is None else self.live_params
        mean += (live - mean) / np.float32(self.average_epochs + 1)
        return live

    def note_epoch(self, live: NDArray[np.float32], mean: NDArray[np.float32]) -> None:
        """Remember that the net holds the mean that `add_epoch` made."""
        self.live_params = live
        self.average_epochs += 1
        self.note_average(mean)

    @contextmanager
    def averaging(
        self, params: NDArray[np.float32], decay: float
    ) -> Iterator[dict[str, Any]]:
        """Give native calls the live parameters; between them `params` holds the average."""
        if self.live_params is None:
            yield {}
            return
        try:
            yield {
                "average": self.live_params,
                "average_decay": decay,
                "average_is_outside": True,
            }
        finally:
            self.note_average(params)

    def note_average(self, average: NDArray[np.float32]) -> None:
        """Remember which parameters `live_params` belongs to."""
        self._average_digest = _digest(average)

    def live_beside(self, params: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return the live parameters if `params` holds their average."""
        return self.live_params if _digest(params) == self._average_digest else None

    def copy(self) -> "TrainingState":
        """Return a state that shares nothing with this one."""
        rng = Xorshift(FIRST_SEED)
        rng.state = self.rng.state
        order = None if self.order is None else self.order.copy()
        live = None if self.live_params is None else self.live_params.copy()
        return replace(self, rng=rng, order=order, live_params=live)

    def snapshot(self) -> Callable[[], None]:
        """Return a function that makes the state again what it is now, with the same arrays."""
        then, order, live = self.copy(), self.order, self.live_params

        def restore() -> None:
            kept = then.copy()
            for entry in fields(self):
                setattr(self, entry.name, getattr(kept, entry.name))
            # A run under way shuffles this very order, and trains these parameters.
            if order is not None and then.order is not None:
                order[:] = then.order
                self.order = order
            if live is not None and then.live_params is not None:
                live[:] = then.live_params
                self.live_params = live

        return restore

    def as_dict(self) -> dict[str, int]:
        """Return the numbers as plain data, for JSON."""
        return {**{name: getattr(self, name) for name in COUNTERS}, "rng": self.rng.state}

    def update(self, numbers: Mapping[str, Any]) -> None:
        """Restore the result of `as_dict`.

        Raises
        ------
        ValueError
            If an entry is missing or out of range; nothing is changed then.
        """
        for name in COUNTERS:
            value = numbers.get(name, 0 if name in ADDED else None)
            if type(value) is not int or not (name == "rng") <= value < 2**64:
                raise ValueError(
                    f"{name}: expected an integer in [0, 2**64), got {brief(value)}"
                )
        for name in COUNTERS:
            if name != "rng":
                setattr(self, name, numbers.get(name, 0))
        self.rng.state = numbers["rng"]


def _digest(params: NDArray[np.float32]) -> bytes:
    return hashlib.sha256(params.data).digest()

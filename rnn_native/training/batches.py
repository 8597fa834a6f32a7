"""Batches that `fit` was given in place of arrays, as the core expects them."""

import hashlib
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_native.base.text import brief
from rnn_native.datasets.loader import Block, Loader, prefetched
from rnn_native.net.row_weights import as_weights
from rnn_native.net.rows import as_rows, as_targets, input_dtype_of
from rnn_native.training.class_weights import (
    plain_class_weight,
    row_weights_of_classes,
    times,
)

if TYPE_CHECKING:
    from rnn_native.net.predictor import Predictor

HOW = "a list of (x, y), a DataLoader, or an rn.datasets.Loader"


def are_batches(given: Any) -> bool:
    """Return whether what validates is batches, not a tuple (x, y) or (x, y, weights)."""
    if given is None or isinstance(given, (tuple, dict, str, bytes)):
        return False
    if hasattr(given, "dtype") or hasattr(given, "columns"):
        return False
    if isinstance(given, list):
        return bool(given) and all(_is_batch(entry) for entry in given)
    return isinstance(given, Loader) or hasattr(given, "__iter__")


def _is_batch(entry: Any) -> bool:
    is_pair = isinstance(entry, (tuple, list)) and len(entry) in (2, 3)
    return is_pair and all(hasattr(part, "shape") for part in entry)


class Batches:
    """An iterable of batches or a `Loader`, checked.

    Parameters
    ----------
    given : iterable of (x, y) or (x, y, weights), or Loader
    model : Predictor
        That is to be trained on them, or validated.
    class_weight
        See `rnn_native.training.Recipe`.
    name : str
        What messages call `given`.

    Attributes
    ----------
    steps : int or None
        Batches in an epoch, if `given` is known.
    kind : {"uint8", "float", None}
        Of the rows so far; all must be of one kind.

    Raises
    ------
    TypeError
        If `given` is not one of these.
    """

    def __init__(
        self, given: Any, model: "Predictor", class_weight: object = None, name: str = "x"
    ) -> None:
        _require_iterable(given, name)
        self._given, self._model, self._name = given, model, name
        self._class_weight = self._by_class(plain_class_weight(class_weight))
        self.kind = model.input_dtype
        self.steps = _length(given)
        self._is_used = False
        if self.steps == 0:
            raise ValueError(f"{name}: expected at least one batch, got none")

    def _by_class(self, class_weight: object) -> object:
        """Return weights by class; "balanced" needs the labels of all rows."""
        if not isinstance(class_weight, str):
            return class_weight
        labels = getattr(self._given, "labels", None)
        if labels is None:
            raise ValueError(
                f"class_weight: 'balanced' needs the labels of all rows, which {self._name} "
                "does not have; give a weight for each class"
            )
        outputs = self._model.output_shape[0]
        targets = as_targets(labels, len(labels), self._model.loss, outputs)
        by_row = row_weights_of_classes(class_weight, targets, outputs)
        found, first = np.unique(labels, return_index=True)
        return {int(label): float(by_row[i]) for label, i in zip(found, first, strict=True)}

    def digest(self) -> str:
        """Return a digest of the training data, so that a run is resumed on the same.

        It is the loader's own, or that of the number of batches and of the first one in order.

        Raises
        ------
        ValueError
            If the batches do not follow from a seed.
        """
        given = self._given
        if not isinstance(given, Loader):
            raise ValueError(
                f"{self._name}: only a run on an rn.datasets.Loader can be resumed, whose "
                f"batches follow from a seed, got {type(given).__name__}; use "
                "save(optimizer_state=True)"
            )
        if hasattr(given, "digest"):
            return str(given.digest())
        with closing(iter(given.batches(None))) as batches:  # type: ignore[type-var]
            first = [np.ascontiguousarray(part) for part in next(batches, ())]
        found = hashlib.sha256(str(self.steps).encode())
        for part in first:
            found.update(f"{part.dtype}{part.shape}".encode() + part.tobytes())
        return found.hexdigest()

    @property
    def is_generator(self) -> bool:
        """Whether it can be gone through once only."""
        given = self._given
        return not isinstance(given, Loader) and iter(given) is given

    def epoch(self, seed: int | None) -> Generator[Block, None, None]:
        """Yield the blocks of an epoch, made ready in a thread if they come from a `Loader`.

        Raises
        ------
        ValueError, TypeError
            If there is no batch or one that does not fit, fewer or more than its length says,
            or a generator is used up.
        """
        if self.is_generator and self._is_used:
            raise ValueError(
                f"{self._name}: a generator cannot start again, and yielded its last batch in an "
                f"earlier epoch; use {HOW}"
            )
        self._is_used = True
        ready = self._prepared(seed)
        if not isinstance(self._given, Loader):
            yield from ready
            return
        with closing(prefetched(ready)) as blocks:
            yield from blocks

    def _prepared(self, seed: int | None) -> Iterator[Block]:
        count = 0
        for found in self._raw(seed):
            block = self._as_block(found, count)
            assert block.order is not None
            count += -(-len(block.order) // block.batch_size)
            if self.steps is not None and count > self.steps:
                raise ValueError(
                    f"{self._name}: expected {self.steps} batches by its length, got more"
                )
            yield block
        if count == 0:
            raise ValueError(f"{self._name}: expected at least one batch, got none")
        if self.steps is not None and count < self.steps:
            raise ValueError(
                f"{self._name}: ended after batch {count}, expected {self.steps} by its length"
            )

    def _raw(self, seed: int | None) -> Iterator[Any]:
        given = self._given
        if hasattr(given, "blocks"):
            return iter(given.blocks(seed))
        if not isinstance(given, Loader):
            return iter(given)
        found = given.batches(seed)
        if not hasattr(found, "__iter__"):
            raise TypeError(
                f"{self._name}: expected its batches(seed) to give an iterable of (x, y), got "
                f"{brief(found)}"
            )
        return iter(found)

    def _as_block(self, found: Any, count: int) -> Block:
        """Return a batch, or a block of several, as the core expects it."""
        whose = "" if self._name == "x" else f"{self._name}'s "
        of = f" of {whose}batch {count + 1}"
        if not isinstance(found, (tuple, list)) or not (
            isinstance(found, Block) or len(found) in (2, 3)
        ):
            raise TypeError(
                f"{self._name}: batch {count + 1}: expected (x, y) or (x, y, weights), got "
                f"{_told(found)}"
            )
        block = found if isinstance(found, Block) else Block(*found)
        model = self._model
        x = as_rows(
            block.x,
            model.input_shape,
            self.kind,
            name=f"x{of}",
            learns=True,
            table_rows=model.table_rows,
        )
        y = as_targets(block.y, len(x), model.loss, model.output_shape[0], f"y{of}")
        weights = as_weights(block.weights, len(x), f"weights{of}")
        if self._class_weight is not None:
            by_class = row_weights_of_classes(self._class_weight, y, model.output_shape[0])
            weights = times(weights, by_class.astype(np.float32))
        self.kind = self.kind or input_dtype_of(x)
        if block.order is not None:
            return Block(x, y, weights, block.order, block.batch_size)
        return Block(x, y, weights, np.arange(len(x), dtype=np.int32), len(x))


def _length(given: Any) -> int | None:
    try:
        return len(given)
    except (TypeError, NotImplementedError):  # of a generator, of an IterableDataset
        return None


def _require_iterable(given: Any, name: str) -> None:
    """Refuse anything but batches, above all arrays without targets."""
    expected = f"expected an iterable of batches (x, y), such as {HOW}"
    if hasattr(given, "dtype") or hasattr(given, "columns"):
        raise TypeError(
            f"y: expected labels or values, got None, and {name} is one "
            f"{type(given).__name__}; {name} alone may be {HOW}"
        )
    is_iterable = hasattr(given, "__iter__") or isinstance(given, Loader)
    if isinstance(given, (str, bytes, dict, type)) or not is_iterable:
        is_dataset = hasattr(given, "__getitem__") and hasattr(given, "__len__")
        is_torch = is_dataset and not is_iterable and not isinstance(given, type)
        hint = "; wrap it in torch.utils.data.DataLoader" if is_torch else ""
        raise TypeError(f"{name}: {expected}, got {brief(given)}{hint}")


def _told(found: Any) -> str:
    if isinstance(found, (tuple, list)):
        return f"a {type(found).__name__} of length {len(found)}"
    if hasattr(found, "shape"):
        return f"{type(found).__name__} of shape {tuple(found.shape)}"
    return brief(found)

"""A training run on batches that come from an iterable or a `Loader`."""

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.xorshift import Xorshift
from rnn_native.datasets.loader import Block
from rnn_native.net.rows import input_dtype_of
from rnn_native.net.scores import Metric
from rnn_native.training.batch_scores import loss_and_hits, outputs_of
from rnn_native.training.batch_statistics import has_batch_statistics
from rnn_native.training.batches import Batches
from rnn_native.training.holding_out import Split
from rnn_native.training.measures import Measures
from rnn_native.training.recipe import Recipe
from rnn_native.training.run import Run
from rnn_native.training.run_checks import check_batches_of_one_row, check_recipe

if TYPE_CHECKING:
    from rnn_native.net.predictor import Predictor


class HeldMeasures(Measures):
    """Metrics of the rows held out only: those trained on are gone when an epoch ends."""

    def columns(self, validation: bool) -> list[str]:
        """Return the names of an epoch's columns, with or without validation."""
        unmeasured = {metric.name for metric in self._chosen(not validation)}
        return [name for name in super().columns(validation) if name not in unmeasured]

    @property
    def held(self) -> list[Metric]:
        """The measurements on the rows held out."""
        return self._chosen(True)


class StreamRun(Run):
    """A run whose rows come in blocks; `data` and `row_weights` are those of the last block.

    Parameters
    ----------
    model : Predictor
    batches : Batches
    recipe : Recipe
        `shuffle` is for a `Loader`; `batch_size` and `class_weight` are without effect:
        `batches` have theirs.
    rng : Xorshift, optional
        Draws a seed for each epoch; see `Run`.
    validation : Batches, or a Split's rows held out, optional
    threads, metrics, initial_epoch
        See `Run`.
    """

    validation_hint = "set validation_data"
    measuring = HeldMeasures
    measures: HeldMeasures

    def __init__(
        self,
        model: "Predictor",
        batches: Batches,
        recipe: Recipe,
        rng: Xorshift | None = None,
        *,
        validation: "Batches | Split | None" = None,
        threads: int | None = None,
        metrics: Sequence[Metric] = (),
        initial_epoch: int = 0,
    ) -> None:
        self._batches = batches
        self._validation = validation if isinstance(validation, Batches) else None
        self._under_way: Generator[Block, None, None] | None = None
        self._rest: Block | None = None
        self._counted = 0
        if recipe.accumulate > 1:
            raise ValueError("accumulate: x has batches of a size already; use larger ones")
        if recipe.swa_start is not None and has_batch_statistics(model):
            raise ValueError(
                "swa_start: batchnorm's statistics of the mean need all rows, which batches do "
                "not keep; use ema_decay, or another normalization"
            )
        if recipe.schedule is not None and not (recipe.steps_per_epoch or batches.steps):
            raise ValueError(
                "schedule: needs the number of batches in an epoch; set steps_per_epoch"
            )
        if metrics and validation is None:
            raise ValueError("metrics: with batches they need validation_data, got none")
        # Rows that nobody trains on, until the first block: a run has data.
        x = np.zeros((2, math.prod(model.input_shape)), np.float32)
        y = np.zeros(2, np.int32)
        held: tuple[Any, ...] = (None, None, None)
        if isinstance(validation, Split):
            held = validation.val_x, validation.val_y, validation.val_weights
        elif validation is not None:
            held = x, y, None
        data = Split(x, y, held[0], held[1], None, held[2])
        super().__init__(
            model,
            data,
            replace(recipe, class_weight=None),
            rng,
            threads=threads,
            metrics=metrics,
            initial_epoch=initial_epoch,
        )
        self.recipe = recipe

    def note_input(self) -> None:
        """Leave it to the first block."""

    def data_digest(self) -> str:
        """Return the digest of the loader; computed once.

        Raises
        ------
        ValueError
            If the batches do not come from a `Loader`, or epochs are parts of a pass.
        """
        if self.recipe.steps_per_epoch is not None:
            raise ValueError(
                "steps_per_epoch: a run on batches is resumed after whole passes only; leave "
                "steps_per_epoch out, or use save(optimizer_state=True)"
            )
        if self._data_digest is None:
            self._data_digest = self._batches.digest()
        return self._data_digest

    @property
    def steps(self) -> int:
        """Batches in an epoch; those of the last one if nothing else defines them."""
        return self.recipe.steps_per_epoch or self._batches.steps or self._counted

    def _parts(self, batch_by_batch: bool) -> Iterator[NDArray[np.int32]]:
        """Yield the row numbers of each native call, and make their block the run's data."""
        limit, count = self.recipe.steps_per_epoch, 0
        try:
            while limit is None or count < limit:
                block = self._next_block(is_begun=count > 0)
                if block is None:
                    break
                for rows in self._parts_of(block, batch_by_batch, limit and limit - count):
                    yield rows
                    count += -(-len(rows) // self.batch_size)
        finally:
            if limit is None or count < limit:
                self._close()
        self._counted = count

    def _next_block(self, is_begun: bool) -> Block | None:
        """Return the next batch; None where an epoch ends."""
        block, self._rest = self._rest, None
        in_parts = self.recipe.steps_per_epoch is not None
        while block is None:
            if self._under_way is None:
                if is_begun and not in_parts:
                    return None
                seed = self.state.rng.draw_seed() if self.recipe.shuffle else None
                self._under_way = self._batches.epoch(seed)
            block = next(self._under_way, None)
            if block is None:
                self._under_way, is_begun = None, True
        return block

    def _parts_of(
        self, block: Block, batch_by_batch: bool, limit: int | None
    ) -> Iterator[NDArray[np.int32]]:
        assert block.order is not None
        size, order = block.batch_size, block.order
        if limit is not None and limit * size < len(order):
            self._rest = block._replace(order=order[limit * size :])
            order = order[: limit * size]
        self._begin_block(block, size)
        part = size if batch_by_batch else len(order)
        for first in range(0, len(order), part):
            yield order[first : first + part]

    def _begin_block(self, block: Block, size: int) -> None:
        is_first = not self.is_begun
        self.data = self.data._replace(x=block.x, y=block.y)
        self.row_weights, self.batch_size = block.weights, size
        if is_first:
            check_recipe(self.model, self.data, self.recipe)
        if self.model.input_dtype is None:
            self.model.input_dtype = input_dtype_of(block.x)
        check_batches_of_one_row(self.model, len(block.x), size)

    def _close(self) -> None:
        if self._under_way is not None:
            self._under_way.close()
        self._under_way = self._rest = None

    def end(self) -> None:
        """Stop what reads ahead."""
        self._close()

    def _evaluate(self) -> tuple[float, float]:
        """Return mean loss and share of hits of the rows held out."""
        if self._validation is None:
            return super()._evaluate()
        return loss_and_hits(self.model, self._validation, self.threads)

    def measure(self) -> dict[str, float]:
        """Return the metrics of the model on the rows held out, by column."""
        metrics = self.measures.held
        if self.data.val_x is None or not metrics:
            return {}
        y: Any
        if self._validation is None:
            y, weights = self.data.val_y, self.data.val_weights
            outputs = self.model.native.predict(self.data.val_x, threads=self.threads)
        else:
            outputs, y, weights = outputs_of(self.model, self._validation, self.threads)
        loss = self.model.loss
        return {f"val_{m.name}": m.of(y, outputs, loss, weights) for m in metrics}

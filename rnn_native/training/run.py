"""A training run under way: what one call of `fit` adds to a net."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.checks import check_range
from rnn_native.base.errors import TrainingDiverged
from rnn_native.base.runtime import resolve_threads
from rnn_native.base.xorshift import Xorshift
from rnn_native.net import scores
from rnn_native.net.losses import LOSSES
from rnn_native.net.rows import input_dtype_of
from rnn_native.net.scores import Metric
from rnn_native.training import run_checks, weight_average
from rnn_native.training.augmentation import spec_of
from rnn_native.training.callback import Callback, call
from rnn_native.training.history import EpochRow, History
from rnn_native.training.holding_out import Split, classes_of, digest_of
from rnn_native.training.measures import Measures, evaluated
from rnn_native.training.messages import told
from rnn_native.training.native_options import native_options
from rnn_native.training.recipe import Recipe
from rnn_native.training.schedules import Rates, Schedule

if TYPE_CHECKING:
    from rnn_native.net.predictor import Predictor
    from rnn_native.training.ranks import Ranks


class Run:
    """A training run under way: everything that a checkpoint must hold.

    Parameters
    ----------
    model : Predictor
        The net to train.
    data : Split
        Its rows.
    recipe : Recipe
        Its settings.
    rng : Xorshift, optional
        Draws the shuffles from now on, and masks are those of the recipe's seed, from its
        first step on. None: both continue from where `model`'s training stands, if that has
        the recipe's seed; else they restart with it.
    threads : int in [1, 64], optional
        As for `Network.fit`.
    metrics : sequence of Metric
        Measured after each epoch on the validation rows, or without these on the rows that
        are trained on.
    initial_epoch : int
        Number of the first epoch; ``recipe.epochs`` is one more than the last one's.

    Attributes
    ----------
    measures : Measures
        The measurements after each epoch: metrics of the model's loss, and `metrics`.
    history : History
        With the epochs before, of a resumed run, and those of earlier calls of `fit`.
    state : TrainingState
        The model's: steps, seed, shuffles, live parameters.
    order : ndarray of int32
        Row numbers as the last shuffle left them; each epoch shuffles them further.
    best_weights : ndarray of float32 or None
        The model's `weights` after the best epoch: see `History.go_by`.
    stop_detail : str
        What the line about the end adds to the reason.
    keeps_last : bool
        Whether the run ends with its last weights instead of the best ones.
    callbacks : sequence of Callback
        Of the `fit` under way.
    ranks : Ranks or None
        The processes that train together, of which this is one.
    train_locally : callable or None
        With local steps: what trains rows instead of `train_rows`, given the run.
    is_begun : bool
        Whether a batch was trained, or the run restored.
    last_penalty : float
        What l2 added to the summed loss of the last native call.
    faults : list of str or None
        What `fit` found to be wrong at the end; None: it warns.
    validation_hint : str
        For messages.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> data = rn.training.split(np.ones((9, 3), np.float32), np.zeros(9, np.int32), 0.0)
    >>> run = rn.training.Run(rn.Network([rn.Dense(2)], (3,)), data, rn.training.Recipe())
    """

    validation_hint = "set validation_split"
    loss_scale = 1.0
    measuring = Measures

    def __init__(
        self,
        model: "Predictor",
        data: Split,
        recipe: Recipe,
        rng: Xorshift | None = None,
        *,
        threads: int | None = None,
        metrics: Sequence[Metric] = (),
        initial_epoch: int = 0,
    ) -> None:
        self.model = model
        self.data = data
        self.recipe = recipe
        self.threads = resolve_threads(threads)
        self.history = History(first_epoch=initial_epoch)
        self.measures = self.measuring(model.loss, scores.fitting(model.loss), metrics)
        self.tells_classes = LOSSES[model.loss].tells_classes
        # Whether a callback that was begun may add columns to the logs.
        self.has_foreign_logs = False
        self.row_weights = run_checks.row_weights(
            data, recipe.class_weight, model.output_shape[0]
        )
        self.best_weights: NDArray[np.float32] | None = None
        self.augment = spec_of(recipe.augment, model.input_shape)
        self.keeps_last = False
        self.callbacks: Sequence[Callback] = ()
        self.stop_reason: str | None = None
        self.stop_detail = ""
        self.last_penalty = 0.0
        self.batch_size = recipe.batch_size * recipe.accumulate
        self.is_begun = False
        self._data_digest: str | None = None
        self._rate: float | None = None
        self.ranks: Ranks | None = None
        self.faults: list[str] | None = None
        self.train_locally: Callable[..., tuple[float, float]] | None = None
        if recipe.needs_validation and data.val_x is None:
            raise ValueError(f"schedule: needs validation data; {self.validation_hint}")
        run_checks.check_initial_epoch(initial_epoch, recipe)
        run_checks.check_recipe(model, data, recipe)
        run_checks.check_adapted(model)
        run_checks.check_batches_of_one_row(model, len(data.x), recipe.batch_size)
        # The model is not changed before all arguments are known to be right; what
        # callbacks refuse is undone.
        self._input_dtype_before = model.input_dtype
        self._restore_state = model.training_state.snapshot()
        self._rng_state = None if rng is None else rng.state
        self.state = model.training_state
        self._prepare_state()

    def _prepare_state(self) -> None:
        """Let shuffles, masks and the average begin or continue as this run wants them."""
        seed, rng = self.recipe.seed, Xorshift(self.recipe.seed)
        if self._rng_state is not None:
            rng.state = self._rng_state
        if self._rng_state is not None or seed != self.state.seed:
            self.state.restart(seed, rng)
        self.order = self.state.order_of(
            len(self.data.x),
            self.recipe.shuffle,
            in_parts=self.recipe.steps_per_epoch is not None,
        )
        weight_average.begin(self)
        self._is_undone = False

    @property
    def live_params(self) -> NDArray[np.float32] | None:
        """While the net holds an average: the parameters that training continues from."""
        return self.state.live_params

    @property
    def first_step(self) -> int:
        """Step of the net that the history's first epoch began with.

        Setting it counts all steps from there: when the optimizer continues from an earlier
        run with its moments, and `history` has been set.
        """
        return self.state.steps - len(self.history) * self.steps

    @first_step.setter
    def first_step(self, step: int) -> None:
        self.state.count_from(step + len(self.history) * self.steps)

    @property
    def is_first_rank(self) -> bool:
        """Whether this process is the one that logs, saves and prints."""
        return self.ranks is None or self.ranks.rank == 0

    def data_digest(self) -> str:
        """Return a digest of the rows and targets to train on; computed once."""
        if self._data_digest is None:
            self._data_digest = digest_of(self.data)
        return self._data_digest

    def note_input(self) -> None:
        """Let a net that was never fitted know what it is fitted on."""
        if self.model.input_dtype is None:
            self.model.input_dtype = input_dtype_of(self.data.x)

    def end(self) -> None:
        """Release what only a run under way needs."""

    def undo(self) -> None:
        """Let the model be what it was before this run, which has trained nothing."""
        self.model.input_dtype = self._input_dtype_before
        self._restore_state()
        self._is_undone = True

    def prepare_again(self) -> None:
        """Begin again if a call that trained nothing was undone."""
        if self._is_undone:
            self._prepare_state()

    def stop(self, reason: str) -> None:
        """End the run after the current epoch."""
        self.stop_reason = reason

    @property
    def steps(self) -> int:
        """Updates in an epoch."""
        whole = -(-len(self.order) // self.batch_size)
        return self.recipe.steps_per_epoch or whole

    @property
    def learning_rate(self) -> float:
        """Rate of the next epoch's first batch, and of all others when there is no schedule.

        One that is set holds from the next batch on, in a resumed run as well: it continues with
        the last epoch's. With a schedule, setting it raises ValueError.
        """
        return float(np.ravel(self._rates())[0])

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        if self.recipe.schedule is not None:
            raise ValueError(
                "learning_rate: the run's schedule sets it; leave one of them out"
            )
        self._rate = check_range("learning_rate", rate, 0.0, 1e6)

    def _rates(self) -> Rates:
        """Return the learning rate, or one for each step, of the next epoch."""
        schedule, rows = self.recipe.schedule, self.history.rows
        if isinstance(schedule, Schedule):
            losses = [row.val_loss for row in rows]
            return schedule.rates(self.history.next_epoch, self.steps, losses)
        if self._rate is not None:
            return self._rate
        earlier = self.history.call_rows
        return earlier[-1].learning_rate if earlier else self.recipe.lr

    @property
    def columns(self) -> list[str]:
        """Names of the columns that the run's epochs will have, in order."""
        return self.columns_with(validation=self.data.val_x is not None)

    def columns_with(self, validation: bool) -> list[str]:
        """Return the names of the columns that epochs have with or without validation."""
        return self.measures.columns(validation)

    def measure(self) -> dict[str, float]:
        """Return the metrics of the model as it is, by column."""
        return self.measures.of(self.model, self.data, self.threads)

    def train_epoch(self, callbacks: Sequence[Callback] = ()) -> EpochRow:
        """Train one epoch, validate, and return its row.

        With callbacks it goes batch by batch, and their hooks of batches are called.
        """
        rates = self._rates()
        start = time.perf_counter()
        params, decay = self.model.params, weight_average.decay_of(self.recipe)
        with self.state.averaging(params, decay) as average:
            loss, hits, seen = self._train_batches(rates, callbacks, average)
        weight_average.add_epoch(self)
        seconds = time.perf_counter() - start
        row = EpochRow(
            loss=loss / seen,
            accuracy=hits / seen if self.tells_classes else None,
            time=seconds,
            learning_rate=float(np.ravel(rates)[0]),
            metrics=self.measure(),
        )
        if self.data.val_x is None:
            return row
        for callback in self.callbacks:
            call(callback.on_test_begin, {})
        val_loss, val_accuracy = self._evaluate()
        row = replace(
            row,
            val_loss=val_loss,
            val_accuracy=val_accuracy if self.tells_classes else None,
        )
        for callback in self.callbacks:
            call(callback.on_test_end, row.held())
        return row

    def _evaluate(self) -> tuple[float, float]:
        """Return mean loss and share of hits of the rows held out."""
        held = self.data.val_x, self.data.val_y, self.data.val_weights
        loss, hits, count = evaluated(self.model.native, *held, threads=self.threads)
        return loss / count, hits / count

    def train_rows(
        self, order: NDArray[np.int32], rates: Rates, batch: int = 0, **more: Any
    ) -> tuple[float, int]:
        """Train on rows of the epoch, of which `batch` batches have been trained before.

        `more` is the sum over those, `loss`, and what ``TrainingState.averaging`` returns.

        Returns
        -------
        float, int
            The loss summed over the epoch's rows so far, and the hits among these rows.
        """
        state = self.state
        done, penalties = np.zeros(1, np.int64), np.zeros(1)
        try:
            loss, hits = self.model.native.train(
                self.data.x,
                self.data.y,
                order,
                self.batch_size // self.recipe.accumulate,
                rates,
                done=done,
                penalties=penalties,
                ranks=self.ranks,
                threads=self.threads,
                epoch=self.history.next_epoch + 1,
                weights=self.row_weights,
                augment=self.augment,
                **native_options(self.recipe, state),
                **more,
            )
        except FloatingPointError as error:
            text = told(str(error), batch, done=int(done[0]))
            raise TrainingDiverged(text) from None
        finally:
            # Whatever ended it: the moments have moved.
            state.advance(int(done[0]))
            trained = min(int(done[0]) * self.batch_size, len(order))
            state.take(trained, len(self.order))
            self.is_begun |= bool(done[0])
        self.last_penalty = float(penalties[0])
        return float(loss[0]), int(hits[0])

    def _parts(self, batch_by_batch: bool) -> Iterator[NDArray[np.int32]]:
        """Yield the row numbers that each native call of an epoch trains, in turn."""
        batch = 0
        while batch < self.steps:
            wanted = (1 if batch_by_batch else self.steps - batch) * self.batch_size
            rows = self.state.next_rows(self.order, wanted, self.recipe.shuffle)
            yield rows
            batch += -(-len(rows) // self.batch_size)

    def _train_batches(
        self, rates: Rates, callbacks: Sequence[Callback], average: Mapping[str, Any]
    ) -> tuple[float, float, int]:
        """Train the epoch's batches; return loss and hits, summed, and the number of rows.

        It is one native call, and another after each pass over all rows that ends within the
        epoch; with callbacks one for each batch.
        """
        loss, hits, seen, batch = 0.0, 0.0, 0, 0
        for rows in self._parts(batch_by_batch=bool(callbacks)):
            count = -(-len(rows) // self.batch_size)
            for callback in callbacks:
                callback.on_train_batch_begin(batch, {})
            # A hook may have set another rate.
            rate: Rates = self.learning_rate if callbacks else rates
            if isinstance(rates, np.ndarray):
                rate = rates[batch : batch + count]
            # Loss and hits are those of the epoch in one native call, however it is cut.
            if self.train_locally is not None:
                loss, more = self.train_locally(self, rows, rate, loss)
            else:
                loss, more = self.train_rows(rows, rate, batch, loss=loss, **average)
            hits, seen, batch = hits + more, seen + len(rows), batch + count
            for callback in callbacks:
                logs = {"loss": loss / seen}
                if self.tells_classes:
                    logs["accuracy"] = hits / seen
                callback.on_train_batch_end(batch - 1, logs)
        return loss, hits, seen

    def kept_epoch(self) -> int:
        """Return the index of the epoch whose weights the model is left with."""
        best = self.history.best_epoch()
        return len(self.history) - 1 if best is None or self.keeps_last else best

    def labels(self) -> NDArray[Any] | None:
        """Return the class of each row that is trained on; None for several labels per row."""
        return classes_of(self.data.y)

    def restore_best(self) -> None:
        """Restore the weights of the best epoch, if there is one."""
        if self.best_weights is not None and not self.keeps_last:
            self.model.set_weights(self.best_weights)

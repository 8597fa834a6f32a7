"""A training run that counts, divides and stops as scikit-learn does."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import TrainingDiverged
from rnn_native.base.xorshift import Xorshift
from rnn_native.callbacks import Callback
from rnn_native.models.network import Network
from rnn_native.sklearn.data import Part
from rnn_native.training.callback import Logs
from rnn_native.training.history import EpochRow
from rnn_native.training.holding_out import Split
from rnn_native.training.measures import Measures
from rnn_native.training.recipe import Recipe
from rnn_native.training.run import Run
from rnn_native.training.schedules import Rates, Schedule

GREATEST_VELOCITY = 1e30
"""What a falling rate may let the core's velocity grow to."""

LEAST_RATE = 1e-300

LEAST_ADAPTIVE_RATE = 1e-6
"""`learning_rate="adaptive"` stops where it would lower a rate that is not above this."""


@dataclass(frozen=True, slots=True)
class ScoredRow(EpochRow):
    """An epoch with the estimator's score on the validation rows, None without them."""

    val_score: float | None = None

    # Not inherited: a dataclass with slots defines another one, which does not support older rows.
    __setstate__ = EpochRow.__setstate__


class EstimatorRun(Run):
    """A run in scikit-learn's terms.

    Batches are divided by the sum of their weights; losses are those that scikit-learn
    reports; the best epoch is the one with the greatest score.

    Parameters
    ----------
    model, recipe, threads
        As for `Run`; the recipe does not shuffle.
    train : Part
    held : Part or None
        Rows to train on, and to validate on.
    random_state : RandomState or None
        Draws the orders of rows, the same ones that scikit-learn draws; None leaves the rows
        as they are.
    loss_scale : float
        What the core's loss, penalties aside, is multiplied by.
    score : callable
        Returns the validation score, given the epoch's row and `held`; NaN where outputs are
        not finite. Such an epoch is never the best one.
    rows_before : sequence of EpochRow
        Epochs before those of `history` that the schedule counts.
    """

    validation_hint = "set early_stopping=True, or give X_val and y_val to fit"

    def __init__(
        self,
        model: Network,
        recipe: Recipe,
        train: Part,
        held: Part | None,
        *,
        random_state: np.random.RandomState | None,
        loss_scale: float,
        score: Callable[[EpochRow, Part], float],
        threads: int | None,
        rows_before: Sequence[EpochRow] = (),
    ) -> None:
        data = Split(train.rows, train.targets, weights=train.weights)
        if held is not None:
            data = data._replace(
                val_x=held.rows, val_y=held.targets, val_weights=held.weights
            )
        super().__init__(model, data, recipe, Xorshift(recipe.seed), threads=threads)
        # Scores are the estimator's own, and cost no prediction of the rows trained on.
        self.measures = Measures(model.loss, [])
        self._held = held
        self._random_state = random_state
        self.loss_scale = loss_scale
        self._score = score
        self._rows_before = list(rows_before)

    def columns_with(self, validation: bool) -> list[str]:
        """Return the names of the columns that epochs have with or without validation."""
        own = super().columns_with(validation)
        return [*own, "val_score"] if validation else own

    def check_kept(self) -> None:
        """Raise TrainingDiverged if the weights that are kept have no finite score."""
        if self._held is None or not self.history:
            return
        epoch = self.kept_epoch()
        row = self.history.rows[epoch]
        score = row.value("val_score")
        if score is not None and not math.isfinite(score):
            raise TrainingDiverged(
                f"the score on the validation rows is not finite at epoch {epoch + 1} "
                f"(learning rate {row.learning_rate:g}); lower the learning rate or look "
                "for extreme values in the data"
            )

    def _rates(self) -> Rates:
        schedule = self.recipe.schedule
        if not isinstance(schedule, Schedule):
            return super()._rates()
        rows = [*self._rows_before, *self.history.rows]
        return schedule.rates(len(rows), self.steps, [row.val_loss for row in rows])

    def train_epoch(self, callbacks: Sequence[Callback] = ()) -> ScoredRow:
        """Train one epoch, validate, score, and return its row."""
        if self._random_state is not None:
            # Not shuffled in place: scikit-learn indexes the last order by a new one.
            self.order[:] = self.order[self._random_state.permutation(len(self.order))]
        row = super().train_epoch(callbacks)
        if row.val_loss is None or self._held is None:
            return ScoredRow(**asdict(row))
        facts = {**asdict(row), "val_loss": row.val_loss * self.loss_scale}
        return ScoredRow(**facts, val_score=self._score(row, self._held))

    def train_rows(
        self,
        order: NDArray[np.int32],
        rates: Rates,
        batch: int = 0,
        loss: float = 0.0,
        **options: Any,
    ) -> tuple[float, int]:
        """Train on rows of the epoch; return its loss so far, and hits among these rows."""
        more, hits = super().train_rows(order, rates, batch, **options, weighted_mean=True)
        penalty = self.last_penalty
        return loss + (more - penalty) * self.loss_scale + penalty, hits


class Progress(Callback):
    """Keeps an estimator's attributes up to date, adapts its learning rate, and stops.

    Parameters
    ----------
    estimator : BaseNetworkEstimator
    """

    on_every_rank = True
    run: Run

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Note where the epochs of this call begin."""
        self._begun = len(self.run.history)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Copy what later callbacks put into the logs."""
        rows = self._estimator.history_.rows
        first = len(rows) - self._estimator.n_iter_
        rows[first:] = self.run.history.rows[self._begun :][: len(rows) - first]

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Note what the epoch gave, and decide how training continues."""
        estimator = self._estimator
        estimator.history_.append(self.run.history.rows[-1])
        estimator.n_iter_ += 1
        estimator.t_ += len(self.run.order)
        estimator.loss_ = logs["loss"]
        estimator.loss_curve_.append(logs["loss"])
        self._say(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}")
        has_improved = self._see_loss(logs["loss"])
        if "val_score" in logs:
            score_has_improved = self._see_score(logs["val_score"], logs["val_loss"])
            if estimator.early_stopping:
                has_improved = score_has_improved
        waited = estimator.count_wait(has_improved)
        if self._follows("invscaling"):
            self._set_rate(self._fallen_rate())
        if waited > estimator.n_iter_no_change:
            self._stop_or_slow_down()

    def _see_loss(self, loss: float) -> bool:
        """Return whether the training loss has improved by `tol`."""
        estimator = self._estimator
        if estimator.best_loss_ is None:
            return True
        has_improved: bool = loss <= estimator.best_loss_ - estimator.tol
        estimator.best_loss_ = min(loss, estimator.best_loss_)
        return has_improved

    def _see_score(self, score: float, loss: float) -> bool:
        """Return whether the validation score has improved by `tol`."""
        estimator = self._estimator
        estimator.validation_scores_.append(score)
        estimator.validation_loss_curve_.append(loss)
        self._say(f"Validation score: {score:f}")
        has_improved: bool = score >= estimator.best_validation_score_ + estimator.tol
        if score > estimator.best_validation_score_:  # never so for NaN
            estimator.best_validation_score_ = score
        return has_improved

    def _stop_or_slow_down(self) -> None:
        estimator = self._estimator
        what = "Validation score" if estimator.early_stopping else "Training loss"
        fact = (
            f"{what} did not improve more than tol={estimator.tol:f} for "
            f"{estimator.n_iter_no_change} consecutive epochs."
        )
        if not self._follows("adaptive"):
            self._say(f"{fact} Stopping.")
        elif self.run.learning_rate <= LEAST_ADAPTIVE_RATE:
            self._say(f"{fact} Learning rate too small. Stopping.")
        else:
            self._set_rate(self.run.learning_rate / 5)
            self._say(f"{fact} Setting learning rate to {self.run.learning_rate:f}")
            estimator.forget_wait()
            return
        self.run.stop("early stopping" if estimator.early_stopping else "converged")

    def _follows(self, learning_rate: str) -> bool:
        """Whether that is how the rate changes; Adam's does not, as in scikit-learn."""
        estimator = self._estimator
        return bool(estimator.solver == "sgd" and estimator.learning_rate == learning_rate)

    def _fallen_rate(self) -> float:
        """Return the rate after the rows seen so far, the next one included."""
        estimator = self._estimator
        try:
            since = (estimator.t_ + 1) ** estimator.power_t
            rate: float = estimator.learning_rate_init / since
        except OverflowError:
            return 0.0
        return rate

    def _set_rate(self, rate: float) -> None:
        # scikit-learn's velocity has the rate of its time in it, the core's has none: it
        # grows as the rate falls. Rates so low that it would leave float32 move no weight.
        velocity, before = self.run.model.moments, self.run.learning_rate
        greatest = float(np.abs(velocity).max(initial=1.0))
        rate = max(rate, before * greatest / GREATEST_VELOCITY, LEAST_RATE)
        velocity *= np.float32(before / rate)
        self.run.learning_rate = rate

    def _say(self, line: str) -> None:
        if self._estimator.verbose and self.run.is_first_rank:
            print(line)

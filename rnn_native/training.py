"""The training loop: the only place that knows what an epoch consists of."""

import math
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_native import divergence, interrupts, schedules, scores
from rnn_native._runtime import resolve_threads
from rnn_native.augmentation import Augment
from rnn_native.callbacks import Callback, ProgressLogger, TerminateOnNaN
from rnn_native.callbacks.base import (
    as_list,
    call,
    check_hooks,
    may_log,
    numbers_of,
    wants_batches,
)
from rnn_native.checks import check_count, check_range
from rnn_native.class_weights import (
    ClassWeights,
    plain_class_weight,
    row_weights_of_classes,
    times,
)
from rnn_native.compressed import CompressedRows
from rnn_native.errors import TrainingDiverged
from rnn_native.history import COLUMNS, EpochRow, History
from rnn_native.losses import LOSSES
from rnn_native.optimizers import as_settings
from rnn_native.rows import Weights, input_dtype_of, sparse_refusal
from rnn_native.schedules import Rates, Schedule
from rnn_native.scores import Metric
from rnn_native.xorshift import Xorshift, check_seed

if TYPE_CHECKING:
    from rnn_native.network import Network
    from rnn_native.rows import AnyRows, Targets


UNLIKELY = 0.05
"""Probability below which it is no chance that all rows held out are of one class."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers that define a run; a resumed run must have the same, epochs aside.

    Parameters
    ----------
    epochs, batch_size : int of at least 1
        A batch larger than the data is all of it; the last one may be smaller.
    lr : float
        Learning rate, above 0; a schedule brings its own.
    schedule : Schedule, its `as_dict`, or None
        Learning rate by epoch or step; see `rnn_native.schedules`.
    seed : int in [0, 2**64)
        Of the initial weights and, after them, the shuffles.
    validation_split : float in [0, 1)
        Fraction of the rows that is held out.
    stratify : bool
        Whether the held-out rows keep the proportions of the classes.
    patience : int of at least 1, or None
        Epochs without improvement before early stopping; None never stops early.
    min_delta : float
        How much lower a validation loss must be to count as an improvement.
    optimizer : dict
        `type` (sgd, adam, adamw) and its settings; see `Network`.
    clip_norm : float
        Greatest norm of the gradient of a batch, all parameters together and that of `l2`
        included, as in Keras; 0: no clipping. An optimizer's weight_decay is added later.
    label_smoothing : float in [0, 1)
        Share of a label that is spread evenly over the classes.
    class_weight : "balanced", dict of int to float, sequence of float, or None
        Weight of each class' rows in the loss; "balanced" is n / (classes * n_c). Classes
        that a dict does not name have the weight 1. One sigmoid output has two classes.
    l2 : float
        Adds l2 / 2 times the sum of squares of all weights (biases and other vectors
        aside) to the summed loss of each batch, as scikit-learn's `alpha` does.
    augment : Augment, its `as_dict`, or None
        Distorts the images that are trained on.
    mixup : float in [0, 4]
        alpha: each row is mixed with another one of its batch, in shares that are drawn
        from Beta(alpha, alpha) for each batch (Zhang et al. 2018, arXiv:1710.09412);
        0: not mixed.
    ema_decay : float in [0, 1)
        Above 0, what is validated, saved and returned is an exponential moving average of
        the parameters, followed from step to step with this decay, or (1 + t) / (10 + t) in
        early steps t. Running statistics of batchnorm are those of the last step.
    shuffle : bool
        False takes the rows in their order in every epoch.
    """

    epochs: int = 10
    batch_size: int = 64
    lr: float = 0.01
    seed: int = 1
    validation_split: float = 0.1
    stratify: bool = False
    patience: int | None = 3
    min_delta: float = 0.001
    optimizer: Mapping[str, Any] = field(default_factory=lambda: {"type": "sgd"})
    clip_norm: float = 0.0
    label_smoothing: float = 0.0
    class_weight: ClassWeights | None = None
    schedule: Schedule | Mapping[str, Any] | None = None
    l2: float = 0.0
    augment: Augment | Mapping[str, Any] | None = None
    mixup: float = 0.0
    ema_decay: float = 0.0
    shuffle: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.augment, Mapping):
            self._normalise("augment", Augment.from_dict(self.augment))
        if isinstance(self.schedule, Mapping):
            self._normalise("schedule", schedules.from_dict(self.schedule))
        for name in ("epochs", "batch_size", "patience"):
            if name != "patience" or self.patience is not None:
                self._normalise(name, check_count(name, getattr(self, name), 1))
        for name, low, high in (
            ("lr", 1e-30, 1e6),
            ("validation_split", 0.0, 1.0),
            ("min_delta", 0.0, 1e6),
            ("clip_norm", 0.0, 1e30),
            ("label_smoothing", 0.0, 1.0),
            ("l2", 0.0, 1e6),
            ("mixup", 0.0, math.nextafter(4.0, 5.0)),
            ("ema_decay", 0.0, 1.0),
        ):
            self._normalise(name, check_range(name, getattr(self, name), low, high))
        for name in ("stratify", "shuffle"):
            value = getattr(self, name)
            if not isinstance(value, (bool, np.bool_)):
                raise TypeError(f"{name}: expected True or False, got {value!r}")
            self._normalise(name, bool(value))
        self._normalise("seed", check_seed(self.seed))
        self._normalise("optimizer", as_settings(self.optimizer))
        self._normalise("class_weight", plain_class_weight(self.class_weight))

    def _normalise(self, name: str, value: object) -> None:
        """Set a field to plain data: NumPy's numbers are accepted, but are not JSON."""
        object.__setattr__(self, name, value)

    @property
    def needs_validation(self) -> bool:
        """Whether the schedule goes by validation losses."""
        return isinstance(self.schedule, Schedule) and self.schedule.needs_validation

    def differences(self, other: "Recipe") -> list[str]:
        """Name what differs, epochs aside, as "lr=0.1 (was 0.01)"."""
        return [
            f"{f.name}={getattr(self, f.name)!r} (was {getattr(other, f.name)!r})"
            for f in fields(self)
            if f.name != "epochs" and getattr(self, f.name) != getattr(other, f.name)
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe as plain data, for JSON."""
        weight: Any = self.class_weight
        if isinstance(weight, Mapping):
            weight = {str(label): value for label, value in weight.items()}
        given = self.schedule
        schedule = schedules.as_dict(given) if isinstance(given, Schedule) else None
        augment = self.augment.as_dict() if isinstance(self.augment, Augment) else None
        return {
            **{f.name: getattr(self, f.name) for f in fields(self)},
            "augment": augment,
            "optimizer": dict(self.optimizer),
            "class_weight": weight,
            "schedule": schedule,
        }


class Split(NamedTuple):
    """Rows to train on and rows held out (None without validation)."""

    x: "AnyRows"
    y: "Targets"
    val_x: "AnyRows | None" = None
    val_y: "Targets | None" = None
    weights: Weights = None  # of the rows to train on
    val_weights: Weights = None  # of the rows held out


def split(
    x: "AnyRows",
    y: "Targets",
    fraction: float,
    stratify: bool = False,
    weights: Weights = None,
) -> Split:
    """Hold out the last floor(n * fraction) rows, or the last rows of each class.

    Parameters
    ----------
    x : ndarray of shape (n, inputs)
    y : ndarray of shape (n,) or (n, outputs)
        Labels are needed for `stratify`.
    fraction : float in [0, 1)
        As in the reference system the product is rounded to float32 first.
    stratify : bool
        Take the last floor(n_c * fraction) rows of each class c; order is kept.
    weights : ndarray of shape (n,), float32, optional
        What multiplies the rows' losses, in training and in validation.

    Raises
    ------
    ValueError
        If nothing would be left to train on or held out, the rows held out all have the
        weight 0, or `stratify` has no labels.

    Warns
    -----
    UserWarning
        If a class is among the rows that are held out and not among those to train on, or
        those held out are all of one class where that is no chance.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"validation_split: expected a value in [0, 1), got {fraction}")
    labels = _classes(y)
    strata = [np.arange(len(x))]
    if stratify:
        if labels is None:
            raise ValueError("stratify: expected class labels, got values")
        strata = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    is_held = np.zeros(len(x), dtype=bool)
    for rows in strata:
        is_held[rows[len(rows) - _held_out_count(len(rows), fraction) :]] = True
    if fraction == 0:
        return Split(x, y, weights=weights)
    if not is_held.any():
        of_each = " of each class" if stratify else ""
        raise ValueError(
            f"validation_split: {fraction} of {len(x)} rows{of_each} is no row; use a larger "
            "fraction, or 0 for no validation"
        )
    if is_held.all():
        raise ValueError(
            f"validation_split: {fraction} of {len(x)} rows leaves none to train"
        )
    if labels is not None:
        _warn_of_classes_held_out(labels, is_held, stratify)
    n = len(x) - np.count_nonzero(is_held)
    # Slices when the held-out rows are the last: no copy of the images.
    train, held = (~is_held, is_held) if stratify else (slice(0, n), slice(n, None))
    parts = Split(x[train], y[train], x[held], y[held])
    if weights is None:
        return parts
    if not weights[held].any():
        raise ValueError(
            f"sample_weight: the {len(x) - n} rows that validation_split holds out all have "
            "the weight 0; shuffle the rows, use stratify=True, or give validation_data"
        )
    return parts._replace(weights=weights[train], val_weights=weights[held])


def _classes(y: "Targets") -> NDArray[Any] | None:
    """Return the class of each row: labels, or the zeros and ones of a single output."""
    if y.ndim == 1:
        return y
    is_flag = y.shape[1] == 1 and bool(((y == 0) | (y == 1)).all())
    return y[:, 0].astype(np.int32) if is_flag else None


def _warn_of_classes_held_out(
    labels: NDArray[Any], is_held: NDArray[np.bool_], stratify: bool
) -> None:
    """Warn of classes that the net is judged by and never sees, or by which alone it is.

    So it is when rows are sorted. A few rows may be of one class by chance.
    """
    held, trained = np.unique(labels[is_held]), np.unique(labels[~is_held])
    only, n = np.setdiff1d(held, trained), np.count_nonzero(is_held)
    if only.size:
        several = "classes" if only.size > 1 else "class"
        fact = (
            f"all rows of {several} {', '.join(map(str, only))} are held out and none is left "
            "to train on"
        )
    elif (
        not stratify
        and held.size == 1 < trained.size
        and np.mean(labels == held[0]) ** n < UNLIKELY
    ):
        fact = f"the {n} rows held out are all of class {held[0]}"
    else:
        return
    warnings.warn(
        f"validation_split: {fact}; are the rows sorted? Shuffle them, or use stratify=True",
        stacklevel=4,
    )


def _held_out_count(n: int, fraction: float) -> int:
    return int(np.float32(n) * np.float32(fraction))


def _row_weights(data: Split, class_weight: object, outputs: int) -> Weights:
    """Return what multiplies each training row's loss, or None when nothing does."""
    weights = data.weights
    if class_weight is not None:
        by_class = row_weights_of_classes(class_weight, data.y, outputs)
        weights = times(weights, by_class.astype(np.float32))
    if weights is not None and not weights.any():
        raise ValueError(
            "weights: all rows to train on have the weight 0, by sample_weight "
            "and class_weight; expected one above 0"
        )
    return weights


def _check_recipe(model: "Network", data: Split, recipe: Recipe) -> None:
    """Refuse what would be without effect, or cannot be done with these rows."""
    if recipe.label_smoothing and not LOSSES[model.loss].tells_classes:
        raise ValueError(
            f"label_smoothing: expected 0 under {model.loss}, whose targets are values, got "
            f"{recipe.label_smoothing:g}; the cross-entropies have labels"
        )
    # Only the nonzeros of these rows are there.
    if isinstance(data.x, CompressedRows):
        for name in ("augment", "mixup"):
            if getattr(recipe, name):
                raise sparse_refusal("x", f"{name}: ")


def _check_batches_of_one_row(model: "Network", rows: int, batch_size: int) -> None:
    """Refuse batches of one row where a batchnorm normalizes over rows alone.

    Of one value the variance is 0: what follows sees the bias only, and nothing is learned.
    """
    alone = min(rows, batch_size) == 1
    if not alone and rows % batch_size != 1:
        return
    for index, (spec, layer) in enumerate(zip(model.specs, model._net.layers, strict=True)):
        if spec["type"] != "batchnorm" or math.prod(layer["shape"][1:]) > 1:
            continue
        if alone:
            raise ValueError(
                f"layers[{index}]: batchnorm needs batches of at least 2 rows, got {rows} "
                f"row{'s' if rows > 1 else ''} in batches of {batch_size}; use a larger "
                "batch_size, or layernorm"
            )
        warnings.warn(
            f"layers[{index}]: of {rows} rows in batches of {batch_size} the last batch is a "
            "single row, from which a batchnorm learns nothing; use another batch_size, or "
            "one row less",
            stacklevel=4,
        )
        return


class Run:
    """A training run under way: everything that a checkpoint must hold.

    Parameters
    ----------
    model : Network
    data : Split
    recipe : Recipe
    rng : Xorshift, optional
        Draws the shuffles from now on, and masks are those of the recipe's seed, from its
        first step on. None: both continue from where `model`'s training stands, if that has
        the recipe's seed; else they begin anew with it.
    threads : int in [1, 64], optional
    metrics : sequence of Metric
        Measured after each epoch on the validation rows, or without these on the rows that
        are trained on.

    Attributes
    ----------
    fitting_metrics : list of Metric
        Those of the model's loss, measured on both.
    history : History
        Of a resumed run it has the epochs before. That of several calls has the earlier
        calls' epochs, too, and `History.begin_call` has been called.
    state : TrainingState
        The model's: steps, seed, shuffles, live parameters.
    order : ndarray of int32
        Row numbers as the last shuffle left them; each epoch shuffles them further.
    best_weights : ndarray of float32 or None
        The model's `weights` after the best epoch, that with the least validation loss
        unless `History.go_by` said otherwise.
    stop_detail : str
        What the line that tells of the end adds to the reason.
    keeps_last : bool
        Whether the run ends with its last weights instead of the best ones.
    callbacks : sequence of Callback
        Of the `fit` under way.
    is_begun : bool
        Whether a batch was trained, or the run was restored from a checkpoint.
    last_penalty : float
        What l2 added to the summed loss of the last native call.
    loss_scale : float
        What the core's loss is multiplied by in the history.
    validation_hint : str
        What to do for validation, for messages.
    """

    validation_hint = "set validation_split"
    loss_scale = 1.0

    def __init__(
        self,
        model: "Network",
        data: Split,
        recipe: Recipe,
        rng: Xorshift | None = None,
        *,
        threads: int | None = None,
        metrics: Sequence[Metric] = (),
    ) -> None:
        self.model = model
        self.data = data
        self.recipe = recipe
        self.threads = resolve_threads(threads)
        self.history = History()
        self.metrics = list(metrics)
        self.fitting_metrics = scores.fitting(model.loss)
        self.tells_classes = LOSSES[model.loss].tells_classes
        # Whether a callback that was begun may put columns of its own into the logs.
        self.has_foreign_logs = False
        self.row_weights = _row_weights(data, recipe.class_weight, model.output_shape[0])
        self.best_weights: NDArray[np.float32] | None = None
        self._augment = self._augmentation()
        self.keeps_last = False
        self.callbacks: Sequence[Callback] = ()
        self.stop_reason: str | None = None
        self.stop_detail = ""
        self.last_penalty = 0.0
        self.is_begun = False
        self._data_digest: str | None = None
        self._rate: float | None = None
        if recipe.needs_validation and data.val_x is None:
            raise ValueError(f"schedule: needs validation data; {self.validation_hint}")
        _check_recipe(model, data, recipe)
        _check_batches_of_one_row(model, len(data.x), recipe.batch_size)
        # Nothing of the model is changed before all arguments are known to be right; what
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
        self.order = self.state.order_of(len(self.data.x), self.recipe.shuffle)
        wanted = self.recipe.ema_decay > 0
        self.state.begin_average(self.model.params, wanted=wanted)
        self._is_undone = False

    @property
    def live_params(self) -> NDArray[np.float32] | None:
        """With `ema_decay`: the parameters that training continues from."""
        return self.state.live_params

    @property
    def first_step(self) -> int:
        """Step of the net that the history's first epoch began with.

        Setting it counts all steps from there: when the optimiser continues from an earlier
        run with moments of its own, and `history` has been set.
        """
        return self.state.steps - len(self.history) * self.steps

    @first_step.setter
    def first_step(self, step: int) -> None:
        self.state.count_from(step + len(self.history) * self.steps)

    def data_digest(self) -> str:
        """Return a digest of the rows and targets to train on; computed once."""
        if self._data_digest is None:
            import hashlib

            x = self.data.x
            digest = hashlib.sha256()
            for part in (
                *(x.parts() if isinstance(x, CompressedRows) else [x]),
                self.data.y,
            ):
                digest.update(np.ascontiguousarray(part).data)
            self._data_digest = digest.hexdigest()
        return self._data_digest

    def _augmentation(self) -> dict[str, Any] | None:
        augment = self.recipe.augment
        if not isinstance(augment, Augment):
            return None
        return augment.spec(self.model.input_shape)

    @contextmanager
    def _averaging(self) -> Iterator[dict[str, Any]]:
        """Train the live parameters; outside native calls the model holds their average."""
        live = self.state.live_params
        if live is None:
            yield {}
            return
        try:
            yield {
                "average": live,
                "average_decay": self.recipe.ema_decay,
                "average_is_outside": True,
            }
        finally:
            self.state.note_average(self.model.params)

    def undo(self) -> None:
        """Let the model be what it was before this run, which has trained nothing."""
        self.model.input_dtype = self._input_dtype_before
        self._restore_state()
        self._is_undone = True

    def prepare_again(self) -> None:
        """Begin once more if a call that trained nothing was undone."""
        if self._is_undone:
            self._prepare_state()

    def stop(self, reason: str) -> None:
        """End the run after the current epoch."""
        self.stop_reason = reason

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.order) // self.recipe.batch_size)

    @property
    def learning_rate(self) -> float:
        """Rate of the next epoch's first batch, and of all others when there is no schedule.

        One that is set holds from the next batch on, in a resumed run as well: it goes on
        with the last epoch's. With a schedule, setting it raises ValueError.
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
            return schedule.rates(len(rows), self.steps, losses)
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
        own = [
            name
            for name in COLUMNS
            if (validation or not name.startswith("val_"))
            and (self.tells_classes or not name.endswith("accuracy"))
        ]
        return [*own, *self._measured_names("", not validation)] + (
            self._measured_names("val_", True) if validation else []
        )

    def _measured_names(self, prefix: str, with_users: bool) -> list[str]:
        return [prefix + metric.name for metric in self._chosen(with_users)]

    def _chosen(self, with_users: bool) -> list[Metric]:
        return [*self.fitting_metrics, *(self.metrics if with_users else [])]

    def measure(self) -> dict[str, float]:
        """Return the metrics of the model as it is, by column."""
        data = self.data
        found = self._measured("", data.x, data.y, self._chosen(data.val_x is None))
        if data.val_x is not None and data.val_y is not None:
            found |= self._measured(
                "val_", data.val_x, data.val_y, self._chosen(True), data.val_weights
            )
        return found

    def _measured(
        self,
        prefix: str,
        x: "AnyRows",
        y: "Targets",
        metrics: Sequence[Metric],
        weights: Weights = None,
    ) -> dict[str, float]:
        if not metrics:
            return {}
        outputs = self.model._net.predict(x, threads=self.threads)
        loss = self.model.loss
        return {
            prefix + metric.name: metric.of(y, outputs, loss, weights) for metric in metrics
        }

    def train_epoch(self, callbacks: Sequence[Callback] = ()) -> EpochRow:
        """Train one epoch, validate, and return its row.

        With callbacks it goes batch by batch, and their hooks of batches are called.
        """
        data = self.data
        rates = self._rates()
        if self.recipe.shuffle:
            self.state.rng.shuffle(self.order)
        start = time.perf_counter()
        with self._averaging() as average:
            if callbacks:
                loss, hits = self._train_by_batches(rates, callbacks, average)
            else:
                loss, hits = self.train_rows(self.order, rates, **average)
        seconds = time.perf_counter() - start
        row = EpochRow(
            loss=loss / len(data.x),
            accuracy=hits / len(data.x) if self.tells_classes else None,
            time=seconds,
            learning_rate=float(np.ravel(rates)[0]),
            metrics=self.measure(),
        )
        if data.val_x is None or data.val_y is None:
            return row
        weights = data.val_weights
        for callback in self.callbacks:
            call(callback.on_test_begin, {})
        val_loss, val_hits = self.model._net.evaluate(
            data.val_x, data.val_y, threads=self.threads, weights=weights
        )
        n = len(data.val_x) if weights is None else float(weights.sum(dtype=np.float64))
        val_accuracy = val_hits / n if self.tells_classes else None
        row = replace(row, val_loss=val_loss / n, val_accuracy=val_accuracy)
        values = {
            name.removeprefix("val_"): value
            for name, value in row.as_dict().items()
            if name.startswith("val_") and value is not None
        }
        for callback in self.callbacks:
            call(callback.on_test_end, dict(values))
        return row

    def train_rows(
        self, order: NDArray[np.int32], rates: Rates, batch: int = 0, **average: Any
    ) -> tuple[float, int]:
        """Train on rows of the epoch, of which `batch` batches have been trained before.

        `average` is what `_averaging` gives.

        Returns
        -------
        float, int
            Loss and hits, summed over the rows.
        """
        recipe, epoch, state = self.recipe, len(self.history), self.state
        done, penalties = np.zeros(1, np.int64), np.zeros(1)
        try:
            loss, hits = self.model._net.train(
                self.data.x,
                self.data.y,
                order,
                recipe.batch_size,
                rates,
                threads=self.threads,
                epoch=epoch + 1,
                weights=self.row_weights,
                smoothing=recipe.label_smoothing,
                clip_norm=recipe.clip_norm,
                l2=recipe.l2,
                mixup=recipe.mixup,
                augment=self._augment,
                seed=state.seed,
                step=state.seed_steps,
                updates=state.steps,
                averaged=state.average_steps,
                done=done,
                penalties=penalties,
                **average,
            )
        except FloatingPointError as error:
            raise TrainingDiverged(self._told(str(error), batch, int(done[0]))) from None
        finally:
            # Whatever ended it: the moments have moved.
            state.advance(int(done[0]))
            self.is_begun |= bool(done[0])
        self.last_penalty = float(penalties[0])
        return float(loss[0]), int(hits[0])

    def _told(self, text: str, batch: int, done: int) -> str:
        """Return the native message about numbers that are not finite as users read it."""
        if batch:
            # A call for one batch knows it as the first.
            text = text.replace("batch 1 ", f"batch {batch + 1} ")
        if done == 0 and text.startswith("a "):
            found, _ = text.split(";")
            return (
                f"{found}, before it was trained: a call diverged earlier, or it was set so; "
                "make a new net, or use set_weights and net.optimizer = net.optimizer"
            )
        return text

    def _train_by_batches(
        self, rates: Rates, callbacks: Sequence[Callback], average: Mapping[str, Any]
    ) -> tuple[float, int]:
        """Train on all rows, a native call for each batch; return loss and hits, summed."""
        loss, hits, size = 0.0, 0, self.recipe.batch_size
        for batch in range(self.steps):
            for callback in callbacks:
                callback.on_train_batch_begin(batch, {})
            rows = self.order[batch * size : (batch + 1) * size]
            # A hook may have set another rate.
            rate: Rates = self.learning_rate
            if isinstance(rates, np.ndarray):
                rate = rates[batch : batch + 1]
            more = self.train_rows(rows, rate, batch, **average)
            # In float64 and in order, as the native sum of an epoch.
            loss, hits = loss + more[0], hits + more[1]
            seen = batch * size + len(rows)
            for callback in callbacks:
                logs = {"loss": loss / seen}
                if self.tells_classes:
                    logs["accuracy"] = hits / seen
                callback.on_train_batch_end(batch, logs)
        return loss, hits

    def kept_epoch(self) -> int:
        """Return the index of the epoch whose weights the model is left with."""
        best = self.history.best_epoch()
        return len(self.history) - 1 if best is None or self.keeps_last else best

    def labels(self) -> NDArray[Any] | None:
        """Return the class of each row that is trained on; None of several labels a row."""
        return _classes(self.data.y)

    def restore_best(self) -> None:
        """Give the model the weights of the best epoch, if there is one to go by."""
        if self.best_weights is not None and not self.keeps_last:
            self.model.set_weights(self.best_weights)


def fit(
    run: Run,
    callbacks: Sequence[Callback] | Callback | None = (),
    *,
    verbose: int | str = "auto",
) -> History:
    """Train until `run.recipe.epochs` epochs are done or a callback stops the run.

    Whatever ends the run, the model is left with the weights of its best epoch (least
    validation loss), or with the last ones when there is no validation; `EarlyStopping` can
    ask for others.

    Parameters
    ----------
    run : Run
        Fresh, or restored from a checkpoint.
    callbacks : sequence of Callback
        Called in order.
    verbose : {"auto", 0, 1, 2}
        See `ProgressLogger`.

    Returns
    -------
    History
        `stop_reason` is "interrupted" after Ctrl-C, which also gives a warning; the rest of
        the program continues.

    Raises
    ------
    TrainingDiverged
        If the loss is not finite and no `TerminateOnNaN` is among the callbacks.
    OSError
        From callbacks that write files.
    TypeError
        If a callback has a hook of Keras' that is never called here.
    KeyboardInterrupt
        If Ctrl-C ended another call of `fit` less than 3 seconds ago: so it ends a loop, too.
        The model has its best weights all the same.

    Warns
    -----
    UserWarning
        If the loss of the epoch whose weights are kept is far above that of an untrained net,
        or after 100 steps loss and accuracy are those of chance.
    """
    begun, is_ended = ExitStack(), False
    begun.enter_context(run.model._training("fit"))
    run.model.stop_training = False
    run.has_foreign_logs = False
    try:
        # Progress comes last: what it tells has then been saved.
        run.callbacks = [*as_list(callbacks), ProgressLogger(verbose)]
        for callback in run.callbacks:
            check_hooks(callback)
        params = {"epochs": run.recipe.epochs, "steps": run.steps, "verbose": verbose}
        run.prepare_again()
        if run.model.input_dtype is None:
            run.model.input_dtype = input_dtype_of(run.data.x)
        for callback in run.callbacks:
            callback.run, callback.model, callback.params = run, run.model, params
            begun.callback(_end, callback, run)
            call(callback.on_train_begin, {})
            run.has_foreign_logs |= may_log(callback)
        while not _is_stopped(run) and len(run.history) < run.recipe.epochs:
            _epoch(run, run.callbacks)
        is_ended = True
    except TrainingDiverged as error:
        lets = (c for c in run.callbacks if isinstance(c, TerminateOnNaN))
        if all(c.raise_error for c in lets):
            raise
        run.stop(str(error))
    except KeyboardInterrupt:
        run.stop_reason = "interrupted"
        if interrupts.is_repeated():
            raise
    finally:
        if not is_ended and not run.is_begun:
            run.undo()
        run.history.stop_reason = run.stop_reason or "epochs"
        run.restore_best()
        begun.close()
    divergence.warn_of_failure(run, stacklevel=3)
    if run.stop_reason == "interrupted":
        warnings.warn(
            "training interrupted by user; best weights kept. Ctrl-C again within "
            f"{interrupts.SECONDS:g} seconds raises KeyboardInterrupt, to end a loop",
            stacklevel=2,
        )
    return run.history


def _is_stopped(run: Run) -> bool:
    """Tell whether a callback has asked for an end, in our way or in Keras'."""
    if run.model.stop_training and run.stop_reason is None:
        run.stop("stop_training")
    return run.stop_reason is not None


def _epoch(run: Run, callbacks: Sequence[Callback]) -> None:
    epoch = len(run.history)
    for callback in callbacks:
        call(callback.on_epoch_begin, epoch, {})
    row = run.train_epoch([callback for callback in callbacks if wants_batches(callback)])
    run.history.append(row)
    if run.history.best_epoch() == epoch:
        run.best_weights = run.model.weights.copy()
    logs = _last_logs(run)
    for callback in callbacks:
        callback.on_epoch_end(epoch, logs)
        _note_foreign_logs(run, logs)


def _note_foreign_logs(run: Run, logs: dict[str, Any]) -> None:
    """Put numbers that a callback added to the logs into the history."""
    known = run.history.rows[-1].values()
    added = {name: value for name, value in numbers_of(logs).items() if name not in known}
    if not added:
        return
    logs.update(added)  # plain floats, for the files of later callbacks
    run.history.note(added)
    if run.history.best_by in added and run.history.best_epoch() == len(run.history) - 1:
        run.best_weights = run.model.weights.copy()


def _end(callback: Callback, run: Run) -> None:
    call(callback.on_train_end, _last_logs(run))


def _last_logs(run: Run) -> dict[str, float]:
    """Return the last epoch's values by name, for callbacks."""
    return run.history.rows[-1].values() if run.history else {}

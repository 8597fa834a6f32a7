"""What the estimators have in common: from arrays and parameters to a run, and back."""

import warnings
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as ScikitMLP
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from rnn_native.base.errors import TrainingDiverged
from rnn_native.base.runtime import MAX_THREADS, resolve_threads
from rnn_native.callbacks import Callback
from rnn_native.models.network import Network
from rnn_native.net.adapting import adapt_new
from rnn_native.net.rows import AnyRows, Targets
from rnn_native.sklearn.data import (
    Part,
    check_all_unmasked,
    check_not_tiny,
    hold_out,
    read_weights,
)
from rnn_native.sklearn.fitting import EstimatorRun, Progress
from rnn_native.sklearn.full_batch import FullBatch
from rnn_native.sklearn.own_network import OwnNetwork
from rnn_native.sklearn.protocol import CallbackBridge, CallbackSupportMixin
from rnn_native.sklearn.records import Records
from rnn_native.sklearn.tables import TableRows
from rnn_native.sklearn.validation_rows import Validation
from rnn_native.training import loop
from rnn_native.training.callback import as_list
from rnn_native.training.class_weights import times
from rnn_native.training.history import EpochRow, History
from rnn_native.training.ranks import Ranks, ranks_of
from rnn_native.training.recipe import Recipe
from rnn_native.training.schedules import Schedule

# Ranges of numbers that scikit-learn accepts without bound and the core does not.
RANGES = {"alpha": (0.0, 9e5), "learning_rate_init": (1e-30, 9e5), "epsilon": (1e-20, 1.0)}


class BaseNetworkEstimator(
    OwnNetwork,
    TableRows,
    FullBatch,
    CallbackSupportMixin,  # type: ignore[misc]
    Records,
    BaseEstimator,  # type: ignore[misc]
):
    """Base of the estimators: the course of `fit`, and what a network provides.

    Subclasses say what the network is and how it starts, what targets are, and what a score
    is; those are the methods that raise NotImplementedError here.
    """

    # scikit-learn's own rules, of the version that is installed, and ours.
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **ScikitMLP._parameter_constraints,
        "schedule": [Schedule, dict, None],
        "restore_best_weights": ["boolean"],
        "n_threads": [Interval(Integral, 1, MAX_THREADS, closed="both"), None],
    }

    solver: str
    alpha: float
    batch_size: int | str
    learning_rate: str
    learning_rate_init: float
    max_iter: int
    shuffle: bool
    random_state: Any
    warm_start: bool
    early_stopping: bool
    validation_fraction: float
    schedule: Schedule | Mapping[str, Any] | None
    restore_best_weights: bool
    callbacks: Sequence[Callback] | Callback | None
    n_threads: int | None

    network_: Network

    def _keep(self, parameters: Mapping[str, Any]) -> None:
        """Store what `__init__` was given, unchanged, as scikit-learn wants it."""
        for name, value in parameters.items():
            if name != "self":
                setattr(self, name, value)

    # ---- what subclasses say ----

    def _learn_targets(self, y: NDArray[Any], *, incremental: bool, is_new: bool) -> None:
        """Find out what targets are, or check that they are what they were."""
        raise NotImplementedError

    def _encode(self, y: NDArray[Any], name: str = "y") -> Targets:
        """Return targets as the core expects them; refuse what `_learn_targets` did not learn."""
        raise NotImplementedError

    def _strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        """Return the classes whose proportions the validation rows keep."""
        return None

    def _class_weights(
        self, y: NDArray[Any], targets: Targets, incremental: bool
    ) -> NDArray[Any] | None:
        """Return what else multiplies the losses of rows in training."""
        return None

    def _score(self, row: EpochRow, held: Part) -> float:
        """Return the score of the network as it is after an epoch.

        NaN where its outputs are not finite: such weights are never the best ones.
        """
        raise NotImplementedError

    @property
    def _loss_scale(self) -> float:
        """What the core's loss is multiplied by for scikit-learn's."""
        return 1.0

    def _recipe_options(self) -> dict[str, Any]:
        """Return what else the recipe has."""
        return {}

    # What `validate_data` is given of y.
    _target_options: ClassVar[dict[str, Any]] = {"multi_output": True}

    # ---- fit ----

    def _fit(
        self,
        x: Any,
        y: Any,
        sample_weight: Any,
        validation: Validation | None = None,
        *,
        incremental: bool = False,
        comm: Any = None,
    ) -> None:
        check_all_unmasked(X=x, y=y, sample_weight=sample_weight)
        ranks = ranks_of(comm)
        if ranks is not None and self.solver == "lbfgs":
            raise ValueError(
                "comm: solver='lbfgs' runs in one process; use 'adam' or 'sgd'"
            )
        self._check_parameters(incremental, validation is not None)
        is_new = not (hasattr(self, "network_") and (self.warm_start or incremental))
        if incremental and not is_new:
            self._check_network_parameters()
        rows, labels = self._read_rows(x, y=y, reset=is_new, **self._target_options)
        self._learn_targets(labels, incremental=incremental, is_new=is_new)
        targets = self._encode(labels)
        weights = None if sample_weight is None else read_weights(sample_weight, rows)
        class_weights = self._class_weights(labels, targets, incremental)
        random_state = check_random_state(self.random_state)
        if is_new:
            self._begin_records()
        if is_new or not incremental:
            self._prepare_network(rows, random_state, is_new)
        else:
            self._check_continued(rows.shape[1])

        train = Part(rows, targets, times(weights, class_weights))
        check_not_tiny(train.weights, _factors(weights, class_weights))
        if self.solver == "lbfgs":
            smoothing = self._recipe_options().get("label_smoothing", 0.0)
            self._minimize(train, self._loss_scale, smoothing)
            return
        held = None
        if validation is not None:
            held = self._read_validation(validation)
        elif self.early_stopping:
            trained, held_out = hold_out(
                len(rows), self.validation_fraction, self._strata(labels), random_state
            )
            train, held = train.at(trained), Part(rows, targets, weights).at(held_out)
        if held is not None:
            self._check_held(held)
        run = self._make_run(train, held, random_state, incremental)
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        if self.n_threads is None and ranks is not None:
            run.threads = ranks.threads()
        self._train(run, x, y, metadata, ranks)
        if run.stop_reason is None and not incremental:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and "
                "the optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _check_parameters(self, incremental: bool, has_validation: bool) -> None:
        """Refuse what scikit-learn's rules for parameters accept."""
        if self.solver == "lbfgs":
            self._check_full_batch(has_validation)
        for name, (least, greatest) in RANGES.items():
            given = getattr(self, name)
            if not least <= given <= greatest:
                raise ValueError(
                    f"{name}: expected a value in [{least:g}, {greatest:g}], got {given:g}"
                )
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        if self.schedule is None:
            return
        if self.learning_rate != "constant":
            raise ValueError(
                f"learning_rate={self.learning_rate!r} and schedule: expected one of them"
            )
        needs_validation = Recipe(schedule=self.schedule).needs_validation
        if needs_validation and not (self.early_stopping or has_validation):
            raise ValueError(
                "schedule: uses validation losses; set early_stopping, or give fit "
                "X_val and y_val"
            )

    def _read_validation(self, validation: Validation) -> Part:
        """Return the user's validation rows and targets, checked as those of `fit`."""
        x, y, weights = validation
        check_all_unmasked(X_val=x, y_val=y, sample_weight_val=weights)
        rows, labels = self._read_rows(x, y=y, reset=False, **self._target_options)
        if weights is not None:
            weights = read_weights(weights, rows)
        return Part(rows, self._encode(labels, "y_val"), weights)

    def _check_held(self, held: Part) -> None:
        """Refuse rows to validate on that no score can be made of."""
        if held.weights is not None and not held.weights.any():
            raise ValueError(
                f"sample_weight: expected a weight above 0 among the {len(held.rows)} rows "
                "to validate on, got zeros only; give X_val and y_val, or another "
                "random_state"
            )

    def _make_run(
        self,
        train: Part,
        held: Part | None,
        random_state: np.random.RandomState,
        incremental: bool,
    ) -> EstimatorRun:
        self._count_epochs(incremental)
        adapt_new(self.network_, train.rows)
        counted = self.history_.call_rows
        recipe = Recipe(
            epochs=min(len(counted) + (1 if incremental else self.max_iter), 2**31 - 1),
            batch_size=self._batch_rows(len(train.rows)),
            lr=self.learning_rate_init,
            schedule=self.schedule,
            seed=self._mask_seed,
            validation_split=0.0,
            shuffle=False,
            patience=None,
            optimizer=self.network_.optimizer,
            l2=self.alpha,
            **self._recipe_options(),
        )
        run = EstimatorRun(
            self.network_,
            recipe,
            train,
            held,
            random_state=random_state if self.shuffle else None,
            loss_scale=self._loss_scale,
            score=self._score,
            threads=self.n_threads,
            rows_before=self.history_.rows[
                self._epochs_before_fit : self.history_.call_begin
            ],
        )
        run.history = History(counted)
        run.first_step = self._steps - len(counted) * run.steps
        run.keeps_last = not self.restore_best_weights
        if self.schedule is None:
            run.learning_rate = self._rate
        if held is not None:
            self._begin_validation(run)
        return run

    def _batch_rows(self, n: int) -> int:
        if self.batch_size == "auto":
            return min(200, n)
        if int(self.batch_size) > n:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to "
                "be clipped",
                stacklevel=6,
            )
        return min(int(self.batch_size), n)

    def _train(
        self,
        run: EstimatorRun,
        x: Any,
        y: Any,
        metadata: dict[str, Any],
        ranks: Ranks | None,
    ) -> None:
        """Run, and keep what a later call continues from."""
        self.n_iter_, begun = 0, len(run.history)
        users = as_list(self.callbacks)
        bridges = []
        if hasattr(self, "set_callbacks"):
            epochs = run.recipe.epochs - len(run.history)
            bridges = [CallbackBridge(self, x, y, metadata, epochs)]
        try:
            loop.fit(run, [Progress(self), *bridges, *users], verbose=0, ranks=ranks)
            run.check_kept()
        except TrainingDiverged as error:
            if run.best_weights is None or run.keeps_last:
                raise ValueError(
                    "Solver produced non-finite parameter weights. The input data may "
                    f"contain large values and need to be preprocessed. {error}"
                ) from error
            self._end_diverged(run, error)
        finally:
            self.history_.stop_reason = run.history.stop_reason
            self._steps += (len(run.history) - begun) * run.steps
            for callback in users:
                # Else every copy of the estimator would hold this run, with its data.
                for name in ("run", "model", "params"):
                    vars(callback).pop(name, None)
        if self.n_iter_ == 0:
            warnings.warn(
                f"{type(self).__name__}: no epoch was trained: {run.stop_reason}, by the "
                "callbacks' count of the calls of partial_fit; fit counts from 0",
                UserWarning,
                stacklevel=5,
            )
        if self.schedule is None:
            self._rate = run.learning_rate
        for bridge in bridges:
            bridge.finish()

    # ---- fitted attributes ----

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def _outputs(self, x: Any, *, raw: bool = False) -> NDArray[np.float32]:
        """Return the network's predictions for rows; `raw`: logits, without the function."""
        check_is_fitted(self)
        check_all_unmasked(X=x)
        return self._outputs_of_rows(self._read_rows(x, reset=False), raw=raw)

    def _outputs_of_rows(self, rows: AnyRows, *, raw: bool = False) -> NDArray[np.float32]:
        threads = resolve_threads(self.n_threads)
        return self.network_.native.predict(rows, threads=threads, raw=raw)


def _factors(weights: Any, class_weights: Any) -> str:
    """Say which arguments the weights of rows are made of."""
    given = {"sample_weight": weights, "class_weight": class_weights}
    return " times ".join(name for name, value in given.items() if value is not None)

"""What a net offers about learning rates: a search for one, and a cycle of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from rnn_native.models.learner import Learner
from rnn_native.net.scores import MetricLike

if TYPE_CHECKING:
    from rnn_native.datasets.loader import Loader
    from rnn_native.models.lr_finder import RateSearch
    from rnn_native.training.augmentation import Augment
    from rnn_native.training.callback import Callback
    from rnn_native.training.class_weights import ClassWeights
    from rnn_native.training.history import History
    from rnn_native.training.own_loss import LossFunction
    from rnn_native.training.schedules import Schedule


class RateMethods(Learner):
    """A net that searches for a rate, and trains with a cycle of rates by its `fit`."""

    if TYPE_CHECKING:

        @property
        def fit(self) -> Any:
            """`Network.fit`."""

    def fit_one_cycle(
        self,
        x: ArrayLike | Iterable[Any] | Loader,
        y: ArrayLike | None,
        epochs: int,
        lr_max: float,
        *,
        div: float = 25.0,
        div_final: float = 1e5,
        pct_start: float = 0.25,
        batch_size: int = 64,
        accumulate: int = 1,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_split: float = 0.0,
        validation_data: Sequence[ArrayLike] | Iterable[Any] | Loader | None = None,
        stratify: bool = False,
        shuffle: bool = True,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeights | None = None,
        label_smoothing: float = 0.0,
        clip_norm: float = 0.0,
        l2: float = 0.0,
        augment: Augment | Mapping[str, Any] | None = None,
        mixup: float = 0.0,
        ema_decay: float = 0.0,
        swa_start: int | None = None,
        loss: LossFunction | None = None,
        metrics: MetricLike | Sequence[MetricLike] | None = None,
        callbacks: Sequence[Callback] | Callback | None = (),
        seed: int | None = None,
        threads: int | None = None,
        verbose: int | str = "auto",
        comm: Any = None,
        every: int = 1,
        shards: bool = False,
    ) -> History:
        """Train with one cycle of learning rates: up to `lr_max` and down again.

        Parameters
        ----------
        x, y : array_like
            As for `fit`.
        epochs : int
            Length of the cycle.
        lr_max : float
            Greatest rate; `lr_find` suggests one.
        div, div_final, pct_start : float
            See `rnn_native.schedules.OneCycle`; the defaults are fastai's.
        batch_size, accumulate, initial_epoch, steps_per_epoch, validation_split
            As for `fit`.
        validation_data, stratify, shuffle, sample_weight, class_weight
            As for `fit`.
        label_smoothing, clip_norm, l2, augment, mixup, ema_decay, swa_start, loss, metrics
            As for `fit`.
        callbacks, seed, threads, verbose, comm, every, shards
            As for `fit`.

        Returns
        -------
        History

        Raises
        ------
        ValueError, TypeError, TrainingDiverged, RuntimeError, KeyboardInterrupt
            As `fit`.

        Notes
        -----
        fastai also lets the momentum go down and up; here it stays as it is.
        """
        from rnn_native.training.schedules import OneCycle

        cycle = OneCycle(lr_max, epochs, div=div, div_final=div_final, pct_start=pct_start)
        history: History = self.fit(
            x,
            y,
            epochs=epochs,
            schedule=cycle,
            batch_size=batch_size,
            accumulate=accumulate,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_split=validation_split,
            validation_data=validation_data,
            stratify=stratify,
            shuffle=shuffle,
            sample_weight=sample_weight,
            class_weight=class_weight,
            label_smoothing=label_smoothing,
            clip_norm=clip_norm,
            l2=l2,
            augment=augment,
            mixup=mixup,
            ema_decay=ema_decay,
            swa_start=swa_start,
            loss=loss,
            metrics=metrics,
            callbacks=callbacks,
            seed=seed,
            threads=threads,
            verbose=verbose,
            comm=comm,
            every=every,
            shards=shards,
        )
        return history

    def lr_find(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        start_lr: float = 1e-7,
        end_lr: float = 10.0,
        num_it: int = 100,
        trial_it: int = 300,
        schedule: Schedule | Mapping[str, Any] | None = None,
        epochs: int | None = None,
        stop_div: bool = True,
        batch_size: int = 64,
        accumulate: int = 1,
        class_weight: ClassWeights | None = None,
        label_smoothing: float = 0.0,
        clip_norm: float = 0.0,
        l2: float = 0.0,
        augment: Augment | Mapping[str, Any] | None = None,
        mixup: float = 0.0,
        seed: int = 1,
        threads: int | None = None,
    ) -> RateSearch:
        """Search for a learning rate; `rnn_native.lr_find` says how.

        Parameters
        ----------
        x, y : array_like
            As for `fit`: rows to train on.
        start_lr, end_lr, num_it, trial_it, schedule, epochs, stop_div
            As for `rnn_native.lr_find`.
        batch_size, accumulate
            As for `rnn_native.lr_find`.
        class_weight, label_smoothing, clip_norm, l2, augment, mixup, seed, threads
            As for `rnn_native.lr_find`.

        Returns
        -------
        RateSearch

        Raises
        ------
        ValueError, TypeError
            If an argument is out of range or does not fit.
        """
        from rnn_native.models.lr_finder import lr_find

        return lr_find(
            self,
            x,
            y,
            start_lr=start_lr,
            end_lr=end_lr,
            num_it=num_it,
            trial_it=trial_it,
            schedule=schedule,
            epochs=epochs,
            stop_div=stop_div,
            batch_size=batch_size,
            accumulate=accumulate,
            class_weight=class_weight,
            label_smoothing=label_smoothing,
            clip_norm=clip_norm,
            l2=l2,
            augment=augment,
            mixup=mixup,
            seed=seed,
            threads=threads,
        )

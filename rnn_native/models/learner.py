"""A net that learns step by step, with its own loss or one of the caller's."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.base.checks import check_not_negative, check_number, check_range
from rnn_native.base.errors import TrainingDiverged
from rnn_native.base.runtime import resolve_threads
from rnn_native.base.text import brief
from rnn_native.net.arrays import as_array
from rnn_native.net.predictor import Predictor
from rnn_native.net.row_weights import as_weights
from rnn_native.net.rows import as_finite_float32, input_dtype_of

MOST_LR = 1e6


class Learner(Predictor):
    """A net whose caller writes the training loop.

    See `rnn_native.models.network.Network`, which also trains by itself, for parameters,
    attributes and errors. A step with the net's own loss is one call, `train_on_batch`; with
    any other loss it is `forward`, `backward` and `apply_gradients`. Both continue moments,
    steps and masks as `Network.fit` does.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(1)], input_shape=(1,), loss="squared_error")
    >>> for _ in range(100):
    ...     loss = net.train_on_batch([[0.0], [1.0]], [[1.0], [3.0]], lr=0.5)
    >>> loss < 0.001
    True
    """

    def train_on_batch(
        self,
        x: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        lr: float = 0.01,
        label_smoothing: float = 0.0,
        clip_norm: float = 0.0,
        l2: float = 0.0,
        threads: int | None = None,
    ) -> float:
        """Make one update with all rows as one batch, and return their mean loss.

        It is what ``fit(x, y, batch_size=len(x), shuffle=False)`` does, to the same bits.

        Parameters
        ----------
        x, y : array_like
            As for `fit`.
        sample_weight : array_like of shape (n,), optional
            What multiplies each row's loss. Here weights may be negative.
        lr : float
            Learning rate.
        label_smoothing, clip_norm, l2 : float
            See `rnn_native.training.Recipe`.
        threads : int in [1, 64], optional

        Returns
        -------
        float
            Mean loss of the rows before the update.

        Raises
        ------
        ValueError, TypeError
            If an argument is wrong; nothing is trained then.
        TrainingDiverged
            If the loss, a weight or a moment is not finite.
        RuntimeError
            If another thread trains the net.

        Examples
        --------
        >>> import rnn_native as rn
        >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
        >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
        >>> first = net.train_on_batch(x, y, lr=0.1)
        >>> net.train_on_batch(x, y, lr=0.1) < first
        True
        """
        rows = self.as_rows(x, learns=True)
        n = len(rows)
        targets = self.as_targets(y, n)
        weights = as_weights(sample_weight, n, signed=True)
        rate = check_range("lr", lr, 0.0, MOST_LR)
        smoothing = check_range("label_smoothing", label_smoothing, 0.0, 1.0)
        most, penalty = (
            check_not_negative("clip_norm", clip_norm),
            check_not_negative("l2", l2),
        )
        count = resolve_threads(threads)
        self._check_batch(n, smoothing)
        state, done = self.training_state, np.zeros(1, np.int64)
        with self.being_trained("train_on_batch"):
            try:
                loss, _ = self.native.train(
                    rows,
                    targets,
                    np.arange(n, dtype=np.int32),
                    n,
                    rate,
                    threads=count,
                    weights=weights,
                    smoothing=smoothing,
                    clip_norm=most,
                    l2=penalty,
                    seed=state.seed,
                    step=state.seed_steps,
                    updates=state.steps,
                    done=done,
                )
            except FloatingPointError as error:
                raise _diverged(error) from None
            finally:
                if done[0]:
                    state.live_params = None
                    state.advance(int(done[0]))
            if self.input_dtype is None:
                self.input_dtype = input_dtype_of(rows)
        return float(loss[0]) / n

    def _check_batch(self, rows: int, smoothing: float = 0.0) -> None:
        """Refuse what `fit` refuses of a batch; nothing is imported where there is nothing."""
        if rows > 1 and not smoothing and not self.normalizations:
            return
        from rnn_native.training.run_checks import (
            check_adapted,
            check_batches_of_one_row,
            check_label_smoothing,
        )

        check_adapted(self)
        check_label_smoothing(smoothing, self.loss)
        check_batches_of_one_row(self, rows, rows)

    def forward(self, x: ArrayLike, *, threads: int | None = None) -> NDArray[np.float32]:
        """Return the last layer's outputs in training mode, and keep what `backward` needs.

        Dropout drops, with new masks in each call, and batch normalization uses these
        rows and moves its running statistics. The loss's own function (softmax, sigmoid,
        exponential) is not applied.

        Parameters
        ----------
        x : array_like
            As for `fit`; copied.
        threads : int in [1, 64], optional

        Returns
        -------
        ndarray of shape (n, outputs), float32

        Raises
        ------
        ValueError, TypeError
            If x does not fit, or is a sparse matrix.
        RuntimeError
            If another thread trains the net.

        Examples
        --------
        >>> import numpy as np
        >>> import rnn_native as rn
        >>> net, x = rn.Network([rn.Dense(1)], (3,), "squared_error"), np.ones((4, 3))
        >>> for _ in range(50):
        ...     gradient = net.backward(net.forward(x) - 2.0)
        ...     net.apply_gradients(lr=0.01)
        >>> bool(np.abs(net.predict(x) - 2.0).max() < 0.01)
        True
        """
        rows = self.as_dense_rows(x, learns=True)
        self._check_batch(len(rows))
        state = self.training_state
        with self.being_trained("forward"):
            outputs = self.native.forward(
                rows,
                threads=resolve_threads(threads),
                seed=state.seed,
                step=state.seed_steps,
            )
            state.seed_steps += 1
            if self.input_dtype is None:
                self.input_dtype = input_dtype_of(rows)
        return outputs

    def backward(
        self,
        output_gradient: ArrayLike,
        *,
        accumulate: bool = False,
        input_gradient: bool = True,
        threads: int | None = None,
    ) -> NDArray[np.float32] | None:
        """Compute the gradients of a loss from its gradient with respect to the outputs.

        Parameters
        ----------
        output_gradient : array_like of shape (n, outputs)
            Of any loss, with respect to what the last `forward` returned.
        accumulate : bool
            Add to `gradients` instead of replacing them.
        input_gradient : bool
            Whether to return the gradient with respect to the samples.
        threads : int in [1, 64], optional

        Returns
        -------
        ndarray of shape (n, ...) as input_shape, float32, or None
            Gradient with respect to what the net sees (uint8 divided by 255).

        Raises
        ------
        ValueError
            If `output_gradient` does not fit or is not finite.
        RuntimeError
            Without a `forward` since the last `backward`, if the weights were changed since
            then, or if another thread trains the net.
        """
        given = as_array(output_gradient, "output_gradient")
        dout = np.ascontiguousarray(as_finite_float32(given, "output_gradient"))
        if dout.ndim == 1 and self.output_shape == (1,):
            dout = dout[:, None]
        with self.being_trained("backward"):
            found = self.native.backward(
                dout,
                threads=resolve_threads(threads),
                accumulate=accumulate,
                to_input=input_gradient,
            )
        return None if found is None else found.reshape(len(found), *self.input_shape)

    @property
    def gradients(self) -> dict[str, NDArray[np.float32]]:
        """What `backward` computed, by the names of `parameters`: read-only views.

        Those of frozen layers are left out. They keep the net alive, and hold their values
        until the next `backward`.

        Raises
        ------
        RuntimeError
            Before the first `backward`.
        """
        flat = self.native.grads
        if flat is None:
            raise RuntimeError(
                "gradients: expected a backward before; call forward(x), then "
                "backward(output_gradient)"
            )
        frozen = {i for i, learns in enumerate(self.trainable) if not learns}
        named = self.parts_of(flat)
        return {n: g for n, g in named.items() if int(n.split(".")[1]) not in frozen}

    def apply_gradients(
        self, lr: float = 0.01, *, clip_norm: float = 0.0, threads: int | None = None
    ) -> None:
        """Make one update of the net's optimizer with `gradients`.

        Parameters
        ----------
        lr : float
            Learning rate.
        clip_norm : float
            Greatest norm of all gradients together; 0: not clipped.
        threads : int in [1, 64], optional

        Raises
        ------
        RuntimeError
            Before the first `backward`, or if another thread trains the net.
        TrainingDiverged
            If a gradient is not finite, which changes nothing, or a weight or moment has
            become so.
        """
        rate = check_range("lr", lr, 0.0, MOST_LR)
        most = check_not_negative("clip_norm", clip_norm)
        state = self.training_state
        with self.being_trained("apply_gradients"):
            try:
                self.native.apply(
                    rate,
                    threads=resolve_threads(threads),
                    clip_norm=most,
                    updates=state.steps,
                )
            except FloatingPointError as error:
                raise TrainingDiverged(f"apply_gradients: {error}") from None
            state.live_params = None
            state.steps += 1
            state.average_steps += 1

    @property
    def lr_multipliers(self) -> list[float]:
        """What the learning rate is multiplied by, an entry for each of `specs`.

        A block's is that of all layers in it.

        0 freezes a layer: its parameters stay, and cost no gradient. Running statistics of
        a frozen batch normalization are still updated. Set it to a sequence of numbers of
        at least 0, at any time between calls that train; model files keep it.
        """
        return self.rates

    @lr_multipliers.setter
    def lr_multipliers(self, values: ArrayLike) -> None:
        given, count = np.asarray(values), len(self.specs)
        if given.shape != (count,) or given.dtype.kind not in "fiub":
            raise ValueError(
                f"lr_multipliers: expected {count} numbers, one for each layer, got "
                f"{given.dtype} of shape {given.shape}"
            )
        rates = given.astype(np.float64)
        bad = np.flatnonzero(~((rates >= 0) & (rates <= MOST_LR)))
        if bad.size:
            raise ValueError(
                f"lr_multipliers: expected numbers in [0, {MOST_LR:g}], got "
                f"{rates[bad[0]]:g} at [{bad[0]}]"
            )
        with self.unchanged("lr_multipliers"):
            self.set_rates(rates)

    @property
    def trainable(self) -> list[bool]:
        """Whether each layer learns: whether its entry of `lr_multipliers` is above 0.

        Set it to a sequence of booleans, or one for all layers; layers that learn keep
        their multiplier, those that begin to have 1.
        """
        return [rate > 0 for rate in self.rates]

    @trainable.setter
    def trainable(self, values: ArrayLike) -> None:
        given, before = np.asarray(values), np.array(self.rates)
        if given.dtype != np.bool_ or given.shape not in ((), before.shape):
            raise ValueError(
                f"trainable: expected True, False or {before.size} of them, one for each "
                f"layer, got {brief(values)}"
            )
        self.lr_multipliers = np.where(given, np.where(before > 0, before, 1.0), 0.0)

    def copy_weights_from(self, other: Predictor, tau: float = 1.0) -> None:
        """Move all weights toward those of another net: ``(1 - tau) * own + tau * other``.

        Parameters
        ----------
        other : Network
            With as many weights, such as a `clone`.
        tau : float in [0, 1]
            1 copies them; target networks of reinforcement learning follow with a small one.

        Raises
        ------
        ValueError
            If the number of weights is another one, or tau is out of range.
        """
        if not isinstance(other, Predictor):
            raise TypeError(
                f"copy_weights_from: expected a Network, got {type(other).__name__}"
            )
        share = check_number("tau", tau)
        if not 0 <= share <= 1:
            raise ValueError(f"tau: expected a number in [0, 1], got {share:g}")
        theirs = other.get_weights()
        if theirs.shape != self.weights.shape:
            raise ValueError(
                f"copy_weights_from: expected a net of {self.weights.size} weights, got "
                f"{theirs.size}"
            )
        if share < 1:
            own = self.get_weights()
            own *= np.float32(1 - share)
            theirs *= np.float32(share)
            theirs += own
        self.set_weights(theirs)

    def clone(self) -> Self:
        """Return a copy that shares nothing: weights, moments, steps and shuffles."""
        twin = type(self).__new__(type(self))
        twin.__setstate__(self.__getstate__())
        return twin


def _diverged(error: FloatingPointError) -> TrainingDiverged:
    """Return the native message about a batch that is the only one."""
    text = str(error).replace(" at epoch 1, batch 1", "")
    return TrainingDiverged(f"train_on_batch: {text}")

"""A net's answers: checks and conversions around the native net."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

import rnn_native._core as _core
from rnn_native.base.checks import check_count, check_flag
from rnn_native.base.runtime import resolve_threads
from rnn_native.base.text import brief
from rnn_native.net import losses, scores
from rnn_native.net.arrays import sparse_refusal
from rnn_native.net.compiled import CompiledNet
from rnn_native.net.compressed import CompressedRows
from rnn_native.net.row_weights import as_weights
from rnn_native.net.rows import (
    AnyRows,
    Rows,
    Targets,
    Weights,
    as_rows,
    as_targets,
    input_dtype_of,
)
from rnn_native.net.scores import ClassScores, ValueScores

if TYPE_CHECKING:
    from rnn_native.net.stream import Stream
    from rnn_native.net.summary import LayerRow


class Predictor(CompiledNet):
    """A net that answers: predictions, scores, attention, and what it looks like.

    See `rnn_native.models.network.Network`, which also learns, for parameters, attributes
    and errors.
    """

    def as_rows(
        self,
        x: ArrayLike,
        name: str = "x",
        *,
        learns: bool = False,
        beside: AnyRows | None = None,
    ) -> AnyRows:
        """Return samples as (n, inputs); see `rows.as_rows`.

        `beside` are the samples that the net is about to be fitted on: these must be of the
        same kind.
        """
        if self._unknown_input is not None:
            warnings.warn(self._unknown_input, stacklevel=3)
            self._know_input(self._input_dtype)
        kind = self.input_dtype
        if kind is None and beside is not None:
            kind = input_dtype_of(beside)
        return as_rows(
            x,
            self.input_shape,
            kind,
            name=name,
            learns=learns,
            table_rows=self.table_rows,
        )

    def as_dense_rows(self, x: ArrayLike, name: str = "x", **options: Any) -> Rows:
        """Return samples as `as_rows` does; refuse sparse matrices."""
        rows = self.as_rows(x, name, **options)
        if isinstance(rows, CompressedRows):
            raise sparse_refusal(name)
        return rows

    def as_targets(self, y: ArrayLike, n: int, name: str = "y") -> Targets:
        """Return what the loss wants; see `rows.as_targets`."""
        return as_targets(y, n, self.loss, self.output_shape[0], name)

    def attention_maps(
        self, x: ArrayLike, *, threads: int | None = None
    ) -> NDArray[np.float32]:
        """Return the attention weights of the first attention layer for each sample.

        Parameters
        ----------
        x : array_like
            As for `predict_proba`.
        threads : int in [1, 64], optional

        Returns
        -------
        ndarray of shape (n, tokens, tokens), or (n, heads, tokens, tokens), float32
            Row i is how token i attends to all tokens; rows sum to 1.

        Raises
        ------
        ValueError
            If the net has no attention layer, or x does not fit.
        """
        shown = [i for i, layer in enumerate(self.native.layers) if layer["has_maps"]]
        if not shown:
            raise ValueError("attention_maps: this net has no self_attention layer")
        rows = self.as_rows(x)
        return self.native.maps(rows, shown[0], threads=resolve_threads(threads))

    def predict_proba(
        self, x: ArrayLike, *, batch_size: int | None = None, threads: int | None = None
    ) -> NDArray[np.float32]:
        """Return the outputs for each sample.

        Parameters
        ----------
        x : array_like of shape (n, ...) as input_shape, or (n, inputs)
            uint8 (divided by 255) or numbers (taken as float32), as the net was fitted on:
            see `input_dtype`.
        batch_size : int of at least 1, optional
            As in Keras; the core goes through the rows by itself, and nothing depends on it.
        threads : int in [1, 64], optional

        Returns
        -------
        ndarray of shape (n, outputs), float32
            Probabilities under softmax_cross_entropy and sigmoid_cross_entropy, rates
            under poisson, else the last layer's outputs. A sample's row has the same bits
            alone and among others.

        Raises
        ------
        ValueError
            If the shape does not fit, a value is not finite, or the samples are not what the
            net was fitted on.

        Examples
        --------
        >>> import numpy as np
        >>> import rnn_native as rn
        >>> net = rn.Network([rn.Dense(2)], input_shape=(3,))
        >>> net.predict_proba(np.zeros((1, 3)))
        array([[0.5, 0.5]], dtype=float32)
        """
        if batch_size is not None:
            check_count("batch_size", batch_size, 1)
        elif threads is None:
            # One call of the core: all that comes below would take as long as a small net.
            outputs = self.native.predict_plain(x, self._plain_low, self._plain_high)
            if outputs is not None:
                return outputs
        return self.native.predict(self.as_rows(x), threads=resolve_threads(threads))

    def __call__(self, x: ArrayLike) -> NDArray[np.float32]:
        """Return what `predict_proba` returns."""
        return self.predict_proba(x)

    def predict(
        self, x: ArrayLike, *, batch_size: int | None = None, threads: int | None = None
    ) -> NDArray[np.int64] | NDArray[np.float32]:
        """Return labels under the cross-entropies, and values under the other losses.

        Parameters and errors are those of `predict_proba`.

        Returns
        -------
        ndarray of int64 of shape (n,)
            Under softmax_cross_entropy the first greatest output; under
            sigmoid_cross_entropy whether the output is >= 0.5, with several outputs for each
            of them, of shape (n, outputs).
        ndarray of float32 of shape (n,), or (n, outputs) with several outputs
            Under squared_error, absolute_error and huber the outputs, under poisson the
            rates.

        Examples
        --------
        >>> import rnn_native as rn
        >>> x, y = rn.datasets.synthetic_digits(3, seed=1)
        >>> rn.pretrained.load().predict(x)
        array([0, 1, 2])
        """
        outputs = self.predict_proba(x, batch_size=batch_size, threads=threads)
        if self._answers_are_outputs:
            return outputs
        return losses.answers_of(outputs, self.loss)

    def stream(self, *, threads: int | None = None) -> Stream:
        """Return a stream, which predicts one step of a sequence at a time.

        For nets of recurrent layers, and of layers that look at each step alone: Dense,
        Activation, Softmax, LayerNorm, RMSNorm, Dropout, Normalization of features, and any
        layers above the last output. After a last Flatten, the outputs are those of each step.
        If the net begins with Embedding, a step is an index.

        Parameters
        ----------
        threads : int in [1, 64], optional

        Returns
        -------
        rnn_native.net.stream.Stream
            With `step`, `reset` and `state`. It has the weights of this moment.

        Raises
        ------
        ValueError
            If a layer needs the whole sequence: attention, pooling, convolution, Masking,
            Position, or a recurrent layer in reverse.

        Examples
        --------
        >>> import numpy as np
        >>> import rnn_native as rn
        >>> net = rn.Network([rn.GRU(8), rn.Dense(2)], input_shape=(5, 3))
        >>> x = np.random.default_rng(0).normal(size=(5, 3))
        >>> stream = net.stream()
        >>> for row in x:
        ...     outputs = stream.step(row)
        >>> bool(np.allclose(outputs, net.predict_proba(x[None])[0], atol=1e-6))
        True
        """
        from rnn_native.net.stream import Stream

        return Stream(self, threads)

    @overload
    def evaluate(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        batch_size: int | None = None,
        return_dict: Literal[False] = False,
        threads: int | None = None,
    ) -> ClassScores | ValueScores: ...

    @overload
    def evaluate(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        batch_size: int | None = None,
        return_dict: Literal[True],
        threads: int | None = None,
    ) -> dict[str, float]: ...

    def evaluate(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        batch_size: int | None = None,
        return_dict: bool = False,
        threads: int | None = None,
    ) -> ClassScores | ValueScores | dict[str, float]:
        """Return mean loss and what fits it: accuracy, or mean absolute error and R^2.

        Parameters
        ----------
        x : array_like
            As for `predict_proba`.
        y : array_like of int of shape (n,), or of float of shape (n, outputs)
            Labels, or values under the losses that accept them.
        sample_weight : array_like of shape (n,) or (n, 1), optional
            Weights of at least 0, not all of them 0; all scores are weighted means then.
        batch_size : int of at least 1, optional
            As for `predict_proba`.
        return_dict : bool
            Whether to return a dict, as in Keras.
        threads : int in [1, 64], optional

        Returns
        -------
        ClassScores or ValueScores, or a dict of the same
            Named tuples: (loss, accuracy) under the cross-entropies, the accuracy being a
            fraction in [0, 1], of rows whose outputs are all on their targets' side of 0.5
            under sigmoid_cross_entropy; else (loss, mae, r2).

        Raises
        ------
        ValueError, TypeError
            If x or y do not fit.

        Examples
        --------
        >>> import rnn_native as rn
        >>> x, y = rn.datasets.synthetic_digits(200, seed=1)
        >>> loss, accuracy = rn.pretrained.load().evaluate(x, y)
        >>> accuracy > 0.9
        True
        """
        check_flag("return_dict", return_dict)
        rows = self.as_rows(x)
        targets = self.as_targets(y, len(rows))
        weights = as_weights(sample_weight, len(rows))
        if batch_size is not None:
            check_count("batch_size", batch_size, 1)
        found = self.scores_of(rows, targets, weights, threads=threads)
        return found._asdict() if return_dict else found

    def scores_of(
        self,
        rows: AnyRows,
        targets: Targets,
        weights: Weights = None,
        *,
        threads: int | None = None,
    ) -> ClassScores | ValueScores:
        """Return what `evaluate` does for rows, targets and weights as the core expects them."""
        threads = resolve_threads(threads)
        tells_classes = losses.LOSSES[self.loss].tells_classes
        # During training two calls would see two sets of weights.
        net = self.native if tells_classes else self._frozen()
        loss, hits = net.evaluate(rows, targets, threads=threads, weights=weights)
        n = len(rows) if weights is None else float(weights.sum(dtype=np.float64))
        if tells_classes:
            return ClassScores(loss / n, hits / n)
        outputs = net.predict(rows, threads=threads)
        measured = [
            metric.of(targets, outputs, self.loss, weights)
            for metric in scores.fitting(self.loss)
        ]
        return ValueScores(loss / n, *measured)

    def _frozen(self) -> _core.Net:
        """Return a native net with a copy of the weights, which training does not change."""
        net = self._native(self.loss)
        net.weights[:] = self.get_weights()
        net.sparse_below = self.native.sparse_below
        return net

    def count_params(self) -> int:
        """Return how many numbers the net holds, running statistics and tables included."""
        return int(self.weights.size)

    def summary(self) -> str:
        """Return a table of layers, output shapes and parameter counts, as Keras prints it.

        A notebook and an interpreter show the string as the table that it is; in a script,
        print it. Layers are named as in `parameters`.

        Examples
        --------
        >>> import rnn_native as rn
        >>> print(rn.Network([rn.Dense(10)], input_shape=(784,)).summary())
        _________________________________________________________________
        Layer (type)                   Output Shape               Param #
        =================================================================
        layers.0 (dense linear)        (None, 10)                   7,850
        =================================================================
        Total params: 7,850 (30.66 KB)
        Trainable params: 7,850 (30.66 KB)
        Non-trainable params: 0 (0.00 B)
        _________________________________________________________________
        """
        notes = []
        if self._own_activation is not None:
            own, at = losses.LOSSES[self.loss].function, self._own_activation
            notes.append(f"The {own} of layers.{at} is that of the loss, {self.loss}:")
            notes.append("predictions apply it once.")
        trainable = sum(
            math.prod(param["shape"])
            for layer, rate in zip(self.native.layers, self.native.rates, strict=True)
            for param in layer["params"]
            if rate > 0 and not param["is_state"]
        )
        fixed = self.weights.size - trainable
        from rnn_native.net.summary import table_of

        return table_of(self._layer_rows(), trainable, fixed, notes)

    def _layer_rows(self) -> list[LayerRow]:
        from rnn_native.net.summary import layer_rows

        return layer_rows(self.placed, self.native.layers)

    def _repr_html_(self) -> str:
        from rnn_native.base import markup

        rows = [(row.kind, row.output_shape("n"), row.params) for row in self._layer_rows()]
        return markup.network_html(repr(self)[1:-1], rows)

    def __repr__(self) -> str:
        names = " -> ".join(
            "x".join(map(str, shape)) for shape in [self.input_shape, *self._shapes()]
        )
        return f"<Network {names}, {self.params.size:,} parameters>"


def check_net(name: str, value: object) -> None:
    """Raise TypeError unless a value is a net that answers."""
    if not isinstance(value, Predictor):
        raise TypeError(f"{name}: expected a Network, got {brief(value)}")

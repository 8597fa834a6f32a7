"""Parameters and answers: checks and conversions around the native net."""

import math
import operator
import os
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

import rnn_native._core as _core
from rnn_native.base import markup
from rnn_native.base.runtime import resolve_threads
from rnn_native.base.xorshift import Xorshift
from rnn_native.net import losses, scores
from rnn_native.net.compressed import CompressedRows
from rnn_native.net.layers import Layer, as_specs
from rnn_native.net.optimizers import Optimizer, Settings, as_settings
from rnn_native.net.rows import (
    AnyRows,
    Rows,
    Targets,
    as_rows,
    as_targets,
    as_weights,
    check_input_dtype,
    input_dtype_of,
    sparse_refusal,
)
from rnn_native.net.scores import ClassScores, ValueScores
from rnn_native.net.summary import LayerRow, layer_rows, table_of
from rnn_native.net.training_state import TrainingState


class Predictor:
    """Parameters of a net, what training continues from, and the net's answers.

    See `rnn_native.models.network.Network`, which also learns, for parameters, attributes
    and errors.
    """

    def __init__(
        self,
        layers: Sequence[Layer | Mapping[str, Any]],
        input_shape: Sequence[int],
        loss: str = "softmax_cross_entropy",
        seed: int = 1,
        *,
        optimizer: Optimizer = "sgd",
        rng: Xorshift | None = None,
    ) -> None:
        given = as_specs(layers)
        loss = losses.resolve(loss, given)
        specs = losses.without_last_activation(given, loss)
        if fault := losses.last_activation_fault(specs, loss):
            raise ValueError(f"layers[{fault[0]}]: {fault[1]}")
        own = losses.own_activation(given, loss)
        self._compile(specs, input_shape, loss, optimizer, own)
        self._initialise(rng if rng is not None else Xorshift(seed))

    def _compile(
        self,
        specs: Sequence[Mapping[str, Any]],
        input_shape: Sequence[int],
        loss: str,
        optimizer: Optimizer,
        own_activation: int | None = None,
    ) -> None:
        """Make the native net, all of whose parameters are zero.

        `own_activation` is the layer, as it was given, whose function is the loss's.
        """
        self.specs = [dict(spec) for spec in specs]
        self.input_shape = _as_shape(input_shape)
        self.loss = loss
        self.stop_training = False
        self._own_activation = own_activation
        self._input_dtype: str | None = None
        self._unknown_input: str | None = None
        self.training_state = TrainingState()
        self._forget_other_threads()
        self._optimizer = as_settings(optimizer)
        self.native = _core.Net(self.specs, self.input_shape, loss, self._optimizer)

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse what the native net would not follow."""
        if name in ("specs", "input_shape", "loss") and name in vars(self):
            raise AttributeError(
                f"{name}: cannot be changed; make another Network, and give it these weights "
                "with set_weights(net.get_weights()) if they fit"
            )
        super().__setattr__(name, value)

    def __getstate__(self) -> dict[str, Any]:
        """Return plain data and arrays, what copies of the net are made from."""
        return {
            "architecture": self.architecture(),
            "optimizer": self.optimizer,
            "own_activation": self._own_activation,
            "input_dtype": self.input_dtype,
            **self._whole_state(),
        }

    def _whole_state(self) -> dict[str, Any]:
        """Return copies of what training changes, all of them of the same moment.

        While another thread trains there is no such moment for moments and steps, which then
        start from zero.
        """
        try:
            with self.unchanged("copy"):
                return {
                    "weights": self.get_weights(),
                    "moments": self.moments.copy(),
                    "training_state": self.training_state.copy(),
                }
        except RuntimeError:
            return {
                "weights": self.get_weights(),
                "moments": np.zeros_like(self.moments),
                "training_state": TrainingState(),
            }

    def __setstate__(self, state: dict[str, Any]) -> None:
        plain = state["architecture"]
        self._compile(
            # What 0.1.0 pickled may name the loss's own activation.
            losses.without_last_activation(plain["layers"], plain["loss"]),
            plain["input_shape"],
            plain["loss"],
            state["optimizer"],
            state.get("own_activation"),
        )
        self.weights[:] = state["weights"]
        self.moments[:] = state["moments"]
        self.take_input_dtype(state, "a net that an earlier version saved")
        # A net that an earlier version pickled has none.
        self.training_state = state.get("training_state", TrainingState()).copy()

    def take_input_dtype(self, saved: Mapping[str, Any], source: str) -> None:
        """Set what the net was fitted on; where that was not saved, the first use warns."""
        self.input_dtype = saved.get("input_dtype")
        if "input_dtype" not in saved:
            self._unknown_input = (
                f"{source}: does not say what the net was fitted on; uint8 is divided by 255, "
                "floats are taken as they are. Set net.input_dtype to 'uint8' or 'float' and "
                "save the net again"
            )

    @classmethod
    def from_architecture(
        cls, architecture: Mapping[str, Any], optimizer: Optimizer = "sgd"
    ) -> Self:
        """Make a net from what `architecture` gave, with initial weights of seed 1.

        Without "loss" it is softmax_cross_entropy, as in `rnn_native.train`.
        """
        if missing := {"layers", "input_shape"} - architecture.keys():
            raise ValueError(
                "architecture: expected the keys 'layers' and 'input_shape', missing "
                f"{', '.join(map(repr, sorted(missing)))}"
            )
        loss = architecture.get("loss", "softmax_cross_entropy")
        return cls(
            architecture["layers"], architecture["input_shape"], loss, optimizer=optimizer
        )

    @classmethod
    def as_saved(cls, architecture: Mapping[str, Any]) -> Self:
        """Make a net of a model file's architecture, whose parameters are zero.

        Files of 0.1.0 may hold activations that `Network` refuses by now.
        """
        net = cls.__new__(cls)
        loss = losses.resolve(architecture["loss"])
        specs = losses.without_last_activation(architecture["layers"], loss)
        net._compile(specs, architecture["input_shape"], loss, "sgd")
        return net

    def with_layers(
        self,
        specs: Sequence[Mapping[str, Any]],
        loss: str | None = None,
        tensors: Mapping[str, NDArray[np.float32]] | None = None,
    ) -> Self:
        """Return a net of other layers over the same input, with weights of its own.

        Parameters
        ----------
        specs : sequence of dict
        loss : str, optional
            This net's when left out.
        tensors : mapping of str to ndarray, optional
            Values of parameters and state by name. A copy of this net's when left out: the
            layers must then have as many, in the same order.
        """
        other = type(self).__new__(type(self))
        other._compile(specs, self.input_shape, loss or self.loss, self.optimizer)
        if tensors is None:
            other.set_weights(self.get_weights())
        else:
            views = {**other.parameters, **other.state}
            for name, values in tensors.items():
                views[name][:] = values
        other.input_dtype = self.input_dtype
        return other

    def architecture(self) -> dict[str, Any]:
        """Return layers, input shape and loss as plain data, for JSON."""
        return {
            "layers": self.specs,
            "input_shape": list(self.input_shape),
            "loss": self.loss,
        }

    @property
    def input_dtype(self) -> str | None:
        """What the net was fitted on; None before any fit, or when it is not known.

        "uint8": uint8, which is divided by 255, or floats in 0..1, as they are; the net
        accepts nothing else. "float": numbers as they are; the net refuses uint8. The first
        fit decides, and model files keep it. Set it for a net whose weights come from
        elsewhere, or None to let the next fit decide.
        """
        return self._input_dtype

    @input_dtype.setter
    def input_dtype(self, value: str | None) -> None:
        self._input_dtype = check_input_dtype(value)
        self._unknown_input = None

    @property
    def optimizer(self) -> Settings:
        """Settings of the optimizer, with its name as "type".

        A name or dict that is set, as for the constructor, is the optimizer from then on.
        Weights stay; the moments and their step count begin anew, and views of `moments`
        that were made before are no longer the net's.
        """
        return self._optimizer

    @optimizer.setter
    def optimizer(self, optimizer: Optimizer) -> None:
        settings = as_settings(optimizer)
        with self.unchanged("optimizer"):
            self.native.set_optimizer(settings)
            self._optimizer = settings
            self.training_state.steps = 0

    def _forget_other_threads(self) -> None:
        self._changing = threading.RLock()
        self._is_trained = False
        self._process = os.getpid()

    @contextmanager
    def unchanged(self, function: str) -> Iterator[None]:
        """Keep other threads from changing the net meanwhile; refuse while one trains it."""
        if self._process != os.getpid():
            self._forget_other_threads()  # a fork has none of them
        lock = self._changing  # a child of a fork may get another one meanwhile
        while not lock.acquire(blocking=False):
            if self._is_trained:
                raise RuntimeError(
                    f"{function}: this net is being trained by another thread; wait for it "
                    "or use a copy"
                )
            time.sleep(0)  # whatever else holds it does so for a moment
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def being_trained(self, function: str) -> Iterator[None]:
        """Keep other threads from changing the net during a call that trains it."""
        with self.unchanged(function):
            before, self._is_trained = self._is_trained, True
            try:
                yield
            finally:
                self._is_trained = before

    @property
    def steps_done(self) -> int:
        """Updates (batches) that the optimizer has made so far, over all calls of `fit`."""
        return self.training_state.steps

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of what one sample gives."""
        return tuple(self.native.layers[-1]["shape"])

    # ---- parameters ----

    @property
    def params(self) -> NDArray[np.float32]:
        """All parameters as one writable vector, a view of the net's own memory."""
        return self.native.params

    @property
    def weights(self) -> NDArray[np.float32]:
        """Parameters, then running statistics; all that a model file holds."""
        return self.native.weights

    @property
    def moments(self) -> NDArray[np.float32]:
        """What the optimiser keeps from step to step, a view of the net's own memory."""
        return self.native.moments

    def get_weights(self) -> NDArray[np.float32]:
        """Return a copy of `weights`, whole at any time.

        Beside training in another thread it has the weights between two batches, with
        `ema_decay` the averaged ones: see docs/threads.md.

        Returns
        -------
        ndarray of shape (weights,), float32
        """
        return self.native.get_weights()

    def set_weights(self, weights: ArrayLike) -> None:
        """Replace all weights at once.

        A prediction in another thread uses either all of the old or all of the new ones.

        Parameters
        ----------
        weights : array_like of shape (weights,)
            As from `get_weights`.

        Raises
        ------
        ValueError
            If their number is another one, or a weight is not finite.
        RuntimeError
            While another thread trains the net.
        """
        try:
            values = np.ascontiguousarray(weights, np.float32)
        except (TypeError, ValueError):
            raise TypeError(
                f"set_weights: expected one array of {self.weights.size} numbers, as "
                "get_weights gives it; arrays by name go into net.parameters[name][:]"
            ) from None
        if values.shape != self.weights.shape:
            raise ValueError(
                f"set_weights: expected shape {self.weights.shape}, got {values.shape}"
            )
        if not np.isfinite(values).all():
            raise ValueError("set_weights: expected finite weights, got NaN or infinity")
        with self.unchanged("set_weights"):
            self.native.set_weights(values)

    @property
    def parameters(self) -> dict[str, NDArray[np.float32]]:
        """Parameters by name ("layers.0.weight"), views of the net's own memory."""
        return self._named(self.weights, is_state=False)

    @property
    def state(self) -> dict[str, NDArray[np.float32]]:
        """Running statistics and fixed tables by name, views of the net's own memory."""
        return self._named(self.weights, is_state=True)

    def copied_tensors(self) -> dict[str, NDArray[np.float32]]:
        """Return copies of `parameters` and `state`, whole at any time as `get_weights`."""
        weights = self.get_weights()
        return {
            **self._named(weights, is_state=False),
            **self._named(weights, is_state=True),
        }

    def _named(
        self, flat: NDArray[np.float32], *, is_state: bool
    ) -> dict[str, NDArray[np.float32]]:
        """Return the parts of a vector laid out as `weights`, by name."""
        views = self._views(flat)
        return {name: view for name, view, param in views if param["is_state"] == is_state}

    def _views(
        self, flat: NDArray[np.float32]
    ) -> Iterator[tuple[str, NDArray[np.float32], "_core._Param"]]:
        for index, layer in enumerate(self.native.layers):
            for param in layer["params"]:
                begin, size = param["offset"], math.prod(param["shape"])
                view = flat[begin : begin + size].reshape(param["shape"])
                yield f"layers.{index}.{param['name']}", view, param

    def _initialise(self, rng: Xorshift) -> None:
        for _, view, param in self._views(self.weights):
            if param["init"] == "ones":
                view[:] = 1
            elif param["init"] == "sinusoidal":
                view[:] = sinusoidal_positions(*param["shape"])
            elif param["init"] == "uniform":
                rng.fill_uniform(view.reshape(-1), -param["limit"], param["limit"])
            elif param["init"] == "glorot_uniform":
                fans = np.float32(param["fan_in"] + param["fan_out"])
                limit = float(np.sqrt(np.float32(6) / fans))
                rng.fill_uniform(view.reshape(-1), -limit, limit)

    # ---- data at the edge ----

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
            self._unknown_input = None
        kind = self.input_dtype
        if kind is None and beside is not None:
            kind = input_dtype_of(beside)
        return as_rows(x, self.input_shape, kind, name=name, learns=learns)

    def _as_dense_rows(self, x: ArrayLike, name: str = "x", **options: Any) -> Rows:
        """Return samples as `_as_rows` does; refuse sparse matrices."""
        rows = self.as_rows(x, name, **options)
        if isinstance(rows, CompressedRows):
            raise sparse_refusal(name)
        return rows

    def as_targets(self, y: ArrayLike, n: int, name: str = "y") -> Targets:
        """Return what the loss wants; see `rows.as_targets`."""
        return as_targets(y, n, self.loss, self.output_shape[0], name)

    # ---- use ----

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
        self, x: ArrayLike, *, threads: int | None = None
    ) -> NDArray[np.float32]:
        """Return the outputs for each sample.

        Parameters
        ----------
        x : array_like of shape (n, ...) as input_shape, or (n, inputs)
            uint8 (divided by 255) or numbers (taken as float32), as the net was fitted on:
            see `input_dtype`.
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
        """
        return self.native.predict(self.as_rows(x), threads=resolve_threads(threads))

    def predict(
        self, x: ArrayLike, *, threads: int | None = None
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
        """
        outputs = self.predict_proba(x, threads=threads)
        if losses.LOSSES[self.loss].tells_classes:
            return losses.labels_of(outputs, self.loss)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def evaluate(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        threads: int | None = None,
    ) -> ClassScores | ValueScores:
        """Return mean loss and what fits it: accuracy, or mean absolute error and R^2.

        Parameters
        ----------
        x : array_like
            As for `predict_proba`.
        y : array_like of int of shape (n,), or of float of shape (n, outputs)
            Labels, or values under the losses that accept them.
        sample_weight : array_like of shape (n,) or (n, 1), optional
            Weights of at least 0, not all of them 0; all scores are weighted means then.
        threads : int in [1, 64], optional

        Returns
        -------
        ClassScores or ValueScores
            Named tuples: (loss, accuracy) under the cross-entropies, the accuracy being a
            fraction in [0, 1], of rows whose outputs are all on their targets' side of 0.5
            under sigmoid_cross_entropy; else (loss, mae, r2).

        Raises
        ------
        ValueError, TypeError
            If x or y do not fit.
        """
        rows = self.as_rows(x)
        targets = self.as_targets(y, len(rows))
        weights = as_weights(sample_weight, len(rows))
        threads = resolve_threads(threads)
        tells_classes = losses.LOSSES[self.loss].tells_classes
        # Beside training two calls would see two sets of weights.
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

    def _frozen(self) -> "_core.Net":
        """Return a native net with a copy of the weights, which training does not change."""
        net = _core.Net(self.specs, self.input_shape, self.loss)
        net.weights[:] = self.get_weights()
        net.sparse_below = self.native.sparse_below
        return net

    def summary(self) -> str:
        """Return a table of layers, output shapes and parameter counts, as Keras prints it.

        A notebook and an interpreter show the string as the table that it is; in a script,
        print it. Layers are named as in `parameters`.
        """
        notes = []
        if self._own_activation is not None:
            own, at = losses.LOSSES[self.loss].function, self._own_activation
            notes.append(f"The {own} of layers.{at} is that of the loss, {self.loss}:")
            notes.append("predictions apply it once.")
        trainable, fixed = self.params.size, self.weights.size - self.params.size
        return table_of(self._layer_rows(), trainable, fixed, notes)

    def _layer_rows(self) -> list[LayerRow]:
        return layer_rows(self.specs, self.native.layers)

    def _repr_html_(self) -> str:
        rows = [(row.kind, row.output_shape("n"), row.params) for row in self._layer_rows()]
        return markup.network_html(repr(self)[1:-1], rows)

    def __repr__(self) -> str:
        names = " -> ".join(
            "x".join(map(str, shape))
            for shape in [self.input_shape, *(la["shape"] for la in self.native.layers)]
        )
        return f"<Network {names}, {self.params.size:,} parameters>"


def _as_shape(given: object) -> tuple[int, ...]:
    """Return the shape of one sample."""
    try:
        return tuple(operator.index(extent) for extent in given)  # type: ignore[attr-defined]
    except TypeError:
        raise TypeError(
            "input_shape: expected the integers of one sample's shape, such as (784,) or "
            f"(1, 28, 28), got {given!r}"
        ) from None


def sinusoidal_positions(tokens: int, width: int) -> NDArray[np.float32]:
    """Return the position table of Vaswani et al. 2017, section 3.5, in float32.

    Row t has sin(t / 10000^(2k/width)) in column 2k and the cosine in column 2k + 1.
    """
    t = np.arange(tokens, dtype=np.float32)[:, None]
    column = np.arange(width)
    exponent = (column // 2 * 2).astype(np.float32) / np.float32(width)
    angle = t / np.power(np.float32(10_000), exponent)
    table: NDArray[np.float32] = np.where(column % 2 == 0, np.sin(angle), np.cos(angle))
    return table

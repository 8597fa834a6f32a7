"""The network that users hold: checks and conversions around the native net."""

import math
import operator
import os
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native import _core, losses, scores
from rnn_native._runtime import resolve_threads
from rnn_native.compressed import CompressedRows
from rnn_native.layers import Layer, as_specs
from rnn_native.optimizers import Optimizer, Settings, as_settings
from rnn_native.rows import (
    AnyRows,
    Rows,
    Targets,
    as_rows,
    as_targets,
    as_weights,
    check_input_dtype,
    input_dtype_of,
    sparse_refusal,
    validation_parts,
)
from rnn_native.scores import ClassScores, ValueScores
from rnn_native.training_state import TrainingState
from rnn_native.xorshift import Xorshift

if TYPE_CHECKING:
    from os import PathLike

    from rnn_native.augmentation import Augment
    from rnn_native.callbacks import Callback
    from rnn_native.class_weights import ClassWeights
    from rnn_native.history import History
    from rnn_native.lr_finder import RateSearch
    from rnn_native.schedules import Schedule
    from rnn_native.scores import MetricLike


class Network:
    """A feed-forward net over a list of layers.

    Parameters
    ----------
    layers : sequence of Layer or dict
        Dicts are layer specs, as in model files.
    input_shape : sequence of int
        Shape of one sample.
    loss : str
        "softmax_cross_entropy" accepts class labels and makes the last layer's outputs
        logits. The others accept a value for each output: "sigmoid_cross_entropy" in
        [0, 1], outputs being logits of one yes or no each; "squared_error",
        "absolute_error" and "huber" any; "poisson" counts, outputs being logarithms of
        rates. The names of Keras, PyTorch and scikit-learn are accepted ("mse", "mae",
        "binary_crossentropy", "log_loss", ...). The
        functions that three of them have (softmax, sigmoid, exponential) may be written as
        the net's last activation, and are applied once; docs/layers.md has the rules.
    seed : int in [0, 2**64)
        Of the initial weights (Glorot uniform, drawn layer by layer; biases are zero).
    optimizer : str or dict
        "sgd", "adam" or "adamw", or a dict with `type` and its settings: momentum,
        nesterov, weight_decay; beta_1, beta_2, epsilon (at least 1e-20), epsilon_hat
        (True: epsilon is added before the bias correction), weight_decay.
    rng : Xorshift, optional
        Generator to draw from instead of one made from `seed`.

    Attributes
    ----------
    input_dtype : {"uint8", "float", None}
        What the net was fitted on.
    stop_training : bool
        A callback that sets it to True ends the training under way, after its epoch.
    training_state : TrainingState
        Where training stands: steps, shuffles and masks continue from it in the next `fit`.

    Raises
    ------
    ValueError, TypeError
        If a layer's spec is wrong or does not fit its input, the loss is unknown, or the
        last activation bounds what the loss takes for unbounded.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(32, "relu"), rn.Dense(10)], input_shape=(784,))
    >>> sum(p.size for p in net.parameters.values())
    25450
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
        self._net = _core.Net(self.specs, self.input_shape, loss, self._optimizer)

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
            with self._unchanged("copy"):
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
        self._take_input_dtype(state, "a net that an earlier version saved")
        # A net that an earlier version pickled has none.
        self.training_state = state.get("training_state", TrainingState()).copy()

    def _take_input_dtype(self, saved: Mapping[str, Any], source: str) -> None:
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
    ) -> "Network":
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
    def _as_saved(cls, architecture: Mapping[str, Any]) -> "Network":
        """Make a net of a model file's architecture, whose parameters are zero.

        Files of 0.1.0 may hold activations that `Network` refuses by now.
        """
        net = cls.__new__(cls)
        loss = losses.resolve(architecture["loss"])
        specs = losses.without_last_activation(architecture["layers"], loss)
        net._compile(specs, architecture["input_shape"], loss, "sgd")
        return net

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
        with self._unchanged("optimizer"):
            self._net.set_optimizer(settings)
            self._optimizer = settings
            self.training_state.steps = 0

    def _forget_other_threads(self) -> None:
        self._changing = threading.RLock()
        self._is_trained = False
        self._process = os.getpid()

    @contextmanager
    def _unchanged(self, function: str) -> Iterator[None]:
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
    def _training(self, function: str) -> Iterator[None]:
        """Keep other threads from changing the net during a call that trains it."""
        with self._unchanged(function):
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
        return tuple(self._net.layers[-1]["shape"])

    # ---- parameters ----

    @property
    def params(self) -> NDArray[np.float32]:
        """All parameters as one writable vector, a view of the net's own memory."""
        return self._net.params

    @property
    def weights(self) -> NDArray[np.float32]:
        """Parameters, then running statistics; all that a model file holds."""
        return self._net.weights

    @property
    def moments(self) -> NDArray[np.float32]:
        """What the optimiser keeps from step to step, a view of the net's own memory."""
        return self._net.moments

    def get_weights(self) -> NDArray[np.float32]:
        """Return a copy of `weights`, whole at any time.

        Beside training in another thread it has the weights between two batches, with
        `ema_decay` the averaged ones: see docs/threads.md.

        Returns
        -------
        ndarray of shape (weights,), float32
        """
        return self._net.get_weights()

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
        with self._unchanged("set_weights"):
            self._net.set_weights(values)

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
        for index, layer in enumerate(self._net.layers):
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

    def _as_rows(
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
        rows = self._as_rows(x, name, **options)
        if isinstance(rows, CompressedRows):
            raise sparse_refusal(name)
        return rows

    def _as_targets(self, y: ArrayLike, n: int, name: str = "y") -> Targets:
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
        shown = [i for i, layer in enumerate(self._net.layers) if layer["has_maps"]]
        if not shown:
            raise ValueError("attention_maps: this net has no self_attention layer")
        rows = self._as_rows(x)
        return self._net.maps(rows, shown[0], threads=resolve_threads(threads))

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
        return self._net.predict(self._as_rows(x), threads=resolve_threads(threads))

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
        rows = self._as_rows(x)
        targets = self._as_targets(y, len(rows))
        weights = as_weights(sample_weight, len(rows))
        threads = resolve_threads(threads)
        tells_classes = losses.LOSSES[self.loss].tells_classes
        # Beside training two calls would see two sets of weights.
        net = self._net if tells_classes else self._frozen()
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
        net.sparse_below = self._net.sparse_below
        return net

    def fit(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        batch_size: int = 64,
        epochs: int = 1,
        lr: float = 0.01,
        schedule: "Schedule | Mapping[str, Any] | None" = None,
        validation_split: float = 0.0,
        validation_data: Sequence[ArrayLike] | None = None,
        stratify: bool = False,
        shuffle: bool = True,
        sample_weight: ArrayLike | None = None,
        class_weight: "ClassWeights | None" = None,
        label_smoothing: float = 0.0,
        clip_norm: float = 0.0,
        l2: float = 0.0,
        augment: "Augment | Mapping[str, Any] | None" = None,
        mixup: float = 0.0,
        ema_decay: float = 0.0,
        metrics: "MetricLike | Sequence[MetricLike] | None" = None,
        callbacks: "Sequence[Callback] | Callback | None" = (),
        seed: int | None = None,
        threads: int | None = None,
        verbose: int | str = "auto",
    ) -> "History":
        """Train with the net's optimiser; see `rnn_native.training.fit` for the loop.

        A further call continues where the last one ended: weights, moments and steps of the
        optimizer, shuffles, masks, distortions, mixing and the moving average. Six calls
        with ``epochs=1`` give the bits of one with ``epochs=6``, as long as the rate is
        constant and nothing stops, restores or schedules over epochs: callbacks, schedules
        and the best epoch are those of one call. See docs/training.md.

        Parameters
        ----------
        x, y : array_like
            As for `evaluate`.
        batch_size, epochs : int of at least 1
            A batch larger than the data is all of it; the last one may be smaller.
        lr : float
            Learning rate.
        schedule : Schedule, or its dict, optional
            Rates of epochs and steps, in place of `lr`: see `rnn_native.schedules`.
        validation_split : float in [0, 1)
            Fraction of the rows, taken from the end, that is held out.
        validation_data : tuple of (x, y) or (x, y, weights), optional
            Validation rows of your own, instead of a split, and weights of them: what is
            measured on these rows is then weighted.
        stratify : bool
            Hold out the last rows of each class in proportion instead of the last rows.
        shuffle : bool
            Whether each epoch takes the rows in an order of its own.
        sample_weight : array_like of shape (n,) or (n, 1), optional
            What multiplies each row's loss, in training and among the rows that a split
            holds out; at least 0.
        class_weight : "balanced", dict of int to float, or sequence of float, optional
            The same by class; both multiply. Classes that a dict, or the index of a pandas
            Series, does not name have the weight 1; a net with one sigmoid output has the
            classes 0 and 1.
        label_smoothing, clip_norm, l2, augment, mixup, ema_decay
            See `rnn_native.training.Recipe`.
        metrics : sequence of str, callable or tuple, optional
            Measured after each epoch on the validation rows (column "val_NAME" of history,
            logs and files), or without these on the rows that are trained on ("NAME").
            "auc" and "f1" under the cross-entropies, "mae", "mse" and "r2" under the other
            losses, which have mae and r2 in any case; functions of (y_true, y_pred) that
            return a number; (name, function). y_pred is what `predict_proba` gives, for one
            output its only column; with (name, function, "predict") what `predict` gives.
        callbacks : sequence of Callback
            See docs/callbacks.md.
        seed : int in [0, 2**64), optional
            Begins shuffles and masks (dropout, augment, mixup) anew with this seed; the
            optimizer's moments and steps continue all the same. None continues them; a new
            net's are those of seed 1.
        threads : int in [1, 64], optional
        verbose : {"auto", 0, 1, 2}
            0 silent, 1 a bar, 2 a line an epoch; "auto" is 1 on a terminal or in a
            notebook, else 2.

        Returns
        -------
        History
            Of this call's epochs. With validation the net then holds the weights of the best
            one. After Ctrl-C, which ends this call only, `stop_reason` is "interrupted".

        Raises
        ------
        ValueError, TypeError
            If an argument is wrong, before anything is trained.
        TrainingDiverged
            If the loss or a weight is not finite.
        RuntimeError
            If another thread trains the net.
        KeyboardInterrupt
            If Ctrl-C ended another call less than 3 seconds ago.
        """
        from rnn_native import training

        chosen = scores.as_metrics(metrics, self.loss)
        rows = self._as_rows(x, learns=True)
        targets = self._as_targets(y, len(rows))
        weights = as_weights(sample_weight, len(rows))
        held = validation_parts(validation_data)
        if held is not None:
            held_x = self._as_rows(held[0], "validation_data[0]", beside=rows)
            held_y = self._as_targets(held[1], len(held_x), "validation_data[1]")
            held_weights = as_weights(held[2], len(held_x), "validation_data[2]")
            data = training.Split(rows, targets, held_x, held_y, weights, held_weights)
        else:
            data = training.split(rows, targets, validation_split, stratify, weights)
        recipe = training.Recipe(
            epochs=epochs,
            batch_size=batch_size,
            lr=lr,
            schedule=schedule,
            seed=self.training_state.seed if seed is None else seed,
            validation_split=validation_split,
            stratify=stratify,
            shuffle=shuffle,
            patience=None,
            optimizer=self.optimizer,
            clip_norm=clip_norm,
            label_smoothing=label_smoothing,
            l2=l2,
            augment=augment,
            mixup=mixup,
            ema_decay=ema_decay,
            class_weight=class_weight,
        )
        rng = None if seed is None else Xorshift(seed)
        # A call that is refused must not draw from the shuffles of the one under way.
        with self._training("fit"):
            run = training.Run(self, data, recipe, rng, threads=threads, metrics=chosen)
            return training.fit(run, callbacks, verbose=verbose)

    def fit_one_cycle(
        self,
        x: ArrayLike,
        y: ArrayLike,
        epochs: int,
        lr_max: float,
        *,
        div: float = 25.0,
        div_final: float = 1e5,
        pct_start: float = 0.25,
        **options: Any,
    ) -> "History":
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
        **options
            As for `fit`, but for epochs, lr and schedule.

        Returns
        -------
        History

        Notes
        -----
        fastai also lets the momentum go down and up; here it stays as it is.
        """
        from rnn_native.schedules import OneCycle

        cycle = OneCycle(lr_max, epochs, div=div, div_final=div_final, pct_start=pct_start)
        return self.fit(x, y, epochs=epochs, schedule=cycle, **options)

    def lr_find(self, x: ArrayLike, y: ArrayLike, **options: Any) -> "RateSearch":
        """Search for a learning rate; see `rnn_native.lr_find`."""
        from rnn_native.lr_finder import lr_find

        return lr_find(self, x, y, **options)

    def save(
        self, path: "str | PathLike[str] | IO[bytes]", *, optimizer_state: bool = False
    ) -> None:
        """Write the net as safetensors, atomically; `rnn_native.load` reads it back.

        Parameters
        ----------
        path : path, or binary file that is open for writing
        optimizer_state : bool
            The file always has the optimizer's settings. True adds its moments and steps, and
            where shuffles, masks and the moving average stand: what is loaded from it
            continues with the bits of the net that was saved. The file is then up to four
            times as large.

        Raises
        ------
        OSError
            If the file cannot be written; one that was there before is untouched.
        TypeError
            If `path` is neither, or a file in text mode.
        RuntimeError
            If another thread trains the net and `optimizer_state` is wanted.
        ValueError
            If a moment that is wanted is not finite.
        """
        from rnn_native import checkpoint

        checkpoint.save(self, path, optimizer_state=optimizer_state)

    def summary(self) -> str:
        """Return a table of layers, output shapes and parameter counts, as Keras prints it.

        A notebook and an interpreter show the string as the table that it is; in a script,
        print it. Layers are named as in `parameters`.
        """
        from rnn_native import model_summary

        return model_summary.text(self)

    def _repr_html_(self) -> str:
        from rnn_native import model_summary, notebook

        rows = [
            (row.kind, row.output_shape("n"), row.params)
            for row in model_summary.layer_rows(self)
        ]
        return notebook.network_html(repr(self)[1:-1], rows)

    def __repr__(self) -> str:
        names = " -> ".join(
            "x".join(map(str, shape))
            for shape in [self.input_shape, *(la["shape"] for la in self._net.layers)]
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

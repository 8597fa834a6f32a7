"""The network that users hold: it answers, learns, saves and shows itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import IO, TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from rnn_native.base.files import Source
from rnn_native.models.weight_files import WeightFiles
from rnn_native.net.initial_weights import sinusoidal_positions as sinusoidal_positions
from rnn_native.net.optimizers import Optimizer
from rnn_native.net.scores import MetricLike

if TYPE_CHECKING:
    from rnn_native.datasets.loader import Loader
    from rnn_native.training.augmentation import Augment
    from rnn_native.training.callback import Callback
    from rnn_native.training.class_weights import ClassWeights
    from rnn_native.training.history import History
    from rnn_native.training.own_loss import LossFunction
    from rnn_native.training.schedules import Schedule


class Network(WeightFiles):
    """A feed-forward net over a list of layers.

    Parameters
    ----------
    layers : sequence of Layer or dict
        Dicts are layer specs, as in model files.
    input_shape : sequence of int
        Shape of one sample.
    loss : str
        "softmax_cross_entropy" accepts class labels; the outputs of the last layer are then
        logits. The others accept a value for each output: "sigmoid_cross_entropy" in
        [0, 1], outputs being logits of one yes or no each; "squared_error",
        "absolute_error" and "huber" any; "poisson" counts, outputs being logarithms of
        rates. The names of Keras, PyTorch and scikit-learn are accepted ("mse", "mae",
        "binary_crossentropy", "log_loss", ...). The
        functions that three of them have (softmax, sigmoid, exponential) may be written as
        the net's last activation, and are applied once; docs/reference/layers.md has the rules.
    seed : int in [0, 2**64)
        Seed of the initial weights (Glorot uniform, drawn layer by layer; biases are zero).
    optimizer : str or dict
        "sgd", "adam", "adamw" or "rmsprop", or a dict with `type` and its settings:
        momentum, nesterov, weight_decay; beta_1, beta_2, epsilon (at least 1e-20),
        epsilon_hat (True: epsilon is added before the bias correction), weight_decay; of
        rmsprop alpha, epsilon, momentum, centered, weight_decay, as in PyTorch.
    rng : Xorshift, optional
        Generator to draw from instead of one made from `seed`.

    Attributes
    ----------
    input_dtype : {"uint8", "float", None}
        The kind of rows that the net was fitted on.
    stop_training : bool
        If a callback sets it to True, training ends after the current epoch.
    training_state : TrainingState
        Steps, shuffles, and masks, from which the next `fit` continues.

    Raises
    ------
    ValueError, TypeError
        If a layer's spec is wrong or does not fit its input, the loss is unknown, or the
        last activation bounds outputs that must be unbounded for the loss.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(32, "relu"), rn.Dense(10)], input_shape=(784,))
    >>> sum(p.size for p in net.parameters.values())
    25450
    """

    def fit(
        self,
        x: ArrayLike | Iterable[Any] | Loader,
        y: ArrayLike | None = None,
        *,
        batch_size: int = 64,
        accumulate: int = 1,
        epochs: int = 1,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        lr: float = 0.01,
        schedule: Schedule | Mapping[str, Any] | None = None,
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
        """Train with the net's optimizer; see `rnn_native.training.fit` for the loop.

        The next call continues where the last one ended: weights, the state of the
        optimizer, shuffles, masks, distortions, mixing, and the moving average. Six calls
        with ``epochs=1`` have the bits of one with ``epochs=6``, if the rate is constant and
        no callback stops or restores. Callbacks, schedules, and the best epoch start again
        in each call. See docs/reference/fit.md.

        Parameters
        ----------
        x, y : array_like
            As for `evaluate`. Or `x` alone: an iterable of batches (x, y) or (x, y, weights),
            such as a list or a PyTorch DataLoader, or a ``rn.datasets.Loader``;
            see docs/how-to/streaming.md.
        batch_size, epochs : int of at least 1
            Rows per batch, and number of epochs. The last batch of an epoch can be smaller.
        accumulate : int of at least 1
            Batches whose gradients are averaged for one update, in the memory of one.
        initial_epoch : int of at least 0
            Number of the first epoch, as in Keras: callbacks, schedules, tables and the
            history count from there, and `epochs - initial_epoch` epochs are trained.
        steps_per_epoch : int of at least 1, optional
            Batches in an epoch, instead of all rows once; see
            `rnn_native.training.Recipe`.
        lr : float
            Learning rate.
        schedule : Schedule, or its dict, optional
            Rates of epochs and steps, in place of `lr`: see `rnn_native.schedules`.
        validation_split : float in [0, 1)
            Fraction of the rows, taken from the end, that is held out.
        validation_data : tuple of (x, y) or (x, y, weights), or batches, optional
            Validation rows instead of a split. With weights, all that is measured on these
            rows is weighted. Batches as for `x`, but no generator.
        stratify : bool
            Hold out the last rows of each class in proportion, instead of the last rows.
        shuffle : bool
            Whether each epoch uses the rows in a new order.
        sample_weight : array_like of shape (n,) or (n, 1), optional
            Factors of the loss of each row, at least 0, for training rows and for the rows
            that a split holds out.
        class_weight : "balanced", dict of int to float, or sequence of float, optional
            Factors of the loss by class, in addition to `sample_weight`. Classes that are
            missing in a dict, or in the index of a pandas Series, have the weight 1. A net
            with one sigmoid output has the classes 0 and 1.
        label_smoothing, clip_norm, l2, augment, mixup, ema_decay, swa_start
            See `rnn_native.training.Recipe`.
        loss : callable, optional
            Trains by another loss than the net's: a function of outputs (n, outputs), as they are
            before the net's own softmax, sigmoid or exponential, and of targets. It returns
            (losses, gradient): a loss for each row, shape (n,), and its gradient with respect to
            the outputs. Each batch then goes through Python; see docs/reference/losses.md.
            Predictions, `evaluate` and files stay those of the net's loss.
        metrics : sequence of str, callable or tuple, optional
            Measured after each epoch on the validation rows (column "val_NAME" of history,
            logs, and files), or without these on the training rows ("NAME"). "auc" and "f1"
            for the cross-entropies; "mae", "mse", and "r2" for the other losses, which always
            have mae and r2; functions of (y_true, y_pred) that return a number; (name,
            function). y_pred is the result of `predict_proba`, or its only column; with
            (name, function, "predict") it is the result of `predict`.
        callbacks : sequence of Callback
            See docs/reference/callbacks.md.
        seed : int in [0, 2**64), optional
            Restarts shuffles and masks (dropout, augment, mixup) with this seed. The moments
            and steps of the optimizer still continue. None continues shuffles and masks; a
            new net starts with seed 1.
        threads : int in [1, 64], optional
        verbose : {"auto", 0, 1, 2}
            0: no output, 1: a bar, 2: one line per epoch. "auto" is 1 on a terminal or in a
            notebook, otherwise 2.
        comm : communicator, optional
            mpi4py's ``MPI.COMM_WORLD``, or one like it: each of its processes makes this call
            with the same arguments and has a part of each batch; see docs/explanation/scale.md.
        every : int of at least 1
            With `comm`: updates of each process between two averages of the weights. 1 gives
            the bits of one process.
        shards : bool
            With `comm`: whether each process passes its own rows, as many as the others,
            instead of all rows. They average weights after `every` updates.

        Returns
        -------
        History
            The epochs of this call. With validation, the net ends with the weights of the best
            epoch. After Ctrl-C, which ends this call only, `stop_reason` is "interrupted".

        Raises
        ------
        ValueError, TypeError
            If an argument is wrong, before anything is trained.
        TrainingDiverged
            If the loss or a weight is not finite.
        RuntimeError
            If another thread trains the net.
        RankError
            If processes of `comm` differ, or one does not answer in time.
        KeyboardInterrupt
            If Ctrl-C ended another call less than 3 seconds ago.

        Examples
        --------
        >>> import rnn_native as rn
        >>> x, y = rn.datasets.synthetic_digits(500, seed=1)
        >>> net = rn.Network([rn.Dense(32, "relu"), rn.Dense(10)], (784,), optimizer="adamw")
        >>> history = net.fit(x, y, epochs=3, validation_split=0.2, lr=0.005, verbose=0)
        >>> len(history), sorted(history.history)[:3]
        (3, ['accuracy', 'learning_rate', 'loss'])
        """
        # What only predicts needs none of these.
        from rnn_native.models.fitting import run_of
        from rnn_native.training.loop import fit
        from rnn_native.training.ranks import ranks_of, threads_of

        ranks = ranks_of(comm, every, shards)
        recipe = {
            "epochs": epochs,
            "batch_size": batch_size,
            "accumulate": accumulate,
            "lr": lr,
            "schedule": schedule,
            "validation_split": validation_split,
            "stratify": stratify,
            "shuffle": shuffle,
            "steps_per_epoch": steps_per_epoch,
            "clip_norm": clip_norm,
            "label_smoothing": label_smoothing,
            "l2": l2,
            "augment": augment,
            "mixup": mixup,
            "ema_decay": ema_decay,
            "swa_start": swa_start,
            "class_weight": class_weight,
        }
        # A call that is refused must not draw from the shuffles of the one under way.
        with self.being_trained("fit"):
            run = run_of(
                self,
                (x, y, sample_weight),
                validation_data,
                recipe,
                seed=seed,
                threads=threads_of(threads, ranks),
                loss=loss,
                metrics=metrics,
                initial_epoch=initial_epoch,
                ranks=ranks,
            )
            return fit(run, callbacks, verbose=verbose, ranks=ranks)

    def adapt(self, x: ArrayLike) -> None:
        """Find mean and variance of all Normalization layers in data, as Keras' `adapt`.

        A layer above others normalizes their outputs. A second call replaces the values of
        the first one; `fit` does not change them.

        Parameters
        ----------
        x : array_like
            As for `fit`: the rows to train on, not those that validate or test.

        Raises
        ------
        ValueError, TypeError
            If the net has no such layer, or `x` is not of its shape or kind.
        RuntimeError
            If another thread trains the net.

        Examples
        --------
        >>> import numpy as np
        >>> import rnn_native as rn
        >>> net = rn.Network([rn.Normalization(), rn.Dense(2)], input_shape=(2,))
        >>> net.adapt([[1.0, 10.0], [3.0, 50.0]])
        >>> net.state["layers.0.mean"], net.state["layers.0.variance"]
        (array([ 2., 30.], dtype=float32), array([  1., 400.], dtype=float32))
        """
        from rnn_native.net.adapting import adapt

        adapt(self, x)

    def save(
        self, path: str | PathLike[str] | IO[bytes], *, optimizer_state: bool = False
    ) -> None:
        """Write the net as safetensors, atomically; `rnn_native.load` reads it back.

        Parameters
        ----------
        path : path, or binary file that is open for writing
        optimizer_state : bool
            The file always has the settings of the optimizer. True adds its moments and steps,
            and the state of shuffles, masks, and the moving average. A net that is loaded from
            it continues with the bits of the saved net. The file is then up to four times as
            large.

        Raises
        ------
        OSError
            If the file cannot be written; an existing file is left unchanged.
        TypeError
            If `path` is neither, or a file in text mode.
        RuntimeError
            If another thread trains the net and `optimizer_state` is True.
        ValueError
            If a moment is not finite and `optimizer_state` is True.

        Examples
        --------
        >>> import io
        >>> import rnn_native as rn
        >>> rn.Network([rn.Dense(10)], input_shape=(784,)).save(file := io.BytesIO())
        >>> rn.load(file.getvalue())
        <Network 784 -> 10, 7,850 parameters>
        """
        from rnn_native.net import model_file

        model_file.save(self, path, optimizer_state=optimizer_state)


def load(path: Source, optimizer: Optimizer | None = None) -> Network:
    """Read a model file.

    Parameters
    ----------
    path : path, binary file or bytes
        What `Network.save` or a training run wrote.
    optimizer : str or dict, optional
        Overrides the optimizer in the file; its moments then start from zero, unless it is
        the same.

    Returns
    -------
    Network
        As it was saved.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FormatError
        If it is not a model file of this package, or is damaged.

    Examples
    --------
    >>> import io
    >>> import rnn_native as rn
    >>> rn.Network([rn.Dense(10)], input_shape=(784,)).save(file := io.BytesIO())
    >>> rn.network.load(file.getvalue(), optimizer="adam")
    <Network 784 -> 10, 7,850 parameters>
    """
    from rnn_native.net import model_file

    return model_file.read_model(Network, path, optimizer)

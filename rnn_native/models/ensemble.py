"""Several nets that answer as one: the mean of their predictions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import IO, Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.base.checks import check_count, check_flag
from rnn_native.base.files import AnyPath, Source, name_of
from rnn_native.base.runtime import resolve_threads
from rnn_native.models.network import Network
from rnn_native.net import losses
from rnn_native.net.indices import TableRows
from rnn_native.net.layers import Activation
from rnn_native.net.rows import AnyRows
from rnn_native.net.scores import ClassScores, ValueScores


class Ensemble:
    """Nets of the same task whose predictions are averaged.

    Parameters
    ----------
    nets : sequence of Network
        Each once, with the same input shape, number of outputs and loss; layers may differ.
        They are used as they are, not copied: a net that is trained further changes the
        ensemble.

    Attributes
    ----------
    nets : tuple of Network
    input_shape, output_shape : tuple of int
    loss : str

    Raises
    ------
    ValueError, TypeError
        If there is no model, one comes twice, or one does not fit the first.

    Notes
    -----
    Averaged are probabilities (under `poisson` rates, under the other losses of values the
    outputs), not logits. The mean of probabilities is the prediction of a mixture, whose loss
    is at most the mean of the nets' losses; and the scale of a net's logits says how sure it
    is, so that one that is too sure would outvote the others.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> x = np.random.default_rng(0).normal(size=(200, 4))
    >>> y = (x[:, 0] > 0).astype(int)
    >>> nets = [rn.Network([rn.Dense(8, "relu"), rn.Dense(2)], (4,), seed=s) for s in (1, 2, 3)]
    >>> histories = rn.fit_many(nets, x, y, epochs=3)
    >>> ensemble = rn.Ensemble(nets)
    >>> ensemble.predict_proba(x).shape
    (200, 2)
    """

    def __init__(self, nets: Sequence[Network]) -> None:
        self.nets = check_nets(nets)
        if not self.nets:
            raise ValueError("nets: expected at least one Network, got none")
        first = self.nets[0]
        for i, net in enumerate(self.nets):
            for name in ("input_shape", "output_shape", "loss"):
                expected, got = getattr(first, name), getattr(net, name)
                if got != expected:
                    raise ValueError(
                        f"nets[{i}]: expected {name} {expected}, as nets[0] has, got {got}"
                    )
        self.input_shape = first.input_shape
        self.output_shape = first.output_shape
        self.loss = first.loss

    def predict_proba(
        self, x: ArrayLike, *, batch_size: int | None = None, threads: int | None = None
    ) -> NDArray[np.float32]:
        """Return the mean of the nets' outputs for each sample.

        Parameters
        ----------
        x : array_like of shape (n, ...) as input_shape, or (n, inputs)
            As for `Network.predict_proba`; each net must accept it.
        batch_size : int of at least 1, optional
            As in Keras; nothing depends on it.
        threads : int in [1, 64], optional

        Returns
        -------
        ndarray of shape (n, outputs), float32
            The mean, calculated in float64, of what `Network.predict_proba` returns. A
            sample's row has the same bits alone and among others, for any number of threads.

        Raises
        ------
        ValueError, TypeError
            As `Network.predict_proba`.
        """
        if batch_size is not None:
            check_count("batch_size", batch_size, 1)
        total: Any = 0.0
        for net, rows in self._rows(x):
            outputs = net.native.predict(rows, threads=resolve_threads(threads))
            total = total + outputs.astype(np.float64)
        mean: NDArray[np.float32] = (total / len(self.nets)).astype(np.float32)
        return mean

    def __call__(self, x: ArrayLike) -> NDArray[np.float32]:
        """Return what `predict_proba` returns."""
        return self.predict_proba(x)

    def predict(
        self, x: ArrayLike, *, batch_size: int | None = None, threads: int | None = None
    ) -> NDArray[np.int64] | NDArray[np.float32]:
        """Return labels under the cross-entropies, and values under the other losses.

        Parameters and errors are those of `predict_proba`; the result has the shapes of
        `Network.predict`.
        """
        mean = self.predict_proba(x, batch_size=batch_size, threads=threads)
        return losses.answers_of(mean, self.loss)

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
        """Return mean loss and what fits it, of the averaged predictions.

        Parameters, results, and errors are those of `Network.evaluate`. The loss is
        calculated from the nets' logits, so that a probability near 0 costs what it should.
        """
        check_flag("return_dict", return_dict)
        if batch_size is not None:
            check_count("batch_size", batch_size, 1)
        answers = np.stack(
            [_last_outputs(net, rows, threads) for net, rows in self._rows(x)]
        )
        outputs = _outputs_of_mean(answers, losses.LOSSES[self.loss].function)
        # The loss of these outputs is that of a net which passes them on.
        scorer = Network([Activation("linear")], self.output_shape, self.loss)
        found = scorer.evaluate(
            outputs.astype(np.float32), y, sample_weight=sample_weight, threads=threads
        )
        return found._asdict() if return_dict else found

    def _rows(self, x: ArrayLike) -> Iterable[tuple[Network, AnyRows]]:
        """Yield each net with the samples as it accepts them, converted once a kind."""
        rows: dict[tuple[str | None, TableRows], AnyRows] = {}
        for net in self.nets:
            kind = (net.input_dtype, net.table_rows)
            if kind not in rows:
                rows[kind] = net.as_rows(x)
            yield net, rows[kind]

    def count_params(self) -> int:
        """Return how many numbers the nets hold together, as `Network.count_params`."""
        return sum(net.count_params() for net in self.nets)

    def save(self, path: AnyPath | IO[bytes], *, optimizer_state: bool = False) -> None:
        """Write all nets as one safetensors file, atomically; `Ensemble.load` reads it.

        Parameters and errors are those of `Network.save`.
        """
        from rnn_native.net import ensemble_file

        ensemble_file.save(self.nets, path, optimizer_state=optimizer_state)

    @classmethod
    def load(cls, path: Source) -> Ensemble:
        """Read what `save` wrote.

        Parameters
        ----------
        path : path, binary file or bytes

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        FormatError
            If it holds no ensemble, or is damaged.
        """
        from rnn_native.net import ensemble_file, model_file

        nets = ensemble_file.read(Network, path)
        with model_file.faults_named(name_of(path), "the ensemble"):
            return cls(nets)

    def __len__(self) -> int:
        return len(self.nets)

    def __repr__(self) -> str:
        return f"<Ensemble of {len(self)} nets, the first {self.nets[0]!r}>"


def check_nets(nets: Iterable[Network]) -> tuple[Network, ...]:
    """Return nets, each of them once, or raise TypeError or ValueError."""
    if not isinstance(nets, Iterable):
        raise TypeError(f"nets: expected a list of Networks, got {type(nets).__name__}")
    first: dict[int, int] = {}
    chosen = tuple(nets)
    for i, net in enumerate(chosen):
        if not isinstance(net, Network):
            raise TypeError(f"nets[{i}]: expected a Network, got {type(net).__name__}")
        at = first.setdefault(id(net), i)
        if at != i:
            raise ValueError(
                f"nets[{i}]: expected each net once, got that of nets[{at}]; use clone()"
            )
    return chosen


def _last_outputs(net: Network, rows: AnyRows, threads: int | None) -> NDArray[np.float64]:
    """Return the outputs of the last layer, before the function of the loss."""
    plain = net.with_layers(net.specs, "squared_error")
    outputs = plain.native.predict(rows, threads=resolve_threads(threads))
    return outputs.astype(np.float64)


def _outputs_of_mean(outputs: NDArray[np.float64], function: str) -> NDArray[np.float64]:
    """Return the outputs whose predictions are the mean of those of several nets' outputs.

    Parameters
    ----------
    outputs : ndarray of shape (nets, n, outputs)
        Of the last layers; `function` of them is averaged.
    function : {"softmax", "sigmoid", "exp", "linear"}

    Returns
    -------
    ndarray of shape (n, outputs), float64
    """
    if function == "linear":
        mean: NDArray[np.float64] = outputs.mean(axis=0)
        return mean
    if function == "sigmoid":  # log(p / (1 - p)), p and 1 - p being means
        yes, no = -np.logaddexp(0, -outputs), -np.logaddexp(0, outputs)
        return _log_mean(yes) - _log_mean(no)
    if function == "softmax":
        outputs = outputs - np.logaddexp.reduce(outputs, axis=2, keepdims=True)
    return _log_mean(outputs)


def _log_mean(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log(mean(exp(logs))) over the first axis."""
    mean: NDArray[np.float64] = np.logaddexp.reduce(logs, axis=0) - np.log(len(logs))
    return mean

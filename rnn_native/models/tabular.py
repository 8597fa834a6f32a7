"""A net over a table: data frames and dicts of columns, categories among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.checks import check_count, check_seed, is_integer
from rnn_native.base.errors import FormatError
from rnn_native.base.files import AnyPath, Source, name_of
from rnn_native.base.text import brief
from rnn_native.datasets.table import Name, table_of
from rnn_native.datasets.table_code import EMBEDDING_DIM, MAX_CATEGORIES, TableCode
from rnn_native.models.network import Network
from rnn_native.net.layer import AnyLayer, as_specs
from rnn_native.net.optimizers import Optimizer, as_settings
from rnn_native.net.rows import validation_parts

_REQUIRED_OPTION = "embedding_dim"
_LATER_OPTIONS = ("categorical", "min_count", "max_categories", "seed")
"""What a file has of how a net was made; earlier versions wrote the first only."""

if TYPE_CHECKING:
    from rnn_native.net.scores import ClassScores, ValueScores
    from rnn_native.training.history import History


class TabularNet:
    """A net over the columns of a table: categories embedded, numbers normalized.

    Parameters
    ----------
    layers : sequence of Layer or dict
        What follows the vectors of the categories and the numbers, one behind the other.
    loss : str
        As for `Network`.
    seed : int in [0, 2**64)
        Of the initial weights.
    optimizer : str or dict
        As for `Network`.
    categorical : sequence of str or int
        Further columns of categories, beyond those of such a type: pandas' categories, words,
        and booleans with missing values. Of an array, indices of columns.
    embedding_dim : int of at least 1
        Numbers in the vector of a category.
    min_count : int of at least 1
        Categories that fewer rows have share the vector of unseen ones, which so learns.
    max_categories : int of at least 1
        How many a column may have; more are refused.

    Attributes
    ----------
    network : Network
        The net over rows as `encode` returns them, with all layers: for exports, weights,
        `summary`, ... AttributeError before `adapt` or `fit`.
    code : TableCode
        The columns and their categories. AttributeError before `adapt` or `fit`.

    Notes
    -----
    A table is a data frame of pandas or one like it (``frame.columns``,
    ``frame[name].to_numpy()``), a dict of columns by name, or an array of shape (n, columns).
    Columns of numbers and flags are numbers, without missing values. A column's categories
    are all words, all numbers or all flags; missing values (None, NaN, NA) have a separate
    vector, and so have categories that `fit` did not see.

    Examples
    --------
    >>> import rnn_native as rn
    >>> table = {
    ...     "color": ["red", "green", "red", None, "green", "red"] * 20,
    ...     "size": [1.5, 2.0, 0.5, 2.5, 3.0, 1.0] * 20,
    ... }
    >>> y = [0, 1, 0, 1, 1, 0] * 20
    >>> net = rn.TabularNet([rn.Dense(8, "relu"), rn.Dense(2)], optimizer="adam")
    >>> history = net.fit(table, y, epochs=50, lr=0.01, verbose=0)
    >>> net.predict({"color": ["green", "blue"], "size": [2.8, 0.4]})
    array([1, 0])
    """

    network: Network
    code: TableCode

    def __init__(
        self,
        layers: Sequence[AnyLayer],
        loss: str = "softmax_cross_entropy",
        seed: int = 1,
        *,
        optimizer: Optimizer = "sgd",
        categorical: Sequence[Name] = (),
        embedding_dim: int = EMBEDDING_DIM,
        min_count: int = 1,
        max_categories: int = MAX_CATEGORIES,
    ) -> None:
        self.layers = as_specs(layers)
        self.loss, self.seed, self.optimizer = (
            loss,
            check_seed(seed),
            as_settings(optimizer),
        )
        self.categorical = _as_names(categorical)
        self.embedding_dim = check_count("embedding_dim", embedding_dim, 1)
        self.min_count = check_count("min_count", min_count, 1)
        self.max_categories = check_count("max_categories", max_categories, 1)

    def __getattr__(self, name: str) -> Any:
        """Say when there is a net; called for what is not there."""
        if name in ("network", "code"):
            raise AttributeError(
                f"{name}: the table is not known yet; call fit or adapt first"
            )
        raise AttributeError(f"TabularNet has no attribute {name!r}")

    @property
    def is_fitted(self) -> bool:
        """Whether there is a net: after `adapt`, `fit` or `load`."""
        return "network" in vars(self)

    # ---- learning ----

    def adapt(self, x: Any) -> None:
        """Find the categories of a table, mean and variance of its numbers; make the net.

        `fit` calls it where there is no net. A further call makes a new net.

        Parameters
        ----------
        x : data frame, dict of columns, or array of shape (n, columns)
            The rows to train on.

        Raises
        ------
        ValueError, TypeError
            If a column has neither numbers nor categories, has missing numbers or too many
            categories, or `layers` do not fit.
        """
        self.code, self.network, _ = self._learned(x)

    def _learned(self, x: Any) -> tuple[TableCode, Network, NDArray[np.float32]]:
        """Return the code, the net and the rows of a table; the old net stays."""
        table = table_of(x, "x")
        code = TableCode.learned(
            table,
            self.categorical,
            min_count=self.min_count,
            max_categories=self.max_categories,
        )
        rows = code.rows(table)
        code.check_spread(rows)
        layers: list[AnyLayer] = [*code.layers(self.embedding_dim), *self.layers]
        net = Network(layers, (code.width,), self.loss, self.seed, optimizer=self.optimizer)
        if net.normalizations:
            net.adapt(rows)
        return code, net, rows

    @contextmanager
    def _during_fit(self, code: TableCode, network: Network) -> Iterator[None]:
        """Have a net while it is trained; if it was refused, what was there before."""
        own = vars(self)
        before: dict[str, Any] = {k: own[k] for k in ("code", "network") if k in own}
        self.code, self.network = code, network
        try:
            yield
        except BaseException:
            # A callback may have made another net.
            if network.training_state.steps == 0 and self.network is network:
                del self.code, self.network
                own.update(before)
            raise

    def encode(self, x: Any, name: str = "x") -> NDArray[np.float32]:
        """Return a table's rows as `network` expects them.

        Parameters
        ----------
        x : data frame, dict of columns, or array of shape (n, columns)
            With the columns of the table that `fit` saw; named ones in any order.
        name : str
            What messages call it.

        Returns
        -------
        ndarray of shape (n, columns), float32
            First the categorical columns, in the table's order: indices of vectors. Then the
            numbers, as they are.

        Raises
        ------
        ValueError, TypeError
            If a column is missing, unknown or of another kind, or a number is not finite.
        """
        return self.code.rows(x, name)

    def fit(
        self,
        x: Any,
        y: Any,
        *,
        validation_data: Sequence[Any] | None = None,
        **options: Any,
    ) -> History:
        """Train on a table; the first call finds its categories, see `adapt`.

        Parameters
        ----------
        x : data frame, dict of columns, or array of shape (n, columns)
        y : array_like
            As for `Network.fit`.
        validation_data : tuple of (x, y) or (x, y, weights), optional
            x is a table, too.
        **options
            Those of `Network.fit`: epochs, batch_size, lr, callbacks, ...

        Returns
        -------
        History

        Raises
        ------
        ValueError, TypeError
            If the table, a target or an option is wrong, before anything is trained. The
            categories of a refused table are not kept.
        TrainingDiverged
            If the loss or a weight is not finite.
        """
        if self.is_fitted:
            code, network, rows = self.code, self.network, self.encode(x)
        else:
            code, network, rows = self._learned(x)
        held = validation_parts(validation_data)
        if held is not None:
            held = (code.rows(held[0], "validation_data[0]"), *held[1:])
        with self._during_fit(code, network):
            return network.fit(rows, y, validation_data=held, **options)

    # ---- answering ----

    def predict_proba(self, x: Any, *, threads: int | None = None) -> NDArray[np.float32]:
        """Return the outputs for each row of a table; see `Network.predict_proba`."""
        return self.network.predict_proba(self.encode(x), threads=threads)

    def __call__(self, x: Any) -> NDArray[np.float32]:
        """Return what `predict_proba` returns."""
        return self.predict_proba(x)

    def predict(
        self, x: Any, *, threads: int | None = None
    ) -> NDArray[np.int64] | NDArray[np.float32]:
        """Return labels, or values, for each row of a table; see `Network.predict`."""
        return self.network.predict(self.encode(x), threads=threads)

    def evaluate(
        self, x: Any, y: Any, *, sample_weight: Any = None, threads: int | None = None
    ) -> ClassScores | ValueScores:
        """Return mean loss and what fits it; see `Network.evaluate`."""
        return self.network.evaluate(
            self.encode(x), y, sample_weight=sample_weight, threads=threads
        )

    def summary(self) -> str:
        """Return the table of layers, output shapes and parameter counts."""
        return self.network.summary()

    def __repr__(self) -> str:
        if not self.is_fitted:
            return f"<TabularNet, {len(self.layers)} layers above a table to come>"
        columns = (
            f"{len(self.code.categories)} categorical, {len(self.code.numbers)} numbers"
        )
        return f"<TabularNet of {columns}: {self.network!r}>"

    # ---- files ----

    def save(self, path: AnyPath | IO[bytes], *, optimizer_state: bool = False) -> None:
        """Write net and categories as one safetensors file; `TabularNet.load` reads it.

        Parameters and errors are those of `Network.save`.
        """
        from rnn_native.net import model_file

        content = model_file.content_of(self.network, None, optimizer_state=optimizer_state)
        tensors, metadata = content
        options = {
            name: getattr(self, name) for name in (_REQUIRED_OPTION, *_LATER_OPTIONS)
        }
        table = {**self.code.as_dict(), **options}
        model_file.write(path, tensors, {**metadata, "holds": "table", "table": table})

    @classmethod
    def load(cls, path: Source) -> TabularNet:
        """Read what `save` wrote.

        Parameters
        ----------
        path : path, binary file or bytes

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        FormatError
            If it holds no net over a table, or is damaged.
        """
        from rnn_native.net import model_file

        tensors, metadata = model_file.read(path, "table")
        name = name_of(path)
        with model_file.versions_named(metadata):
            with model_file.faults_named(name, "table"):
                table = metadata["table"]
                code = TableCode.from_dict(table)
                options = {name: table[name] for name in _LATER_OPTIONS if name in table}
                made = cls([], **options, embedding_dim=table[_REQUIRED_OPTION])
            network = model_file.model_of(Network, tensors, metadata, name)
        first = len(code.categories)
        indices = (code.table_rows,) * first + (0,) * len(code.numbers) if first else ()
        if network.input_shape != (code.width,) or network.table_rows != indices:
            raise FormatError(f"{name}: the net does not fit the table that the file has")
        made.layers = network.specs[len(code.layers(made.embedding_dim)) :]
        made.loss, made.optimizer = network.loss, network.optimizer
        made.code, made.network = code, network
        return made


def _as_names(categorical: Any) -> tuple[Name, ...]:
    """Return names of columns, or raise TypeError."""
    expected = "categorical: expected names of columns"
    if isinstance(categorical, str):
        raise TypeError(f"{expected}, got one str; use [{brief(categorical)}]")
    try:
        names = tuple(categorical)
    except TypeError:
        raise TypeError(f"{expected}, got {brief(categorical)}") from None
    for one in names:
        if not isinstance(one, str) and not is_integer(one):
            raise TypeError(f"{expected}, got {brief(one)} among them")
    return tuple(str(one) if isinstance(one, str) else int(one) for one in names)

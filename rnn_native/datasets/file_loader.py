"""Rows in files as a loader: shuffled by blocks, never all in memory."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.base.checks import check_count, check_range
from rnn_native.base.errors import FormatError
from rnn_native.base.xorshift import Xorshift
from rnn_native.datasets.loader import Block
from rnn_native.datasets.shards import AnyPath, Rows, files_of, open_shard
from rnn_native.net.tensor_file import is_safetensors

BLOCK_BYTES = 32 << 20
"""Bytes that are read, shuffled and trained on at once; three blocks are in memory."""
CHUNK_BYTES = 1 << 20
"""What stays together on its way from a file into a block."""
_BUFFERS = 3  # one is trained on, one waits, one is filled


class FileLoader:
    """Batches of rows that are stored in files; `from_files` makes it.

    Attributes
    ----------
    batch_size : int
    shape : tuple of int
        Rows, and the shape of a row.
    labels : ndarray or None
        Of all rows, read when asked for; None for targets with several values per row.
    classes : list of str, or None
        Names of the classes, of a folder of pictures.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/x.npy", np.zeros((100, 4)))
    ...     loader = rn.datasets.from_files(f"{folder}/x.npy", np.arange(100) % 3)
    ...     print(loader.shape, len(loader))
    (100, 4) 2
    """

    def __init__(
        self,
        x: Rows,
        y: "Rows | NDArray[Any]",
        batch_size: int,
        rows: range,
        block_bytes: int = BLOCK_BYTES,
        classes: list[str] | None = None,
    ) -> None:
        self._x, self._y, self._rows, self._block_bytes = x, y, rows, block_bytes
        self.batch_size, self.classes = batch_size, classes
        self.shape = (len(rows), *x.shape[1:])

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return -(-len(self._rows) // self.batch_size)

    def __repr__(self) -> str:
        """Say what it has."""
        return f"<FileLoader of {len(self._rows):,} rows of shape {self.shape[1:]}>"

    @property
    def labels(self) -> NDArray[Any] | None:
        """Labels of all rows."""
        return self._targets(self._rows) if len(self._y.shape) == 1 else None

    def split(self, fraction: float) -> "tuple[FileLoader, FileLoader]":
        """Return loaders of the first rows, and of the last `fraction` of them.

        Parameters
        ----------
        fraction : float in (0, 1)

        Raises
        ------
        ValueError
            If one of them had no rows.
        """
        held = int(len(self._rows) * check_range("fraction", fraction, 0, 1))
        if held == 0:
            raise ValueError(
                f"fraction: {fraction:g} of {len(self._rows)} rows is less than one row; "
                "use a larger one"
            )
        first, last = self._rows[:-held], self._rows[-held:]
        return self._of(first), self._of(last)

    def with_batch_size(self, batch_size: int) -> "FileLoader":
        """Return a loader of the same rows in batches of another size."""
        size = check_count("batch_size", batch_size, 1)
        options = self._block_bytes, self.classes
        return FileLoader(self._x, self._y, size, self._rows, *options)

    def _of(self, rows: range) -> "FileLoader":
        options = self._block_bytes, self.classes
        return FileLoader(self._x, self._y, self.batch_size, rows, *options)

    def digest(self) -> str:
        """Return a digest of the first and the last row, all targets, and how rows are cut.

        A run is resumed on a loader of the same digest only.
        """
        how = self.shape, str(self._x.dtype), self.batch_size, self._block_bytes
        found = hashlib.sha256(repr(how).encode())
        row = self._x.empty(1)
        for place in (self._rows.start, self._rows.stop - 1):
            self._x.read(place, row)
            found.update(row.tobytes())
        found.update(np.ascontiguousarray(self._targets(self._rows)).tobytes())
        return found.hexdigest()

    def batches(self, seed: int | None) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Yield the batches of an epoch, as separate arrays.

        Parameters
        ----------
        seed : int in [0, 2**64), or None
            None: rows in the order of the files.
        """
        for block in self.blocks(seed):
            assert block.order is not None
            for first in range(0, len(block.order), self.batch_size):
                some = block.order[first : first + self.batch_size]
                yield block.x[some], block.y[some]

    def blocks(self, seed: int | None) -> Iterator[Block]:
        """Yield the batches of an epoch, many at once; a block is overwritten two later.

        The seed shuffles chunks of a megabyte. Chunks in this order form blocks of about 32
        megabytes, and the seed shuffles the rows of each.
        """
        rng = None if seed is None else Xorshift(seed)
        each = self._block_rows()
        buffers = [
            self._x.empty(each) for _ in range(min(_BUFFERS, -(-len(self._rows) // each)))
        ]
        targets = [self._empty_targets(each) for _ in buffers]
        for i, ranges in enumerate(_grouped(self._chunks(rng), each)):
            x, y = buffers[i % len(buffers)], targets[i % len(buffers)]
            count = self._fill(ranges, x, y)
            order = np.arange(count, dtype=np.int32)
            if rng is not None:
                rng.shuffle(order)
            yield Block(x[:count], y[:count], None, order, self.batch_size)

    def _block_rows(self) -> int:
        """Return rows in a block: whole batches."""
        wanted = max(1, self._block_bytes // max(1, self._x.row_bytes))
        most = min(wanted, len(self._rows) + self.batch_size - 1)
        return max(1, most // self.batch_size) * self.batch_size

    def _chunks(self, rng: Xorshift | None) -> list[range]:
        each = max(
            1, min(CHUNK_BYTES, self._block_bytes // 32) // max(1, self._x.row_bytes)
        )
        order = np.arange(-(-len(self._rows) // each), dtype=np.int32)
        if rng is not None:
            rng.shuffle(order)
        return [self._rows[i * each : (i + 1) * each] for i in order.tolist()]

    def _fill(self, ranges: list[range], x: NDArray[Any], y: NDArray[Any]) -> int:
        for rows in ranges:
            self._x.will_need(rows.start, rows.stop)
        at = 0
        for rows in ranges:
            self._x.read(rows.start, x[at : at + len(rows)])
            y[at : at + len(rows)] = self._targets(rows)
            at += len(rows)
        return at

    def _targets(self, rows: range) -> NDArray[Any]:
        if isinstance(self._y, np.ndarray):
            return self._y[rows.start : rows.stop]
        out = self._y.empty(len(rows))
        self._y.read(rows.start, out)
        return out

    def _empty_targets(self, count: int) -> NDArray[Any]:
        return np.empty((count, *self._y.shape[1:]), self._y.dtype)


def _grouped(chunks: list[range], each: int) -> Iterator[list[range]]:
    """Yield lists of ranges of `each` rows together; the last has the remaining ones."""
    group: list[range] = []
    room = each
    for rows in chunks:
        left = rows
        while left:
            part, left = left[:room], left[room:]
            group.append(part)
            room -= len(part)
            if room == 0:
                yield group
                group, room = [], each
    if group:
        yield group


def from_files(
    x: AnyPath | Sequence[AnyPath],
    y: AnyPath | Sequence[AnyPath] | ArrayLike | None = None,
    *,
    batch_size: int = 64,
    block_bytes: int = BLOCK_BYTES,
    names: tuple[str, str] = ("x", "y"),
) -> FileLoader:
    """Return a loader of rows in files, which are read on demand.

    Parameters
    ----------
    x : path, pattern with ``*``, or sequence of paths
        IDX (unpacked), npy or safetensors files, of rows of one shape and type. Those that
        match a pattern are ordered by name.
    y : the same, or array_like, optional
        Labels or values of the rows, in as many files or another number of them; or in
        memory. None: they are in the safetensors files of `x`.
    batch_size : int of at least 1
        Rows of a batch.
    block_bytes : int of at least 4096
        Size of a block, within which rows are shuffled; three blocks are in memory.
    names : tuple of two str
        The tensors' names in safetensors files.

    Returns
    -------
    FileLoader
        For `Network.fit` and its `validation_data`; `split` holds rows out.

    Raises
    ------
    FileNotFoundError, OSError
        If a file is missing or cannot be read.
    FormatError
        If a file is of no known format, damaged, or shorter than its header says, or if shapes
        or types of files differ.
    ValueError
        If x and y have different numbers of rows.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(300, seed=3)
    >>> folder = tempfile.mkdtemp()
    >>> np.save(f"{folder}/x.npy", x)
    >>> loader = rn.datasets.from_files(f"{folder}/x.npy", y, batch_size=32)
    >>> loader.shape, len(loader)
    ((300, 28, 28), 10)
    >>> train, held = loader.split(0.1)
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> history = net.fit(train, epochs=2, validation_data=held, verbose=0)
    """
    size = check_count("batch_size", batch_size, 1)
    block = check_count("block_bytes", block_bytes, 4096)
    paths = files_of(x, "x")
    rows = Rows([open_shard(path, names[0]) for path in paths])
    if y is None:
        _require_both(paths)
    if y is None or _are_paths(y):
        of_y = paths if y is None else files_of(y, "y")  # type: ignore[arg-type]
        targets: Rows | NDArray[Any] = Rows([open_shard(path, names[1]) for path in of_y])
    else:
        targets = np.asarray(y)
    _check_lengths(rows, targets)
    return FileLoader(rows, targets, size, range(len(rows)), block)


def _require_both(paths: Sequence[str]) -> None:
    """Refuse files of one array each, which has no targets."""
    for path in paths:
        if not is_safetensors(path):
            raise ValueError(
                f"y: expected files or an array, got None, and {path} has one array; only "
                "safetensors files have rows and targets"
            )


def _are_paths(y: Any) -> bool:
    first = y[0] if isinstance(y, (list, tuple)) and y else y
    return isinstance(first, str) or hasattr(first, "__fspath__")


def _check_lengths(x: Rows, y: "Rows | NDArray[Any]") -> None:
    """Refuse targets that are not one for each row, naming the first file where it shows."""
    n = y.shape[0] if y.shape else 0
    if isinstance(y, Rows) and len(y.shards) == len(x.shards):
        for one, other in zip(x.shards, y.shards, strict=True):
            if one.shape[0] != other.shape[0]:
                raise FormatError(
                    f"{other.path}: expected {one.shape[0]} rows, as {one.path} has, got "
                    f"{other.shape[0]}"
                )
    if n != len(x):
        raise ValueError(f"y: expected {len(x)} rows, as x has, got {n}")

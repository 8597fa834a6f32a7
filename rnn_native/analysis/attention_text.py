"""Attention maps as text, ``attention_weights.txt``: the reference system's format.

A line ``# Sample: 3`` opens a sample, the lines below it are its matrix, a row each: row i is how
token i attends to all tokens. Numbers are separated by commas or white space. Other lines that
begin with ``#``, and empty lines, are skipped.
"""

import array
import codecs
import io
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.base.checks import check_all
from rnn_native.base.errors import FormatError
from rnn_native.base.files import (
    AnyPath,
    atomic_write,
    read_within,
    shown,
)
from rnn_native.base.text import brief

__all__ = [
    "Statistics",
    "attention_statistics",
    "format_statistics",
    "read_attention",
    "synthetic_attention",
    "write_attention",
]

Map = NDArray[np.float64]

MAX_BYTES = 1 << 26
MAX_SAMPLES = 1 << 16
MAX_WEIGHTS = 1 << 23  # more than MAX_BYTES has with the decimals that are written
MAX_LINE = 1 << 20  # bytes

_HEADER = """\
# Attention weights, {tokens} x {tokens} for each sample
# Row i is how token i attends to all tokens; a row sums to 1
# {note}
"""
_SAMPLE = re.compile(r"#\s*Sample:\s*([+-]?[0-9]{1,15})(?:\s.*)?")
_SAMPLE_LIKE = re.compile(r"#\s*Sample:")


@dataclass(frozen=True, slots=True)
class Statistics:
    """Numbers about one attention map.

    Attributes
    ----------
    shape : tuple of int
        Queries, keys.
    minimum, maximum, mean : float
        Of all weights.
    trace : float
        Sum of the diagonal: how much tokens attend to themselves.
    entropy : float
        Mean over rows of -sum a ln(a + 1e-10), in nats: 0 when each token attends to one
        token, ln(keys) when it attends to all equally.

    Examples
    --------
    >>> import rnn_native as rn
    >>> found = rn.attention_text.attention_statistics([[0.5, 0.5], [0.5, 0.5]])
    >>> found.trace, round(found.entropy, 4)
    (1.0, 0.6931)
    """

    shape: tuple[int, int]
    minimum: float
    maximum: float
    mean: float
    trace: float
    entropy: float


def read_attention(path: AnyPath) -> dict[int, Map]:
    """Read a file of attention maps.

    Parameters
    ----------
    path : str or path-like
        The file, as `write_attention` makes it.

    Returns
    -------
    dict of int to ndarray of shape (queries, keys), float64
        Maps by the sample's number, ascending. A number that comes twice has the later map;
        rows before the first sample belong to nothing and are dropped.

    Raises
    ------
    OSError
        If there is no such file, or it is not a regular one.
    FormatError
        If it has more than 64 MiB, 65,536 samples or 2**23 weights, if there is no sample, or
        a line is wrong; the message names the line.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.attention_text.write_attention(f"{folder}/maps", {3: [[0.25, 0.75], [1, 0]]})
    ...     print(rn.attention_text.read_attention(f"{folder}/maps"))
    {3: array([[0.25, 0.75],
           [1.  , 0.  ]])}
    """
    name = shown(path)[1:-1]
    samples = dict(_samples(read_within(path, MAX_BYTES, name), name))
    if not samples:
        raise FormatError(
            f"{name}: expected attention maps, got no line '# Sample: NUMBER' with rows"
        )
    return dict(sorted(samples.items()))


def write_attention(
    path: AnyPath, samples: Mapping[int, ArrayLike], note: str = "rnn_native"
) -> None:
    """Write a file of attention maps, atomically, with six decimals.

    Parameters
    ----------
    path : str or path-like
        The file; an existing one is replaced.
    samples : mapping of int to array_like of shape (queries, keys)
        Maps by number, as `Network.attention_maps` returns them.
    note : str
        Third line of the file: where the maps are from.

    Raises
    ------
    ValueError
        If there are no samples, or one is not a matrix of finite weights of at least 0.
    OSError
        If the file cannot be written; an existing file is left unchanged.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.SelfAttention(), rn.MeanPool(), rn.Dense(2)], input_shape=(5, 8))
    >>> maps = net.attention_maps(np.ones((2, 5, 8)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.attention_text.write_attention(f"{folder}/maps.txt", dict(enumerate(maps)))
    """
    if not samples:
        raise ValueError("samples: expected at least one attention map, got none")
    maps = {number: as_map(values) for number, values in sorted(samples.items())}
    tokens = next(iter(maps.values())).shape[1]
    parts = [_HEADER.format(tokens=tokens, note=" ".join(note.split()))]
    for number, values in maps.items():
        rows = (" ".join(f"{weight:.6f}" for weight in row) for row in values.tolist())
        parts.append("\n".join([f"# Sample: {number}", *rows, "", ""]))
    # A file name in the note may hold bytes that are not text.
    atomic_write(path, "".join(parts).encode("utf-8", "backslashreplace"))


def as_map(values: ArrayLike) -> Map:
    """Return one attention map as float64, checked.

    Raises
    ------
    ValueError
        If it is not a matrix of finite weights of at least 0.
    """
    array = np.asarray(values)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "fiu":
        raise ValueError(
            "attention map: expected a matrix of numbers, (queries, keys), got "
            f"{array.dtype} of shape {array.shape}"
        )
    weights = array.astype(np.float64)
    is_good = (weights >= 0) & (weights < math.inf)
    check_all("attention map", weights, is_good, "finite weights of at least 0")
    return weights


def synthetic_attention() -> dict[int, Map]:
    """Return the reference system's three synthetic maps over a 7 x 7 grid of tokens.

    They come from no model: 0 attends to neighbors, 1 to the token in the middle, 2 to the
    tokens of the same column of the grid.

    Returns
    -------
    dict of int to ndarray of shape (49, 49), float64
        Maps 0, 1 and 2.

    Examples
    --------
    >>> import rnn_native as rn
    >>> [weights.shape for weights in rn.attention_text.synthetic_attention().values()]
    [(49, 49), (49, 49), (49, 49)]
    """
    row, column = np.divmod(np.arange(49), 7)
    distance = abs(row[:, None] - row) + abs(column[:, None] - column)
    near = np.maximum(0.05, 0.3 / (1 + distance))
    np.fill_diagonal(near, 0.5)

    middle = np.full((49, 49), 0.1 / 47)
    middle[:, 24] = 0.7
    np.fill_diagonal(middle, 0.2)

    same = np.where(column[:, None] == column, 0.8 / 7, 0.2 / 42)
    maps = (near, middle, same)
    return {i: m / m.sum(axis=1, keepdims=True) for i, m in enumerate(maps)}


def is_synthetic(samples: Mapping[int, ArrayLike]) -> bool:
    """Return whether these are the synthetic maps, to the six decimals that a file keeps."""
    made_up = synthetic_attention()
    return samples.keys() == made_up.keys() and all(
        np.shape(samples[i]) == m.shape and np.allclose(samples[i], m, rtol=0, atol=1e-6)
        for i, m in made_up.items()
    )


def attention_statistics(values: ArrayLike) -> Statistics:
    """Return numbers about one attention map.

    Parameters
    ----------
    values : array_like of shape (queries, keys)
        Weights of at least 0, a row for each query.

    Returns
    -------
    Statistics
        Shape, extremes, mean, trace and entropy of the map.

    Raises
    ------
    ValueError
        If it is not a matrix of finite weights of at least 0.

    Examples
    --------
    >>> import rnn_native as rn
    >>> rn.attention_text.attention_statistics([[1, 0], [0, 1]]).trace
    2.0
    """
    weights = as_map(values)
    entropy = -(weights * np.log(weights + 1e-10)).sum(axis=1).mean()
    return Statistics(
        shape=(weights.shape[0], weights.shape[1]),
        minimum=float(weights.min()),
        maximum=float(weights.max()),
        mean=float(weights.mean()),
        trace=float(np.trace(weights)),
        entropy=float(entropy),
    )


def format_statistics(samples: Mapping[int, ArrayLike]) -> str:
    """Return the statistics of all samples as text, in the reference system's order.

    Parameters
    ----------
    samples : mapping of int to array_like of shape (queries, keys)
        Maps by number.

    Returns
    -------
    str
        A block of lines for each sample.

    Examples
    --------
    >>> import rnn_native as rn
    >>> maps = rn.attention_text.synthetic_attention()
    >>> print(rn.attention_text.format_statistics({0: maps[0]}).splitlines()[1])
    ATTENTION STATISTICS
    """
    rule = "=" * 60
    lines = [rule, "ATTENTION STATISTICS", rule]
    for number, values in sorted(samples.items()):
        facts = attention_statistics(values)
        lines += [
            f"Sample {number}:",
            f"  Shape:        {facts.shape[0]} x {facts.shape[1]}",
            f"  Min:          {facts.minimum:.6f}",
            f"  Max:          {facts.maximum:.6f}",
            f"  Mean:         {facts.mean:.6f}",
            f"  Trace:        {facts.trace:.4f}",
            f"  Mean entropy: {facts.entropy:.4f}",
        ]
    return "\n".join([*lines, rule])


# ---- reading ----


def _samples(content: bytes, name: str) -> Iterator[tuple[int, Map]]:
    """Yield (number, map) of each sample in the order of the file."""
    number: int | None = None
    opened, count, weights = 0, 0, 0
    rows = _Rows()
    for at, line in _lines(content, name):
        if _SAMPLE_LIKE.match(line):
            if number is not None:
                yield number, rows.as_matrix(f"{name}:{opened}", number)
            number, opened, rows = _sample_number(line, f"{name}:{at}"), at, _Rows()
            count += 1
            _check_at_most(MAX_SAMPLES, count, "samples", name)
        elif line and not line.startswith("#") and number is not None:
            weights += rows.append(line, f"{name}:{at}")
            _check_at_most(MAX_WEIGHTS, weights, "weights", name)
    if number is not None:
        yield number, rows.as_matrix(f"{name}:{opened}", number)


def _lines(content: bytes, name: str) -> Iterator[tuple[int, str]]:
    """Yield (number, text) of each line; only one at a time is in memory."""
    # Not splitlines(): it also ends lines at characters that editors show within one.
    content = content.removeprefix(codecs.BOM_UTF8)
    content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for at, line in enumerate(io.BytesIO(content), 1):
        if len(line) > MAX_LINE:
            raise FormatError(
                f"{name}:{at}: expected a line of at most {MAX_LINE} bytes, got {len(line)}"
            )
        try:
            yield at, line.decode().strip()
        except UnicodeDecodeError:
            raise FormatError(
                f"{name}:{at}: not UTF-8; expected attention maps as text"
            ) from None


def _check_at_most(most: int, count: int, what: str, name: str) -> None:
    if count > most:
        raise FormatError(f"{name}: expected at most {most} {what}, got more")


class _Rows:
    """The rows of a sample, in the memory of their weights as float64."""

    def __init__(self) -> None:
        self._weights = array.array("d")
        self._width = 0

    def append(self, line: str, where: str) -> int:
        """Add a row and return its number of weights."""
        row = _row(line, where)
        self._width = self._width or len(row)
        if len(row) != self._width:
            raise FormatError(
                f"{where}: expected {self._width} weights, as in the sample's "
                f"first row, got {len(row)}"
            )
        self._weights.extend(row)
        return len(row)

    def as_matrix(self, where: str, number: int) -> Map:
        if not self._weights:
            raise FormatError(f"{where}: sample {number} has no rows")
        return np.frombuffer(self._weights, np.float64).reshape(-1, self._width)


def _sample_number(line: str, where: str) -> int:
    found = _SAMPLE.fullmatch(line)
    if found is None:
        raise FormatError(
            f"{where}: expected an integer after '# Sample:', got {brief(line[:32])}"
        )
    return int(found[1])


def _row(line: str, where: str) -> list[float]:
    fields = line.split(",") if "," in line else line.split()
    return [
        _weight(field.strip(), f"{where}: column {at}")
        for at, field in enumerate(fields, 1)
    ]


def _weight(text: str, where: str) -> float:
    try:
        # float() would also accept 1_000 and the digits of other scripts.
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise FormatError(
            f"{where}: expected a finite weight of at least 0, got {brief(text[:24])}"
        )
    return value

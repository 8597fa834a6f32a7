"""Which runs a sweep has: all of a grid, samples of distributions, or a list."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from rnn_native.base.checks import check_count, check_number
from rnn_native.base.text import brief, printable

Params: TypeAlias = dict[str, Any]
"""What one run has of a sweep's parameters, by name."""

MOST_RUNS = 100_000


@dataclass(frozen=True, slots=True)
class LogUniform:
    """A distribution whose logarithm is uniform, for rates and penalties.

    Parameters
    ----------
    low, high : float
        Above 0.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> rates = rn.sweeps.LogUniform(0.001, 1)
    >>> 0.001 < rates.rvs(np.random.default_rng(0)) < 1
    True
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_range("loguniform", self.low, self.high, above=0)

    def rvs(self, random_state: np.random.Generator) -> float:
        """Draw a value, rounded to four digits."""
        power = random_state.uniform(math.log(self.low), math.log(self.high))
        return float(f"{math.exp(power):.4g}")


@dataclass(frozen=True, slots=True)
class Uniform:
    """A uniform distribution of numbers.

    Parameters
    ----------
    low, high : float
        The limits; `low` is the lesser.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> 0 < rn.sweeps.Uniform(0, 0.5).rvs(np.random.default_rng(0)) < 0.5
    True
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_range("uniform", self.low, self.high)

    def rvs(self, random_state: np.random.Generator) -> float:
        """Draw a value, rounded to four digits."""
        return float(f"{random_state.uniform(self.low, self.high):.4g}")


@dataclass(frozen=True, slots=True)
class RandInt:
    """A uniform distribution of integers.

    Parameters
    ----------
    low, high : int
        `high` itself is not drawn, as with SciPy's.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> rn.sweeps.RandInt(16, 64).rvs(np.random.default_rng(0)) in range(16, 64)
    True
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        _check_range("randint", self.low, self.high)

    def rvs(self, random_state: np.random.Generator) -> int:
        """Draw a value."""
        return int(random_state.integers(self.low, self.high))


DISTRIBUTIONS: dict[str, Any] = {
    "loguniform": LogUniform,
    "uniform": Uniform,
    "randint": RandInt,
}


def _check_range(name: str, low: float, high: float, above: float = -math.inf) -> None:
    for end, value in ("low", low), ("high", high):
        check_number(f"{name}: {end}", value)
    if not above < low < high < math.inf:
        least = "" if above == -math.inf else f"{above:g} < "
        raise ValueError(f"{name}: expected {least}low < high, got {low:g} and {high:g}")


def candidates_of(grid: Any, n_iter: int | None, random_state: int) -> list[Params]:
    """Return the parameters of each run.

    Parameters
    ----------
    grid : mapping of str to sequence or distribution, or sequence of mapping
        A mapping of sequences is a grid; with a distribution (an object with `rvs`) in it, or
        with `n_iter`, samples are drawn. A sequence has the parameters of one run in each
        item.
    n_iter : int or None
        How many samples to draw.
    random_state : int
        What they are drawn with.

    Raises
    ------
    ValueError, TypeError
        If there are no runs, or a value has another type.
    """
    if isinstance(grid, Mapping):
        found = _of_mapping(grid, n_iter, random_state)
    elif isinstance(grid, Iterable) and not isinstance(grid, (str, bytes)):
        if n_iter is not None:
            raise ValueError(
                "n_iter: only for a grid or distributions; this is a list of runs"
            )
        found = [_listed(i, item) for i, item in enumerate(grid)]
    else:
        raise TypeError(
            "grid: expected a dict of lists or distributions, or a list of dicts, got "
            f"{type(grid).__name__}"
        )
    if not found:
        raise ValueError("grid: expected at least one run, got none")
    return found


def _listed(index: int, item: Any) -> Params:
    if not isinstance(item, Mapping):
        raise TypeError(f"grid[{index}]: expected a dict, got {brief(item)}")
    return {str(key): value for key, value in item.items()}


def _of_mapping(grid: Mapping[str, Any], n_iter: int | None, seed: int) -> list[Params]:
    values = {
        str(name): _values(printable(str(name)), given) for name, given in grid.items()
    }
    drawn = [name for name, given in values.items() if hasattr(given, "rvs")]
    if drawn and n_iter is None:
        raise ValueError(
            f"n_iter: expected a number of samples, as grid.{drawn[0]} is a distribution"
        )
    if n_iter is not None:
        return _samples(values, check_count("n_iter", n_iter, 1), seed)
    count = math.prod(len(given) for given in values.values())
    if count > MOST_RUNS:
        raise ValueError(
            f"grid: expected at most {MOST_RUNS:,} runs, got {count:,}; set n_iter"
        )
    return [
        dict(zip(values, combination, strict=True))
        for combination in itertools.product(*values.values())
    ]


def _values(name: str, given: Any) -> Any:
    """Return a list of values, or a distribution."""
    if hasattr(given, "rvs"):
        return given
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        raise TypeError(
            f"grid.{name}: expected a list of values or a distribution, got {brief(given)}"
        )
    found = list(given)
    if not found:
        raise ValueError(f"grid.{name}: expected at least one value, got none")
    return found


def _samples(values: Mapping[str, Any], n_iter: int, seed: int) -> list[Params]:
    """Draw samples; where there are lists alone, no combination twice."""
    generator = np.random.default_rng(seed)
    if all(isinstance(given, list) for given in values.values()):
        sizes = [len(given) for given in values.values()]
        count = math.prod(sizes)
        chosen = generator.choice(count, size=min(n_iter, count), replace=False)
        places = np.unravel_index(chosen, sizes) if sizes else ()
        return [
            {n: given[i] for (n, given), i in zip(values.items(), at, strict=True)}
            for at in zip(*(place.tolist() for place in places), strict=True)
        ]
    return [{n: _draw(v, generator) for n, v in values.items()} for _ in range(n_iter)]


def _draw(given: Any, generator: np.random.Generator) -> Any:
    if isinstance(given, list):
        return given[int(generator.integers(len(given)))]
    value = given.rvs(random_state=generator)
    return value.item() if isinstance(value, (np.generic, np.ndarray)) else value


def seeds_of(seeds: int | Sequence[int] | None, first: int) -> list[int]:
    """Return the seeds of each configuration: those given, or this many from `first` on."""
    if seeds is None:
        return [first]
    if isinstance(seeds, (int, np.integer)):
        return [first + i for i in range(check_count("seeds", seeds, 1))]
    found = [check_count(f"seeds[{i}]", seed) for i, seed in enumerate(seeds)]
    if not found:
        raise ValueError("seeds: expected at least one, got none")
    if len(set(found)) < len(found):
        raise ValueError("seeds: expected each seed once")
    return found

"""Numbers with a bound on what rounding to float32 can do to them.

A `Rounded` array runs through the float64 twins in the place of a plain one. Beside each
value goes the largest error that float32 arithmetic may have left in it: that of the
operands, carried on by the derivative (Higham 2002, chapter 3), and half a unit in the last
place of each result; a sum of n terms adds sqrt(n) + n / 8 of these of the sum of
magnitudes, as equal terms err to one side. So cancellation widens the bound, an
ill-conditioned step carries it on, and a zero by structure (a dead unit, a blank input) has
an error of exactly zero.

A decision that rounding could turn (the sign of a ReLU's input, the winner of a pool) is one
with an error of 1: only what depends on it becomes uncertain.
"""

import contextlib
from unittest import mock

import numpy as np

import twins
from activations import ACTIVATIONS

U = 2.0**-24  # half a unit in the last place of 1 in float32
EXACT_PARTS = 2**12  # multiples of a part are exact in every order of summation
SMALLEST_NORMAL = 2.0**-126  # the core's e^x is zero below


class Rounded(np.lib.mixins.NDArrayOperatorsMixin):
    """`value` in float64, and `error` of the same shape, its bound."""

    def __init__(self, value, error=None):
        self.value = np.asarray(value, np.float64)
        self.error = np.zeros(self.value.shape) if error is None else error

    # ---- what does not calculate ----

    @property
    def shape(self):
        return self.value.shape

    @property
    def ndim(self):
        return self.value.ndim

    @property
    def size(self):
        return self.value.size

    @property
    def T(self):  # noqa: N802  as NumPy calls it
        return Rounded(self.value.T, self.error.T)

    def __len__(self):
        return len(self.value)

    def __getitem__(self, key):
        return Rounded(self.value[key], self.error[key])

    def __setitem__(self, key, other):
        self.value[key], self.error[key] = _parts(other)

    def __repr__(self):
        return f"Rounded({self.value!r}, {self.error!r})"

    def reshape(self, *shape):
        return Rounded(self.value.reshape(*shape), self.error.reshape(*shape))

    def ravel(self):
        return self.reshape(-1)

    def swapaxes(self, a, b):
        return Rounded(self.value.swapaxes(a, b), self.error.swapaxes(a, b))

    # ---- reductions ----

    def sum(self, axis=None, keepdims=False):
        value = self.value.sum(axis=axis, keepdims=keepdims)
        magnitude = np.abs(self.value).sum(axis=axis, keepdims=keepdims)
        error = self.error.sum(axis=axis, keepdims=keepdims)
        return Rounded(value, error + _of_sum(self.size / max(value.size, 1)) * magnitude)

    def mean(self, axis=None, keepdims=False):
        total = self.sum(axis=axis, keepdims=keepdims)
        return total / (self.size / max(total.size, 1))

    def var(self, axis=None, keepdims=False):
        return ((self - self.mean(axis=axis, keepdims=True)) ** 2).mean(axis, keepdims)

    def max(self, axis=None, keepdims=False):
        value = self.value.max(axis=axis, keepdims=keepdims)
        least = (self.value - self.error).max(axis=axis, keepdims=True)
        error = np.where(self.value + self.error >= least, self.error, 0)
        return Rounded(value, error.max(axis=axis, keepdims=keepdims))

    def argmax(self, axis):
        return Choice(self, axis)

    # ---- NumPy's functions ----

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        if method != "__call__" or kwargs or ufunc not in UFUNCS:
            return NotImplemented
        result = UFUNCS[ufunc](*(_parts(x) for x in inputs))
        if out is None:
            return Rounded(*result)
        out[0][...] = Rounded(*result)
        return out[0]

    def __array_function__(self, function, types, args, kwargs):
        if function not in FUNCTIONS:
            return NotImplemented
        return FUNCTIONS[function](*args, **kwargs)


class Choice:
    """The index of the largest number. Numbers that are equal to the last bit in float64,
    with equal errors, are so by structure, where no weights are equal: the first of them is
    taken for sure.
    Of equal weights the sums of other windows may be equal, in one order of summation and
    not in another: there only a number that is exact in float32 counts."""

    only_exact = False

    def __init__(self, x, axis):
        self.axis = axis
        self.index = x.value.argmax(axis=axis)
        least = (x.value - x.error).max(axis=axis, keepdims=True)
        contends = x.value + x.error >= least
        first = np.expand_dims(self.index, axis)
        tops = (x.value == np.take_along_axis(x.value, first, axis)) & (
            x.error == np.take_along_axis(x.error, first, axis)
        )
        if Choice.only_exact:
            is_exact = x.value * EXACT_PARTS == np.round(x.value * EXACT_PARTS)
            tops &= is_exact | (tops.sum(axis=axis, keepdims=True) == 1)
        undecided = (contends & ~tops).any(axis=axis, keepdims=True)
        self.error = (contends & undecided).astype(np.float64)

    def __eq__(self, i):
        return Rounded(self.index == i, self.error.take(i, axis=self.axis))

    __hash__ = None


def _parts(x):
    return (x.value, x.error) if isinstance(x, Rounded) else (x, 0.0)


def _of_sum(terms):
    return U * (np.sqrt(terms) + terms / 8 + 1)


def _rounded(value, error):
    return value, error + U * np.abs(value)


def _add(a, b):
    return _rounded(a[0] + b[0], a[1] + b[1])


def _subtract(a, b):
    return _rounded(a[0] - b[0], a[1] + b[1])


def _multiply(a, b):
    error = np.abs(a[0]) * b[1] + a[1] * np.abs(b[0]) + a[1] * b[1]
    return _rounded(a[0] * b[0], error)


def _divide(a, b):
    value = a[0] / b[0]
    error = a[1] + np.abs(value) * b[1]
    room = np.abs(b[0]) - b[1]
    far = np.where(error > 0, np.inf, 0.0)
    return _rounded(value, np.where(room > 0, error / np.where(room > 0, room, 1), far))


def _product(product, a, b, terms):
    """Of arrays, where each element of the result is a sum of this many products."""
    size_a, size_b = np.abs(a[0]), np.abs(b[0])
    error = product(size_a, b[1] + (U + _of_sum(terms)) * size_b)
    if np.any(a[1]):
        error = error + product(a[1], size_b + b[1])
    return product(np.asarray(a[0], np.float64), np.asarray(b[0], np.float64)), error


def _matmul(a, b):
    shaped = [(np.asarray(v), np.broadcast_to(e, np.shape(v))) for v, e in (a, b)]
    return _product(np.matmul, *shaped, terms=np.shape(a[0])[-1])


def _power(a, n):
    base, power = a[0], n[0]
    size = np.abs(base)
    error = (size + a[1]) ** power - size**power
    return base**power, error + 2 * U * size**power


def _or_flushed(value, error):
    lost = np.abs(value) < SMALLEST_NORMAL
    return np.where(lost, np.maximum(error, np.abs(value)), error)


def _exp(a):
    value = np.exp(a[0])
    error = value * (np.expm1(np.minimum(a[1], 700)) + 4 * U)
    return value, _or_flushed(value, error)


def _log(a):
    value = np.log(a[0])
    part = np.minimum(a[1] / a[0], 1)
    return value, -np.log1p(-part) + U * (1 + 2 * np.abs(value))


def _sqrt(a):
    value = np.sqrt(a[0])
    return _rounded(value, value - np.sqrt(np.maximum(a[0] - a[1], 0)))


def _logaddexp(a, b):
    value = np.logaddexp(a[0], b[0])
    return value, np.maximum(a[1], b[1]) + U * (2 + 4 * np.abs(value))


def _negative(a):
    return -a[0], a[1]


def _absolute(a):
    return np.abs(a[0]), a[1]


def _extremum(function):
    return lambda a, b: (function(a[0], b[0]), np.maximum(a[1], b[1]) + 0.0 * a[0])


def _comparison(function):
    def compare(a, b):
        error = a[1] + b[1]
        undecided = (error > 0) & (np.abs(a[0] - b[0]) <= error)
        return function(a[0], b[0]) * 1.0, undecided * 1.0

    return compare


def _sign(a):
    return np.sign(a[0]), 2.0 * ((a[1] > 0) & (np.abs(a[0]) <= a[1]))


UFUNCS = {
    np.add: _add,
    np.subtract: _subtract,
    np.multiply: _multiply,
    np.true_divide: _divide,
    np.matmul: _matmul,
    np.power: _power,
    np.square: lambda a: _power(a, (2, 0.0)),
    np.exp: _exp,
    np.log: _log,
    np.sqrt: _sqrt,
    np.logaddexp: _logaddexp,
    np.negative: _negative,
    np.absolute: _absolute,
    np.sign: _sign,
    np.maximum: _extremum(np.maximum),
    np.minimum: _extremum(np.minimum),
    np.greater: _comparison(np.greater),
    np.greater_equal: _comparison(np.greater_equal),
    np.less: _comparison(np.less),
    np.less_equal: _comparison(np.less_equal),
}


def _einsum(subscripts, a, b):
    inputs, result = subscripts.split("->")
    extents = {}
    for letters, x in zip(inputs.split(","), (a, b), strict=True):
        extents |= dict(zip(letters, x.shape, strict=True))
    terms = np.prod([n for letter, n in extents.items() if letter not in result] or [1])
    return Rounded(
        *_product(
            lambda x, y: np.einsum(subscripts, x, y, optimize=True),
            _parts(a),
            _parts(b),
            terms,
        )
    )


def _where(condition, a, b):
    choice, turns = _parts(condition)
    a, b = _parts(a), _parts(b)
    value = np.where(choice != 0, a[0], b[0])
    error = np.where(choice != 0, a[1], b[1])
    either = np.abs(np.asarray(a[0]) - b[0]) + np.maximum(a[1], b[1])
    return Rounded(value, np.where(np.asarray(turns) > 0, either, error))


def _pad(x, width, constant_values):
    return Rounded(
        np.pad(x.value, width, constant_values=constant_values), np.pad(x.error, width)
    )


def _clip(x, low, high):
    return np.minimum(np.maximum(x, low), high)


FUNCTIONS = {
    np.einsum: _einsum,
    np.where: _where,
    np.pad: _pad,
    np.clip: _clip,
    np.stack: lambda arrays, axis=0: Rounded(
        np.stack([x.value for x in arrays], axis), np.stack([x.error for x in arrays], axis)
    ),
    np.concatenate: lambda arrays, axis=0: Rounded(
        np.concatenate([x.value for x in arrays], axis),
        np.concatenate([x.error for x in arrays], axis),
    ),
    np.zeros_like: lambda x: Rounded(np.zeros(x.shape)),
    np.ones_like: lambda x: Rounded(np.ones(x.shape)),
    np.broadcast_to: lambda x, shape: Rounded(
        np.broadcast_to(x.value, shape), np.broadcast_to(x.error, shape)
    ),
    np.sum: Rounded.sum,
    np.mean: Rounded.mean,
    np.asarray: lambda x: x,
}


# ---- activations ----


def _with_bound(function, own_error):
    def bounded(z, alpha):
        if not isinstance(z, Rounded):
            return function(z, alpha)
        value = function(z.value, alpha)
        error = 0
        if z.error.any():
            error = np.maximum(
                np.abs(function(z.value + z.error, alpha) - value),
                np.abs(function(z.value - z.error, alpha) - value),
            )
        error = error + U * own_error(z.value, value, alpha)
        return Rounded(value, _or_flushed(value, error))

    return bounded


BOUNDED_ACTIVATIONS = {
    name: (
        _with_bound(row.value, row.value_error),
        _with_bound(row.slope, row.slope_error),
    )
    for name, row in ACTIVATIONS.items()
}


def _noise_with_bound(key, stddev, shape):
    """What a logarithm, a root and a polynomial for the cosine leave."""
    noise = GAUSSIAN_NOISE(key, stddev, shape)
    return Rounded(noise, 32 * U * (np.abs(noise) + 6 * stddev))


GAUSSIAN_NOISE = twins.gaussian_noise


@contextlib.contextmanager
def with_bounds(*, has_equal_weights=False):
    """Within it, the twins' activations take a `Rounded` too."""
    with (
        mock.patch.dict(twins.ACTIVATIONS, BOUNDED_ACTIVATIONS),
        mock.patch.object(twins, "gaussian_noise", _noise_with_bound),
        mock.patch.object(Choice, "only_exact", has_equal_weights),
        np.errstate(all="ignore"),
    ):
        yield

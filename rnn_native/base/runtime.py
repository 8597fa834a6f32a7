"""What the process runs on: the native core, its BLAS and CPU level, and threads."""

import functools
import math
import os
import sys
from numbers import Integral
from pathlib import Path
from typing import Literal, overload

import rnn_native._core as _core
from rnn_native.base.text import brief

MAX_THREADS = 64
"""Most threads that a call uses; the native team is built for this many."""


def _open_blas() -> None:
    """Open the BLAS that came with the package, or the one RNN_NATIVE_BLAS names."""
    named = os.environ.get("RNN_NATIVE_BLAS")
    folder = Path(_core.__file__).resolve().parent / "_blas"
    found = sorted(folder.glob("libscipy_openblas*"))
    if named is None and not found:
        raise ImportError(f"rnn_native: no BLAS library in {folder}; reinstall")
    path = Path(named).resolve() if named is not None else found[0]
    # OpenBLAS starts its own threads while it is being opened unless this says one. They
    # would spin on the cores that our threads need, and fork would wait for them.
    before = os.environ.get("OPENBLAS_NUM_THREADS")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    try:
        _core.load_blas(path)
    except ValueError as error:
        raise ImportError(f"rnn_native: cannot open the BLAS: {error}") from None
    finally:
        if before is None:
            del os.environ["OPENBLAS_NUM_THREADS"]
        else:
            os.environ["OPENBLAS_NUM_THREADS"] = before


def _choose_cpu_level() -> None:
    level = os.environ.get("RNN_NATIVE_CPU")
    if level is None:
        return
    try:
        _core.choose_cpu_level(level)
    except ValueError as error:
        raise ImportError(f"rnn_native: RNN_NATIVE_CPU: {error}") from None


_open_blas()
_choose_cpu_level()

_num_threads: int | None = None


def check_num_threads(value: object, source: str) -> int:
    """Return `value` as a thread count, or raise ValueError that names `source`."""
    try:
        number = int(value) if isinstance(value, (Integral, str)) else 0
    except ValueError:
        number = 0
    if not 1 <= number <= MAX_THREADS:
        raise ValueError(
            f"{source}: expected 1 to {MAX_THREADS} threads, got {brief(value)}"
        )
    return number


@functools.cache  # reading it would take longer than a small prediction
def _cgroup_cpus() -> float:
    """CPUs that the control group may use, infinity when it has no quota."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return math.inf if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return math.inf


def available_cpus() -> int:
    """CPUs that this process may use: affinity mask and control group quota."""
    if hasattr(os, "sched_getaffinity"):
        cpus = len(os.sched_getaffinity(0))
    else:
        cpus = os.cpu_count() or 1
    return max(1, min(cpus, math.ceil(min(_cgroup_cpus(), cpus))))


def set_num_threads(n: int) -> None:
    """Use `n` threads in every call that does not override it.

    Parameters
    ----------
    n : int in [1, 64]
        Threads of a call.

    Raises
    ------
    ValueError
        If `n` is out of range.

    Examples
    --------
    >>> import rnn_native as rn
    >>> before = rn.get_num_threads()
    >>> rn.set_num_threads(1)
    >>> rn.get_num_threads()
    1
    >>> rn.set_num_threads(before)
    """
    global _num_threads
    _num_threads = check_num_threads(n, "set_num_threads")


def get_num_threads() -> int:
    """Return how many threads a call uses by default.

    The first of: `set_num_threads`, the environment variables RNN_NATIVE_NUM_THREADS and
    OMP_NUM_THREADS, the CPUs that affinity mask and control group allow. The number of
    threads never changes a result.

    Returns
    -------
    int
        In [1, 64].

    Examples
    --------
    >>> import rnn_native as rn
    >>> 1 <= rn.get_num_threads() <= 64
    True
    """
    if _num_threads is not None:
        return _num_threads
    if value := os.environ.get("RNN_NATIVE_NUM_THREADS"):
        return check_num_threads(value, "RNN_NATIVE_NUM_THREADS")
    # OMP_NUM_THREADS may be a list, one number for each nesting level. It is not ours: a
    # value beyond our range is not a reason to fail.
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    wanted = int(first) if first.isdecimal() and int(first) > 0 else available_cpus()
    return min(wanted, MAX_THREADS)


def resolve_threads(threads: int | None) -> int:
    """Return the `threads` argument of a call, checked, or the default for None."""
    return get_num_threads() if threads is None else check_num_threads(threads, "threads")


@functools.cache  # once: threadpoolctl would list the team once for each time
def register_threadpoolctl() -> None:
    """Let threadpoolctl see and limit this package's threads.

    ``threadpoolctl.threadpool_info()`` then lists them, with ``"rnn_native"`` as their
    ``user_api``, and ``threadpool_limits(2)`` sets what a call in its block uses by
    default. This happens by itself where threadpoolctl, or a package that needs it such as
    scikit-learn, is imported before a net is made. Calling it again does nothing.

    Raises
    ------
    ImportError
        If threadpoolctl is not installed.

    Examples
    --------
    >>> import rnn_native as rn
    >>> rn.register_threadpoolctl()  # doctest: +SKIP
    """
    import threadpoolctl

    from rnn_native.base.version import __version__

    class Team(threadpoolctl.LibController):  # type: ignore[misc]
        """What threadpoolctl asks of a library."""

        user_api = "rnn_native"
        internal_api = "rnn_native"
        filename_prefixes = ("_core.",)
        check_symbols = ("rnn_native_team",)

        def get_num_threads(self) -> int:
            return get_num_threads()

        def set_num_threads(self, num_threads: int) -> None:
            set_num_threads(min(num_threads, MAX_THREADS))

        def get_version(self) -> str:
            return __version__

    threadpoolctl.register(Team)


if "threadpoolctl" in sys.modules:
    register_threadpoolctl()


def config() -> dict[str, object]:
    """Return what the package was built with and what it found on this machine."""
    from rnn_native.base.version import __version__

    return {
        "version": __version__,
        **_core.build_config(),
        "threads": get_num_threads(),
        "cpus": available_cpus(),
    }


@overload
def show_config(mode: Literal["stdout"] = "stdout") -> None: ...
@overload
def show_config(mode: Literal["dicts"]) -> dict[str, object]: ...
def show_config(mode: str = "stdout") -> dict[str, object] | None:
    """Show BLAS file, version and core, CPU level, threads and compiler.

    Parameters
    ----------
    mode : {"stdout", "dicts"}
        Print a table, or return a dict (as ``numpy.show_config`` does).

    Returns
    -------
    dict or None
        The dict, or None where a table is printed.

    Raises
    ------
    ValueError
        If `mode` is neither.

    Examples
    --------
    >>> import rnn_native as rn
    >>> sorted(rn.show_config("dicts"))[:3]
    ['blas_config', 'blas_core', 'blas_path']
    """
    found = config()
    if mode == "dicts":
        return found
    if mode != "stdout":
        raise ValueError(f"mode: expected 'stdout' or 'dicts', got {brief(mode)}")
    for name, value in found.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        print(f"{name:12} {shown}")
    return None

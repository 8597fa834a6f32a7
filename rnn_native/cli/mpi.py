"""A command on all processes of mpiexec: `--mpi`."""

import argparse
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from rnn_native.base import outcome
from rnn_native.cli import out_folder as folders

LAUNCHED = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "PMIX_RANK")
"""What MPICH, Intel MPI, Open MPI and Slurm set in processes that they start."""

PASSED_ON = 0.3
"""Seconds in which a launcher forwards output: when it ends all processes, it drops the rest."""


def refuse_without_flag() -> None:
    """Refuse several processes that do not know each other: they would do the same."""
    size = os.environ.get("PMI_SIZE") or os.environ.get("OMPI_COMM_WORLD_SIZE", "1")
    if size.isdigit() and int(size) > 1:
        raise outcome.UsageError(
            f"train: mpiexec has started {size} processes; add --mpi to train one model on "
            "all of them"
        )


def run(args: argparse.Namespace, command: Callable[..., int]) -> int:
    """Call ``command(args, comm)`` on all processes; rank 0 prints.

    A process that fails reports it and ends the others. What all of them find out together,
    such as a loss that is not finite, rank 0 says.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise outcome.UsageError(
            f"train: --mpi: needs mpi4py and MPI; pip install rnn_native[mpi] "
            f"({outcome.one_line(error)})"
        ) from None
    comm: Any = MPI.COMM_WORLD
    try:
        if comm.Get_rank() == 0:
            code = command(args, comm)
        else:
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                code = command(args, comm)
    except BaseException as error:
        _end_all(comm, error)
        raise
    return code


def _end_all(comm: Any, error: BaseException) -> None:
    """Print an error on one line, and end all processes: some may wait for this one."""
    from rnn_native.base.errors import RankError, TrainingDiverged

    is_common = isinstance(error, (TrainingDiverged, KeyboardInterrupt))
    is_common |= isinstance(error, RankError) and "waited" not in str(error)
    rank = comm.Get_rank()
    if comm.Get_size() == 1 or (is_common and rank == 0):
        return  # each of them ends by itself
    if is_common:
        raise SystemExit(outcome.FAILED)
    is_usage = isinstance(error, outcome.UsageError)
    code = outcome.WRONG_CALL if is_usage else outcome.FAILED
    where = "" if rank == 0 else f"rank {rank}: "
    with redirect_stderr(sys.__stderr__):
        outcome.complain(where + (str(error) if is_usage else outcome.one_line(error)))
        sys.stderr.flush()
    time.sleep(PASSED_ON)
    comm.Abort(code)
    os._exit(code)  # Abort may come back before the launcher has ended this process


@contextmanager
def out_folder(
    comm: Any, out: Path | None, default: Path, resume: bool, overwrite: bool
) -> Iterator[Path]:
    """Yield the folder of a run; on several processes rank 0 chooses it."""
    from rnn_native.training.ranks import Ranks

    if comm is None or comm.Get_size() == 1:
        with folders.out_folder(out, default, resume=resume, overwrite=overwrite) as path:
            yield path
        return
    ranks = Ranks(comm)
    if ranks.rank:
        yield Path(ranks.notes(None)[0])
        return
    with folders.out_folder(out, default, resume=resume, overwrite=overwrite) as path:
        ranks.notes(str(path))
        yield path

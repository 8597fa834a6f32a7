"""`sweep MODEL`: many configurations, several at a time."""

import argparse
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rnn_native.base import outcome, process
from rnn_native.base.text import brief
from rnn_native.cli import arguments, training

EXECUTORS = ("threads", "processes", "loky", "mpi", "dask")


def add_commands(commands: Any) -> None:
    """Add `sweep` to the parser's commands."""
    parser = arguments.add_command(
        commands,
        "sweep",
        sweep,
        "Train a model in many configurations.",
        """sweep mlp --grid lr=0.1,0.03 --grid units=64,256 --seeds 3 --jobs 4 --out sweep
        sweep mlp --grid lr=loguniform(1e-3,1) --n-iter 20 --epochs 9 --factor 3 --out rungs
        sweep base.json --grid lr=0.1,0.03 --executor dask --scheduler tcp://host:8786 --out s""",
    )
    arguments.add_model(
        parser,
        "mlp, cnn, attention, or an architecture, a recipe or a training configuration (JSON)",
    )
    what = parser.add_argument_group("what to try")
    what.add_argument(
        "--grid",
        action="append",
        required=True,
        type=grid_item,
        metavar="NAME=VALUES",
        help="values of an option, a key of a configuration or of layers, such as units=64,256, "
        "or loguniform(LOW,HIGH), uniform(...), randint(...); all combinations are trained",
    )
    what.add_argument(
        "--n-iter",
        type=arguments.COUNT,
        metavar="N",
        help="sample N configurations instead of all",
    )
    what.add_argument(
        "--seeds",
        type=arguments.COUNT,
        metavar="N",
        help="train each configuration with N seeds",
    )
    what.add_argument(
        "--monitor", metavar="NAME", help="column to compare runs by (val_loss)"
    )
    what.add_argument(
        "--factor",
        type=arguments.number(int, 2, arguments.INT_MAX),
        metavar="N",
        help="successive halving: the best of each N runs continues to N times as many "
        "epochs (default: off)",
    )
    what.add_argument(
        "--min-epochs",
        type=arguments.COUNT,
        default=1,
        metavar="N",
        help="with --factor: epochs that all configurations train (1)",
    )
    training.add_run_options(parser)
    _add_where(parser)


def _add_where(parser: argparse.ArgumentParser) -> None:
    where = parser.add_argument_group("where")
    where.add_argument(
        "--jobs",
        type=arguments.COUNT,
        metavar="N",
        help="runs at a time (default: all cores)",
    )
    where.add_argument(
        "--executor",
        choices=EXECUTORS,
        default="threads",
        help="%(choices)s (threads); with mpi: mpiexec -n 5 python -m mpi4py.futures -m "
        "rnn_native sweep ...",
    )
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="address of a Dask cluster, such as tcp://host:8786",
    )
    where.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        required=True,
        help="folder for results.csv, results.html and the runs; finished runs in it are not "
        "trained again",
    )
    where.add_argument("--overwrite", action="store_true", help="remove the sweep in --out")
    where.add_argument(
        "--quiet", action="store_true", help="do not print a line for each run"
    )


def grid_item(text: str) -> tuple[str, Any]:
    """Argument type: a name and its values, "lr=0.1,0.03"."""
    name, equals, values = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE,VALUE, got {brief(text)}")
    if match := re.fullmatch(r"(\w+)\((.*)\)", values):
        return name, _distribution(match[1], match[2])
    try:
        found: Any = json.loads(f"[{values}]")
    except ValueError:
        found = [_value(part) for part in values.split(",") if part]
    return name, found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _distribution(name: str, arguments_text: str) -> Any:
    from rnn_native.sweeps.candidates import DISTRIBUTIONS

    if name not in DISTRIBUTIONS:
        raise argparse.ArgumentTypeError(
            f"expected {', '.join(DISTRIBUTIONS)}, got {brief(name)}"
        )
    try:
        low, high = map(float, arguments_text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{name}: expected two numbers") from None
    try:
        return DISTRIBUTIONS[name](low, high)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def sweep(args: argparse.Namespace) -> int:
    """`sweep MODEL`."""
    process.wait_for_imports()
    from rnn_native.sweeps.sweep import overview
    from rnn_native.sweeps.sweep import sweep as train_all

    if args.model == "xor":
        raise outcome.UsageError("sweep: xor has four rows and nothing to sweep")
    grid = dict(args.grid)
    if len(grid) < len(args.grid):
        raise outcome.UsageError("sweep: --grid: expected each name once")
    options = training.options_of(args)
    with _executor(args) as executor:
        try:
            result = train_all(
                args.model,
                grid,
                args.data,
                seeds=args.seeds,
                n_iter=args.n_iter,
                executor=executor,
                jobs=args.jobs,
                out=args.out,
                overwrite=args.overwrite,
                monitor=args.monitor,
                factor=args.factor,
                min_epochs=args.min_epochs,
                verbose=0 if args.quiet or args.json else 1,
                **options,
            )
        except FileExistsError as error:
            raise outcome.UsageError(f"--out: {outcome.one_line(error)}") from None
    if args.json:
        outcome.say(json.dumps(overview(result)))
    else:
        outcome.say(repr(result)[1:-1], f"Files: {result.out}")
    if result.ranking:
        return outcome.OK
    return outcome.report(f"sweep: all runs failed: {result.rows[0].error}", outcome.FAILED)


@contextmanager
def _executor(args: argparse.Namespace) -> Iterator[Any]:
    """Yield the chosen executor, None for threads, and end it."""
    if args.scheduler is not None and args.executor != "dask":
        raise outcome.UsageError("sweep: --scheduler: only with --executor dask")
    if args.executor == "threads":
        yield None
        return
    if args.executor == "dask":
        with _dask(args.scheduler) as executor:
            yield executor
        return
    made = _made(args.executor, args.jobs)
    try:
        yield made
    except BaseException:
        made.shutdown(wait=False, cancel_futures=True)
        raise
    made.shutdown()


def _made(name: str, jobs: int | None) -> Any:
    from rnn_native.base.runtime import get_num_threads

    count = jobs or get_num_threads()
    if name == "mpi":
        with _needed("mpi4py"):
            from mpi4py.futures import MPIPoolExecutor
        return MPIPoolExecutor()
    if name == "loky":
        with _needed("loky"):
            from loky import ProcessPoolExecutor as LokyExecutor
        return LokyExecutor(count)
    from concurrent.futures import ProcessPoolExecutor

    return ProcessPoolExecutor(count)


@contextmanager
def _dask(address: str | None) -> Iterator[Any]:
    if address is None:
        raise outcome.UsageError("sweep: --executor dask: needs --scheduler ADDRESS")
    with _needed("dask[distributed]"):
        import distributed
    dask: Any = distributed
    try:
        client = dask.Client(address, timeout=10)
    except (OSError, ValueError) as error:
        reason = outcome.one_line(error)
        raise outcome.UsageError(
            f"sweep: --scheduler: cannot be reached: {reason}"
        ) from None
    with client:
        yield client.get_executor()


@contextmanager
def _needed(package: str) -> Iterator[None]:
    """Around an import: report a module that is not installed or cannot be used."""
    try:
        yield
    except (ImportError, RuntimeError) as error:
        raise outcome.UsageError(
            f"sweep: --executor: needs {package}; try `pip install {package}` "
            f"({outcome.one_line(error)})"
        ) from None

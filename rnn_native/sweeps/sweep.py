"""Training many configurations, on any executor."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rnn_native.base import outcome
from rnn_native.base.checks import check_count, check_positive
from rnn_native.base.files import as_path
from rnn_native.base.rules import nearest
from rnn_native.base.runtime import get_num_threads
from rnn_native.base.text import brief
from rnn_native.datasets.opening import Dataset
from rnn_native.models.network import Network
from rnn_native.net import scores
from rnn_native.sweeps import pool, shared_data
from rnn_native.sweeps.candidates import Params, candidates_of, seeds_of
from rnn_native.sweeps.folder import TemporaryFolder, claim
from rnn_native.sweeps.plans import Base, Plan, check_options, refusal, told
from rnn_native.sweeps.results import Row, SweepResult
from rnn_native.sweeps.rungs import mean_of, promoted, rungs_of, value_of
from rnn_native.sweeps.worker import INTERRUPTED, Task, is_enough, read_record
from rnn_native.training.measures import Measures

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from rnn_native.base.files import AnyPath

WRITE_EVERY = 2.0
"""Seconds between two times that the table is written while runs end."""


def sweep(
    base: Any,
    grid: Any,
    data: Any = None,
    *,
    seeds: int | Sequence[int] | None = None,
    n_iter: int | None = None,
    random_state: int = 0,
    executor: "Executor | None" = None,
    jobs: int | None = None,
    threads: int | None = None,
    out: "AnyPath | None" = None,
    overwrite: bool = False,
    monitor: str | None = None,
    factor: int | None = None,
    min_epochs: int = 1,
    input_shape: Sequence[int] | None = None,
    config: Any = None,
    callbacks: Callable[[], Any] | None = None,
    timeout: float = 60.0,
    verbose: int = 1,
    **options: Any,
) -> SweepResult:
    """Train a net in many configurations, several at a time.

    Parameters
    ----------
    base : str, path, mapping, sequence of Layer, Network or callable
        What the runs have in common: "mlp", "cnn" or "attention"; a JSON file or its content,
        a recipe, an architecture, or a training configuration of the MLP; layers; a net; or a
        function that returns layers or a net and whose arguments are parameters of the sweep.
        Each run draws its own weights.
    grid : mapping of str to sequence or distribution, or sequence of mapping
        Names of parameters with values: all combinations are trained. With a distribution (an
        object with `rvs`, as `rnn_native.sweeps.LogUniform` and those of SciPy) or with
        `n_iter`, samples are. A sequence has a run in each mapping. Names are options of
        `train`, keys of a training configuration, keys of layers ("units": of all hidden
        layers; "layers[0].units": of that one) and arguments of the function.
    data : path, name of a data set, arrays or None
        As for `train_mlp`.
    seeds : int or sequence of int, optional
        How many, from the base's on, or which; each configuration is trained with each.
    n_iter : int, optional
        Number of samples.
    random_state : int
        What samples are drawn with.
    executor : concurrent.futures.Executor, optional
        A ThreadPoolExecutor, ProcessPoolExecutor, loky's, MPIPoolExecutor,
        ``client.get_executor()`` of Dask, or any with their interface. It is not shut down.
        None: threads of this process.
    jobs : int, optional
        Runs under way at a time; what the executor says, or the number of threads.
    threads : int in [1, 64], optional
        Of each run: the machine's threads over `jobs`. They never change a result.
    out : path, optional
        Folder for results.csv, results.html and ``runs``, a folder for each run. Finished
        runs in it are not trained again, and interrupted ones resume, bit for bit. Without it
        files are temporary.
    overwrite : bool
        Remove the sweep that is in `out`.
    monitor : str, optional
        Column that says which run is best: "val_loss", or "loss" without validation.
    factor : int of at least 2, optional
        Successive halving: all configurations train `min_epochs`, one of `factor` of them
        `factor` times as many, and so on up to `epochs`. None: all train all epochs.
    min_epochs : int
        Epochs of the first rung.
    input_shape : sequence of int, optional
        Of one sample, for layers; that of the data when left out.
    config : path, mapping or TrainingConfig, optional
        Training configuration of all runs.
    callbacks : callable, optional
        Returns further callbacks; called for each run.
    timeout : float
        Seconds without a sign of life of any worker, after which an error is raised. A run
        under way gives one each second, however long it is.
    verbose : {0, 1}
        1 prints a line for each run.
    **options
        Fields of `rnn_native.training.Recipe` for all runs, and `metrics`.

    Returns
    -------
    SweepResult
        A row for each run, and the best of them.

    Raises
    ------
    ValueError, TypeError
        If an argument is wrong: nothing is trained then. The message has the parameters.
    FileExistsError
        If `out` holds another sweep, or a run.
    ChildProcessError
        If a worker died with the executor; finished runs are kept.
    TimeoutError
        If no worker gives a sign of life.
    KeyboardInterrupt
        After Ctrl-C; runs under way end after their epoch.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> x = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
    >>> y = (x[:, 0] > 0).astype(int)
    >>> def net(units):
    ...     return [rn.Dense(units, "relu"), rn.Dense(2)]
    >>> data = (x[:150], y[:150]), (x[150:], y[150:])
    >>> grid = {"units": [4, 8], "lr": [0.001, 0.3]}
    >>> found = rn.sweep(net, grid, data, epochs=3, verbose=0)
    >>> found.best_params["lr"], len(found.rows)
    (0.3, 4)
    """
    check_options(options)
    check_positive("timeout", timeout)
    check_callbacks(callbacks)
    if executor is not None:
        pool.check_executor(executor)
    candidates = candidates_of(grid, n_iter, random_state)
    opened = shared_data.open_data(data)
    digest = shared_data.digest_of(opened)
    if input_shape is None and not isinstance(data, (str, os.PathLike, type(None))):
        input_shape = shape_of(opened)
    common = Base(base, data, input_shape, config, options)
    plans = plans_of(common, candidates, seeds, digest)
    rungs = rungs_of_plans(plans, factor, min_epochs)
    goal = monitor_of(monitor, plans[0], options.get("metrics"))
    check_fit(plans, opened)
    keeper = None
    if out is None:
        keeper = TemporaryFolder()
    folder = as_path("out", keeper.name if keeper else out)
    content = {"base": common.plan({}, None, digest).id if is_plain(base) else "function"}
    claim(folder, {"data": digest, **content}, overwrite=overwrite)
    rows = [
        Row(plan.params, plan.recipe["seed"], plan.id, folder / "runs" / plan.id)
        for plan in plans
    ]
    result = SweepResult(rows, goal, folder, keeper)
    with executor_of(executor, jobs, len({plan.id for plan in plans})) as (
        workers,
        at_once,
    ):
        job = _Sweep(result, plans, workers, timeout, verbose)
        job.threads = threads_of(threads, at_once)
        job.more = (options.get("metrics"), callbacks)
        job.run(opened, digest, rungs, factor or 1)
    return result


class _Sweep:
    """A sweep under way."""

    threads: int
    more: tuple[Any, Any]

    def __init__(
        self,
        result: SweepResult,
        plans: Sequence[Plan],
        executor: Any,
        timeout: float,
        verbose: int,
    ) -> None:
        self._result, self._plans = result, {plan.id: plan for plan in plans}
        self._executor, self._timeout, self._verbose = executor, timeout, verbose
        self._signs = result.out / ".signs"
        self._written = time.monotonic()

    def run(self, data: Dataset, digest: str, rungs: Sequence[int], factor: int) -> None:
        """Train all runs, rung after rung."""
        shutil.rmtree(self._signs, ignore_errors=True)
        self._signs.mkdir(parents=True)
        store = self._result.out / f".data-{digest}"
        try:
            source: Any = data
            if not pool.shares_memory(self._executor):
                pool.check_workers(self._executor, self._signs, self.more, self._timeout)
                shared_data.write_data(data, store)
                source = (str(store.resolve()), data.source, data.classes)
            self._climb(source, rungs, factor)
        finally:
            shutil.rmtree(store, ignore_errors=True)
            shutil.rmtree(self._signs, ignore_errors=True)
            self._result.write()

    def _climb(self, source: Any, rungs: Sequence[int], factor: int) -> None:
        names = list(dict.fromkeys(told(row.params) for row in self._result.rows))
        for at, epochs in enumerate(rungs):
            is_last = at == len(rungs) - 1
            rows = [row for row in self._result.rows if told(row.params) in set(names)]
            self._train(rows, source, None if is_last else epochs)
            if is_last:
                return
            values = {
                name: mean_of(
                    [
                        value_of(row.record, self._result.monitor, epochs)
                        for row in rows
                        if told(row.params) == name
                    ]
                )
                for name in names
            }
            names = promoted(values, self._result.monitor, factor)

    def _train(self, rows: Sequence[Row], source: Any, until: int | None) -> None:
        by_id: dict[str, list[Row]] = {}
        for row in rows:
            row.record = row.record or read_record(row.run_dir)
            if row.record is None or not is_enough(row.record, until):
                by_id.setdefault(row.id, []).append(row)
        tasks = [self._task(self._plans[name], source, until) for name in by_id]
        waiting = pool.Waiting(self._executor, self._signs, self._timeout)
        for done, (task, record) in enumerate(waiting.records(tasks), 1):
            if record["status"] == INTERRUPTED:
                raise KeyboardInterrupt
            for row in by_id[task.id]:
                row.record = record
            self._tell(by_id[task.id][0], done, len(tasks))

    def _task(self, plan: Plan, source: Any, until: int | None) -> Task:
        folder = (self._result.out / "runs" / plan.id).resolve()
        return Task(
            plan.id, plan.kind, plan.architecture, plan.recipe, source, str(folder),
            str(self._signs.resolve()), until, self.threads, *self.more,
        )  # fmt: skip

    def _tell(self, row: Row, done: int, count: int) -> None:
        """Print a line of a run, and write the table now and then."""
        if self._verbose:
            value = row.value(self._result.monitor)
            shown = "" if value is None else f"{self._result.monitor} {value:.6g}"
            text = row.error if row.error else shown
            outcome.say(
                f"[{done}/{count}] {told(row.params, row.seed)}: {row.status}, {text}"
            )
        if time.monotonic() - self._written > WRITE_EVERY:
            self._result.write()
            self._written = time.monotonic()


# ---- arguments ----


def is_plain(base: Any) -> bool:
    """Whether a base is a net by itself; a function's arguments make it one."""
    return not callable(base) or hasattr(base, "architecture")


def shape_of(data: Dataset) -> tuple[int, ...]:
    """Return the shape of a sample; images of 28 x 28 have a channel."""
    shape = tuple(data.x_train.shape[1:])
    return (1, *shape) if shape == (28, 28) else shape


def check_callbacks(callbacks: Any) -> None:
    """Refuse instances: one serves one run."""
    if callbacks is not None and not callable(callbacks):
        raise TypeError(
            "callbacks: expected a function that returns them, as each run needs its own, got "
            f"{brief(callbacks)}"
        )


def plans_of(
    base: Base, candidates: Sequence[Params], seeds: int | Sequence[int] | None, digest: str
) -> list[Plan]:
    """Return the runs: each candidate with each seed."""
    if seeds is None:
        return [base.plan(params, None, digest) for params in candidates]
    if any("seed" in params for params in candidates):
        raise ValueError("seeds: the grid has seed too; leave one of them out")
    first = base.plan(candidates[0], None, digest).recipe["seed"]
    return [
        base.plan(params, seed, digest)
        for params in candidates
        for seed in seeds_of(seeds, first)
    ]


def check_fit(plans: Sequence[Plan], data: Dataset) -> None:
    """Refuse data that do not fit a run's net, before a sweep is removed or begun."""
    of_nets = {json.dumps(plan.architecture): plan for plan in reversed(plans)}
    for plan in of_nets.values():
        net = Network.from_architecture(plan.architecture)
        try:
            for part in "train", "test":
                x, y = getattr(data, f"x_{part}"), getattr(data, f"y_{part}")
                net.as_rows(x[:1], f"x_{part}")
                net.as_targets(y, len(x), f"y_{part}")
        except (ValueError, TypeError) as error:
            raise refusal(plan.params if len(of_nets) > 1 else {}, error) from None


def rungs_of_plans(plans: Sequence[Plan], factor: int | None, min_epochs: int) -> list[int]:
    """Return the epochs of the rungs, which are those of all runs."""
    epochs = {plan.recipe["epochs"] for plan in plans}
    if factor is not None and len(epochs) > 1:
        raise ValueError(
            "factor: expected the same epochs in all runs; leave them out of the grid"
        )
    return rungs_of(max(epochs), factor, min_epochs)


def monitor_of(monitor: str | None, plan: Plan, metrics: Any) -> str:
    """Return the column that runs are compared by; refuse one that they will not have."""
    loss, split = plan.architecture["loss"], plan.recipe["validation_split"]
    if monitor is None:
        return "val_loss" if split else "loss"
    given = scores.as_metrics(metrics, loss)
    columns = Measures(loss, scores.fitting(loss), given).columns(bool(split))
    if monitor not in columns:
        raise ValueError(
            f"monitor: expected one of {', '.join(columns)}, got {brief(monitor)}"
            f"{nearest(monitor, columns)}"
        )
    return monitor


def threads_of(threads: int | None, jobs: int) -> int:
    """Return the threads of a run, so that all runs under way have the machine's."""
    return max(1, get_num_threads() // jobs) if threads is None else threads


@contextmanager
def executor_of(executor: Any, jobs: int | None, runs: int) -> Iterator[tuple[Any, int]]:
    """Yield the executor, or one of threads, and how many runs it does at a time."""
    wanted = None if jobs is None else check_count("jobs", jobs, 1)
    if executor is not None:
        at_once = wanted or pool.jobs_of(executor) or get_num_threads()
        yield executor, min(at_once, runs)
        return
    at_once = min(wanted or get_num_threads(), runs)
    with ThreadPoolExecutor(at_once, "sweep") as own:
        yield own, at_once


def overview(result: SweepResult) -> dict[str, Any]:
    """Return a sweep as one JSON object, for programs."""
    ranking = result.ranking
    return {
        "monitor": result.monitor,
        "best_params": ranking[0][0] if ranking else None,
        "best_score": ranking[0][1] if ranking else None,
        "runs": result.table(),
        "files": str(result.out),
    }

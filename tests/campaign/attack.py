"""What one part of the campaign found, and what several parts need."""

import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
BUILD = ROOT / "build" / "campaign"
MOST_SHOWN = 20


if os.environ.get("RNN_NATIVE_COVERAGE") == "1":
    import counting

    counting.count_forks()


@dataclass
class Outcome:
    """Cases that were tried, how often each thing happened, and what must not happen."""

    cases: int = 0
    counts: Counter = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    fault_count: int = 0

    def add(self, what):
        """Count a case that ended as it may."""
        self.cases += 1
        self.counts[what] += 1

    def fault(self, text):
        """Count a case that ended as it must not; text says how, in one line."""
        self.cases += 1
        self.fault_count += 1
        if len(self.faults) < MOST_SHOWN:
            self.faults.append(" ".join(text.split())[:400])

    def take(self, other):
        """Add what a child process found."""
        self.cases += other["cases"]
        self.counts.update(other["counts"])
        self.fault_count += other["fault_count"]
        self.faults = (self.faults + other["faults"])[:MOST_SHOWN]

    def as_dict(self):
        return {
            "cases": self.cases,
            "counts": dict(self.counts),
            "faults": self.faults,
            "fault_count": self.fault_count,
        }


def seed_of(*parts):
    """A seed of 32 bits that follows from anything that has a repr."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:4], "little")


def not_one_line(error):
    """What is wrong with an error's message as a line for a terminal, or None."""
    text = str(error)
    if not text:
        return "says nothing"
    if len(text) > 2000:
        return f"has {len(text)} characters"
    bad = next((c for c in text if not c.isprintable()), None)
    return None if bad is None else f"holds {bad!r}"


def named(error):
    """An error on one line, with its type."""
    return f"{type(error).__name__}: {str(error)[:160]!r}"


# ---- processes ----


def environment(**changes):
    """What a Python child needs to import what this process imports."""
    path = os.pathsep.join([str(ROOT), str(HERE), str(ROOT / "tests" / "support")])
    first = os.environ.get("CAMPAIGN_PACKAGE")
    path = f"{first}{os.pathsep}{path}" if first else path
    return {**os.environ, "PYTHONPATH": path, **changes}


def command_line(*arguments, timeout=60, memory=None, cwd=None, **changes):
    """Run `rnn-native` with these arguments, within `memory` bytes of address space."""

    def limit():
        if memory is not None:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    return subprocess.run(
        [sys.executable, "-m", "rnn_native", *map(str, arguments)],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        preexec_fn=limit,
        cwd=cwd,
        env=environment(**changes),
    )


def fault_of_command(done, codes=(0, 1, 2)):
    """What is wrong with how a command ended, or None."""
    lines = done.stderr.strip().splitlines()
    if done.returncode not in codes:
        return f"exit code {done.returncode}: {lines[-1] if lines else 'no message'}"
    if "Traceback" in done.stderr:
        return f"traceback: {lines[-1]}"
    errors = [line for line in lines if not line.startswith("rnn-native: warning:")]
    if done.returncode != 0 and len(errors) != 1:
        return f"{len(errors)} lines of error: {errors[:2]}"
    return None


def begin_again(**changes):
    """Start the process of a part again, with other variables in its environment."""
    folder = Path.cwd()
    os.chdir(HERE)
    folder.rmdir()  # the part's own; it gets another
    environment = {**os.environ, **changes}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def in_fork(work, *arguments, timeout=60):
    """Call `work(*arguments)` in a child of fork: what it returns, or how the child ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            _alarm(timeout)
            with os.fdopen(writing, "w") as pipe:
                json.dump(work(*arguments), pipe)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        signal_number = os.WTERMSIG(status)
        is_late = signal_number in (signal.SIGALRM, signal.SIGPROF)
        ended = "hangs" if is_late else f"ended by signal {signal_number}"
        return {"ended": ended}
    if os.WEXITSTATUS(status) != 0:
        return {"ended": f"exit code {os.WEXITSTATUS(status)}"}
    return json.loads(text)


def _alarm(seconds):
    """End this process after this long, whatever it does: nothing may handle the signal."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(max(1, int(seconds)))


def peak_of_this_process():
    """The most memory that this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def compiled(name, source, *flags, compiler="cc"):
    """A program or library of C source, compiled when it is older than its source."""
    if shutil.which(compiler) is None:
        raise RuntimeError("no C compiler here")
    BUILD.mkdir(parents=True, exist_ok=True)
    target = BUILD / name
    sources = [HERE / source] if isinstance(source, str) else source
    clean = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    subprocess.run(
        [
            compiler,
            "-O1",
            "-g",
            "-std=gnu11",
            "-pthread",
            *map(str, sources),
            *flags,
            "-o",
            target,
        ],
        check=True,
        timeout=900,
        env=clean,
    )
    return target


# ---- nets and data that are quick to train ----


def digits(rows=48, side=8, classes=4):
    """Images and labels that a net can learn from."""
    rng = np.random.default_rng(5)
    y = np.arange(rows) % classes
    x = rng.integers(0, 60, (rows, 1, side, side), np.uint8)
    for row, label in zip(x, y, strict=True):
        row[0, 2 * label % side] += 150
    return x, y


def small_layers():
    """Layers with parameters, state, masks and a fused stage."""
    import rnn_native as rn

    return [
        rn.Conv2D(3, 3, padding=1),
        rn.BatchNorm(),
        rn.Activation("relu"),
        rn.MaxPool2D(2),
        rn.Flatten(),
        rn.Dropout(0.2),
        rn.Dense(4),
    ]


def data_folder(name):
    """A folder with the files of a small MNIST."""
    from rnn_native import datasets
    from rnn_native.datasets import idx

    Path(name).mkdir()
    for part, rows in ("train", 640), ("t10k", 100):
        x, y = datasets.synthetic_digits(rows, seed=rows)
        idx.write_idx(Path(name, f"{part}-images-idx3-ubyte"), x)
        idx.write_idx(Path(name, f"{part}-labels-idx1-ubyte"), y)
    return name


OPTIONS = {
    "batch_size": 16,
    "validation_split": 0.25,
    "optimizer": "adam",
    "lr": 0.01,
    "seed": 3,
    "ema_decay": 0.9,
    "verbose": 0,
}


def train_into(folder, epochs, **options):
    """Train the small net with files in a folder."""
    import rnn_native as rn

    x, y = digits()
    return rn.train(
        small_layers(),
        ((x[:-8], y[:-8]), (x[-8:], y[-8:])),
        input_shape=(1, 8, 8),
        **{**OPTIONS, "out": folder, "epochs": epochs, **options},
    )

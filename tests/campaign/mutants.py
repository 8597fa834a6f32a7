"""Mutants of the C code: one operator changed each, looked for by the fast native tests.

    python tests/campaign/mutants.py N [SEED] [--files PATTERN ...] [--leave-out PATTERN ...]

A mutant is built for the best CPU level of this machine alone, in build/mutants, and killed if a
test fails or hangs; what does not compile does not count. The tests that name its file's subject
come first, and the first that fails ends it. Processors work on different mutants.

Survivors are printed. Some change only work or memory, or nothing at all. equivalent_mutants.txt
has a line for each: the file, the changed line, and the reason. These are counted, and not built.
"""

import argparse
import fnmatch
import os
import random
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "mutants"
EQUIVALENT = HERE / "equivalent_mutants.txt"
# Those that ask most of the C code in least time, the quickest first.
NATIVE = (
    "net plan layers losses optimizers minimize arguments skipped masking compressed batchnorm "
    "products zeros row_slices arenas tables held_memory sharing team"
)
TESTS = [f"tests/core/test_{name}.py" for name in NATIVE.split()]
TESTS += ["tests/net/test_kernels.py", "tests/base/test_rng.py"]
TESTS += ["tests/training/test_augmentation.py", "tests/sklearn/test_lbfgs.py"]
TESTS += ["tests/core/test_random_nets.py"]
# Files of C, and words in the names of the tests that are likeliest to notice a change there.
LIKELIEST = (
    ("csrc/python/*", "arguments tables sharing"),
    ("csrc/net/fused/*", "plan net"),
    ("csrc/net/branches.c", "layers plan"),
    ("csrc/net/layer.c", "row_slices"),
    ("csrc/net/memory.c", "arenas held_memory"),
    ("csrc/net/run/inputs.c", "augmentation compressed"),
    ("csrc/net/run/exchange.c", "sharing"),
    ("csrc/net/run/update.c", "optimizers"),
    ("csrc/net/run/l*.c", "minimize lbfgs"),
    ("csrc/net/level/optimizers.c", "optimizers"),
    ("csrc/kernels/optimizers.c", "optimizers"),
    ("csrc/kernels/gemm*", "products net"),
    ("csrc/kernels/nonzeros.c", "compressed skipped zeros"),
    ("csrc/kernels/augment.c", "augmentation"),
    ("*batchnorm*", "batchnorm"),
    ("*attention*", "layers masking"),
    ("*tokens*", "layers masking"),
    ("csrc/base/rng.c", "rng"),
    ("csrc/base/team.c", "team"),
    ("csrc/base/zeros.c", "zeros skipped"),
)
SLOWEST = 4  # times what the tests take without a mutant: it hangs

SWAPS = {
    "==": ["!="],
    "!=": ["=="],
    "<": ["<=", ">"],
    "<=": ["<"],
    ">": [">=", "<"],
    ">=": [">"],
    "&&": ["||"],
    "||": ["&&"],
    "+": ["-"],
    "-": ["+"],
    "*": ["+"],
    "/": ["*"],
    "+=": ["-="],
    "-=": ["+="],
    "?": ["? !"],
}
# With a space on each side: no pointers, no signs.
OPERATOR = re.compile(r"(?<= )(==|!=|<=|>=|&&|\|\||\+=|-=|[-+*/<>])(?= )")
# The lesser or greater of two, where equal ones are the same.
SIDE = r"([\w .*+\-\[\]()>&]+?)"
CHOICE = re.compile(rf"(?<!\w){SIDE} (<=?|>=?) {SIDE} \? (?:\1 : \3|\3 : \1)(?=\W)")
# Comments, strings and directives are left as they are.
NOT_CODE = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', re.S | re.M
)


@dataclass(frozen=True)
class Mutant:
    """An operator at a place of a file, and its replacement."""

    path: str
    at: int
    operator: str
    instead: str

    def text(self):
        old = (ROOT / self.path).read_text()
        return old[: self.at] + self.instead + old[self.at + len(self.operator) :]

    def line(self):
        """The changed line, without indentation."""
        begin = self.text().rfind("\n", 0, self.at) + 1
        return self.text()[begin:].partition("\n")[0].strip()

    def __str__(self):
        number = (ROOT / self.path).read_text()[: self.at].count("\n") + 1
        return f"{self.path}:{number}: {self.line()}  ({self.operator} was there)"


def matches(name, patterns):
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def tests_for(path):
    """All tests, the likeliest to notice a change of a file first."""
    words = [
        word
        for pattern, names in LIKELIEST
        if matches(path, [pattern])
        for word in names.split()
    ]
    return sorted(
        TESTS, key=lambda test: not any(f"test_{word}.py" in test for word in words)
    )


def all_mutants(files, left_out):
    """Every mutant of every C file that matches a pattern, and none of those left out."""
    found = []
    for path in sorted((ROOT / "csrc").rglob("*.c")):
        name = path.relative_to(ROOT).as_posix()
        if matches(name, left_out) or not matches(name, files):
            continue
        text = path.read_text()
        blank = NOT_CODE.sub(lambda match: re.sub(r"[^\n]", "_", match[0]), text)
        choices = {match.start(2) for match in CHOICE.finditer(blank)}
        for match in OPERATOR.finditer(blank):
            found += [
                Mutant(name, match.start(), match[0], instead)
                for instead in SWAPS[match[0]]
                if match.start() not in choices or instead.strip("=") != match[0].strip("=")
            ]
    return found


class Builder:
    """The module of one level, of which a mutant recompiles one file."""

    slowest = 1800  # seconds of the tests

    def __init__(self, folder):
        from rnn_native import _core

        self.level = _core.build_config()["cpu_level"]
        self.folder, self.tree = folder, folder / "tree"
        ignored = shutil.ignore_patterns("__pycache__", "*.so", "_blas")
        for name in ("rnn_native", "csrc", "tests", "docs"):
            shutil.copytree(ROOT / name, self.tree / name, ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", self.tree)
        (self.tree / "rnn_native/_blas").symlink_to(ROOT / "rnn_native/_blas")
        # The table of levels, with one in it.
        levels = self.tree / "csrc/net/levels.c"
        levels.write_text(
            levels.read_text().replace(
                "&rnn_level_v2, &rnn_level_v3, &rnn_level_v4", f"&rnn_level_{self.level}"
            )
        )
        self.flags = _flags(self.level)

    def build(self):
        """Compile all files, without a mutant."""
        for source in sorted((self.tree / "csrc").rglob("*.c")):
            if self.unit_of(source) == source:
                self.compile(source)
        self.link()

    def build_like(self, other):
        """Take over what another has compiled."""
        for compiled in other.folder.glob("*.o"):
            shutil.copy(compiled, self.folder)
        self.link()

    def unit_of(self, source):
        """The file that is compiled when this one has changed."""
        folder = source.parent.relative_to(self.tree / "csrc").as_posix()
        of_level = {"kernels", "net/layers", "net/fused", "net/level"}
        return self.tree / "csrc/net/level/level.c" if folder in of_level else source

    def object_of(self, unit):
        return self.folder / (
            unit.relative_to(self.tree).as_posix().replace("/", "_") + ".o"
        )

    def compile(self, unit):
        of_level = unit.name == "level.c"
        more = self.flags["level"] if of_level else ["-ffp-contract=off"]
        target = self.object_of(unit)
        command = ["cc", *self.flags["all"], *more, "-c", unit, "-o", target]
        return subprocess.run(command, capture_output=True, timeout=600).returncode == 0

    def link(self):
        target = self.tree / "rnn_native/_core.abi3.so"
        objects = sorted(self.folder.glob("*.o"))
        command = ["cc", "-shared", "-pthread", *objects, "-lm", "-ldl", "-o", target]
        return subprocess.run(command, capture_output=True).returncode == 0

    def end_of(self, mutant):
        """How a mutant ends, "killed" or "survived"; None if it does not compile."""
        place = self.tree / mutant.path
        kept = place.read_text()
        old = (ROOT / mutant.path).read_text()
        if kept != old:
            return None  # the table of levels
        place.write_text(mutant.text())
        unit = self.unit_of(place)
        compiled = self.object_of(unit).read_bytes()
        try:
            if not self.compile(unit) or not self.link():
                return None
            passed = self.tests_pass(tests_for(mutant.path))
            return "survived" if passed else "killed"
        finally:
            place.write_text(kept)
            self.object_of(unit).write_bytes(compiled)

    def tests_pass(self, tests):
        paths = [str(self.tree), *sys.path[1:]]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        process = subprocess.Popen(
            [*command, *tests],
            cwd=self.tree,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return process.wait(timeout=self.slowest) == 0
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            return False


def _flags(level):
    """Those of setup.py, with less optimization where that takes long."""
    include = [f"-I{sysconfig.get_path('include')}", f"-I{np.get_include()}"]
    numpy_api = "NPY_1_25_API_VERSION"
    macros = {
        "Py_LIMITED_API": "0x030B0000",
        "NPY_TARGET_VERSION": numpy_api,
        "NPY_NO_DEPRECATED_API": numpy_api,
        "RNN_LEVEL": level,
    }
    of_level = {"v2": ["-march=x86-64-v2"], "v3": ["-march=x86-64-v3"]}
    of_level["v4"] = ["-march=x86-64-v4", "-mprefer-vector-width=512"]
    usual = "-std=gnu11 -O1 -fno-math-errno -fno-trapping-math -fPIC -pthread -fvisibility=hidden"
    return {
        "all": [*usual.split(), *include, *(f"-D{k}={v}" for k, v in macros.items())],
        "level": ["-ffp-contract=fast", *of_level.get(level, [])],
    }


def known():
    """Reasons by file and changed line."""
    lines = EQUIVALENT.read_text().splitlines() if EQUIVALENT.exists() else []
    found = {}
    for line in lines:
        if line and not line.startswith("#"):
            path, changed, reason = (part.strip() for part in line.split(" | "))
            found[path, changed] = reason
    return found


def builders(jobs):
    """As many as work at once, each in its own folder."""
    shutil.rmtree(BUILD, ignore_errors=True)
    first, *others = (Builder(BUILD / str(number)) for number in range(jobs))
    first.build()
    for other in others:
        other.build_like(first)
    return [first, *others]


def work(builder, mutants, places, reasons, ends):
    """Find the ends of mutants while there are places for them."""
    while places.acquire(blocking=False):
        mutant = next(mutants, None)
        if mutant is None:
            return
        reason = reasons.get((mutant.path, mutant.line()))
        end = "equivalent" if reason else builder.end_of(mutant)
        if end is None:
            places.release()
            continue
        ends.append(end)
        if end != "killed":
            print(f"{end}: {mutant}" + (f": {reason}" if reason else ""), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("--files", nargs="*", default=["*"], metavar="PATTERN")
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="PATTERN")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    given = parser.parse_args()
    mutants = all_mutants(given.files, given.leave_out)
    print(f"{given.count} of {len(mutants)} mutants from seed {given.seed}", flush=True)
    random.Random(given.seed).shuffle(mutants)
    workers = builders(given.jobs)
    begin = time.monotonic()
    if not workers[0].tests_pass(TESTS):
        print("the tests fail without a mutant")
        return 1
    seconds = time.monotonic() - begin
    print(f"the tests take {seconds:.0f} s", flush=True)
    ends, places = [], threading.Semaphore(given.count)
    shared = (iter(mutants), places, known(), ends)
    threads = []
    for builder in workers:
        builder.slowest = SLOWEST * seconds
        threads.append(threading.Thread(target=work, args=(builder, *shared)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    counts = Counter(ends)
    print(", ".join(f"{counts[end]} {end}" for end in ("killed", "survived", "equivalent")))
    return 1 if counts["survived"] else 0


if __name__ == "__main__":
    sys.exit(main())

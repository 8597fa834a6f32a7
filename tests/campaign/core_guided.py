"""Layers and attributes by libFuzzer, which keeps what reaches new code, under ASan and UBSan.

Each is refused or set up and made; one of 64 is trained, asked and freed, too, as core_specs.py
does it. Needs clang and its runtime (Debian's packages clang and libclang-rt-14-dev); without
them nothing is done.
"""

import re
import shutil
import subprocess

import attack
import driver

COUNTS = (0, 300_000, 10_000_000)  # a build of a minute is too long for the short form
COMPILERS = ("clang", *(f"clang-{version}" for version in range(30, 13, -1)))
LONGEST_INPUT = 400  # bytes, two for each choice
LONGEST = 600  # seconds of one input, on a machine that may be busy with other things
# Sizes are measured by laying out from NULL, which clang counts as overflow of a pointer. The
# macro is gcc's: the BLAS is then opened in a way that sanitizers survive.
FLAGS = ("-DRNN_GUIDED", "-D__SANITIZE_ADDRESS__", "-fno-sanitize=pointer-overflow")


def run(count, seed):
    from rnn_native.base import runtime

    outcome = attack.Outcome()
    compiler = next(filter(shutil.which, COMPILERS), None)
    if count == 0 or compiler is None:
        outcome.counts["made: no clang" if count else "made in the short form"] = 0
        return outcome
    program = driver.built(
        "core-guided", "fuzzer,address,undefined", *FLAGS, compiler=compiler
    )
    options = {"runs": count, "seed": seed, "max_len": LONGEST_INPUT, "timeout": LONGEST}
    done = subprocess.run(
        [program, *(f"-{name}={value}" for name, value in options.items())],
        capture_output=True,
        text=True,
        errors="replace",
        env={
            "PATH": "/usr/bin:/bin",
            "RNN_GUIDED_BLAS": runtime.config()["blas_path"],
            "ASAN_OPTIONS": "allocator_may_return_null=1",
        },
    )
    lines = done.stderr.splitlines()
    if done.returncode != 0:
        outcome.fault(_what_happened(lines) or f"exit code {done.returncode}")
    executed = re.findall(r"^#(\d+)\t", done.stderr, re.M)
    edges = re.findall(r"\bcov: (\d+)", done.stderr)
    outcome.cases += int(executed[-1]) if executed else 0
    outcome.counts["refused, set up or ran"] = outcome.cases
    outcome.counts["edges reached"] = int(edges[-1]) if edges else 0
    return outcome


def _what_happened(lines):
    """The first complaint, where in the core, and the input that leads there."""
    parts = [line for line in lines if re.search(r"ERROR|runtime error", line)][:1]
    parts += [line.strip() for line in lines if re.match(r"\s*#\d+ .*csrc", line)][:3]
    parts += [line for line in lines if line.startswith("Base64:")]
    return " ".join(parts)

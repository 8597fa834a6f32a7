"""SIGINT and SIGTERM at random moments of `rnn-native train`, one or a storm of them.

From the first import on a command says one line at most and ends with 130 or 143, or with 0 when
it was ready before; after some storms a resumed run has the bits of one that nobody disturbed.
"""

import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import attack
import kills

COUNTS = (12, 150, 1_000)
EPOCHS = 30
START = 0.3  # seconds that an interpreter may take to come to our first line
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


def run(count, seed):
    outcome = attack.Outcome()
    rng = random.Random(seed)
    attack.data_folder("data")
    begin = time.monotonic()
    _ended(_command("whole"))
    longest = time.monotonic() - begin
    whole = kills.files_of("whole")
    for number in range(count):
        kind = rng.choice(list(CODES))
        storm = rng.choice([1, 1, 1, 5, 30])
        # Most of the time goes to start-up, where most can go wrong.
        after = rng.uniform(0, longest * rng.choice([0.3, 1, 1]))
        what = f"{storm} {kind.name} after {after:.3f} s"
        fault = _storm("run", kind, storm, after, rng)
        outcome.fault(f"{what}: {fault}") if fault else outcome.add("clean ends")
        if number % 10 == 9:
            code, errors = _ended(_command("run"))
            if code != 0 or kills.files_of("run") != whole:
                outcome.fault(f"resumed to other bits, exit code {code}: {errors[-100:]}")
            else:
                outcome.counts["runs with the same bits"] += 1
            shutil.rmtree("run")
    return outcome


def _command(folder):
    """Train; a run that has a checkpoint is resumed."""
    is_begun = Path(folder, "last.safetensors").exists()
    options = ["--data", "data", "--epochs", str(EPOCHS), "--patience", "0"]
    options += ["--seed", "3", "--quiet", "--out", folder]
    options += ["--resume"] if is_begun else ["--overwrite"]
    return subprocess.Popen(
        [sys.executable, "-m", "rnn_native", "train", "mlp", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=attack.environment(),
        # An interpreter of which SIGINT was ignored would never hear of it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def _ended(process):
    try:
        _, errors = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None, "hangs"
    return process.returncode, errors


def _storm(folder, kind, count, after, rng):
    process = _command(folder)
    time.sleep(after)
    for _ in range(count):
        if process.poll() is None:
            process.send_signal(kind)
            time.sleep(rng.choice([0, 0.0005, 0.005]))
    code, errors = _ended(process)
    if code == 0:
        return None
    # Until our first line runs the signal is the interpreter's to answer, also where it finds
    # an editable install.
    is_ours = "rnn" in errors and "init_import_site" not in errors
    if code in (-kind, CODES[kind], 1) and not is_ours and after < START:
        return None
    if code != CODES[kind]:
        return f"exit code {code}: {errors[-200:]}"
    if len(lines := errors.strip().splitlines()) > 1 or re.search("Traceback", errors):
        return f"{len(lines)} lines: {lines[0]} ... {lines[-1]}"
    return None

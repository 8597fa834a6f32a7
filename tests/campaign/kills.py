"""Kills at random moments of training with files, each followed by a resumed run.

Each time all files must be whole, and at most one temporary file may remain. The run that
was killed again and again must end with the bits of an uninterrupted one.
"""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import attack
import rnn_native as rn
from rnn_native.net import model_file

COUNTS = (40, 500, 2_000)
EPOCHS = 12


def run(count, seed):
    outcome = attack.Outcome()
    rng = random.Random(seed)
    attack.train_into("whole", epochs=1)  # imports what a run needs
    begin = time.monotonic()
    attack.train_into("whole", epochs=EPOCHS, overwrite=True)
    longest = time.monotonic() - begin
    expected = files_of("whole")
    killed = 0
    while killed < count:
        shutil.rmtree("killed", ignore_errors=True)
        while not (ended := _killed_after(rng.uniform(0, longest))):
            killed += 1
            _look(outcome, f"kill {killed}")
        if ended != "done":
            outcome.fault(f"after {killed} kills: {ended}")
        elif files_of("killed") != expected or len(rn.read_log("killed/log.csv")) != EPOCHS:
            outcome.fault(f"after {killed} kills: other bits than an undisturbed run")
        else:
            outcome.counts["runs with the same bits"] += 1
    return outcome


def files_of(folder):
    """The model and the checkpoint of a run, without its seconds."""
    found = []
    for name in ("best.safetensors", "last.safetensors"):
        tensors, metadata = model_file.read(Path(folder, name))
        del metadata["sha256"]
        for epoch in metadata.get("run", {}).get("history", []):
            del epoch["time"]
        found.append({key: value.tobytes() for key, value in tensors.items()})
        found.append({key: metadata[key] for key in metadata if key != "facts"})
    return found


def _killed_after(seconds):
    """Train in a child, killed after this long: None, or how it ended before that."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            is_begun = Path("killed/last.safetensors").exists()
            attack.train_into(
                "killed", epochs=EPOCHS, resume=is_begun, overwrite=not is_begun
            )
            code = 0
        except BaseException as error:
            Path("error").write_text(attack.named(error))
        finally:
            os._exit(code)
    end = time.monotonic() + seconds
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
        time.sleep(0.0005)
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            ended = os.waitpid(child, 0)
            break
    status = ended[1]
    if os.WIFSIGNALED(status):
        return None if os.WTERMSIG(status) == signal.SIGKILL else f"signal {status}"
    return "done" if os.WEXITSTATUS(status) == 0 else Path("error").read_text()


def _look(outcome, what):
    """Whether the files of a killed run are whole."""
    folder = Path("killed")
    names = [path.name for path in folder.glob("*")] if folder.exists() else []
    left = [name for name in names if name.endswith(".tmp")]
    try:
        for path in folder.glob("*.safetensors"):
            rn.load(path)
    except (ValueError, OSError) as error:
        outcome.fault(f"{what}: {attack.named(error)}")
        return
    if len(left) > 1:
        outcome.fault(f"{what}: {len(left)} temporary files")
    else:
        outcome.add("killed, all files whole")

"""Small address spaces: commands within them do their work or end with one line, never a crash."""

import subprocess
from pathlib import Path

import attack

COUNTS = (6, 60, 400)  # limits
SMALLEST, LARGEST = 160 << 20, 1 << 30  # below that NumPy itself does not load


def run(count, seed):
    outcome = attack.Outcome()
    attack.train_into("run", epochs=1)
    model = Path("run/best.safetensors").resolve()
    attack.data_folder("data")
    options = ["--data", "data", "--epochs", "1", "--quiet", "--overwrite"]
    commands = {
        "train mlp": ["train", "mlp", *options],
        "train cnn": ["train", "cnn", *options, "--threads", "4"],
        "info": ["info", model],
    }
    for number in range(count):
        limit = SMALLEST + (LARGEST - SMALLEST) * number // max(1, count - 1)
        for name, arguments in commands.items():
            what = f"{name} in {limit >> 20} MB"
            try:
                done = attack.command_line(*arguments, memory=limit, timeout=300)
            except subprocess.TimeoutExpired:
                outcome.fault(f"{what}: hangs")
                continue
            if _is_pythons_own(done):
                outcome.add("Python itself did not start")
            elif fault := attack.fault_of_command(done):
                outcome.fault(f"{what}: {fault}")
            else:
                outcome.add("refused" if done.returncode else "done")
    return outcome


def _is_pythons_own(done):
    """Whether the interpreter ended before it had run a line of ours."""
    said = done.stderr
    return "Fatal Python error" in said or "error while loading shared libraries" in said

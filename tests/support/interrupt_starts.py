"""SIGINT and SIGTERM while commands load: each must end with one line and 130 or 143.

    python tests/support/interrupt_starts.py [N]

Starts N processes, by all names that the command line and the window have, and sends each one
signal at a random moment between its first import from the package and its work.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAIN = "import sys; from rnn_native.{}__main__ import main; sys.exit(main())"
NAMES = {
    "python -m rnn_native": ["-m", "rnn_native", "predict", "picture.png"],
    "rnn-native": ["-c", MAIN.format(""), "doctor"],
    "python -m rnn_native.recognizer": ["-m", "rnn_native.recognizer", "nothing"],
    "scripts/plot_comparison.py": [str(ROOT / "scripts" / "plot_comparison.py")],
}
ENDS = {
    signal.SIGINT: (130, "rnn-native: interrupted\n"),
    signal.SIGTERM: (143, "rnn-native: terminated\n"),
}
# Reports when the first of our modules is looked for after the package itself.
MARK = """
import os, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "rnn_native.base.process":
            os.write(1, b"begun\\n")
            sys.meta_path.remove(self)
sys.meta_path.insert(0, Finder())
"""


def main(count):
    """Print how processes ended, by name and signal; return whether one did so unclean."""
    ends = ends_of(count, random.Random())
    for (name, number, how), times in sorted(ends.items(), key=str):
        print(f"{times:5} {name:34} {number.name:8} {how}")
    return any(how.startswith("UNCLEAN") for _, _, how in ends)


def ends_of(count, rng):
    """Return how often processes ended in each way, by name, signal and way."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "sitecustomize.py").write_text(MARK)
        longest = {name: took(folder, name) for name in NAMES}
        return Counter(
            end_of(folder, name, number, rng.random() * longest[name])
            for name, number in rng.choices(
                [(name, number) for name in NAMES for number in ENDS], k=count
            )
        )


def start(folder, name):
    path = os.pathsep.join([folder, str(ROOT)])
    process = subprocess.Popen(
        [sys.executable, *NAMES[name]],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "DISPLAY": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    process.stdout.readline()
    return process


def took(folder, name):
    """Seconds from the first import to the end, undisturbed."""
    process = start(folder, name)
    begin = time.monotonic()
    process.communicate()
    return time.monotonic() - begin


def end_of(folder, name, number, after):
    process = start(folder, name)
    time.sleep(after)
    process.send_signal(number)
    _, errors = process.communicate(timeout=600)
    if (process.returncode, errors) == ENDS[number]:
        return name, number, "clean"
    if process.returncode == -signal.SIGTERM and not errors:
        return name, number, "before there was a handler; 143 for a shell"
    if process.returncode >= 0 and process.returncode < 128 and "Traceback" not in errors:
        return name, number, "over before"
    return name, number, f"UNCLEAN {process.returncode}: {errors[-300:]!r}"


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))

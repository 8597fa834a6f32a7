"""The campaign: attacks on files, processes and the core, with a table at the end.

    python tests/campaign/run.py [PART ...] [--size short|default|full] [--piece 1/1] [--seed N]
        [--write]

Each part is a module beside this one; without a name all run, one after the other, each in its
own process. What they found is kept in build/campaign until they run again, and with
--write goes to their lines of docs/explanation/reliability.md. `--piece 2/3` runs a third of the
cases of parts that draw them at random. Each piece has its own seed, and its own lines.
"""

import argparse
import datetime
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = os.environ.get("CAMPAIGN_PACKAGE", str(HERE.parents[1]))
sys.path[:0] = [PACKAGE, str(HERE), str(HERE.parent / "support")]

import attack  # noqa: E402
import table  # noqa: E402

PARTS = ("parsers", "flips", "kills", "saves", "io_errors", "allocations", "disk")
PARTS += ("signals", "starts", "forks", "races", "leaks", "memory", "bombs")
PARTS += ("core_specs", "core_guided", "core_calls", "bits", "peers")
SIZES = ("short", "default", "full")
LONGEST = {"short": 600, "default": 1800, "full": 6 * 3600}  # seconds of a part


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--size", choices=SIZES, default="default")
    parser.add_argument("--piece", type=_piece, default=(1, 1), metavar="I/N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help=f"write {table.PAGE.name}")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if unknown := [part for part in given.parts if part not in PARTS]:
        parser.error(f"unknown part {unknown[0]}; there are {', '.join(PARTS)}")
    if given.child:
        return run_here(given.parts[0], given.size, given.piece, given.seed)
    records = []
    for part in given.parts or PARTS:
        records.append(run_part(part, given.size, given.piece, given.seed))
        print(table.line_of(records[-1]), flush=True)
    print("\n" + table.markdown(records), end="")
    for record in records:
        for fault in record["faults"]:
            print(f"{record['part']}: {fault}")
    if given.write:
        table.write(records)
    return 1 if any(record["fault_count"] for record in records) else 0


def _piece(text):
    """Which piece, and of how many."""
    number, count = map(int, text.split("/"))
    if not 1 <= number <= count:
        raise ValueError
    return number, count


def run_here(part, size, piece, seed):
    """The work of a part; its outcome goes to standard output, the last line."""
    module = importlib.import_module(part)
    count = dict(zip(SIZES, module.COUNTS, strict=True))[size]
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # where fsync is quick
    with tempfile.TemporaryDirectory(prefix="campaign-", dir=memory) as folder:
        os.chdir(folder)
        outcome = module.run(count // piece[1], seed)
        os.chdir(HERE)
    print(json.dumps(outcome.as_dict()))
    return 0


def run_part(part, size, piece, seed):
    """Run a part, or a piece of it, in its own process, and keep what it found."""
    begin = time.monotonic()
    seed += piece[0] - 1
    text = "{}/{}".format(*piece)
    command = [sys.executable, __file__, "--child", part, "--size", size, "--piece", text]
    outcome = attack.Outcome()
    try:
        done = subprocess.run(
            [*command, "--seed", str(seed)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LONGEST[size],
        )
        outcome.take(json.loads(done.stdout.strip().splitlines()[-1]))
    except subprocess.TimeoutExpired:
        outcome.fault(f"has not ended after {LONGEST[size]} seconds")
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        outcome.fault(f"the part ended with exit code {done.returncode}: {last}")
    record = {
        "part": part if piece[1] == 1 else f"{part} {text}",
        "title": importlib.import_module(part).__doc__.splitlines()[0].rstrip("."),
        "size": size,
        "seed": seed,
        "seconds": round(time.monotonic() - begin),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": commit(),
        **outcome.as_dict(),
    }
    table.keep(record)
    return record


def commit():
    """The last commit of the code that was attacked, with a plus sign if files differ."""
    code = ["--", "csrc", "rnn_native", "setup.py"]
    try:
        last = _git("log", "-1", "--abbrev=10", "--format=%h", *code)
        return last + "+" * bool(_git("status", "--porcelain", "-uno", *code))
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments):
    command = ["git", "-C", str(HERE.parents[1]), *arguments]
    return subprocess.run(
        command, check=True, capture_output=True, text=True
    ).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())

"""Disks that are full: every size from none to enough, by a small file system or a limit of files.

Each write either succeeds or raises OSError; the previous file is whole, and nothing
stays behind. After each, training resumes to the bits of a run that had room.
"""

import resource
import shutil
import subprocess
from pathlib import Path

import attack
import kills

COUNTS = (30, 400, 3_000)
ROOM = 64 << 10


def run(count, seed):
    outcome = attack.Outcome()
    attack.train_into("whole", epochs=3)
    whole = kills.files_of("whole")
    largest = max(path.stat().st_size for path in Path("whole").iterdir())
    for number in range(count):
        limit = largest * 5 // 4 * number // max(1, count - 1)
        _case(outcome, f"files of at most {limit} bytes", whole, limit)
    with _small_disk() as disk:
        if disk is None:
            outcome.counts["no file system may be mounted here"] += 1
        for number in range(count if disk else 0):
            room = ROOM * number // max(1, count - 1)
            _case(outcome, f"{room} bytes free", whole, None, disk, room)
    return outcome


class _small_disk:  # noqa: N801
    """A file system of a few pages; None where it may not be mounted."""

    def __enter__(self):
        Path("small").mkdir()
        options = ["-t", "tmpfs", "-o", f"size={2 * ROOM}", "tmpfs", "small"]
        try:
            done = subprocess.run(["mount", *options], capture_output=True)
        except OSError:
            done = None
        self.folder = Path("small") if done and done.returncode == 0 else None
        return self.folder

    def __exit__(self, *error):
        if self.folder:
            subprocess.run(["umount", "small"], check=True)


def _case(outcome, what, whole, limit, disk=None, room=0):
    folder = (disk or Path()) / "run"
    shutil.rmtree(folder, ignore_errors=True)
    attack.train_into(folder, epochs=1)
    filler = folder.parent / "filler"
    if disk:
        _fill(filler, room)
    found = attack.in_fork(_resume, folder, limit)
    filler.unlink(missing_ok=True)
    if "ended" in found:
        outcome.fault(f"{what}: {found['ended']}")
        return
    fault = found["fault"]
    left = [path.name for path in folder.glob("*.tmp")]
    try:
        attack.train_into(folder, epochs=3, resume=True)
        if fault is None and kills.files_of(folder) != whole:
            fault = "resumed to other bits"
    except Exception as error:
        fault = fault or f"cannot resume: {attack.named(error)}"
    if fault is None and left:
        fault = f"left {left[0]} behind"
    outcome.fault(f"{what}: {fault}") if fault else outcome.add(found["how"])


def _fill(filler, room):
    """Leave about this many bytes free: whole pages, as the file system counts."""
    free = shutil.disk_usage(filler.parent).free
    filler.write_bytes(bytes(max(0, free - room)))


def _resume(folder, limit):
    """Two more epochs, with no file beyond the limit."""
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        attack.train_into(folder, epochs=3, resume=True)
    except OSError as error:
        wrong = attack.not_one_line(error)
        return {"how": "refused", "fault": wrong and f"{attack.named(error)} {wrong}"}
    except BaseException as error:
        return {"how": "", "fault": f"undeclared {attack.named(error)}"}
    return {"how": "had room", "fault": None}

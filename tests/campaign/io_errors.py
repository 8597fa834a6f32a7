"""An error at each call that has to do with files, one after the other, once and for good.

Reading, saving, exporting and training with files: the call either does all of its work or raises
OSError (FormatError where a file cannot be read) in one line; the previous file is
whole; the same call works once the fault is over.
"""

import errno
import shutil
from pathlib import Path

import attack
import failing
import rnn_native as rn
from rnn_native.base.errors import FormatError

COUNTS = (1, 4, 6)  # kinds of error
ERRORS = ("EIO", "ENOSPC", "EACCES", "EROFS", "EMFILE", "EINTR")


def run(count, seed):
    failing.preloaded()
    outcome = attack.Outcome()
    actions = _actions()
    for name, (action, kept) in actions.items():
        for error in ERRORS[:count]:
            # Who is interrupted tries again: for good, that would never end.
            for stays in (False, True)[: min(count, 1 if error == "EINTR" else 2)]:
                _each_call(outcome, name, action, kept, getattr(errno, error), stays)
    return outcome


def _actions():
    """What is done, and the file that must be whole at any time; each works beforehand."""
    net = rn.Network([rn.Dense(5, "relu"), rn.Dense(3)], (4,), seed=1)
    other = rn.Network([rn.Dense(5, "relu"), rn.Dense(3)], (4,), seed=2)
    net.save("model")
    net.save("read")
    x, _ = attack.digits()
    rn.idx.write_idx("images", x[:, 0])
    legacy = rn.load(attack.ROOT / "tests/data/0.1.0/models/dense.bin")
    attack.train_into("run", epochs=1)
    actions = {
        "save": (lambda: other.save("model"), "model"),
        "load": (lambda: rn.load("read"), "read"),
        "read images": (lambda: rn.idx.read_idx("images"), None),
        "write images": (lambda: rn.idx.write_idx("images2", x[:, 0]), None),
        "write legacy": (lambda: rn.legacy.write_legacy(legacy, "legacy"), None),
        "write npy": (lambda: rn.npy_folder.write_npy_folder(legacy, "npy"), None),
        "export C": (lambda: rn.export.to_c(net, "net.c"), None),
        "export a page": (lambda: rn.export.to_html(net, "net.html"), None),
        "train": (lambda: attack.train_into("run", epochs=2, overwrite=True), "run"),
        "resume": (lambda: attack.train_into("run", epochs=3, resume=True), "run"),
        "read log": (lambda: rn.read_log("run/log.csv"), None),
    }
    for action, _ in actions.values():
        action()
    return actions


def _each_call(outcome, name, action, kept, code, stays):
    for number in range(1, 1000):
        found = attack.in_fork(_one, action, kept, number, code, stays)
        what = f"{name}, {errno.errorcode[code]} at call {number}{' and later' * stays}"
        if "ended" in found:
            outcome.fault(f"{what}: {found['ended']}")
            return
        if found["fault"]:
            outcome.fault(f"{what}, {found['failed']}: {found['fault']}")
        elif found["failed"]:
            outcome.add(found["how"])
        else:
            return


def _one(action, kept, number, code, stays):
    """One failing call, then all that must hold after it."""
    how, fault = "done anyway", None
    with failing.call_fails(failing.FILES, number, code, stays) as seen:
        try:
            action()
        except (OSError, FormatError) as error:
            how, wrong = "refused", attack.not_one_line(error)
            fault = wrong and f"{attack.named(error)} {wrong}"
        except BaseException as error:
            fault = f"undeclared {attack.named(error)}"
    if fault is None:
        fault = _broken(kept) or _left_behind(seen.failed, stays)
    if fault is None:
        try:
            action()
        except BaseException as error:
            fault = f"afterwards {attack.named(error)}"
    shutil.rmtree("run") if kept == "run" else None
    if kept == "run":
        attack.train_into("run", epochs=1)
    return {"how": how, "fault": fault, "failed": seen.failed}


def _broken(kept):
    files = [Path(kept)] if kept and Path(kept).is_file() else []
    files += Path("run").glob("*.safetensors") if kept == "run" else []
    for file in files:
        try:
            rn.load(file)
        except Exception as error:
            return f"a file is lost: {attack.named(error)}"
    return None


def _left_behind(failed, stays):
    """Temporary files, unless they could not be removed."""
    left = [str(path) for path in Path().rglob("*.tmp")]
    for path in left:
        Path(path).unlink()
    return f"left {left[0]} behind" if left and not stays and failed != "unlink" else None

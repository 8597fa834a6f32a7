"""Foreign arguments given to the core's own functions: rows, labels, orders, lists, numbers.

Values of wrong types, shapes, strides and ranges, most of them nearly right; each call works or
raises an error of a declared type. Under ASan and UBSan where `make sanitize` has built the core.
"""

import os
import random
import shutil
import subprocess
import types
from pathlib import Path

import numpy as np

import attack

COUNTS = (3_000, 100_000, 1_000_000)
AT_A_TIME = 5_000
SANITIZED = attack.ROOT / "build" / "sanitize" / "lib"
DECLARED = (TypeError, ValueError, OverflowError, FloatingPointError, RuntimeError)
DECLARED += (MemoryError, AttributeError, IndexError)
BORDERS = (-(2**63), -(2**31), -2, -1, 0, 1, 2, 7, 2**31 - 1, 2**31, 2**62, 2**63, 10**30)
ROWS, SHAPE, OUTPUTS = 12, (1, 6, 6), 3


def run(count, seed):
    _sanitized()
    outcome = attack.Outcome()
    for begin in range(0, count, AT_A_TIME):
        numbers = range(begin, min(count, begin + AT_A_TIME))
        found = attack.in_fork(_cases, seed, numbers, timeout=3600)
        if "ended" in found:
            case = Path("case").read_text()
            outcome.fault(f"seed {seed}, case {case}: the process {found['ended']}")
        else:
            outcome.take(found)
    if os.environ.get("ASAN_OPTIONS"):
        outcome.counts["under ASan and UBSan"] = outcome.cases
    return outcome


def _sanitized():
    """Start again with the core that `make sanitize` has built, if there is one."""
    if not SANITIZED.is_dir() or os.environ.get("ASAN_OPTIONS") or not shutil.which("gcc"):
        return
    libraries = [
        subprocess.run(
            ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    attack.begin_again(
        CAMPAIGN_PACKAGE=str(SANITIZED),
        PYTHONMALLOC="malloc",
        LD_PRELOAD=" ".join(libraries),
        ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1",
    )


def _cases(seed, numbers):
    import rnn_native._core as core
    from rnn_native.base import runtime

    runtime.config()  # opens the BLAS
    outcome, place = attack.Outcome(), Path("case").open("w")  # noqa: SIM115
    for number in numbers:
        place.seek(0)
        place.write(f"{number}\n")
        place.flush()
        rng = random.Random(attack.seed_of(seed, number))
        name, call = _call(core, rng)
        try:
            call()
        except DECLARED as error:
            wrong = attack.not_one_line(error)
            if isinstance(error, RuntimeError) and type(error) is not RuntimeError:
                wrong = "is none that is declared"
            if wrong and "repr" not in wrong:
                outcome.fault(f"case {number}, {name}: {attack.named(error)} {wrong}")
            else:
                outcome.add("refused")
        except BaseException as error:
            outcome.fault(f"case {number}, {name}: undeclared {attack.named(error)}")
        else:
            outcome.add("done")
    return outcome.as_dict()


def _call(core, rng):
    """A function of the core with arguments that fit, except one or two."""
    net = _net(core, rng)
    x, y = _rows(rng), np.arange(ROWS, dtype=np.int32) % OUTPUTS
    order = np.arange(ROWS, dtype=np.int32)
    size = net.weights.size
    outputs = np.ones((ROWS, OUTPUTS), np.float32)
    common = {"threads": rng.choice([1, 2, 3])}
    states = core.Net([{"type": "gru", "units": 4}], SHAPE[1:], "none")
    calls = {
        "train": (net.train, [x, y, order, 5, 0.01], {**common, "l2": 0.1, "mixup": 0.5}),
        "evaluate": (
            net.evaluate,
            [x, y],
            {**common, "weights": np.ones(ROWS, np.float32)},
        ),
        "predict": (net.predict, [x], common),
        "gradients": (net.gradients, [x, y], {**common, "smoothing": 0.1}),
        "backprop": (net.backprop, [x, outputs], common),
        "forward": (net.forward, [x], common),
        "maps": (net.maps, [x, 0], common),
        "predict_plain": (net.predict_plain, [x, 0.0, 1.0], {}),
        "advance": (states.advance, [x, np.zeros(ROWS * 4, np.float32)], common),
        "advance_plain": (
            states.advance_plain,
            [x, np.zeros(ROWS * 4, np.float32), 0.0, 1.0],
            {},
        ),
        "set_weights": (net.set_weights, [np.zeros(size, np.float32)], {}),
        "set_rates": (net.set_rates, [np.ones(len(net.layers))], {}),
        "set_optimizer": (net.set_optimizer, [{"type": "adam", "beta_1": 0.5}], {}),
        "augment": (core.augment, [_pixels(x), _augmentation(), 3, 4], {}),
        "rng_shuffle": (core.rng_shuffle, [5, order], {}),
        "rng_uniform": (core.rng_uniform, [5, 0.0, 1.0, np.zeros(9, np.float32)], {}),
        "all_within": (core.all_within, [np.zeros(9, np.float32), 0.0, 1.0], {}),
        "layer_shapes": (core.layer_shapes, [_layers(rng), SHAPE, "none"], {}),
    }
    name = rng.choice(list(calls))
    function, arguments, options = calls[name]
    if name == "train" and rng.random() < 0.5:
        options = {**options, "augment": _augmentation(), "average_decay": 0.5}
        options["average"] = np.zeros(net.params.size, np.float32)
    for _ in range(rng.choice([0, 1, 1, 1, 2])):
        at = rng.randrange(len(arguments) + len(options))
        if at < len(arguments):
            arguments[at] = _foreign(arguments[at], rng)
        else:
            key = list(options)[at - len(arguments)]
            options = {**options, key: _foreign(options[key], rng)}
    return name, lambda: function(*arguments, **options)


def _layers(rng):
    first = [{"type": "conv2d", "filters": 2, "kernel_size": 3}, {"type": "flatten"}]
    first = first if rng.random() < 0.5 else [{"type": "flatten"}]
    return [*first, {"type": "dropout", "rate": 0.1}, {"type": "dense", "units": OUTPUTS}]


def _net(core, rng):
    net = core.Net(_layers(rng), SHAPE, "softmax_cross_entropy")
    net.weights[:] = np.linspace(-1, 1, net.weights.size)
    return net


def _augmentation():
    return {
        "channels": 1,
        "height": 6,
        "width": 6,
        "shift": 1.0,
        "rotation": 0.2,
        "elastic": 1.0,
    }


def _pixels(x):
    return (
        x
        if isinstance(x, np.ndarray) and x.dtype == np.float32
        else np.zeros((2, 36), "f4")
    )


def _rows(rng):
    x = np.linspace(0, 1, ROWS * 36, dtype=np.float32).reshape(ROWS, 36)
    kind = rng.randrange(3)
    if kind == 0:
        return x
    if kind == 1:
        return (255 * x).astype(np.uint8)
    return types.SimpleNamespace(
        begin=np.arange(0, 3 * ROWS + 1, 3, dtype=np.int32),
        column=np.tile(np.array([0, 7, 35], np.int32), ROWS),
        value=np.ones(3 * ROWS, np.float32),
    )


def _foreign(value, rng):
    """Nearly what it should be, or something else altogether."""
    if rng.random() < 0.15:
        return rng.choice(
            [None, "x", b"x", [], {}, (), object(), 1, -1.5, [[1], [2, 3]], type]
        )
    if isinstance(value, np.ndarray):
        return _foreign_array(value, rng)
    if isinstance(value, types.SimpleNamespace):
        value = types.SimpleNamespace(**vars(value))
        name = rng.choice(["begin", "column", "value"])
        setattr(value, name, _foreign(getattr(value, name), rng))
        return value
    if isinstance(value, dict) and value:
        key = rng.choice(list(value))
        return {**value, rng.choice([key, key, "x"]): _foreign(value[key], rng)}
    if isinstance(value, (list, tuple)) and value:
        items = list(value)
        at = rng.randrange(len(items))
        items[at] = _foreign(items[at], rng)
        return items
    if isinstance(value, float):
        return rng.choice([float("nan"), float("inf"), -1.0, 1e300, -1e-300, 2, 0.0])
    if isinstance(value, int):
        return rng.choice(BORDERS)
    return rng.choice(["dense", "", "x\x00y", "\ud800", 3])


def _foreign_array(array, rng):
    kind = rng.randrange(9)
    flat = array.reshape(-1).copy()
    if kind == 0 and flat.size:
        border = rng.choice([b for b in BORDERS if -(2**31) <= b < 2**31])
        special = [float("nan"), float("inf"), 1e38]
        at = rng.randrange(flat.size)
        value = rng.choice(special) if flat.dtype.kind == "f" else border
        flat[at] = np.array(value).astype(flat.dtype)
        return flat.reshape(array.shape)
    if kind == 1:
        return array.astype(
            rng.choice(["i1", "i8", "f8", "u2", "?", ">f4", ">i4", "O", "c8"])
        )
    if kind == 2:
        return flat[: rng.randrange(flat.size + 1)].copy()
    if kind == 3:
        return np.concatenate([flat, flat])[:: rng.choice([2, -1])]
    if kind == 4:
        return np.asfortranarray(array) if array.ndim > 1 else array[None]
    if kind == 5:
        return np.zeros((0, *array.shape[1:]), array.dtype)
    if kind == 6:
        array = array.copy()
        array.flags.writeable = False
        return array
    if kind == 7:
        return np.broadcast_to(array[:1], array.shape)
    if array.dtype.hasobject:
        return array[None]
    return np.frombuffer(b"\0" + array.tobytes(), np.uint8)[1:].view(array.dtype)

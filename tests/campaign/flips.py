"""Single flipped bits in saved files: refused, or without any effect on what is read.

Model files, checkpoints, ensembles, packed data sets and decoded pictures: whatever has a
checksum. A flip that is accepted and changes what is read is silent, and a fault.
"""

import gzip
import itertools
import random
from pathlib import Path

import numpy as np
from PIL import Image

import attack
import rnn_native as rn
from rnn_native.base.errors import FormatError
from rnn_native.net import model_file

COUNTS = (2_000, 100_000, 1_000_000)

_numbers = itertools.count()


def run(count, seed):
    outcome = attack.Outcome()
    readers = _files()
    names = sorted(readers)
    for number in range(count):
        rng = random.Random(attack.seed_of(seed, number))
        name = names[number % len(names)]
        data, read, whole = readers[name]
        changed = bytearray(data)
        bit = rng.randrange(8 * len(changed))
        changed[bit // 8] ^= 1 << bit % 8
        Path("flipped.gz" if name == "idx packed" else "flipped").write_bytes(changed)
        try:
            same = read() == whole
        except (FormatError, OSError, ValueError) as error:
            wrong = attack.not_one_line(error)
            if wrong:
                outcome.fault(f"{name}, bit {bit}: {attack.named(error)} {wrong}")
            else:
                outcome.add("refused")
        except BaseException as error:
            outcome.fault(f"{name}, bit {bit}: undeclared {attack.named(error)}")
        else:
            if same:
                outcome.add("without effect")
            else:
                outcome.fault(f"{name}, bit {bit}: silent")
    return outcome


def _files():
    """Of each file: its bytes, what is read of a changed one, and what that should be."""
    attack.train_into("run", epochs=2)
    rn.Ensemble([rn.Network([rn.Dense(3)], (4,), seed=seed) for seed in (1, 2)]).save(
        "both"
    )
    images = np.random.default_rng(3).integers(0, 256, (6, 4, 4), np.uint8)
    packed = gzip.compress(rn.idx.idx_header(images) + images.tobytes(), mtime=0)
    readers = {
        "model": (Path("run/best.safetensors").read_bytes(), _model),
        "checkpoint": (Path("run/last.safetensors").read_bytes(), _resumed),
        "ensemble": (Path("both").read_bytes(), _ensemble),
        "idx packed": (packed, _images),
        "pictures": (_decoded(images), _pictures),
    }
    files = {}
    for name, (data, read) in readers.items():
        Path("flipped.gz" if name == "idx packed" else "flipped").write_bytes(data)
        files[name] = (data, read, read())
    return files


def _state(net):
    return (net.get_weights().tobytes(), repr(net.architecture()), repr(net.optimizer))


def _model():
    return _state(rn.load("flipped"))


def _resumed():
    """All that a resumed run takes from the file: what is written when it ends again.

    A run reads it by the same function: of files that this refuses one in ten is given to a run,
    which takes ten times as long, and the files that it takes all are.
    """
    if next(_numbers) % 10:
        model_file.read("flipped")
    Path("run/last.safetensors").write_bytes(Path("flipped").read_bytes())
    result = attack.train_into("run", epochs=2, resume=True)
    return _state(result.model), repr(result.history.as_list())


def _ensemble():
    return [_state(net) for net in rn.Ensemble.load("flipped").nets]


def _decoded(images):
    """Return the file that a folder of pictures is decoded into."""
    Path("pictures/a").mkdir(parents=True)
    for number, pixels in enumerate(images):
        Image.fromarray(pixels).save(f"pictures/a/{number}.png")
    _rows_of_pictures()
    (place,) = Path("cache").iterdir()
    return place.read_bytes()


def _pictures():
    (place,) = Path("cache").iterdir()
    place.write_bytes(Path("flipped").read_bytes())
    return _rows_of_pictures()


def _rows_of_pictures():
    loader = rn.datasets.from_folder("pictures", size=(4, 4), workers=0, cache="cache")
    return b"".join(x.tobytes() for x, _ in loader.batches(None))


def _images():
    return rn.idx.read_idx("flipped.gz").tobytes()

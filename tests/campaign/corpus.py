"""Valid files of each format, and how each is read."""

import gzip
import io
import itertools
import json
import random
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import attack
import mutations
import rnn_native as rn
from rnn_native.base.errors import FormatError, TrainingDiverged
from rnn_native.datasets.published import DATASETS
from rnn_native.net import model_file

SAVED = attack.ROOT / "tests" / "data" / "0.1.0"
SIDE = 4  # of images in tables


@dataclass(frozen=True)
class Format:
    """Files that `read` accepts, what a case does with one, and which errors it may raise."""

    files: Sequence[bytes]
    read: Callable[[Path], Any]
    suffix: str = ""
    mutate: Callable[[bytes, random.Random, Sequence[bytes]], bytes] = (
        mutations.mutated_bytes
    )
    errors: tuple[type[Exception], ...] = (FormatError, OSError)


def formats():
    """Make each format's valid files; the folder in use is one for the purpose."""
    return {**_of_models(), **_of_settings(), **_of_data(), **_of_pictures()}


def _saved(*patterns):
    found = (sorted(SAVED.glob(pattern)) for pattern in patterns)
    return [path.read_bytes() for path in itertools.chain(*found)]


# ---- models ----


def resealed(data, rng, others):
    """A model file whose metadata or tensors are changed, with a checksum that is right."""
    Path("sealed").write_bytes(data)
    tensors, metadata = model_file.read("sealed", *model_file.READERS)
    del metadata["sha256"]
    if rng.random() < 0.7:
        metadata = mutations.mutated_json(metadata, rng)
    else:
        name = rng.choice(sorted(tensors))
        tensors[name] = _changed_tensor(tensors[name], rng)
        if rng.random() < 0.2:
            tensors[rng.choice(["x", "layers.9.weight", "run.best"])] = tensors.pop(name)
    file = io.BytesIO()
    try:
        model_file.write(file, tensors, metadata)
    except (TypeError, ValueError, AttributeError, UnicodeError):
        return mutations.mutated_bytes(data, rng, others)  # nobody can write that
    return file.getvalue()


def _changed_tensor(tensor, rng):
    kind = rng.randrange(5)
    if kind == 0:
        return tensor.astype(rng.choice([np.float64, np.int32, np.uint8, np.bool_]))
    if kind == 1:
        return tensor.ravel()[: rng.randrange(tensor.size + 1)].copy()
    if kind == 2:
        return tensor[None]
    flat = tensor.copy().reshape(-1)
    if flat.size:
        special = (
            [0, 1, -1, 2**31 - 1] if flat.dtype.kind in "iu" else [np.nan, np.inf, 1e30, 0]
        )
        with np.errstate(all="ignore"):
            flat[rng.randrange(flat.size)] = np.array(rng.choice(special)).astype(
                flat.dtype
            )
    return flat.reshape(tensor.shape)


def _of_models():
    nets = _saved("models/*.safetensors")
    members = [rn.Network([rn.Dense(3)], (4,), seed=seed) for seed in (1, 2)]
    rn.Ensemble(members).save("ensemble")
    members[0].save_weights("weights")
    table = rn.TabularNet([rn.Dense(2)])
    table.fit({"a": ["x", "y"] * 8, "b": list(range(16))}, [0, 1] * 8, epochs=1, verbose=0)
    table.save("table")
    rn.export.save_torch(members[0], "module")
    ensemble, weights = Path("ensemble").read_bytes(), Path("weights").read_bytes()
    attack.train_into("run", epochs=2)
    last = Path("run/last.safetensors").read_bytes()

    def resume(path):
        path.replace("run/last.safetensors")
        attack.train_into("run", epochs=2, resume=True)

    def load_weights(path):
        rn.Network([rn.Dense(3)], (4,)).load_weights(path)

    def load_module(path):
        rn.export.load_torch(path, members[0])

    # A rate or weights of a file may be so large that the next epoch diverges.
    refusals = (FormatError, OSError, ValueError, TrainingDiverged)
    return {
        "model": Format(nets, rn.load),
        "model resealed": Format(nets, rn.load, mutate=resealed),
        "ensemble resealed": Format([ensemble], rn.Ensemble.load, mutate=resealed),
        "weights resealed": Format([weights], load_weights, mutate=resealed),
        "table resealed": Format(
            [Path("table").read_bytes()], rn.TabularNet.load, mutate=resealed
        ),
        "module": Format([Path("module").read_bytes()], load_module),
        "checkpoint": Format([last], resume, errors=refusals),
        "checkpoint resealed": Format([last], resume, mutate=resealed, errors=refusals),
        "legacy": Format(_saved("models/*.bin"), rn.load),
        "npy": Format(_saved("models/dense_npy/*.npy"), rn.npy_folder.read_npy),
    }


# ---- settings and logs ----


def _changed_settings(data, rng, others):
    if rng.random() < 0.3:
        return mutations.mutated_bytes(data, rng, others)
    return mutations.json_bytes(mutations.mutated_json(json.loads(data), rng))


def _of_settings():
    from rnn_native.analysis.attention_text import read_attention
    from rnn_native.recognizer import drawing

    load_recipe = rn.recipes.load_recipe
    architectures = _saved("settings/*architecture.json")
    configs = _saved("settings/*training.json")
    logs = _saved("logs/*.csv", "runs/*/log.csv")
    return {
        "architecture": Format(
            architectures, rn.architecture.load_architecture, mutate=_changed_settings
        ),
        "config": Format(configs, rn.load_config, mutate=_changed_settings),
        "recipe": Format(
            _saved("settings/recipe.json"), load_recipe, mutate=_changed_settings
        ),
        "log": Format(logs, rn.read_log),
        "drawing": Format([_drawing()], drawing.from_json, mutate=_changed_settings),
        "attention text": Format(_saved("logs/attention_weights.txt"), read_attention),
    }


def _drawing():
    strokes = [
        {"width": 3.0, "points": [[1, 2], [3, 4.5]]},
        {"width": 2, "points": [[0, 0]]},
    ]
    return json.dumps({"side": 280, "strokes": strokes}).encode()


# ---- data sets ----


def _of_data():
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (6, SIDE, SIDE), np.uint8)
    labels = np.arange(6, dtype=np.uint8)
    rn.idx.write_idx("images", images)
    rn.idx.write_idx("labels", labels)
    pictures, numbers = Path("images").read_bytes(), Path("labels").read_bytes()
    names = ",".join(["label", *(f"pixel{i}" for i in range(SIDE * SIDE))])
    rows = [
        ",".join(map(str, [n, *p.ravel()])) for n, p in zip(labels, images, strict=True)
    ]
    tables = [
        "\n".join([names, *rows]),
        "\n".join(rows),
        "\r\n".join(["\ufeff" + names, *rows]),
    ]
    packed = [gzip.compress(data, mtime=0) for data in (pictures, numbers)]
    return {
        "idx": Format([pictures, numbers], rn.idx.read_idx),
        "idx packed": Format(packed, rn.idx.read_idx, suffix=".gz"),
        "csv": Format(
            [t.encode() for t in tables], lambda p: rn.csv_digits.load_csv(p, side=SIDE)
        ),
        "npz": Format([_npz()], _read_npz),
        "rows": Format([pictures, *_rows(images)], _read_rows),
    }


def _rows(images):
    """Files of rows: npy of several versions and types, IDX of floats, safetensors."""
    from safetensors.numpy import save

    found = [save({"x": images, "y": images[:, 0]})]
    for version in (1, 2, 3):
        file = io.BytesIO()
        np.lib.format.write_array(file, images.astype(f"<f{1 << version}"), (version, 0))
        found.append(file.getvalue())
    head = bytes([0, 0, 13, images.ndim])
    sizes = b"".join(size.to_bytes(4, "big") for size in images.shape)
    return [*found, head + sizes + images.astype(">f4").tobytes()]


def _read_rows(path):
    loader = rn.datasets.from_files(path, path, batch_size=2)
    next(iter(loader.batches(None)))


def _npz():
    arrays = {}
    for part, n in ("train", 3), ("test", 2):
        arrays[f"x_{part}"] = np.ones((n, 28, 28), np.uint8)
        arrays[f"y_{part}"] = np.arange(n, dtype=np.uint8)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            part = io.BytesIO()
            np.save(part, array)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), part.getvalue())
    return file.getvalue()


def _read_npz(path):
    from rnn_native.datasets.npz import load_npz

    load_npz(path, DATASETS["mnist"])


# ---- pictures ----


def _of_pictures():
    from PIL import Image

    from rnn_native.recognizer.opening import read_picture

    ramp = np.arange(20 * 14, dtype=np.uint8).reshape(20, 14)
    gray, color = Image.fromarray(ramp), Image.fromarray(np.stack([ramp] * 3, -1))
    clear = color.convert("RGBA")
    clear.putalpha(100)
    kept = {
        "png": [gray, color, clear, gray.convert("1"), gray.convert("I;16")],
        "jpeg": [gray, color],
        "gif": [gray],
        "bmp": [gray, color],
        "tiff": [gray, color],
        "webp": [color],
        "ppm": [gray, color],
    }
    files = []
    for form, pictures in kept.items():
        for picture in pictures:
            file = io.BytesIO()
            picture.save(file, form)
            files.append(file.getvalue())
    return {"picture": Format(files, read_picture)}

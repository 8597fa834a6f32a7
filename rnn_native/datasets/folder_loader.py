"""Folders of pictures by class as a loader: decoded once, by worker processes."""

import hashlib
import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from rnn_native.base.checks import check_count, check_flag
from rnn_native.base.errors import FormatError
from rnn_native.base.files import as_path, errors_named
from rnn_native.base.temporary import Beside, remove_forgotten
from rnn_native.base.text import brief, printable
from rnn_native.base.xorshift import Xorshift
from rnn_native.datasets import sealed
from rnn_native.datasets.decoding import decode, faults_of
from rnn_native.datasets.file_loader import BLOCK_BYTES, FileLoader
from rnn_native.datasets.shards import AnyPath, Rows, open_shard

SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".bmp",
    ".gif",
    ".webp",
    ".tif",
    ".tiff",
    ".pgm",
    ".ppm",
)

FEW = 200
"""Pictures that are decoded before a process has begun."""


def from_folder(
    folder: AnyPath,
    *,
    size: tuple[int, int],
    color: bool = False,
    batch_size: int = 64,
    workers: int | None = None,
    cache: AnyPath | None = None,
) -> FileLoader:
    """Return a loader of the pictures in a folder with a folder for each class.

    Parameters
    ----------
    folder : path
        Of ``CLASS/NAME.png`` and the like. Classes are numbered in the order of their names;
        other files, and names that begin with a dot, are left out.
    size : tuple of (height, width)
        To which pictures are brought, whatever their proportions.
    color : bool
        False makes them gray, of shape (height, width); True (3, height, width).
    batch_size : int of at least 1
        Pictures of a batch.
    workers : int of at least 0, optional
        Processes that decode; 0: this one. None: one for each processor, or this one if
        there are fewer than 200 pictures. The bytes do not depend on it.
    cache : path, optional
        Folder for the decoded pictures, in one file. None: rnn_native's folder among the
        user's caches. A further call reads them from there, unless names, sizes or times of
        the pictures have changed.

    Returns
    -------
    FileLoader
        Of uint8 rows, mixed once, so that `split` holds out some of each class;
        `classes` has the names.

    Raises
    ------
    FileNotFoundError, OSError
        If there is no such folder, a picture cannot be read, or the cache cannot be written.
    ValueError
        If the folder has no pictures, or a class has none.
    FormatError
        If a picture cannot be decoded, or takes too much memory (more than 64 million pixels, or
        12 million and 500 for each byte of its file); the message names the first one and
        counts the others.

    Examples
    --------
    >>> import os
    >>> import tempfile
    >>> from PIL import Image
    >>> import rnn_native as rn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("cat", "dog"):
    ...         os.mkdir(f"{folder}/{name}")
    ...         Image.new("L", (20, 30)).save(f"{folder}/{name}/0.png")
    ...     loader = rn.datasets.from_folder(folder, size=(8, 8), workers=0, cache=f"{folder}/.c")
    ...     print(loader.classes, loader.shape)
    ['cat', 'dog'] (2, 8, 8)
    """
    root = as_path("folder", folder)
    height, width = _extents(size)
    shape = (3, height, width) if check_flag("color", color) else (height, width)
    batch = check_count("batch_size", batch_size, 1)
    classes, names, labels = _pictures_of(root)
    many = 0 if len(names) < FEW else os.cpu_count() or 1
    count = many if workers is None else check_count("workers", workers)
    order = np.arange(len(names), dtype=np.int32)
    Xorshift(1).shuffle(order)
    names = [names[i] for i in order.tolist()]
    path = _cache_of(root, names, shape, cache)
    rows = _cached(path, (len(names), *shape))
    if rows is None:
        _decode_all(root, names, shape, path, count)
        rows = Rows([open_shard(str(path), "x")])
    options = batch, range(len(names)), BLOCK_BYTES, classes
    return FileLoader(rows, labels[order], *options)


def _extents(size: Any) -> tuple[int, int]:
    """Return height and width, or raise TypeError or ValueError."""
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise TypeError(f"size: expected (height, width), got {brief(size)}")
    return check_count("size", size[0], 1), check_count("size", size[1], 1)


def has_pictures(root: Path) -> bool:
    """Return whether a folder has a folder with pictures."""
    return root.is_dir() and any(
        _is_picture(entry)
        for folder in root.iterdir()
        if folder.is_dir() and not folder.name.startswith(".")
        for entry in folder.iterdir()
    )


def _is_picture(entry: Path) -> bool:
    return entry.suffix.lower() in SUFFIXES and not entry.name.startswith(".")


def _pictures_of(root: Path) -> tuple[list[str], list[str], Any]:
    """Return names of classes, and the pictures' paths below the folder with their labels."""
    classes = sorted(
        entry.name
        for entry in root.iterdir()
        if entry.is_dir() and not entry.name.startswith(".")
    )
    names: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = sorted(
            entry.name for entry in (root / name).iterdir() if _is_picture(entry)
        )
        if not found:
            raise ValueError(printable(f"{root / name}: expected pictures, got none"))
        names += [f"{name}/{one}" for one in found]
        labels += [label] * len(found)
    if not classes:
        raise ValueError(
            printable(f"{root}: expected a folder for each class with pictures, got none")
        )
    return classes, names, np.array(labels, np.int32)


def _cache_of(
    root: Path, names: list[str], shape: tuple[int, ...], cache: AnyPath | None
) -> Path:
    """Return the file for decoded pictures: its name changes with the pictures."""
    listing = hashlib.sha256(json.dumps([str(root.resolve()), shape]).encode())
    for name in names:
        status = (root / name).stat()
        listing.update(json.dumps([name, status.st_size, status.st_mtime_ns]).encode())
    if cache is None:
        import pooch

        cache = Path(pooch.os_cache("rnn_native")) / "pictures"
    place = as_path("cache", cache)
    place.mkdir(parents=True, exist_ok=True)
    # A name in a file system has 255 bytes at most; this one is for people.
    readable = root.resolve().name[:40]
    return place / f"{readable}-{listing.hexdigest()[:20]}.npy"


def _cached(path: Path, full: tuple[int, ...]) -> Rows | None:
    """Return the rows of a cache file; None if it is missing or damaged."""
    try:
        if not sealed.is_whole(path):
            return None
        rows = Rows([open_shard(str(path), "x")])
    except (FileNotFoundError, FormatError):
        return None
    return rows if rows.shape == full and rows.dtype == np.uint8 else None


def _decode_all(
    root: Path, names: Sequence[str], shape: tuple[int, ...], path: Path, workers: int
) -> None:
    """Write all pictures to one npy file, sealed, which appears when it is whole."""
    remove_forgotten(path.parent)
    # Its lock keeps others from removing it.
    with Beside() as partial:
        with errors_named(path):
            partial.create(path, 0o666)
            with open(partial[0], "wb", closefd=False) as file:
                begin = _begin(file, (len(names), *shape))
        job: dict[str, Any] = {
            "root": str(root),
            "shape": shape,
            "out": str(partial.path),
            "name": str(path),
        }
        _fill({**job, "begin": begin}, names, workers)
        with errors_named(path):
            with Path(job["out"]).open("r+b") as file:
                sealed.seal(file)
            os.fsync(partial[0])
            partial.become(path)


def _begin(file: IO[bytes], full: tuple[int, ...]) -> int:
    """Write the header of an array of bytes, and make room for it; return where it begins."""
    header = {"descr": "|u1", "fortran_order": False, "shape": full}
    np.lib.format.write_array_header_1_0(file, header)
    begin = file.tell()
    file.truncate(begin + math.prod(full))
    return begin


def _fill(job: dict[str, Any], names: Sequence[str], workers: int) -> None:
    """Decode all pictures into an open file, or raise FormatError for those that are broken."""
    count = max(1, min(workers, len(names)))
    jobs = [
        {**job, "pictures": [[i, names[i]] for i in range(k, len(names), count)]}
        for k in range(count)
    ]
    if workers == 0:
        faults = decode(jobs[0])
    else:
        from concurrent.futures import ThreadPoolExecutor  # slow to import

        with ThreadPoolExecutor(count) as pool:
            faults = [fault for found in pool.map(_in_process, jobs) for fault in found]
    if faults:
        _, text = min(faults)
        more = f"; so are {len(faults) - 1} others" if len(faults) > 1 else ""
        raise FormatError(printable(f"{text}{more}"))


def _in_process(job: dict[str, Any]) -> list[Any]:
    """Decode in a separate process; return the broken pictures."""
    import subprocess  # slow to import

    places = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-m", "rnn_native.datasets.decoding"],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "PYTHONPATH": places, "PYTHONIOENCODING": "utf-8"},
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise OSError(
            printable(f"workers: a process that decodes pictures ended with: {last}; use 0")
        )
    return faults_of(json.loads(done.stdout))

"""Data sets: MNIST wherever it lies, IDX files, and generated digits.

`load_mnist` looks, in this order, at its argument, at the folder that the
environment variable ``RNN_NATIVE_DATA`` names, at ``./data`` (with the place where
torchvision puts MNIST below it), at the file that Keras keeps, at a cache of its own,
and then downloads.
"""

import errno
import functools
import io
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from rnn_native.base.errors import FormatError
from rnn_native.base.files import (
    AnyPath,
    atomic_write,
    errors_named,
    regular_file_size,
    shown,
)
from rnn_native.datasets.idx import (
    GZIP_MAGIC,
    MAX_UNPACKED,
    Bytes,
    check_labels,
    gunzipped,
    gzip_faults,
    idx_header,
    load_idx,
)

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from ssl import SSLContext
    from zipfile import ZipFile


Split: TypeAlias = tuple[Bytes, Bytes]

VARIABLE = "RNN_NATIVE_DATA"
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
TIMEOUT = 10.0  # seconds without an answer, or without another byte
DEADLINE = 600.0  # seconds for one file from one mirror
SYNTHETIC_TRAIN = 20_000
SYNTHETIC_TEST = 4_000

# torchvision's folder, and one that people make by hand; relative to a data folder.
_SUBFOLDERS = ("", "MNIST/raw", "mnist")
_ARRAYS = {"x_train": 3, "y_train": 1, "x_test": 3, "y_test": 1}


class _Part(NamedTuple):
    """One file of MNIST: its name, and size and SHA-256 when it is not packed."""

    name: str
    size: int
    sha256: str


_PARTS = (
    _Part(
        "train-images-idx3-ubyte",
        47_040_016,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    _Part(
        "train-labels-idx1-ubyte",
        60_008,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    _Part(
        "t10k-images-idx3-ubyte",
        7_840_016,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    _Part(
        "t10k-labels-idx1-ubyte",
        10_008,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)


class DataNotFoundError(FileNotFoundError):
    """MNIST is in none of the usual places and cannot be downloaded.

    The message is one line: where it was looked for, why the download failed, and
    what to do.
    """


class Dataset(NamedTuple):
    """Images and labels to learn from and to test with, and where they come from.

    Attributes
    ----------
    x_train, x_test : ndarray of shape (n, 28, 28), uint8
        Images.
    y_train, y_test : ndarray of shape (n,), uint8
        Labels.
    source : str
        Where the data come from, in words, for a log.
    """

    x_train: Bytes
    y_train: Bytes
    x_test: Bytes
    y_test: Bytes
    source: str


def load_mnist(
    path: AnyPath | None = None, *, download: bool = True, progress: bool | None = None
) -> tuple[Split, Split]:
    """Load MNIST, or files of the same layout such as Fashion-MNIST.

    Parameters
    ----------
    path : str or path-like, optional
        A folder with the four IDX files (each plain or ending in ``.gz``) or with
        ``mnist.npz``, or an ``.npz`` file. The default is to look at the folder
        that the environment variable ``RNN_NATIVE_DATA`` names and nowhere else, or
        if it is not set at ``./data``, ``~/.keras/datasets/mnist.npz`` and a cache.
    download : bool, default True
        Whether to download MNIST to the cache (55 MB) if it is in none of these
        places. Never done when `path` or the variable is given.
    progress : bool, optional
        Whether to show a bar while downloading; by default if stderr is a terminal.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuple of pairs of ndarray
        Images of shape (n, 28, 28), uint8, and labels of shape (n,), uint8, below
        10. MNIST has 60,000 and 10,000 of them.

    Raises
    ------
    FileNotFoundError
        If `path` or the folder in ``RNN_NATIVE_DATA`` has no such files.
    DataNotFoundError
        If no place has them, and a download was not wanted or not possible.
    FormatError
        If a file is found that is not what its name says. There is no going on to
        the next place then.
    OSError
        If a file that was found cannot be read.

    Examples
    --------
    >>> (x_train, y_train), (x_test, y_test) = load_mnist()  # doctest: +SKIP
    """
    place = find_mnist(path) or _obtain(download, progress)
    return _load(place)


def find_mnist(path: AnyPath | None = None) -> Path | None:
    """Tell from where `load_mnist` would load, without loading or downloading.

    Parameters
    ----------
    path : str or path-like, optional
        As in `load_mnist`.

    Returns
    -------
    Path or None
        The folder that holds the four IDX files, or the ``.npz`` file. None if
        there is none in the usual places.

    Raises
    ------
    FileNotFoundError
        If `path` or the folder in ``RNN_NATIVE_DATA`` is given, and has no such
        files. Another OSError if it cannot be looked into.
    """
    if path is not None:
        return _demand(Path(path), "")
    if named := os.environ.get(VARIABLE):
        return _demand(_expanded(named), f"{VARIABLE}: ")
    return next(filter(None, map(_look_into, _usual_places())), None)


def load_mnist_or_synthetic(
    path: AnyPath | None = None, *, download: bool = True, progress: bool | None = None
) -> Dataset:
    """Load MNIST, or generate digits if there is neither a file nor a network.

    One line on stderr says so when digits are generated. Data that were asked for by
    `path` or ``RNN_NATIVE_DATA`` are never replaced.

    Parameters
    ----------
    path, download, progress
        As in `load_mnist`.

    Returns
    -------
    Dataset
        MNIST, or 20,000 generated digits to learn from and 4,000 to test with.

    Raises
    ------
    FileNotFoundError, FormatError, OSError
        As `load_mnist`, but never DataNotFoundError.
    """
    try:
        return _load_dataset(path, download, progress)
    except DataNotFoundError as error:
        print(f"rnn_native: {error}. Using generated digits now.", file=sys.stderr)
        return _generate()


def _load_dataset(path: AnyPath | None, download: bool, progress: bool | None) -> Dataset:
    place = find_mnist(path) or _obtain(download, progress)
    (x_train, y_train), (x_test, y_test) = _load(place)
    return Dataset(x_train, y_train, x_test, y_test, f"MNIST files in {place}")


def open_dataset(name_or_path: AnyPath | None, *, replace: bool = True) -> Dataset:
    """Return the data set that a user names.

    Parameters
    ----------
    name_or_path : str, path-like or None
        The string ``"synthetic"`` for generated digits, None for MNIST with
        generated digits in its place if it cannot be had, or a folder or ``.npz``
        file as in `load_mnist`. (A folder of that name is ``./synthetic``.)
    replace : bool, default True
        Whether generated digits may take MNIST's place. False is for what is measured:
        a model's accuracy on other data says nothing of that on MNIST.

    Returns
    -------
    Dataset
        The data.

    Raises
    ------
    FileNotFoundError, FormatError, OSError
        As `load_mnist`; DataNotFoundError only if `replace` is False.
    """
    if name_or_path == "synthetic":
        return _generate()
    if replace:
        return load_mnist_or_synthetic(name_or_path)
    return _load_dataset(name_or_path, download=True, progress=None)


def mnist_hashes_match(arrays: tuple[Split, Split]) -> bool:
    """Tell whether `arrays`, as `load_mnist` returns them, are MNIST itself.

    Parameters
    ----------
    arrays : tuple of pairs of ndarray
        ``(x_train, y_train), (x_test, y_test)``, uint8.

    Returns
    -------
    bool
        True if all four give the SHA-256 of the published files.
    """
    (x_train, y_train), (x_test, y_test) = arrays
    return all(
        _sha256(idx_header(array), np.ascontiguousarray(array).reshape(-1).data)
        == part.sha256
        for part, array in zip(_PARTS, (x_train, y_train, x_test, y_test), strict=True)
    )


# Where it lies


def _usual_places() -> Iterator[Path]:
    yield Path("data")
    keras = _expanded(os.environ.get("KERAS_HOME") or "~/.keras")
    yield keras / "datasets" / "mnist.npz"
    if cache := _cache_folder():
        yield cache


def _expanded(path: str) -> Path:
    # A user without a home folder, as in containers, is a RuntimeError.
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def _cache_folder() -> Path | None:
    import pooch

    folder = Path(pooch.os_cache("rnn_native")) / "mnist"
    # Without a home folder it begins with a "~" that would be taken as a name.
    return folder if folder.is_absolute() else None


def _look_into(place: Path) -> Path | None:
    """Return the folder or npz file that holds MNIST at or below `place`."""
    if place.suffix == ".npz" and _is_file(place):
        return place
    for folder in (place / sub for sub in _SUBFOLDERS):
        if all(_part_in(folder, part) for part in _PARTS):
            return folder
        if _is_file(folder / "mnist.npz"):
            return folder / "mnist.npz"
    return None


def _demand(place: Path, origin: str) -> Path:
    """Return what `_look_into` finds; raise if there is nothing."""
    if found := _look_into(place):
        return found
    try:
        # Says better than we could what is wrong with the folder as such.
        next(place.iterdir(), None)
    except OSError as error:
        raise OSError(error.errno, f"{origin}{error.strerror}", str(place)) from error
    missing = [part.name for part in _PARTS if not _part_in(place, part)]
    raise FileNotFoundError(
        f"{origin}no MNIST in {shown(place)}: {', '.join(missing)} missing (plain or "
        ".gz), and no mnist.npz"
    )


def _part_in(folder: Path, part: _Part) -> Path | None:
    """Return the file of `folder` that is `part`, under one of its usual names."""
    dotted = part.name.replace("-idx", ".idx")
    for name in (part.name, dotted, f"{part.name}.gz", f"{dotted}.gz"):
        # The archive on Kaggle unpacks to folders, each with one file of its name.
        for path in (folder / name, folder / name / name):
            if _is_file(path):
                return path
    return None


def _is_file(path: Path) -> bool:
    # A folder where one may not look is one without the file.
    with suppress(OSError):
        return path.is_file()
    return False


# Loading


def _load(place: Path) -> tuple[Split, Split]:
    if place.suffix == ".npz" and not place.is_dir():
        return _load_npz(place)
    paths = [_part_in(place, part) or place / part.name for part in _PARTS]
    train = load_idx(paths[0], paths[1])
    test = load_idx(paths[2], paths[3])
    _check_images(train[0], shown(paths[0]))
    _check_images(test[0], shown(paths[2]))
    return train, test


def _check_images(images: Bytes, name: str) -> None:
    if images.shape[1:] != (28, 28) or not len(images):
        raise FormatError(
            f"{name}: images have shape {images.shape}, expected (n, 28, 28); load "
            "other sizes with load_idx"
        )


def _load_npz(path: Path) -> tuple[Split, Split]:
    """Load the file that Keras keeps, without trusting it."""
    import zipfile
    import zlib

    name = shown(path)
    regular_file_size(path)
    try:
        with errors_named(path), zipfile.ZipFile(path) as archive:
            arrays = [_read_member(archive, key, name) for key in _ARRAYS]
    except FormatError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        KeyError,
        ValueError,
        RuntimeError,  # encrypted, or as NotImplementedError made by newer programs
        OSError,
    ) as error:
        # A directory that points to before the file's beginning cannot be followed.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise FormatError(f"{name}: not a sound npz file: {_reason(error)}") from error
    x_train, y_train, x_test, y_test = arrays
    for images, labels in (x_train, y_train), (x_test, y_test):
        _check_images(images, name)
        check_labels(labels, 10, name)
        if len(images) != len(labels):
            raise FormatError(
                f"{name}: {len(images)} images, but {len(labels)} labels of the same set"
            )
    return (x_train, y_train), (x_test, y_test)


def _read_member(archive: "ZipFile", key: str, name: str) -> Bytes:
    """Read one array; its header is compared with its size before allocating."""
    from tokenize import TokenError
    from zipfile import ZIP_DEFLATED, ZIP_STORED

    info = archive.getinfo(f"{key}.npy")
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise FormatError(f"{name}: {key} is compressed in an unusual way")
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        try:
            shape, _, dtype = read_header[version](file)
        except (KeyError, SyntaxError, TokenError):
            # NumPy reads the header as Python's own literals, with Python's own errors.
            raise FormatError(f"{name}: {key} has a header that cannot be read") from None
        announced = file.tell() + math.prod(shape)
    if dtype != np.uint8 or len(shape) != _ARRAYS[key]:
        raise FormatError(
            f"{name}: {key} is {dtype} of shape {shape}, expected uint8 of rank "
            f"{_ARRAYS[key]}"
        )
    if announced != info.file_size or announced > MAX_UNPACKED:
        raise FormatError(
            f"{name}: {key} has shape {shape} in {info.file_size} bytes, which do not "
            "fit; get the file again"
        )
    with archive.open(info) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
    return np.ascontiguousarray(array, np.uint8)


def _reason(error: Exception) -> str:
    """Return the message of `error` fit for a line, as a file or server had its say."""
    words = " ".join(str(error).split()) or type(error).__name__
    return "".join(c if c.isprintable() else "?" for c in words[:200])


# Downloading and generating


def _obtain(download: bool, progress: bool | None) -> Path:
    """Download MNIST and return its folder; DataNotFoundError if that cannot be."""
    cache = _cache_folder()
    if not download:
        reason = "a download was not wanted"
    elif cache is None:
        reason = "there is no home folder to download to"
    else:
        try:
            _download(cache, progress)
        except OSError as error:
            reason = f"download failed ({error})"
        else:
            return cache
    places = ", ".join(shown(place) for place in _usual_places())
    raise DataNotFoundError(
        f"MNIST not found in {places}; {reason}; put its four files into ./data, or "
        f"their folder's name into {VARIABLE}"
    )


def _download(cache: Path, progress: bool | None) -> None:
    """Put the files that `cache` does not have into it, unpacked and verified."""
    cache.mkdir(parents=True, exist_ok=True)
    mirrors = list(MIRRORS)
    for part in _PARTS:
        target = cache / part.name
        if not _is_part(target, part):
            atomic_write(target, _fetch_from_any(mirrors, part, progress))


def _is_part(path: Path, part: _Part) -> bool:
    return (
        _is_file(path)
        and path.stat().st_size == part.size
        and _sha256(path.read_bytes()) == part.sha256
    )


def _fetch_from_any(mirrors: list[str], part: _Part, progress: bool | None) -> bytes:
    """Return the unpacked content of `part`; a mirror that fails goes to the end."""
    from http.client import HTTPException
    from urllib.parse import urlsplit

    faults = []
    for mirror in tuple(mirrors):
        host = str(urlsplit(mirror).hostname)
        try:
            body = _fetch(f"{mirror}{part.name}.gz", part, progress)
            content = _unpack(body, host, part.size)
            if _sha256(content) == part.sha256:
                return content
            faults.append(f"{host}: content has the wrong SHA-256")
        except FormatError as error:
            faults.append(str(error))
        except (OSError, HTTPException) as error:
            faults.append(f"{host}: {_reason(error)}")
        mirrors.remove(mirror)
        mirrors.append(mirror)
    raise OSError(f"{part.name} from {'; '.join(faults)}")


def _fetch(url: str, part: _Part, progress: bool | None) -> bytearray:
    """Return the body that `url` answers with, of about `part.size` at most."""
    from tqdm import tqdm

    body = bytearray()
    end = time.monotonic() + DEADLINE
    with ExitStack() as stack:
        response = stack.enter_context(_open_url(url))
        bar = stack.enter_context(
            tqdm(
                desc=part.name,
                total=response.length,
                unit="B",
                unit_scale=True,
                # None is tqdm's word for "unless stderr is a terminal".
                disable=None if progress is None else not progress,
            )
        )
        # read1 returns what has come: a server that trickles cannot hold us in it.
        while piece := response.read1(1 << 16):
            body += piece
            bar.update(len(piece))
            if len(body) > part.size + 1024:
                raise OSError("answer is too long")
            if time.monotonic() > end:
                raise TimeoutError(f"not complete after {DEADLINE:g} seconds")
    return body


def _open_url(url: str) -> "HTTPResponse":
    """Open `url`, with TIMEOUT for all of it.

    The time-out of a socket is not enough: looking up a name has none, and each of
    the addresses of a host would get its own.
    """
    import queue
    import threading
    from urllib.error import HTTPError, URLError
    from urllib.request import urlopen

    answers: queue.SimpleQueue[HTTPResponse | BaseException] = queue.SimpleQueue()

    def connect() -> None:
        try:
            answers.put(urlopen(url, timeout=TIMEOUT, context=_tls_context()))
        except BaseException as error:
            answers.put(error)

    threading.Thread(target=connect, daemon=True).start()
    try:
        answer = answers.get(timeout=TIMEOUT)
    except queue.Empty:
        raise TimeoutError(f"no answer within {TIMEOUT:g} seconds") from None
    if isinstance(answer, HTTPError):
        answer.close()
    if isinstance(answer, URLError) and isinstance(answer.reason, OSError):
        raise answer.reason
    if isinstance(answer, BaseException):
        raise answer
    return answer


@functools.cache
def _tls_context() -> "SSLContext":
    import ssl

    context = ssl.create_default_context()
    # Some Python installations come without root certificates.
    with suppress(ImportError):
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _unpack(body: bytearray, name: str, size: int) -> bytes:
    """Return `body` without gzip, if it has any; one byte over `size` at most."""
    if not body.startswith(GZIP_MAGIC):
        return bytes(body)
    with gzip_faults(name), gunzipped(io.BytesIO(body)) as file:
        return file.read(size + 1)


def _sha256(*pieces: bytes | memoryview) -> str:
    import hashlib

    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _generate() -> Dataset:
    from rnn_native.datasets.synthetic import synthetic_digits

    return Dataset(
        *synthetic_digits(SYNTHETIC_TRAIN, seed=1),
        *synthetic_digits(SYNTHETIC_TEST, seed=2),
        source=f"generated digits ({SYNTHETIC_TRAIN:,} and {SYNTHETIC_TEST:,})",
    )

"""Downloading of published files: from mirrors, verified, limited in time and size."""

import functools
import io
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rnn_native.base.errors import FormatError, reason_of
from rnn_native.base.files import atomic_write, shown
from rnn_native.datasets import places, published
from rnn_native.datasets.idx import GZIP_MAGIC, gunzipped, gzip_faults
from rnn_native.datasets.published import Part, sha256_of

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from ssl import SSLContext

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
TIMEOUT = 10.0  # seconds without an answer, or without another byte
DEADLINE = 600.0  # seconds for one file from one mirror


def obtain(download: bool, progress: bool | None) -> Path:
    """Download MNIST and return its folder; DataNotFoundError if that cannot be."""
    cache = places.cache_folder()
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
    looked = ", ".join(shown(place) for place in places.usual_places())
    raise places.DataNotFoundError(
        f"MNIST not found in {looked}; {reason}; put its four files into ./data, or "
        f"their folder's name into {places.VARIABLE}"
    )


def _download(cache: Path, progress: bool | None) -> None:
    """Put the files that `cache` does not have into it, unpacked and verified."""
    cache.mkdir(parents=True, exist_ok=True)
    mirrors = list(MIRRORS)
    for part in published.PARTS:
        target = cache / part.name
        if not _is_whole(target, part):
            atomic_write(target, _fetch_from_any(mirrors, part, progress))


def _is_whole(path: Path, part: Part) -> bool:
    return (
        places.is_file(path)
        and path.stat().st_size == part.size
        and sha256_of(path.read_bytes()) == part.sha256
    )


def _fetch_from_any(mirrors: list[str], part: Part, progress: bool | None) -> bytes:
    """Return the unpacked content of `part`; a mirror that fails goes to the end."""
    from http.client import HTTPException
    from urllib.parse import urlsplit

    faults = []
    for mirror in tuple(mirrors):
        host = str(urlsplit(mirror).hostname)
        try:
            body = _fetch(f"{mirror}{part.name}.gz", part, progress)
            content = _unpack(body, host, part.size)
            if sha256_of(content) == part.sha256:
                return content
            faults.append(f"{host}: content has the wrong SHA-256")
        except FormatError as error:
            faults.append(str(error))
        except (OSError, HTTPException) as error:
            faults.append(f"{host}: {reason_of(error)}")
        mirrors.remove(mirror)
        mirrors.append(mirror)
    raise OSError(f"{part.name} from {'; '.join(faults)}")


def _fetch(url: str, part: Part, progress: bool | None) -> bytearray:
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

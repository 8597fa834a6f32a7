"""Downloading of published files: from mirrors, verified, limited in time and size."""

import functools
import io
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rnn_native.base.errors import FormatError, reason_of
from rnn_native.base.files import atomic_write, shown
from rnn_native.datasets import places
from rnn_native.datasets.packed import GZIP_MAGIC, gunzipped, gzip_faults
from rnn_native.datasets.published import File, Published, sha256_of

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from ssl import SSLContext

TIMEOUT = 10.0  # seconds without an answer, or without another byte
DEADLINE = 600.0  # seconds for one file from one mirror


def obtain(record: Published, download: bool, progress: bool | None) -> Path:
    """Download a data set and return its folder; DataNotFoundError if that cannot be."""
    cache = places.cache_folder(record)
    if not download:
        reason = "downloads are off here"
    elif cache is None:
        reason = "there is no home folder to download to"
    elif not any(file.sha256 or file.gz_sha256 for file in record.files):
        reason = "it is not downloaded, as no hashes of its files are published"
    else:
        try:
            _download(record, cache, progress)
        except OSError as error:
            reason = f"download failed ({error})"
        else:
            return cache
    looked = ", ".join(shown(place) for place in places.usual_places(record))
    raise places.DataNotFoundError(
        f"{record.title} not found in {looked}; {reason}; {_advice(record)}"
    )


def _advice(record: Published) -> str:
    """Say where the files are available, and where they should be put."""
    usual = record.folders[0]
    if usual:
        return f"get its four files from {record.source} and put them into ./data/{usual}"
    return f"put its four files into ./data, or their folder's name into {places.VARIABLE}"


def _download(record: Published, cache: Path, progress: bool | None) -> None:
    """Put the files that `cache` does not have into it, verified."""
    cache.mkdir(parents=True, exist_ok=True)
    mirrors = list(record.mirrors)
    for file in record.files:
        target = cache / (f"{file.name}.gz" if file.gz_sha256 else file.name)
        if not (places.is_file(target) and _is_whole(target.read_bytes(), file)):
            atomic_write(target, _fetch_from_any(mirrors, file, progress))


def _is_whole(kept: bytes | bytearray, file: File) -> bool:
    """Return whether these are the bytes that are kept of a published file."""
    return sha256_of(kept) == (file.gz_sha256 or file.sha256)


def _fetch_from_any(
    mirrors: list[str], file: File, progress: bool | None
) -> bytes | bytearray:
    """Return the part of a file that is kept; a mirror that fails moves to the end."""
    from http.client import HTTPException
    from urllib.parse import urlsplit

    faults = []
    for mirror in tuple(mirrors):
        host = str(urlsplit(mirror).hostname)
        try:
            body = _fetch(f"{mirror}{file.name}.gz", file, progress)
            kept = body if file.gz_sha256 else _unpack(body, host, file.size)
            if _is_whole(kept, file):
                return kept
            faults.append(f"{host}: content has the wrong SHA-256")
        except FormatError as error:
            faults.append(str(error))
        except (OSError, HTTPException) as error:
            faults.append(f"{host}: {reason_of(error)}")
        mirrors.remove(mirror)
        mirrors.append(mirror)
    raise OSError(f"{file.name} from {'; '.join(faults)}")


def _fetch(url: str, file: File, progress: bool | None) -> bytearray:
    """Return the body that `url` answers with, of about `file.size` at most."""
    from tqdm import tqdm

    body = bytearray()
    end = time.monotonic() + DEADLINE
    with ExitStack() as stack:
        response = stack.enter_context(_open_url(url))
        bar = stack.enter_context(
            tqdm(
                desc=file.name,
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
            if len(body) > file.size + 1024:
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

"""Gzip files: packed reproducibly, unpacked with faults that name the file."""

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from rnn_native.base.errors import FormatError

GZIP_MAGIC = b"\x1f\x8b"


def gunzipped(file: io.BufferedIOBase) -> io.BufferedIOBase:
    """Return a stream of what the gzip file `file` holds; use in `gzip_faults`."""
    import gzip

    return gzip.GzipFile(fileobj=file, mode="rb")


@contextmanager
def gzip_faults(name: str) -> Iterator[None]:
    """Turn what a damaged gzip stream raises into a FormatError about `name`.

    What the disk refuses stays an OSError.
    """
    try:
        yield
    except (EOFError, zlib.error) as error:
        raise _damaged(name, error) from error
    except io.UnsupportedOperation as error:  # Python's error for a failed lseek
        raise OSError(f"{name}: cannot be read: {error}") from error
    except OSError as error:
        # gzip.BadGzipFile, which has no number. Reading errors of the disk have.
        if error.errno is not None:
            raise
        raise _damaged(name, error) from error


def _damaged(name: str, error: Exception) -> FormatError:
    return FormatError(f"{name}: damaged gzip file: {error}; get the file again")


def gzipped(header: bytes, body: memoryview) -> bytes:
    """Pack a header and a body: the same bytes always, as no time or name is stored."""
    import gzip

    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", fileobj=packed, mtime=0) as file:
        file.write(header)
        file.write(body)
    return packed.getvalue()

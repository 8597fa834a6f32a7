"""The text of CSV files as people have it: packed, in UTF-16, with other separators."""

import codecs
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rnn_native.base.files import AnyPath, check_size, open_regular, size_of
from rnn_native.datasets.packed import GZIP_MAGIC, gunzipped, gzip_faults

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_FIRST_COLUMN = re.compile(rb"^[^,\n]*,", re.MULTILINE)


@contextmanager
def opened(path: AnyPath, name: str, most: int) -> Iterator[Any]:
    """Open a file to be read in pieces of UTF-8, unpacked if it is a gzip file.

    Raises
    ------
    FormatError
        If it has more than `most` bytes; in the block, if the gzip file is damaged.
    """
    with gzip_faults(name), open_regular(path) as raw:
        check_size(size_of(raw), most, name)
        is_packed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        file = gunzipped(raw) if is_packed else raw
        is_utf16 = file.read(2) in _UTF16
        file.seek(0)
        yield codecs.EncodedFile(file, "utf-8", "utf-16", "replace") if is_utf16 else file


def separator_of(block: bytes) -> bytes:
    """Return what separates fields: semicolons or tabs where the first line has no comma."""
    first = block[: block.index(b"\n")]
    if b"," in first:
        return b","
    return max((b";", b"\t", b","), key=first.count)


def without_first_column(block: bytes) -> bytes:
    """Return lines without what precedes their first comma."""
    return _FIRST_COLUMN.sub(b"", block)

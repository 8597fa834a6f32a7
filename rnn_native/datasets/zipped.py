"""A file out of a zip archive, as Kaggle hands them out."""

import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rnn_native.base.errors import FormatError
from rnn_native.base.files import open_regular, shown

MOST_BYTES = 1 << 30  # unpacked


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Yield a file as it is, or the only .csv in a zip archive, unpacked for the block.

    Raises
    ------
    FormatError
        If the archive is damaged, holds another number of .csv files, or one of more than a
        gigabyte. Errors of the block name the archive instead of the unpacked file.
    """
    if path.suffix.lower() != ".zip":
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        file = _extract(path, folder)
        try:
            yield file
        except FormatError as error:
            raise FormatError(str(error).replace(str(file), str(path))) from None


def _extract(path: Path, folder: str) -> Path:
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            found = [m for m in archive.infolist() if m.filename.lower().endswith(".csv")]
            if len(found) != 1:
                raise FormatError(
                    f"{shown(path)}: expected one .csv in it, got {len(found)}"
                )
            if found[0].file_size > MOST_BYTES:
                raise FormatError(
                    f"{shown(path)}: too large: expected at most {MOST_BYTES} bytes in it, "
                    f"got {found[0].file_size}"
                )
            return Path(archive.extract(found[0], folder))
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FormatError(
            f"{shown(path)}: not a zip archive that can be read: {reason}"
        ) from None

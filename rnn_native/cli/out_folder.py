"""Where a run's files go: a folder that is free, or whose run is resumed or replaced."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rnn_native.base import outcome


@contextmanager
def out_folder(
    out: Path | None, default: Path, *, resume: bool = False, overwrite: bool = False
) -> Iterator[Path]:
    """Yield the folder of a run; one that is in use is a usage error, which names the choices.

    Without `out` a new run gets the first of default, default-2, ... that is not there yet,
    and the folder is removed again if it stays empty; a run to resume is the one of these
    that was written last.
    """
    from rnn_native.training import run_folder

    if resume and overwrite:
        raise outcome.UsageError("--resume and --overwrite exclude each other")
    if out is None and not overwrite:
        if resume:
            yield run_folder.newest_numbered(default)
            return
        made = run_folder.new_numbered(default)
        try:
            yield made
        finally:
            with suppress(OSError):
                made.rmdir()
        return
    try:
        yield out or default
    except run_folder.RunExistsError as error:
        choices = error.told("--out", "--resume", "--overwrite")
        raise outcome.UsageError(f"{out or default}: {choices}") from None

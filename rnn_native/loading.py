"""One way in for every kind of model file."""

from pathlib import Path
from typing import TYPE_CHECKING

from rnn_native import checkpoint, legacy, npy_folder, run_folder
from rnn_native.errors import FormatError
from rnn_native.network import Network

if TYPE_CHECKING:
    from os import PathLike


def load(path: "str | PathLike[str]") -> Network:
    """Read a model, whatever wrote it.

    Parameters
    ----------
    path : path
        A model file of this package (safetensors), a file of the reference system
        (recognised by size and header), the folder of a run (its best model), or a folder
        of npy arrays as the Kaggle digit recognizer keeps them.

    Returns
    -------
    Network

    Raises
    ------
    FileNotFoundError
        If there is nothing there.
    FormatError
        If it is none of these, or is damaged.
    """
    place = Path(path)
    if place.is_dir():
        best = place / run_folder.BEST
        if best.is_file() and not any(place.glob("*.npy")):
            return checkpoint.load(best)
        return npy_folder.load_npy_folder(place)
    if place.is_file() and not checkpoint.is_safetensors(place):
        try:
            return legacy.load_legacy(place)
        except FormatError as error:
            raise FormatError(f"{error}; nor is it a safetensors file") from None
    return checkpoint.load(place)

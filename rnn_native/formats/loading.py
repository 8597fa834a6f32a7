"""One way in for every kind of model file."""

from os import PathLike
from pathlib import Path

from rnn_native.base.errors import FormatError
from rnn_native.base.files import Source, shown
from rnn_native.formats import legacy, npy_folder
from rnn_native.models import network
from rnn_native.models.network import Network
from rnn_native.net import tensor_file
from rnn_native.net.optimizers import Optimizer
from rnn_native.training import run_folder


def load(path: Source, *, optimizer: Optimizer | None = None) -> Network:
    """Read a model, whatever wrote it.

    Parameters
    ----------
    path : path, binary file or bytes
        A model file of this package (safetensors), or a file of the reference system,
        recognized by size and header. Or the folder of a run, for its best model, or a
        folder of npy arrays as the Kaggle digit recognizer keeps them. Open files and bytes:
        model files of this package only.
    optimizer : str or dict, optional
        As for `Network`; overrides the file's settings, which are plain SGD where a file
        has none. Moments that the file holds are kept if the settings are the same.

    Returns
    -------
    Network
        With the weights of the file.

    Raises
    ------
    FileNotFoundError
        If there is nothing there.
    FormatError
        If it is not one of these, or is damaged.

    Examples
    --------
    >>> import io
    >>> import rnn_native as rn
    >>> net, file = rn.Network([rn.Dense(10)], input_shape=(784,)), io.BytesIO()
    >>> net.save(file)
    >>> rn.load(file.getvalue())
    <Network 784 -> 10, 7,850 parameters>
    """
    if not isinstance(path, (str, PathLike)):
        return network.load(path, optimizer)
    place = Path(path)
    if place.is_dir():
        best = place / run_folder.BEST
        if best.is_file() and not any(place.glob("*.npy")):
            return network.load(best, optimizer)
        return _with_optimizer(npy_folder.load_npy_folder(place), optimizer)
    if place.is_file() and not tensor_file.is_safetensors(place):
        try:
            model = legacy.load_legacy(place)
        except FormatError as error:
            if told := _FOREIGN.get(place.suffix.lower()):
                raise FormatError(f"{shown(place)}: {told}") from None
            raise FormatError(f"{error}; nor is it a safetensors file") from None
        return _with_optimizer(model, optimizer)
    return network.load(place, optimizer)


_TORCH = (
    "a PyTorch file: save its state dict by safetensors.torch.save_file, and name the "
    "net: `rnn-native export FILE OUT --architecture NET`, or rn.export.load_torch"
)
_KERAS = (
    "a Keras file: build the same net here, and set its weights by net.set_weights "
    "(docs/reference/migrating.md)"
)
_FOREIGN = {
    ".onnx": "an ONNX file, which can be written but not read; load the original model",
    ".pt": _TORCH,
    ".pth": _TORCH,
    ".h5": _KERAS,
    ".keras": _KERAS,
}
"""What to do with files of others, by their endings."""


def _with_optimizer(model: Network, optimizer: Optimizer | None) -> Network:
    if optimizer is not None:
        model.optimizer = optimizer
    return model

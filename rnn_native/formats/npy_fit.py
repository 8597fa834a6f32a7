"""Whether a folder of .npy files can hold a network."""

from pathlib import Path

from rnn_native.base.files import AnyPath, shown
from rnn_native.models.network import Network


def check_npy_folder(model: Network, folder: AnyPath) -> None:
    """Raise ValueError if `write_npy_folder` could not write `model` to `folder`."""
    if reason := npy_obstacle(model):
        raise ValueError(f"model: a folder of arrays cannot hold it: {reason}")
    if not Path(folder).is_dir():
        return
    count = len(model.specs)
    own = {f"{letter}{n}.npy" for letter in "wb" for n in range(1, count + 1)}
    others = sorted(path.name for path in npy_files(Path(folder)) if path.name not in own)
    if others:
        raise ValueError(
            f"{shown(folder)}: holds {others[0]!r}, which is not part of this model of "
            f"{count} layers; expected an empty folder, or one of a model with as many layers"
        )


def npy_obstacle(model: Network) -> str | None:
    """Return why a folder of arrays cannot hold a network, None if it can."""
    if model.loss != "softmax_cross_entropy":
        return f"its loss is {model.loss}, expected softmax_cross_entropy"
    if len(model.input_shape) != 1:
        return f"its input has shape {model.input_shape}, expected one axis"
    for index, spec in enumerate(model.specs):
        expected = "relu" if index < len(model.specs) - 1 else "linear"
        if spec["type"] != "dense":
            return f"layers[{index}] is {spec['type']}, expected dense"
        if (found := spec.get("activation", "linear")) != expected:
            return f"layers[{index}].activation is {found}, expected {expected}"
    return None


def npy_files(folder: Path) -> list[Path]:
    """Return the .npy files of a folder, by name."""
    # macOS leaves "._w1.npy" beside w1.npy in archives.
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() == ".npy" and not path.name.startswith(".")
    )

"""PyTorch's names and layouts of parameters, written and read; PyTorch is not needed.

The module that belongs to a net is the `torch.nn.Sequential` of its layers, in which an
activation is a separate module. docs/reference/torch-modules.md has the
modules that PyTorch lacks.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import FormatError
from rnn_native.base.files import AnyPath, atomic_write, shown
from rnn_native.base.text import brief, printable
from rnn_native.export.steps import Step, nets_of, place_named, steps_of
from rnn_native.export.torch_layouts import LAYERS, Parts
from rnn_native.formats.parameters import finite_float32
from rnn_native.models.ensemble import Ensemble
from rnn_native.models.network import Network
from rnn_native.net import tensor_file
from rnn_native.net.block_specs import is_block, word_of
from rnn_native.settings.architecture import (
    Architecture,
    load_architecture,
    parse_architecture,
)

AnyArchitecture: TypeAlias = Network | Architecture | Mapping[str, Any] | AnyPath

COUNTER = "num_batches_tracked"  # of batchnorm; we have none
MAX_NAMED = 4  # tensors in a message
MAX_UNSEEN = (
    1 << 24
)  # weights that are made before each tensor's name and shape is looked at


def to_torch(
    model: Network | Ensemble, names: Sequence[str] | None = None
) -> dict[str, NDArray[Any]]:
    """Return the parameters as `torch.nn.Module.load_state_dict` expects them.

    Parameters
    ----------
    model : Network or Ensemble
        An ensemble is a `torch.nn.ModuleList` of its nets: "0.0.weight", ..., "1.0.weight".
    names : sequence of str, optional
        The module's own names, such as "fc1", of the layers that have parameters, in order.
        By default the indices in a `torch.nn.Sequential` of all layers, where what a dense or
        conv2d layer has as its activation is a module after it. Of an ensemble they are the
        names within each net.

    Returns
    -------
    dict of ndarray
        "0.weight", "0.bias", ..., in PyTorch's layouts: new arrays of float32, and for
        batchnorm "num_batches_tracked", int64, which is 0.

    Raises
    ------
    TypeError
        If `model` is not a Network or Ensemble.
    ValueError
        If PyTorch cannot express a layer (which is named), `names` do not fit, or a weight
        is not finite.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(32, "relu"), rn.Dense(10)], input_shape=(784,))
    >>> {name: array.shape for name, array in to_torch(net).items()}
    {'0.weight': (32, 784), '0.bias': (32,), '2.weight': (10, 32), '2.bias': (10,)}
    """
    tensors: dict[str, NDArray[Any]] = {}
    nets = nets_of(model)
    if isinstance(model, Ensemble):
        for i, net in enumerate(nets):
            with place_named(model, i):
                own = to_torch(net, names)
            tensors |= {f"{i}.{name}": tensor for name, tensor in own.items()}
        return tensors
    for module, step in _modules(copy(nets[0]), names):
        for name, parts in LAYERS[step.type](step).items():
            # safetensors writes memory unchanged, so it must be in C order.
            tensors[f"{module}.{name}"] = np.ascontiguousarray(np.concatenate(parts))
        if step.type == "batchnorm":
            tensors[f"{module}.{COUNTER}"] = np.array(0)
    return tensors


def from_torch(
    tensors: Mapping[str, Any],
    architecture: AnyArchitecture,
    names: Sequence[str] | None = None,
    *,
    source: str = "state dict",
) -> Network:
    """Return a network from what `torch.nn.Module.state_dict` returned.

    Parameters
    ----------
    tensors : mapping of str to array
        PyTorch's tensors or NumPy's arrays, of floats or integers; as many and with the
        names and shapes that `to_torch` returns. "num_batches_tracked" may be left out.
    architecture : Network, Architecture, mapping or path
        The layers: of a net, which stays as it is and whose optimizer and `input_dtype` the
        new one has, too; parsed; as JSON.
    names : sequence of str, optional
        As for `to_torch`.
    source : str
        What messages name.

    Returns
    -------
    Network
        With these weights.

    Raises
    ------
    FormatError
        If tensors are missing, unknown or misshapen, or not finite float32: names them.
    ValueError
        As `to_torch`.
    TypeError
        If `tensors` is not a mapping.
    OSError, ConfigError
        If `architecture` is a path that cannot be read.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(3)], input_shape=(4,))
    >>> rn.export.from_torch(rn.export.to_torch(net), net)
    <Network 4 -> 3, 15 parameters>
    """
    if not isinstance(tensors, Mapping):
        raise TypeError(
            f"tensors: expected a mapping, as module.state_dict() returns it, got {type(tensors)}"
        )
    model = _new_network(architecture, _elements_of(tensors), source)
    modules = _modules(model, names)
    wanted = {
        f"{module}.{name}": parts
        for module, step in modules
        for name, parts in LAYERS[step.type](step).items()
    }
    counters = {
        f"{module}.{COUNTER}" for module, step in modules if step.type == "batchnorm"
    }
    _check_names(tensors.keys() - counters, wanted, source)
    for name, parts in wanted.items():
        array = _as_array(tensors[name], f"{source}: {name}")
        expected = np.concatenate(parts)
        if array.shape != expected.shape:
            raise FormatError(
                f"{source}: {name}: expected shape {expected.shape}, got {array.shape}"
            )
        if not parts[0].flags.writeable and not np.array_equal(array, expected):
            raise FormatError(
                f"{source}: {name}: expected the identity and zeros, as the architecture's "
                "attention has no out_proj"
            )
        begin = 0
        for part in parts:
            if part.flags.writeable:
                part[...] = array[begin : begin + len(part)]
            begin += len(part)
    return model


def save_torch(
    model: Network | Ensemble, path: AnyPath, names: Sequence[str] | None = None
) -> None:
    """Write `to_torch` as a safetensors file, atomically.

    ``safetensors.torch.load_file`` reads a state dict from it. Parameters and errors
    are those of `to_torch`; OSError if the file cannot be written.

    Parameters
    ----------
    model : Network or Ensemble
        As for `to_torch`.
    path : str or path-like
        The file; its name usually ends in ".safetensors".
    names : sequence of str, optional
        As for `to_torch`.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.export.save_torch(rn.pretrained.load(), f"{folder}/module.safetensors")
    """
    atomic_write(path, tensor_file.serialized(to_torch(model, names), {"format": "pt"}))


def load_torch(
    path: AnyPath, architecture: AnyArchitecture, names: Sequence[str] | None = None
) -> Network:
    """Read a safetensors file of a PyTorch module.

    ``safetensors.torch.save_file(module.state_dict(), path)`` writes one. Parameters and
    errors are those of `from_torch`; also FileNotFoundError, and FormatError if it is not a
    safetensors file.

    Parameters
    ----------
    path : str or path-like
        A safetensors file.
    architecture : Network, Architecture, mapping or path
        As for `from_torch`.
    names : sequence of str, optional
        As for `to_torch`.

    Returns
    -------
    Network
        With these weights.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(3)], input_shape=(4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.export.save_torch(net, f"{folder}/module.safetensors")
    ...     print(rn.export.load_torch(f"{folder}/module.safetensors", net))
    <Network 4 -> 3, 15 parameters>
    """
    from rnn_native.net.tensor_file import read_tensors

    tensors, _ = read_tensors(path)
    return from_torch(tensors, architecture, names, source=shown(path))


# ---- names ----


def _modules(model: Network, names: Sequence[str] | None) -> list[tuple[str, Step]]:
    """Return the layers that have parameters, with their modules' names."""
    steps = []
    functions: dict[str, int] = {}  # modules of activations so far, by list of layers
    sequences = _sequences(model.specs)
    for step in steps_of(model):
        if step.arrays and step.type not in LAYERS:
            raise step.refusal("PyTorch")
        if step.arrays:
            steps.append((_module_of(step, functions, sequences), step))
        if step.type != "activation" and step.activation[0] != "linear":
            inside = step.name.rpartition(".")[0]
            functions[inside] = functions.get(inside, 0) + 1
    if names is None:
        return steps
    if isinstance(names, str) or len(names) != len(steps) or len({*names}) < len(names):
        layers = ", ".join(str(step) for _, step in steps)
        raise ValueError(
            f"names: expected {len(steps)} different names, for {layers}, got {brief(names)}"
        )
    return [(name, step) for name, (_, step) in zip(names, steps, strict=True)]


def _module_of(step: Step, functions: Mapping[str, int], sequences: set[str]) -> str:
    """Return a layer's place in modules in which activations are separate modules."""
    inside, parts = "layers", []
    for part in step.name.split(".")[1:]:
        number = int(part) + functions.get(inside, 0) if part.isdigit() else part
        inside = f"{inside}.{part}"
        if inside not in sequences:
            parts.append(str(number))
    return ".".join(parts)


def _sequences(specs: Sequence[Mapping[str, Any]], inside: str = "layers") -> set[str]:
    """Return the names of blocks that are an `nn.Sequential` themselves."""
    found = set()
    for i, spec in enumerate(specs):
        if not is_block(spec):
            continue
        word = f"{inside}.{i}.{word_of(spec)}"
        if spec["type"] in ("block", "transformer_block"):
            found.add(word)
        found |= _sequences(spec.get("layers", ()), word)
        for k, branch in enumerate(spec.get("branches", ())):
            found |= _sequences(branch, f"{word}.{k}")
    return found


def _check_names(given: Iterable[str], wanted: Parts, source: str) -> None:
    missing = [
        f"{name} of shape {np.concatenate(parts).shape}"
        for name, parts in wanted.items()
        if name not in given
    ]
    extra = sorted(map(str, {*given} - {*wanted}))
    if not missing and not extra:
        return
    faults = [f"missing {_listed(missing)}"] if missing else []
    faults += [f"unknown {_listed(extra)}"] if extra else []
    hint = (
        "; if the module has other names, pass them as names" if missing and extra else ""
    )
    raise FormatError(f"{source}: {'; '.join(faults)}{hint}")


def _listed(names: list[str]) -> str:
    rest = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(map(printable, names[:MAX_NAMED])) + rest


# ---- values ----


def _as_array(tensor: Any, name: str) -> NDArray[np.float32]:
    try:
        array = np.asarray(tensor)
    except (TypeError, ValueError, RuntimeError) as error:
        # What tensors of other devices and types, and those with gradients, say.
        reason = " ".join(str(error).split())
        raise FormatError(f"{name}: cannot become a NumPy array: {reason}") from None
    if array.dtype.kind not in "fiu":
        raise FormatError(f"{name}: expected numbers, got {array.dtype}")
    return finite_float32(array, name)


def _elements_of(tensors: Mapping[str, Any]) -> int:
    """Return how many numbers there are, for what has a shape."""
    shapes = (getattr(tensor, "shape", ()) for tensor in tensors.values())
    return sum(math.prod(shape) for shape in shapes)


def _new_network(architecture: AnyArchitecture, elements: int, source: str) -> Network:
    """Return a network from layers whose weights come from `elements` numbers."""
    if isinstance(architecture, Network):
        model = Network.from_architecture(
            architecture.architecture(), architecture.optimizer
        )
        model.input_dtype = architecture.input_dtype
        return model
    if isinstance(architecture, Mapping):
        architecture = parse_architecture(architecture)
    elif not isinstance(architecture, Architecture):
        architecture = load_architecture(architecture)
    shapes = Network.shapes_as_saved(
        {
            "layers": architecture.layers,
            "input_shape": architecture.input_shape,
            "loss": architecture.loss,
        }
    )
    wanted = sum(map(math.prod, shapes.values()))
    if wanted > max(elements, MAX_UNSEEN):
        raise FormatError(
            f"{source}: has {elements} numbers, expected {wanted} for this architecture"
        )
    return Network(architecture.layers, architecture.input_shape, architecture.loss)

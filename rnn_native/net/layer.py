"""What all layers have: a frozen record that becomes the core's layer dict."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self, TypeAlias

from rnn_native.base.checks import plain_number
from rnn_native.base.other_names import option_hint_of
from rnn_native.base.rules import ConfigError, Place, nearest
from rnn_native.base.text import brief
from rnn_native.net.block_specs import MAX_DEPTH, is_block, word_of
from rnn_native.net.layer_specs import checked_spec


@dataclass(frozen=True, slots=True)
class Layer:
    """Base of all layers; `spec` is what the core and model files know.

    Raises
    ------
    ValueError
        If a value is out of range or no name of its kind: names the parameter, what was
        expected and what was found. All layers raise it when they are made.
    TypeError
        If an option has a name that the layer does not know.

    Examples
    --------
    >>> import rnn_native as rn
    >>> rn.Dense(10) == rn.layers.from_spec({"type": "dense", "units": 10})
    True
    """

    type: ClassVar[str]
    unsaid: ClassVar[Mapping[str, object]] = {}
    """Values at which a spec has no such key: those of keys that older files lack."""

    def __new__(cls, *_: object, **options: object) -> Self:
        """Refuse an unknown option, with the one that another library's name means."""
        known = [field.name for field in fields(cls)]
        for name in options:
            if name not in known:
                hint = option_hint_of(name, known) or nearest(name, known)
                raise TypeError(f"{cls.__name__}: unknown option {name!r}{hint}")
        return object.__new__(cls)

    def __post_init__(self) -> None:
        """Refuse at once what no net could have."""
        self.spec()

    def spec(self) -> dict[str, Any]:
        """Return the layer as a dict, without keys that are None."""
        given = {
            key: plain(value) for key, value in asdict(self).items() if value is not None
        }
        spec = checked(type(self).__name__, {"type": self.type, **given})
        return {key: value for key, value in spec.items() if value != self.unsaid.get(key)}


def plain(value: object) -> object:
    """Return numbers of NumPy as Python's, also in a list or tuple."""
    if isinstance(value, (list, tuple)):
        return [plain_number(item) for item in value]
    return plain_number(value)


def checked(path: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a spec as the core expects it.

    Raises
    ------
    ValueError
        If it is wrong: `path`, the key, what was expected and found.
    """
    try:
        return checked_spec(Place("", path), spec)
    except ConfigError as error:
        raise ValueError(str(error)) from None


AnyLayer: TypeAlias = "Layer | Mapping[str, Any] | Sequence[AnyLayer]"
"""A layer, its spec, or a list of them, which is a block."""


def as_specs(layers: Sequence[AnyLayer], what: str = "layers") -> list[dict[str, Any]]:
    """Return layers, mappings that are specs already, or lists of them, as checked specs.

    `what` is the argument's name in messages.

    Raises
    ------
    TypeError
        If it is not a sequence of layers.
    ValueError
        If a spec is wrong: names the layer's index, the key, what was expected and found.
    """
    if isinstance(layers, (Layer, Mapping, str)) or not isinstance(layers, Iterable):
        raise TypeError(f"{what}: expected a list of layers, got {brief(layers)}")
    return [as_spec(layer, f"{what}[{index}]") for index, layer in enumerate(layers)]


def as_spec(layer: AnyLayer, path: str = "layer") -> dict[str, Any]:
    """Return a layer, a mapping that is a spec already, or a list of them, as a checked spec.

    `path` is where it is, in messages; raises as `as_specs` does.
    """
    return (
        layer.spec()
        if isinstance(layer, Layer)
        else checked(path, _plain_spec(layer, path))
    )


def _plain_spec(layer: Any, path: str, depth: int = 0) -> dict[str, Any]:
    """Return an unchecked spec without layers' own classes in it."""
    if isinstance(layer, Layer):
        return layer.spec()
    if isinstance(layer, (list, tuple)):
        layer = {"type": "block", "layers": layer}
    if not isinstance(layer, Mapping):
        hint = f"; write {layer.__name__}(...)" if isinstance(layer, type) else ""
        raise TypeError(f"{path}: expected a layer or its spec, got {brief(layer)}{hint}")
    spec: dict[str, Any] = {key: plain(value) for key, value in layer.items()}
    # Deeper ones are refused by the check that follows, which goes down in the same way.
    if is_block(spec) and depth <= MAX_DEPTH:
        inside = f"{path}.{word_of(spec)}"
        if "layers" in spec:
            spec["layers"] = _plain_list(spec["layers"], inside, depth)
        if isinstance(spec.get("branches"), (list, tuple)):
            spec["branches"] = [
                _plain_list(branch, f"{inside}[{i}]", depth)
                for i, branch in enumerate(spec["branches"])
            ]
    return spec


def _plain_list(layers: Any, path: str, depth: int) -> Any:
    """Return lists as plain specs; the check refuses anything else."""
    if isinstance(layers, Layer):
        kind = type(layers).__name__
        raise TypeError(
            f"{path}: expected a list of layers, got {kind}; write [{kind}(...)]"
        )
    if not isinstance(layers, (list, tuple)):
        return layers
    return [_plain_spec(layer, f"{path}[{i}]", depth + 1) for i, layer in enumerate(layers)]

"""What all layers have: a frozen record that becomes the core's layer dict."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from rnn_native.base.checks import plain_number
from rnn_native.base.rules import ConfigError, Place
from rnn_native.net.layer_specs import checked_spec


@dataclass(frozen=True, slots=True)
class Layer:
    """Base of all layers; `spec` is what the core and model files know.

    Raises
    ------
    ValueError
        If a value is out of range or no name of its kind: names the parameter, what was
        expected and what was found. All layers raise it when they are made.
    """

    type: ClassVar[str]
    unsaid: ClassVar[Mapping[str, object]] = {}
    """Values at which a spec has no such key: those of keys that older files do not know."""

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
    """Return a spec as the core takes it.

    Raises
    ------
    ValueError
        If it is wrong: `path`, the key, what was expected and found.
    """
    try:
        return checked_spec(Place("", path), spec)
    except ConfigError as error:
        raise ValueError(str(error)) from None

"""Layers as Python sees them: frozen records that become the core's layer dicts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Layer:
    """Base of all layers; `spec` is what the core and model files know."""

    type: ClassVar[str]

    def spec(self) -> dict[str, Any]:
        """Return the layer as a dict, without keys that are None."""
        given = {key: value for key, value in asdict(self).items() if value is not None}
        return {"type": self.type, **given}


@dataclass(frozen=True, slots=True)
class Dense(Layer):
    """Fully connected layer: out = f(x W + b).

    Parameters
    ----------
    units : int
        Outputs.
    activation : str
        f: linear, relu, leaky_relu, elu, sigmoid, tanh, silu or gelu (tanh form).
    alpha : float, optional
        Slope of leaky_relu (default 0.01) or scale of elu (default 1.0).

    Notes
    -----
    W is (inputs, units), Glorot uniform; b starts at zero.
    """

    type: ClassVar[str] = "dense"
    units: int
    activation: str = "linear"
    alpha: float | None = None


def as_spec(layer: Layer | Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer, or a mapping that already is a spec, as a dict."""
    return layer.spec() if isinstance(layer, Layer) else dict(layer)

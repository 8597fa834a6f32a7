"""Blocks as Python sees them: layers that hold layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rnn_native.net.blocks import transformer_layers
from rnn_native.net.layer import AnyLayer, Layer, as_spec


@dataclass(frozen=True, slots=True)
class _OneList(Layer):
    """A block of one list of layers."""

    layers: Sequence[AnyLayer]
    name: str | None = None

    def spec(self) -> dict[str, Any]:
        """Return the block as a dict, its layers as theirs."""
        keys = {"layers": self.layers, "name": self.name}
        return as_spec({"type": self.type, **keys}, type(self).__name__)


@dataclass(frozen=True, slots=True)
class Block(_OneList):
    """Layers one after the other, as one; a list among a net's layers is one, too.

    Parameters
    ----------
    layers : sequence of layers
        They run in this order.
    name : str, optional
        What names of parameters and messages call it: with the name "stem" as a net's first
        layer the parameters are "layers.0.stem.0.weight", and so on; "block" when left out.

    Examples
    --------
    >>> import rnn_native as rn
    >>> stem = rn.Block([rn.Dense(16), rn.LayerNorm(), rn.Activation("relu")], name="stem")
    >>> [*rn.Network([stem, rn.Dense(10)], input_shape=(784,)).parameters][:2]
    ['layers.0.stem.0.weight', 'layers.0.stem.0.bias']
    """

    type: ClassVar[str] = "block"


@dataclass(frozen=True, slots=True)
class Residual(_OneList):
    """Layers whose outputs are added to their input: out = x + layers(x).

    If the layers change the shape, x passes through another layer, the projection: a
    convolution of kernel 1, with the stride that fits, or for vectors and tokens a dense layer.

    Parameters
    ----------
    layers : sequence of layers
        They run in this order.
    name : str, optional
        As for `Block`.

    Notes
    -----
    What follows the sum, such as a ReLU, is a separate layer. ``Residual([SelfAttention()])``
    has the bits of ``SelfAttention(residual=True)``.

    References
    ----------
    He et al. 2015, arXiv:1512.03385.

    Examples
    --------
    >>> import rnn_native as rn
    >>> block = [rn.Conv2D(16, 3, padding=1, activation="relu"), rn.Conv2D(16, 3, padding=1)]
    >>> net = rn.Network(
    ...     [rn.Residual(block), rn.Activation("relu"), rn.GlobalAvgPool2D(), rn.Dense(10)],
    ...     input_shape=(1, 28, 28),
    ... )
    >>> [name for name in net.parameters if "projection" in name]
    ['layers.0.projection.weight', 'layers.0.projection.bias']
    """

    type: ClassVar[str] = "residual"


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Concat(Layer):
    """Branches that all get the block's input; their outputs one behind the other.

    Parameters
    ----------
    *branches : sequence of layers
        2 to 8; the output of one without layers is its input.
    axis : int, optional
        Of a sample. When left out the channels of images, and of signals where a
        convolution or pool of a branch slides along them; the last axis of all else.
    name : str, optional
        As for `Block`.

    Examples
    --------
    >>> import rnn_native as rn
    >>> wide, deep = [rn.Dense(3)], [rn.Dense(8, "relu"), rn.Dense(2)]
    >>> rn.Network([rn.Concat(wide, deep, [])], (4,), "squared_error").output_shape
    (9,)
    """

    type: ClassVar[str] = "concat"
    branches: Sequence[Sequence[AnyLayer]]
    axis: int | None = None
    name: str | None = None

    def __init__(
        self,
        *branches: Sequence[AnyLayer],
        axis: int | None = None,
        name: str | None = None,
    ) -> None:
        object.__setattr__(self, "branches", branches)
        object.__setattr__(self, "axis", axis)
        object.__setattr__(self, "name", name)
        self.spec()

    def __repr__(self) -> str:
        given = [*map(repr, self.branches), f"axis={self.axis}", f"name={self.name!r}"]
        return f"{type(self).__name__}({', '.join(given)})"

    def spec(self) -> dict[str, Any]:
        """Return the block as a dict, its layers as theirs."""
        keys = {"branches": self.branches, "axis": self.axis, "name": self.name}
        return as_spec({"type": self.type, **keys}, type(self).__name__)


@dataclass(frozen=True, slots=True)
class TransformerBlock(Layer):
    """Attention and a small net for each token, each of them added to its input.

    With ``norm="pre"`` it is::

        [Residual([LayerNorm(), SelfAttention(heads, out_proj=True)], name="attention"),
         Residual([LayerNorm(), Dense(units, "gelu"), Dense(width)], name="feed_forward")]

    With ``norm="post"`` the normalizations come after the sums. `composition` returns the list.

    Parameters
    ----------
    heads : int
        Must divide the width of a token.
    units : int
        Width of the hidden layer.
    norm : str
        "pre" or "post".
    causal : bool
        Whether a token sees only itself and the tokens before it.
    activation : str
        Of the hidden layer.
    dropout : float in [0, 1)
        Rate after attention and after the hidden layer; 0: no such layers.
    name : str, optional
        As for `Block`.

    References
    ----------
    Vaswani et al. 2017, arXiv:1706.03762; Xiong et al. 2020, arXiv:2002.04745, on the place of
    the normalization.

    Examples
    --------
    >>> import rnn_native as rn
    >>> layers = [rn.PatchEmbed(7, 16), rn.TransformerBlock(heads=2, units=32), rn.MeanPool()]
    >>> rn.Network([*layers, rn.Dense(10)], input_shape=(1, 28, 28)).output_shape
    (10,)
    """

    type: ClassVar[str] = "transformer_block"
    heads: int
    units: int
    norm: str = "pre"
    causal: bool = False
    activation: str = "gelu"
    dropout: float = 0.0
    name: str | None = None

    def composition(self, width: int) -> list[dict[str, Any]]:
        """Return the specs of the layers that it stands for, over tokens of this width."""
        return transformer_layers(self.spec(), width)


BLOCKS: dict[str, type[Layer]] = {
    block.type: block for block in (Block, Residual, Concat, TransformerBlock)
}
"""The classes of all blocks."""

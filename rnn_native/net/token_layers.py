"""Layers around tokens: sequences of vectors, of shape (tokens, values)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from rnn_native.net.layer import Layer


@dataclass(frozen=True, slots=True)
class PatchEmbed(Layer):
    """Tokens from an image: each square patch through one linear layer.

    Parameters
    ----------
    patch_size : int
        Must divide height and width.
    units : int
        Width of a token.

    Examples
    --------
    >>> import rnn_native as rn
    >>> layers = [rn.PatchEmbed(4, 64), rn.MeanPool(), rn.Dense(10)]
    >>> rn.Network(layers, input_shape=(1, 28, 28))
    <Network 1x28x28 -> 49x64 -> 64 -> 10, 1,738 parameters>
    """

    type: ClassVar[str] = "patch_embed"
    patch_size: int
    units: int


@dataclass(frozen=True, slots=True)
class Embedding(Layer):
    """A vector for each index: of input i, row i of a table that is learned.

    Parameters
    ----------
    num_embeddings : int
        Rows of the table. At most 2**23.
    embedding_dim : int
        Width of a token.

    Notes
    -----
    The inputs, of shape (tokens,), are whole numbers from 0 to num_embeddings - 1 of any dtype;
    a net refuses others. So the layer is the first, or the first in a branch of the inputs.
    First values are uniform in +-0.05, as in Keras; PyTorch's are normal(0, 1).

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Embedding(50, 8), rn.MeanPool(), rn.Dense(2)], input_shape=(12,))
    >>> net.predict_proba(np.zeros((1, 12), int)).shape
    (1, 2)
    """

    type: ClassVar[str] = "embedding"
    num_embeddings: int
    embedding_dim: int


@dataclass(frozen=True, slots=True)
class Columns(Layer):
    """Some columns of the input: a range of its last axis.

    Parameters
    ----------
    first : int
        Index of the first of them, from 0.
    count : int
        How many columns.

    Notes
    -----
    In the branches of a `Concat` each layer gets the columns of a table that are for it:
    ``Concat([Columns(0, 1), Embedding(9, 4), Flatten()], [Columns(1, 5), Normalization()])``.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Columns(1, 2)], input_shape=(4,), loss="squared_error")
    >>> net.predict([[10.0, 11.0, 12.0, 13.0]])
    array([[11., 12.]], dtype=float32)
    """

    type: ClassVar[str] = "columns"
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Position(Layer):
    """A table added to the tokens.

    Parameters
    ----------
    init : str
        One of sinusoidal, small_random, larger_random, zero and xavier.
    trainable : bool
        Whether the table learns.

    Examples
    --------
    >>> import rnn_native as rn
    >>> layers = [rn.PatchEmbed(7, 8), rn.Position(), rn.MeanPool(), rn.Dense(10)]
    >>> rn.Network(layers, input_shape=(1, 28, 28)).parameters["layers.1.table"].shape
    (16, 8)
    """

    type: ClassVar[str] = "position"
    init: str = "sinusoidal"
    trainable: bool = True


@dataclass(frozen=True, slots=True)
class SelfAttention(Layer):
    """Scaled dot-product self-attention over tokens (Vaswani et al. 2017, section 3.2).

    Parameters
    ----------
    heads : int
        Must divide the width of a token.
    out_proj : bool
        Whether a linear layer follows.
    residual : bool
        Whether the input is added to the result.
    causal : bool
        Whether a token sees only itself and the tokens before it.

    Notes
    -----
    Above a `Masking` layer no token sees padding; one that sees nothing gets zeros before
    out_proj.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> layers = [rn.SelfAttention(heads=2, causal=True), rn.MeanPool(), rn.Dense(2)]
    >>> net = rn.Network(layers, input_shape=(5, 8))
    >>> net.attention_maps(np.ones((1, 5, 8))).shape
    (1, 2, 5, 5)
    """

    type: ClassVar[str] = "self_attention"
    unsaid: ClassVar[Mapping[str, object]] = {"causal": False}
    heads: int = 1
    out_proj: bool = False
    residual: bool = False
    causal: bool = False


@dataclass(frozen=True, slots=True)
class Masking(Layer):
    """Distinguishes padding from real tokens: padding are tokens all of whose values are `value`.

    Parameters
    ----------
    value : float
        What all values of a padding token are.

    Notes
    -----
    Padding becomes zeros, and is left out by all `SelfAttention` and `MeanPool` layers above,
    up to a layer that makes something else of the tokens, such as `Flatten`.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Masking(), rn.MeanPool()], (3, 2), loss="squared_error")
    >>> net.predict([[[1.0, 2.0], [3.0, 6.0], [0.0, 0.0]]])
    array([[2., 4.]], dtype=float32)
    """

    type: ClassVar[str] = "masking"
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class MeanPool(Layer):
    """The mean over tokens; over the real ones above a `Masking` layer, or 0 of none.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.MeanPool()], input_shape=(2, 2), loss="squared_error")
    >>> net.predict([[[1.0, 2.0], [3.0, 6.0]]])
    array([[2., 4.]], dtype=float32)
    """

    type: ClassVar[str] = "mean_pool"

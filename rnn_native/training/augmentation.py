"""How images are distorted while a net trains on them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.base.checks import check_extents, check_mapping, check_number, plain_number
from rnn_native.base.text import brief

__all__ = ["Augment"]

# The core's limits, except for degrees.
SHAPE_EXPECTED = "integers, (channels, height, width) or (height, width)"
MOST = {"shift": 1e6, "rotation": 360.0, "scale": 0.99, "shear": 100.0, "elastic": 1e6}


@dataclass(frozen=True, slots=True)
class Augment:
    """Random distortions of every image of every batch, drawn again each time.

    Each number is the most by which an image is changed; the drawn value is uniform in
    [-most, most]. An image is sheared, scaled and turned around its center, then shifted;
    new pixels are interpolated between four old ones, and outside all is 0.

    Parameters
    ----------
    shift : float
        Pixels, in each direction.
    rotation : float
        Degrees.
    scale : float in [0, 0.99]
        Sides grow by a factor in [1 - scale, 1 + scale].
    shear : float
        Pixels to the right for each pixel down.
    elastic : float
        Pixels by which each point of a grid of 5 x 5 is moved; between them displacements
        are interpolated (after Simard et al. 2003, "Best practices for convolutional
        neural networks").
    image_shape : sequence of int, optional
        (channels, height, width) or (height, width), where it is not the net's input shape.
        A net that accepts flat rows of a square number is assumed to see square images.

    Notes
    -----
    The draws are a function of the seed, the step and the row's place in the batch: bits
    depend neither on threads nor on whether a run was resumed. Only training distorts;
    validation and prediction never do.

    Examples
    --------
    >>> import rnn_native as rn
    >>> small = rn.Augment(shift=2, rotation=10, scale=0.1)
    >>> result = rn.train_mlp("synthetic", epochs=1, augment=small, verbose=0)
    """

    shift: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0
    image_shape: Sequence[int] | None = None

    def __post_init__(self) -> None:
        for name, most in MOST.items():
            value = plain_number(getattr(self, name))
            if not 0 <= check_number(f"augment.{name}", value) <= most:
                raise ValueError(
                    f"augment.{name}: expected a value in [0, {most:g}], got {brief(value)}"
                )
            object.__setattr__(self, name, value)
        if self.image_shape is not None:
            shape = check_extents("augment.image_shape", self.image_shape, SHAPE_EXPECTED)
            object.__setattr__(self, "image_shape", shape)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "Augment":
        """Make it from plain data, such as `as_dict` gave."""
        given = check_mapping("augment", given)
        known = {field.name for field in fields(cls)}
        if unknown := given.keys() - known:
            raise ValueError(
                f"augment: unknown key {', '.join(sorted(map(repr, unknown)))}; it has "
                f"{', '.join(sorted(known))}"
            )
        return cls(**given)

    def as_dict(self) -> dict[str, Any]:
        """Return nonzero values as plain data, for JSON."""
        given = {name: value for name, value in asdict(self).items() if value}
        if self.image_shape is not None:
            given["image_shape"] = list(self.image_shape)
        return given

    def apply(
        self, images: ArrayLike, *, seed: int = 1, step: int = 0
    ) -> NDArray[np.float32]:
        """Return images as training would see them, to look at.

        Parameters
        ----------
        images : array_like of shape (n, height, width), (n, channels, height, width) or
            (n, pixels)
            uint8 (divided by 255) or numbers; n is the batch.
        seed : int
            Of the training.
        step : int
            Batches before this one.

        Returns
        -------
        ndarray of the same shape, float32

        Raises
        ------
        ValueError
            If these are not images, or their shape does not fit.

        Examples
        --------
        >>> import rnn_native as rn
        >>> digits, labels = rn.datasets.synthetic_digits(4, seed=1)
        >>> rn.Augment(shift=2, rotation=10).apply(digits).shape
        (4, 28, 28)
        """
        import rnn_native._core as _core

        given = np.asarray(images)
        if given.ndim < 2 or not given.size or given.dtype.kind not in "biuf":
            raise ValueError(
                f"images: expected a batch of images, got {given.dtype} of shape "
                f"{given.shape}"
            )
        spec = self.spec(given.shape[1:])
        rows = given.reshape(len(given), -1).astype(np.float32)
        if given.dtype == np.uint8:
            rows /= np.float32(255)
        _core.augment(rows, spec, seed, step)
        return rows.reshape(given.shape)

    def spec(self, input_shape: Sequence[int]) -> dict[str, Any]:
        """Return the dict that the core expects, for a net with this input shape.

        Raises
        ------
        ValueError
            If no image shape was given and the net's input is not an image, or the image
            has another number of values than the input.
        """
        channels, height, width = self._image(tuple(input_shape))
        if channels * height * width != math.prod(input_shape):
            raise ValueError(
                f"augment.image_shape: {self.image_shape} does not fit the net's input "
                f"shape {tuple(input_shape)}"
            )
        return {
            "channels": channels,
            "height": height,
            "width": width,
            "shift": float(self.shift),
            "rotation": math.radians(self.rotation),
            "scale": float(self.scale),
            "shear": float(self.shear),
            "elastic": float(self.elastic),
        }

    def _image(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        shape = input_shape if self.image_shape is None else tuple(self.image_shape)
        side = math.isqrt(shape[0])
        if len(shape) == 1 and side * side == shape[0]:
            shape = (side, side)
        if len(shape) not in (2, 3):
            raise ValueError(
                f"augment: expected images, got rows of shape {shape}; give image_shape"
            )
        return (1, *shape) if len(shape) == 2 else shape


def as_augment(given: object) -> Augment | None:
    """Return distortions from a user's `augment`: an Augment, its `as_dict`, or None.

    Raises
    ------
    ValueError, TypeError
        If it is something else, or as `Augment.from_dict`.
    """
    if isinstance(given, Mapping):
        return Augment.from_dict(given)
    if given is not None and not isinstance(given, Augment):
        raise TypeError(
            f"augment: expected an Augment, its as_dict or None, got {brief(given)}"
        )
    return given


def spec_of(augment: object, input_shape: Sequence[int]) -> dict[str, Any] | None:
    """Return a recipe's distortions as the core expects them; None without."""
    return augment.spec(input_shape) if isinstance(augment, Augment) else None

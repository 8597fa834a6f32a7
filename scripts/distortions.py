"""Images of 28 x 28 turned, scaled, slanted, moved and drawn with another pen."""

import numpy as np

TURN = 15  # degrees, at most
SCALE = 0.15
SLANT = 0.25
MOVE = 2.0  # pixels
PEN = 0.25  # share of images with a thicker pen, and with a thinner one
CHUNK = 3_000


def distorted(images, rng):
    """Return the images, each distorted in its own way."""
    chunks = [images[i : i + CHUNK] for i in range(0, len(images), CHUNK)]
    return np.concatenate([_distort(chunk, rng) for chunk in chunks])


def _distort(images, rng):
    n = len(images)
    turn = np.deg2rad(rng.uniform(-TURN, TURN, n))
    wide, high = 1 + rng.uniform(-SCALE, SCALE, (2, n))
    slant = rng.uniform(-SLANT, SLANT, n)
    cos, sin = np.cos(turn), np.sin(turn)
    # Where in the old image a pixel of the new one comes from, around the middle.
    matrix = np.stack(
        [cos / wide, sin / wide + slant, -sin / high, cos / high], axis=-1
    ).reshape(n, 2, 2)
    at = np.arange(28) - 13.5
    grid = np.stack(np.meshgrid(at, at), axis=-1).reshape(1, 784, 2)
    x, y = np.moveaxis(
        grid @ matrix.swapaxes(1, 2) + rng.uniform(-MOVE, MOVE, (n, 1, 2)), 2, 0
    )
    return np.rint(_between_pixels(_redrawn(images, rng), x + 13.5, y + 13.5)).astype(
        np.uint8
    )


def _between_pixels(images, x, y):
    """Return images at (x, y), [n, 784], by the four pixels around; zeros outside."""
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2))).astype(np.float32)
    x, y = (np.clip(v + 1, 0, 29).astype(np.float32) for v in (x, y))
    left, top = x.astype(np.intp), y.astype(np.intp)
    right_share, low_share = x - left, y - top
    n = np.arange(len(images))[:, None]
    upper = (
        padded[n, top, left] * (1 - right_share) + padded[n, top, left + 1] * right_share
    )
    below = padded[n, top + 1, left], padded[n, top + 1, left + 1]
    lower = below[0] * (1 - right_share) + below[1] * right_share
    return (upper * (1 - low_share) + lower * low_share).reshape(-1, 28, 28)


def _redrawn(images, rng):
    """Return the images, some with a thicker or a thinner pen, by up to half a pixel a side."""
    below, right = np.roll(images, 1, axis=1), np.roll(images, 1, axis=2)
    thick = np.maximum(np.maximum(images, below), right)
    thin = np.minimum(np.minimum(images, below), right)
    kind = rng.random((len(images), 1, 1))
    return np.where(kind < PEN, thick, np.where(kind > 1 - PEN, thin, images))

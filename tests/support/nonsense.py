"""Pictures that do not show one digit: letters, noise, smudges, two digits, other pictures."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from pictures import as_picture, drawn, photographed, skeleton

Bytes = NDArray[np.uint8]
Rng = np.random.Generator

# Letters that look like a digit (O like 0, Z like 2, q like 9) are left out.
LETTERS = "ACDEFGHJKLMNPQRTUVWXYacdefhjkmnprtuvwxy"


def fonts() -> list[str]:
    """Return the fonts to draw letters in: the system's Liberation, else matplotlib's."""
    found = sorted(map(str, Path("/usr/share/fonts").glob("**/Liberation*.ttf")))
    if found or find_spec("matplotlib") is None:
        return found
    from matplotlib import get_data_path

    return sorted(map(str, Path(get_data_path()).glob("fonts/ttf/DejaVu*.ttf")))


def letter(rng: Rng, font: str | None = None) -> Image.Image:
    """Return a printed letter, black on white."""
    face = ImageFont.truetype(font, 170) if font else ImageFont.load_default(170)
    page = Image.new("L", (280, 280), 255)
    text = LETTERS[rng.integers(len(LETTERS))]
    ImageDraw.Draw(page).text((140, 140), text, 0, font=face, anchor="mm")
    return page


def drawn_letter(rng: Rng, font: str | None = None) -> Image.Image:
    """Return a letter as a pen draws it: the middle line of a printed one, unsteady."""
    small = letter(rng, font).resize((70, 70), Image.Resampling.BOX)
    y, x = np.nonzero(skeleton(np.asarray(small) < 128))
    turn = np.linspace(0, 6, 70)
    shake = [1.5 * np.sin(turn * rng.uniform(0.5, 2) + rng.uniform(0, 6)) for _ in "xy"]
    page, pen = Image.new("L", (280, 280), 255), rng.uniform(5, 12)
    draw = ImageDraw.Draw(page)
    for row, column in zip(4 * (y + shake[0][x]), 4 * (x + shake[1][y]), strict=True):
        draw.ellipse((column - pen, row - pen, column + pen, row + pen), 0)
    return page.filter(ImageFilter.GaussianBlur(1))


def noise(rng: Rng) -> Image.Image:
    """Return noise, even or cloudy."""
    size = rng.integers(20, 300)
    small = as_picture(rng.uniform(0, 255, (size, size, 1)).repeat(3, axis=2))
    return small.resize((300, 300), Image.Resampling.BICUBIC)


def smudge(rng: Rng) -> Image.Image:
    """Return a few blots on paper."""
    y, x = np.mgrid[0:300, 0:300]
    ink = np.zeros((300, 300))
    for _ in range(rng.integers(1, 5)):
        cy, cx, a, b = *rng.uniform(80, 220, 2), *rng.uniform(10, 60, 2)
        ink = np.maximum(ink, np.exp(-(((x - cx) / a) ** 2) - ((y - cy) / b) ** 2))
    return photographed((235 - 180 * ink)[..., None].repeat(3, axis=2), rng)


def two_digits(one: Bytes, other: Bytes, rng: Rng) -> Image.Image:
    """Return two digits side by side, as far apart as one writes them."""
    gap = int(rng.integers(-30, 60))
    page = np.zeros((280, 560 + max(gap, 0)))
    page[:, :280] = drawn(one, 280)
    left = 280 + gap
    page[:, left : left + 280] = np.maximum(page[:, left : left + 280], drawn(other, 280))
    return as_picture(255 * (1 - page))


def other_pictures(folder: Path) -> Iterator[Image.Image]:
    """Yield the pictures of a folder, and quarters of them: scikit-image's, for example."""
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".png", ".jpg", ".gif"):
            continue
        with Image.open(path) as picture:
            whole = picture.convert("RGB")
        yield whole
        w, h = whole.width // 2, whole.height // 2
        for x, y in ((0, 0), (w, 0), (0, h), (w, h)):
            yield whole.crop((x, y, x + w, y + h))
    faces = folder / "lfw_subset.npy"
    if faces.exists():
        for face in np.load(faces):
            yield Image.fromarray(np.uint8(255 * face))

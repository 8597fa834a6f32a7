"""Images that are not digits, as 28 x 28 pixels: letters, scribbles, blots, textures and more.

`not_digits` is what the shipped model learns to refuse, `printed_digits` what it learns beside
MNIST's. Fonts are those that come with matplotlib.
"""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from rnn_native.recognizer.mnist_form import as_mnist

SIDE, BOX = 28, 20
# Letters that look like a digit (O like 0, Z like 2) are left out.
LETTERS = "ACDEFGHJKLMNPQRTUVWXYacdefhjkmnprtuvwxy"
SIGNS = "!?#%&*+=@<>{}~^$ÄÖÜäöüßçñéàøœæ€£¥§¿αγδεζηκλμνξπρτχψωΓΔΘΛΞΠΣΦΨΩжшщдфюяэ∂∇∞∑√∫≈≠±÷"
SKIPPED_FONTS = ("STIXSiz", "STIXNonUni", "LastResort", "cmex", "cmsy", "Display", "cmmi")
# Of letters, drawn letters, signs, two digits, turned and framed digits, scribbles, smudges,
# blots, textures, shapes.
SHARES = (0.24, 0.20, 0.05, 0.12, 0.05, 0.04, 0.06, 0.04, 0.12, 0.04, 0.04)
AS_READ = 0.5  # of the images of `not_digits`: made by the recognizer, not by `in_box`


def fonts():
    """Return the paths of matplotlib's fonts that have letters and digits."""
    from matplotlib import font_manager, get_data_path

    paths = sorted(font_manager.findSystemFonts([f"{get_data_path()}/fonts/ttf"]))
    own = [path for path in paths if path.startswith(get_data_path())]
    return [path for path in own if not any(word in path for word in SKIPPED_FONTS)]


def glyph(text, path, size=48):
    """Return a text's ink in a font, cropped; None if the font lacks it."""
    font = _font(path, size)
    page = Image.new("L", (2 * size * len(text), 2 * size), 0)
    ImageDraw.Draw(page).text((size // 2, size // 3), text, 255, font=font)
    box = page.getbbox()
    return None if box is None else page.crop(box)


@cache
def _font(path, size):
    return ImageFont.truetype(path, size)


def in_form(ink, rng):
    """Return a picture's ink as MNIST has it, or as the recognizer would bring it there."""
    if rng.random() >= AS_READ:
        return in_box(ink)
    return np.uint8(np.rint(255 * as_mnist(np.asarray(ink, np.float32) / 255)))


def in_box(ink):
    """Return a picture's ink as MNIST has it: 20 pixels long, its center in the middle."""
    box = ink.getbbox()
    if box is None:
        return np.zeros((SIDE, SIDE), np.uint8)
    ink = ink.crop(box)
    ratio = BOX / max(ink.size)
    size = [max(1, round(n * ratio)) for n in ink.size]
    small = np.asarray(ink.resize(size, Image.Resampling.BOX), np.float32)
    if small.max() > 0:
        small *= 255 / small.max()
    page = np.zeros((2 * SIDE, 2 * SIDE), np.float32)
    at = [round((a * small).sum() / small.sum()) for a in np.indices(small.shape)]
    top, left = (SIDE - n for n in at)
    page[top : top + small.shape[0], left : left + small.shape[1]] = small
    return np.rint(page[14:42, 14:42]).astype(np.uint8)


def printed_digits(n, rng):
    """Return n images of digits in fonts, and their labels."""
    paths, labels = fonts(), rng.integers(0, 10, n)
    images = [
        in_box(_bent(glyph(str(digit), paths[rng.integers(len(paths))]), rng))
        for digit in labels
    ]
    return np.array(images), labels.astype(np.uint8)


def not_digits(n, digits, labels, rng):
    """Return n images that are not digits; some are made of images of digits."""
    counts = rng.multinomial(n, np.array(SHARES) / sum(SHARES))
    makers = (
        _letter,
        _drawn_letter,
        _sign,
        _two,
        _turned,
        _framed,
        _scribble,
        _smudge,
        _blots,
        _texture,
        _shape,
    )
    paths = fonts()
    images = [
        maker(digits, labels, paths, rng)
        for maker, count in zip(makers, counts, strict=True)
        for _ in range(count)
    ]
    return rng.permutation(np.array(images))


def _letter(digits, labels, paths, rng):
    letter = LETTERS[rng.integers(len(LETTERS))]
    return in_form(_bent(glyph(letter, paths[rng.integers(len(paths))]), rng), rng)


def _sign(digits, labels, paths, rng):
    while True:
        ink = glyph(SIGNS[rng.integers(len(SIGNS))], paths[rng.integers(len(paths))])
        if ink is not None:
            return in_form(_bent(ink, rng), rng)


def _drawn_letter(digits, labels, paths, rng):
    """Draw a letter: a pen of another width follows its middle line."""
    letter = LETTERS[rng.integers(len(LETTERS))]
    ink = _bent(glyph(letter, paths[rng.integers(len(paths))]), rng)
    ink.thumbnail((56, 56))
    line = _middle_line(np.pad(np.asarray(ink) > 128, 6))
    pen = ImageFilter.MaxFilter(2 * int(rng.integers(1, 6)) + 1)
    drawn = Image.fromarray(255 * line.astype(np.uint8)).filter(pen)
    return in_form(drawn.filter(ImageFilter.GaussianBlur(0.8)), rng)


def _middle_line(mask):
    """Return the middle lines of a mask (Zhang and Suen 1984)."""
    steps = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
    before = None
    while before is None or before.sum() != mask.sum():
        before = mask.copy()
        for turn in (0, 1):
            around = np.array([np.roll(mask, (-y, -x), (0, 1)) for y, x in steps])
            count = around.sum(axis=0)
            rises = (~around & np.roll(around, -1, axis=0)).sum(axis=0)
            up, right, down, left = around[::2]
            edge = ~(up & left & (right | down)) if turn else ~(right & down & (up | left))
            mask = mask & ~((count >= 2) & (count <= 6) & (rises == 1) & edge)
    return mask


def _two(digits, labels, paths, rng):
    """Put two or three digits side by side or above each other, apart or touching."""
    count = 2 if rng.random() < 0.85 else 3
    pieces = [Image.fromarray(digits[i]) for i in rng.integers(len(digits), size=count)]
    pieces = [piece.crop(piece.getbbox()) for piece in pieces]
    gap = int(rng.integers(-3, 7))
    upright = rng.random() < 0.85
    page = Image.new("L", (120, 120), 0)
    at = 5
    for piece in pieces:
        along = piece.width if upright else piece.height
        shift = 50 + int(rng.integers(-3, 4))
        place = (
            (at, shift - piece.height // 2) if upright else (shift - piece.width // 2, at)
        )
        page.paste(255, place, piece)
        at += along + gap
    return in_form(page, rng)


def _turned(digits, labels, paths, rng):
    """Turn by a quarter, or mirror, a digit that then is not one."""
    while (digit := labels[i := rng.integers(len(digits))]) not in (2, 3, 4, 5, 7):
        pass
    mirrored = digit in (3, 4, 7) and rng.random() < 0.5
    image = digits[i][:, ::-1] if mirrored else np.rot90(digits[i], rng.choice([1, 3]))
    return in_form(Image.fromarray(np.ascontiguousarray(image)), rng)


def _framed(digits, labels, paths, rng):
    """Draw a digit in a circle or box, or cross it out."""
    page = Image.new("L", (112, 112), 0)
    digit = Image.fromarray(digits[rng.integers(len(digits))]).resize((64, 64))
    page.paste(255, (24, 24), digit)
    pen, width = ImageDraw.Draw(page), int(rng.integers(2, 7))
    kind = rng.integers(4)
    low, high = rng.uniform(4, 24), rng.uniform(88, 108)
    if kind == 0:
        pen.ellipse((low, low, high, high), outline=255, width=width)
    elif kind == 1:
        pen.rectangle((low, low, high, high), outline=255, width=width)
    elif kind == 2:
        for _ in range(rng.integers(2, 5)):
            pen.line(list(rng.uniform(15, 97, 4)), 255, width)
    else:
        y = rng.uniform(20, 100, rng.integers(2, 4))
        for row in y:
            pen.line((2, row, 110, row + rng.uniform(-9, 9)), 255, width)
    return in_form(page, rng)


def _scribble(digits, labels, paths, rng):
    """Draw strokes from nowhere to nowhere."""
    page = Image.new("L", (112, 112), 0)
    pen, width = ImageDraw.Draw(page), int(rng.integers(4, 12))
    for _ in range(rng.integers(1, 4)):
        points = rng.uniform(8, 104, (rng.integers(4, 9), 2))
        t = np.linspace(0, len(points) - 1, 60)
        x, y = (np.interp(t, np.arange(len(points)), points[:, k]) for k in (0, 1))
        smooth = np.ones(rng.integers(1, 12))
        smooth /= smooth.sum()
        x, y = (np.convolve(v, smooth, "valid") for v in (x, y))
        pen.line(list(zip(x, y, strict=True)), 255, width, joint="curve")
    return in_form(page, rng)


def _smudge(digits, labels, paths, rng):
    """Make a few soft blots."""
    y, x = np.mgrid[0:56, 0:56]
    ink = np.zeros((56, 56))
    for _ in range(rng.integers(1, 6)):
        cy, cx, a, b = *rng.uniform(10, 46, 2), *rng.uniform(2, 14, 2)
        turn = rng.uniform(0, np.pi)
        u = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
        v = (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
        ink = np.maximum(ink, np.exp(-((u / a) ** 2 + (v / b) ** 2)))
    ink = ink * (1 + rng.uniform(0, 0.8) * rng.standard_normal(ink.shape))
    level = rng.uniform(0.1, 0.5)
    return in_form(
        Image.fromarray(np.uint8(255 * ((ink - level) / (1 - level)).clip(0, 1))), rng
    )


def _blots(digits, labels, paths, rng):
    """Make solid blots of ink, alone or running into each other."""
    ink = np.zeros((96, 96), np.float32)
    count = 1 if rng.random() < 0.35 else int(rng.integers(2, 7))
    for _ in range(count):
        ink = np.maximum(ink, _blot(rng, count))
    return in_form(Image.fromarray(np.uint8(255 * ink)), rng)


def _blot(rng, count):
    """Return one of `count` blots, 96 x 96: tapered or round, its edge uneven."""
    y, x = np.mgrid[0:96, 0:96].astype(np.float32) - 48
    x, y = (v - rng.normal(0, 17 if count > 1 else 0) for v in (x, y))
    # Upright ones are likest to a one, a six or a zero.
    turn = rng.normal(0, 0.2) if rng.random() < 0.5 else rng.uniform(0, np.pi)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    long = rng.uniform(6, 24 if count > 1 else 36)
    # A narrow one that does not taper would be a one.
    narrow = np.exp(rng.uniform(np.log(0.2), 0))
    power = rng.uniform(1.3, 3.5 if narrow > 0.45 or count > 1 else 2.1)
    u, v = u / (long * narrow), v / long
    away = (np.abs(u) ** power + np.abs(v) ** power) ** (1 / power)
    angle = np.arctan2(v, u)
    edge = np.ones_like(away)
    for waves in range(2, 7):
        edge += rng.normal(0, 0.04) * np.cos(waves * angle + rng.uniform(0, 2 * np.pi))
    return ((edge - away) * rng.uniform(1.2, 12) + 0.5).clip(0, 1)


def _texture(digits, labels, paths, rng):
    """Cut noise with long or short waves at a level: what photos leave."""
    n = 64
    waves = np.hypot(*np.meshgrid(np.fft.fftfreq(n), np.fft.fftfreq(n))) + 1 / n
    spectrum = np.fft.fft2(rng.standard_normal((n, n))) * waves ** -rng.uniform(0, 3)
    field = np.real(np.fft.ifft2(spectrum))
    field = (field - field.mean()) / field.std()
    ink = ((field - rng.uniform(0.2, 1.4)) * rng.uniform(1, 6)).clip(0, 1)
    size = int(rng.integers(16, 64))
    return in_form(
        Image.fromarray(np.uint8(255 * ink[:size, : int(rng.integers(12, 64))])), rng
    )


def _shape(digits, labels, paths, rng):
    """Draw polygons, stars and faces, filled or not."""
    page = Image.new("L", (112, 112), 0)
    pen, width = ImageDraw.Draw(page), int(rng.integers(3, 10))
    kind = rng.integers(5)
    if kind == 0:  # a face
        pen.ellipse((10, 10, 102, 102), outline=255, width=width)
        for x in (38, 74):
            size = rng.uniform(3, 8)
            pen.ellipse((x - size, 42 - size, x + size, 42 + size), fill=255)
        pen.arc((32, 40, 80, 84 + rng.uniform(-8, 8)), 15, 165, 255, width)
    elif kind == 1:
        turns = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 6)))
        points = [(56 + 48 * np.cos(t), 56 + 48 * np.sin(t)) for t in turns]
        pen.polygon(
            points, fill=255 if rng.random() < 0.5 else None, outline=255, width=width
        )
    elif kind == 2:
        pen.ellipse((10, rng.uniform(5, 40), 102, rng.uniform(70, 104)), fill=255)
    elif kind == 3:  # a grid
        step = int(rng.integers(18, 45))
        for at in range(8, 108, step):
            pen.line((8, at, 104, at), 255, width)
            pen.line((at, 8, at, 104), 255, width)
    else:  # rays
        for turn in np.arange(0, np.pi, np.pi / rng.integers(2, 6)) + rng.uniform(0, 3):
            x, y = 50 * np.cos(turn), 50 * np.sin(turn)
            pen.line((56 - x, 56 - y, 56 + x, 56 + y), 255, width)
    return in_form(page.rotate(rng.uniform(-25, 25)), rng)


def _bent(ink, rng):
    """Return a glyph slanted, squeezed and rippled."""
    page = Image.new("L", (ink.width + 40, ink.height + 40), 0)
    page.paste(ink, (20, 20))
    slant, squeeze = rng.uniform(-0.3, 0.25), rng.uniform(0.75, 1.3)
    cx, cy = page.width / 2, page.height / 2
    matrix = (squeeze, slant, cx - squeeze * cx - slant * cy, 0, 1, 0)
    page = page.transform(
        page.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    )
    x, y = np.meshgrid(np.linspace(0, page.width, 5), np.linspace(0, page.height, 5))
    by = rng.normal(0, rng.uniform(0, 2.5), (2, 5, 5))
    x, y = x + by[0], y + by[1]
    mesh = []
    w, h = page.width / 4, page.height / 4
    for i in range(4):
        for j in range(4):
            box = (int(j * w), int(i * h), int((j + 1) * w), int((i + 1) * h))
            corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)]
            mesh.append((box, [v for c in corners for v in (x[c], y[c])]))
    return page.transform(page.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)

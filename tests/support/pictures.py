"""Pictures as people photograph and scan digits, made from images of 28 x 28.

Each kind is a function of an image (white ink on black) and a generator of random numbers; it
returns a Pillow image. `KINDS` has those with one digit, which are to be read; `several` and
the functions of `nonsense.py` make what is not one digit.
"""

import io
import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

import rnn_native as rn

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Rng = np.random.Generator
Maker = Callable[[Bytes, Rng], Image.Image]

WHITE = (250, 249, 246)
BLACK = (25, 25, 32)


# ---- parts ----


def drawn(image: Bytes, side: int) -> Floats:
    """Return an image's ink `side` large, with smooth edges: 0 for paper, 1 for ink."""
    large = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    soft = np.asarray(large.filter(ImageFilter.GaussianBlur(side / 90)), np.float64) / 255
    return ((soft - 0.5) * side / 60 + 0.5).clip(0, 1)


def placed(ink: Floats, shape: tuple[int, int], rng: Rng, at: object = None) -> Floats:
    """Return a page of a shape with the ink somewhere on it, or with its corner at `at`."""
    page = np.zeros(shape)
    room = [n - m for n, m in zip(shape, ink.shape, strict=True)]
    top, left = at or [int(rng.integers(r // 4, r - r // 4 + 1)) for r in room]
    page[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return page


def thinned(image: Bytes, width: float) -> Bytes:
    """Return the image, 112 x 112, with a pen of another width (of 112)."""
    large = Image.fromarray(image).resize((112, 112), Image.Resampling.BICUBIC)
    line = Image.fromarray(255 * skeleton(np.asarray(large) > 110).astype(np.uint8))
    soft = np.asarray(line.filter(ImageFilter.GaussianBlur(width / 2)), float)
    return (255 * (soft * width / 110).clip(0, 1)).astype(np.uint8)


def skeleton(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the middle lines of a mask (Zhang and Suen 1984)."""
    page = np.pad(mask, 1)
    before = None
    while before is None or before.sum() != page.sum():
        before = page.copy()
        for turn in (0, 1):
            # The neighbors, clockwise from the one above.
            steps = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
            around = np.array([np.roll(page, (-y, -x), (0, 1)) for y, x in steps])
            count = around.sum(axis=0)
            rises = (~around & np.roll(around, -1, axis=0)).sum(axis=0)
            up, right, down, left = around[::2]
            edge = ~(up & left & (right | down)) if turn else ~(right & down & (up | left))
            page = page & ~((count >= 2) & (count <= 6) & (rises == 1) & edge)
    return page[1:-1, 1:-1]


def colored(ink: Floats, paper: object = WHITE, pen: object = BLACK) -> Floats:
    """Return [rows, columns, 3] of ink on paper, in 0 to 255."""
    paper, pen = np.asarray(paper, float), np.asarray(pen, float)
    return paper + ink[..., None] * (pen - paper)


def photographed(rgb: Floats, rng: Rng, noise: float = 5, quality: int = 85) -> Image.Image:
    """Return the picture as a camera would store it: noise, and JPEG."""
    noisy = rgb + rng.normal(0, noise, (*rgb.shape[:2], 1)) + rng.normal(0, 1, rgb.shape)
    file = io.BytesIO()
    as_picture(noisy).save(file, "JPEG", quality=quality)
    return Image.open(file)


def as_picture(rgb: Floats) -> Image.Image:
    """Return an array of 0 to 255 as a picture."""
    return Image.fromarray(np.rint(rgb.clip(0, 255)).astype(np.uint8))


def ramp(shape: tuple[int, int], rng: Rng) -> Floats:
    """Return 0 to 1 along a random direction."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    along = x * np.cos(angle) + y * np.sin(angle)
    return (along - along.min()) / np.ptp(along)


def edge(shape: tuple[int, int], rng: Rng, softness: float) -> Floats:
    """Return 0 on one side of a line near the middle and 1 on the other."""
    along = ramp(shape, rng) - rng.uniform(0.3, 0.7)
    return (along / softness + 0.5).clip(0, 1)


def on_ground(page: Floats, ground: Floats, rng: Rng) -> Floats:
    """Lay a sheet [rows, columns, 3], a little turned, on a ground around it."""
    rows, columns = ground.shape[:2]
    mask = Image.new("L", (page.shape[1], page.shape[0]), 255)
    turn = rng.uniform(-4, 4)
    turned = as_picture(page).rotate(turn, Image.Resampling.BICUBIC, expand=True)
    mask = mask.rotate(turn, Image.Resampling.BICUBIC, expand=True)
    picture = as_picture(ground)
    at = [
        round((n - m) / 2 + rng.uniform(-0.03, 0.03) * n)
        for n, m in zip((columns, rows), turned.size, strict=True)
    ]
    picture.paste(turned, at, mask)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(0.8)), float)


def wood(shape: tuple[int, int], rng: Rng) -> Floats:
    """Return a table of wood: brown with a grain."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    wave = np.sin(x / 130 + rng.uniform(0, 6)) * 9
    grain = np.sin((y + wave) / rng.uniform(3, 6)) * 12 + np.sin((y + 2 * wave) / 17) * 10
    return np.array([150.0, 105, 66]) + grain[..., None]


def _lines(shape: tuple[int, int], width: float, *lines: tuple[float, ...]) -> Floats:
    """Return the ink of straight lines (x, y, x, y), drawn twice as large."""
    sheet = Image.new("L", (2 * shape[1], 2 * shape[0]), 0)
    pen = ImageDraw.Draw(sheet)
    for line in lines:
        pen.line([2 * v for v in line], 255, max(1, round(2 * width)))
    small = sheet.resize((shape[1], shape[0]), Image.Resampling.BOX)
    return np.asarray(small, float) / 255


# ---- clean ----


def clean_black_on_white(image: Bytes, rng: Rng) -> Image.Image:
    """As a drawing program saves it."""
    return as_picture(255 * (1 - drawn(image, 280)))


def white_on_black(image: Bytes, rng: Rng) -> Image.Image:
    """As MNIST has it, larger."""
    return as_picture(255 * drawn(image, 280))


def touches_border(image: Bytes, rng: Rng) -> Image.Image:
    """Cut so that the digit touches two borders."""
    ink = drawn(image, 280)
    rows, columns = (np.flatnonzero((ink > 0.4).any(axis=a)) for a in (1, 0))
    top, left = rows[0], columns[0]
    bottom, right = rows[-1] + rng.integers(0, 30), columns[-1] + rng.integers(0, 30)
    return as_picture(255 * (1 - ink[top : bottom + 1, left : right + 1]))


# ---- light ----


def light_gradient(image: Bytes, rng: Rng) -> Image.Image:
    """Light falls to a third across the paper."""
    rgb = colored(drawn(image, 280), (228, 226, 219), (40, 40, 48))
    return photographed(rgb * (1 - 0.67 * ramp(rgb.shape[:2], rng))[..., None], rng, 4)


def vignette(image: Bytes, rng: Rng) -> Image.Image:
    """The corners are dark."""
    y, x = np.mgrid[-1:1:400j, -1:1:400j]
    light = 1 - 0.38 * (x * x + y * y)
    rgb = colored(placed(drawn(image, 260), (400, 400), rng), (235, 232, 225), (45, 45, 54))
    return photographed(rgb * light[..., None], rng, 4)


def hard_shadow(image: Bytes, rng: Rng) -> Image.Image:
    """A shadow with an edge across the digit, half as light."""
    rgb = colored(placed(drawn(image, 240), (400, 400), rng), (235, 232, 225), (45, 45, 54))
    shade = edge((400, 400), rng, 0.015)
    return photographed(rgb * (1 - 0.5 * shade)[..., None], rng, 4)


def soft_shadow(image: Bytes, rng: Rng) -> Image.Image:
    """A shadow without an edge, two fifths as light."""
    rgb = colored(placed(drawn(image, 240), (400, 400), rng), (235, 232, 225), (45, 45, 54))
    shade = edge((400, 400), rng, 0.3)
    return photographed(rgb * (1 - 0.6 * shade)[..., None], rng, 4)


def shadow_of_a_hand(image: Bytes, rng: Rng) -> Image.Image:
    """A round shadow comes in from one side."""
    rgb = colored(placed(drawn(image, 220), (420, 560), rng), (225, 224, 220), (50, 48, 60))
    y, x = np.mgrid[0:420, 0:560]
    middle = rng.uniform(100, 320), rng.choice([40.0, 520.0])
    away = np.hypot((y - middle[0]) / 1.4, x - middle[1]) - rng.uniform(150, 230)
    shade = (0.5 - away / rng.uniform(8, 60)).clip(0, 1)
    return photographed(rgb * (1 - 0.45 * shade)[..., None], rng, 4)


# ---- what lies around ----


def paper_on_light_table(image: Bytes, rng: Rng) -> Image.Image:
    """White paper on a brown table."""
    page = colored(
        placed(drawn(image, 220), (370, 370), rng), (216, 215, 210), (34, 34, 54)
    )
    return photographed(on_ground(page, _plain((480, 480), (176, 153, 120)), rng), rng)


def paper_on_dark_table(image: Bytes, rng: Rng) -> Image.Image:
    """White paper on a dark table."""
    page = colored(
        placed(drawn(image, 220), (380, 380), rng), (226, 225, 220), (40, 40, 54)
    )
    return photographed(on_ground(page, _plain((500, 500), (50, 44, 40)), rng), rng)


def paper_on_wood(image: Bytes, rng: Rng) -> Image.Image:
    """A sheet on a table with a grain."""
    page = colored(
        placed(drawn(image, 220), (400, 340), rng), (226, 225, 220), (40, 40, 54)
    )
    return photographed(on_ground(page, wood((480, 640), rng), rng), rng)


def scanner_edge(image: Bytes, rng: Rng) -> Image.Image:
    """A scan with the black of the open lid at one or two sides."""
    rgb = colored(placed(drawn(image, 240), (440, 440), rng), (248, 248, 246), (30, 30, 40))
    y, x = np.mgrid[0:440, 0:440]
    dark = x + y * rng.uniform(-0.03, 0.03) < rng.uniform(12, 45)
    if rng.random() < 0.5:
        dark |= y + x * rng.uniform(-0.03, 0.03) < rng.uniform(12, 45)
    rgb[dark] = (12, 12, 14)
    return photographed(rgb, rng, 3)


def whole_page(image: Bytes, rng: Rng) -> Image.Image:
    """The digit is a tenth as high as the page."""
    page = placed(drawn(thinned(image, 5), 130), (900, 1200), rng)
    rgb = colored(page, (220, 217, 210), (40, 38, 56))
    return photographed(rgb * (1 - 0.12 * ramp((900, 1200), rng))[..., None], rng)


# ---- ink and paper ----


def pencil_faint(image: Bytes, rng: Rng) -> Image.Image:
    """Thin strokes, a third darker than the paper."""
    page = placed(drawn(thinned(image, 4), 260), (400, 400), rng)
    rgb = colored(page, (222, 221, 217), (150, 149, 148))
    return photographed(rgb * (1 - 0.12 * ramp((400, 400), rng))[..., None], rng, 6)


def yellow_highlighter(image: Bytes, rng: Rng) -> Image.Image:
    """Ink that only the blue channel sees."""
    return photographed(colored(drawn(image, 280), (252, 251, 250), (252, 236, 6)), rng, 2)


PAIRS = (  # paper, ink
    ((200, 60, 50), (40, 120, 60)), ((120, 170, 230), (220, 130, 150)),
    ((250, 240, 120), (70, 170, 220)), ((90, 140, 90), (200, 90, 80)),
    ((250, 200, 210), (230, 110, 190)), ((40, 60, 150), (110, 40, 60)),
)  # fmt: skip


def colored_on_colored(image: Bytes, rng: Rng) -> Image.Image:
    """Two colors, some of them equally light."""
    paper, pen = PAIRS[rng.integers(len(PAIRS))]
    return photographed(colored(drawn(image, 280), paper, pen), rng, 3)


def chalk(image: Bytes, rng: Rng) -> Image.Image:
    """Light on a dark green board, unevenly lit."""
    page = placed(drawn(image, 250), (400, 500), rng)
    rgb = colored(page, (48, 70, 58), (205, 208, 200))
    return photographed(rgb * (1 - 0.4 * ramp((400, 500), rng))[..., None], rng)


def rgba_white_ink(image: Bytes, rng: Rng) -> Image.Image:
    """White ink on a transparent ground."""
    ink = np.rint(255 * drawn(image, 280)).astype(np.uint8)
    return Image.fromarray(np.dstack([np.full((*ink.shape, 3), 255, np.uint8), ink]))


def rgba_colored_ink(image: Bytes, rng: Rng) -> Image.Image:
    """Ink of some color on a transparent ground."""
    ink = np.rint(255 * drawn(image, 280)).astype(np.uint8)
    pen = np.array([(20, 20, 20), (250, 230, 30), (40, 90, 220)][rng.integers(3)], np.uint8)
    return Image.fromarray(np.dstack([np.broadcast_to(pen, (*ink.shape, 3)), ink]))


# ---- what is printed or drawn beside the digit ----


def ruled_paper(image: Bytes, rng: Rng) -> Image.Image:
    """Lines across the sheet, behind the digit."""
    page = placed(drawn(image, 240), (420, 420), rng)
    tilt, step = rng.uniform(-8, 8), rng.uniform(38, 70)
    rows = np.arange(rng.uniform(5, 30), 430, step)
    lines = _lines(page.shape, rng.uniform(1.5, 3), *[(-5, y, 425, y + tilt) for y in rows])
    rgb = colored(lines, (240, 240, 236), (130, 160, 205))
    return photographed(rgb + page[..., None] * ((35, 35, 50) - rgb), rng, 3)


def dark_ruled_paper(image: Bytes, rng: Rng) -> Image.Image:
    """Lines as dark as the ink, also through the digit."""
    page = placed(drawn(image, 240), (420, 420), rng)
    tilt, step = rng.uniform(-8, 8), rng.uniform(60, 100)
    rows = np.arange(rng.uniform(5, 60), 430, step)
    width = rng.uniform(1.5, 3)
    lines = _lines(page.shape, width, *[(-5, y, 425, y + tilt) for y in rows])
    rgb = colored(np.maximum(0.85 * lines, page), (240, 240, 236), (35, 35, 50))
    return photographed(rgb, rng, 3)


def squared_paper(image: Bytes, rng: Rng) -> Image.Image:
    """Squares, behind the digit."""
    page = placed(drawn(image, 240), (420, 420), rng)
    step, width = rng.uniform(24, 48), rng.uniform(1, 2.4)
    at = np.arange(rng.uniform(2, 20), 430, step)
    lines = [(-5, y, 425, y) for y in at] + [(x, -5, x, 425) for x in at]
    rgb = colored(_lines(page.shape, width, *lines), (240, 240, 236), (150, 175, 200))
    return photographed(rgb + page[..., None] * ((35, 35, 50) - rgb), rng, 3)


def box_of_a_form(image: Bytes, rng: Rng) -> Image.Image:
    """A printed box around the digit."""
    page = placed(drawn(image, 240), (400, 400), rng, (80, 80))
    a, b = rng.uniform(15, 65, 2)
    corners = [(a, b), (400 - a, b), (400 - a, 400 - b), (a, 400 - b), (a, b)]
    sides = [(*p, *q) for p, q in itertools.pairwise(corners)]
    return as_picture(
        255 * (1 - np.maximum(page, _lines(page.shape, rng.uniform(2, 5), *sides)))
    )


def circle_around(image: Bytes, rng: Rng) -> Image.Image:
    """A circle that a pen drew around the digit."""
    page = placed(drawn(image, 220), (400, 400), rng, (90, 90))
    turn = np.linspace(0, rng.uniform(5.9, 6.6), 100) + rng.uniform(0, 6)
    radius = rng.uniform(135, 180) + 8 * np.sin(turn * 2 + rng.uniform(0, 6))
    squeeze = rng.uniform(0.92, 1.0)
    x, y = 200 + radius * np.cos(turn), 200 + squeeze * radius * np.sin(turn)
    points = list(zip(x, y, x[1:], y[1:], strict=False))
    ring = _lines(page.shape, rng.uniform(4, 12), *points)
    rgb = colored(np.maximum(page, ring), (240, 240, 236), (35, 35, 90))
    return photographed(rgb, rng, 3)


def box_touched(image: Bytes, rng: Rng) -> Image.Image:
    """A box that is too small: the digit touches a side of it."""
    ink = drawn(image, 240)
    page = placed(ink, (400, 400), rng, (80, 80))
    rows, columns = (np.flatnonzero((page > 0.5).any(axis=a)) for a in (1, 0))
    box = [columns[0] - 40, rows[0] - 40, columns[-1] + 40, rows[-1] + 40]
    side = rng.integers(4)
    box[side] = (columns[0] + 2, rows[0] + 2, columns[-1] - 2, rows[-1] - 2)[side]
    left, top, right, bottom = box
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    sides = [(*p, *q) for p, q in itertools.pairwise(corners)]
    lines = _lines(page.shape, rng.uniform(2, 4), *sides)
    return as_picture(255 * (1 - np.maximum(page, lines)))


def underlined(image: Bytes, rng: Rng) -> Image.Image:
    """A line, or two, below the digit."""
    page = placed(drawn(image, 240), (400, 400), rng, (60, 80))
    low = np.flatnonzero((page > 0.5).any(axis=1))[-1] + rng.uniform(18, 40)
    left, right = rng.uniform(30, 90), rng.uniform(310, 370)
    tilt, width = rng.uniform(-8, 8), rng.uniform(4, 12)
    lines = [(left, low, right, low + tilt)]
    if rng.random() < 0.4:
        lines.append((left, low + 2.5 * width, right, low + 2.5 * width + tilt))
    rgb = colored(
        np.maximum(page, _lines(page.shape, width, *lines)), (240, 240, 236), (35, 35, 60)
    )
    return photographed(rgb, rng, 3)


def sure_digits() -> list[Bytes]:
    """Return a generated image of each digit that the shipped model reads right."""
    images, labels = rn.datasets.synthetic_digits(200, seed=4)
    right = rn.pretrained.load().predict_proba(images)[np.arange(200), labels] > 0.99
    return [images[np.argmax((labels == digit) & right)] for digit in range(10)]


def page_of_numbers(digits: list[Bytes], numbers: tuple[str, ...], rng: Rng) -> Image.Image:
    """A photo of a sheet with one number per line, of images of digits: shadow, table, noise."""
    ink = np.zeros((140 * len(numbers) + 80, 110 * max(map(len, numbers)) + 80))
    for line, number in enumerate(numbers):
        for place, digit in enumerate(number):
            down, right = rng.integers(-8, 9, 2)
            top, left = 140 * line + 50 + down, 110 * place + 40 + right
            ink[top : top + 100, left : left + 100] = drawn(digits[int(digit)], 100)
    sheet = colored(ink, (232, 230, 224), (40, 40, 70))
    ground = _plain((ink.shape[0] + 120, ink.shape[1] + 120), (120, 96, 70))
    photo = on_ground(sheet, ground, rng)
    shape = photo.shape[:2]
    light = (1 - 0.35 * ramp(shape, rng)) * (1 - 0.4 * edge(shape, rng, 0.03))
    return photographed(photo * light[..., None], rng)


def _plain(shape: tuple[int, int], color: tuple[int, ...]) -> Floats:
    return np.broadcast_to(np.array(color, float), (*shape, 3)).copy()


KINDS: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (
        clean_black_on_white, white_on_black, touches_border, light_gradient, vignette,
        hard_shadow, soft_shadow, shadow_of_a_hand, paper_on_light_table,
        paper_on_dark_table, paper_on_wood, scanner_edge, whole_page, pencil_faint,
        yellow_highlighter, colored_on_colored, chalk, rgba_white_ink, rgba_colored_ink,
        ruled_paper,
        dark_ruled_paper, squared_paper, box_of_a_form, box_touched, circle_around, underlined,
    )
}  # fmt: skip

"""Open the recognizer's window on virtual screens: measure it, and take its pictures.

python scripts/recognizer_window.py [FOLDER]

Prints the time until the window came up, and the time from a pointer's event to the bars
that are drawn, over all events of a digit. With a folder, it also takes a picture of each scene
below. Needs Xvfb.
"""

import argparse
import contextlib
import io
import itertools
import os
import statistics
import subprocess
import sys
import time
import tkinter as tk
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageGrab

from rnn_native import pretrained
from rnn_native.base.files import atomic_write
from rnn_native.recognizer import model_choice
from rnn_native.recognizer.drawing import SIDE
from rnn_native.recognizer.settings import Settings
from rnn_native.recognizer.state import State
from rnn_native.recognizer.window import Window

# Strokes in units of the canvas, as a hand would draw them.
FIVE = [
    [(104, 62), (100, 90), (96, 122), (118, 112), (146, 112), (168, 126), (178, 152),
     (172, 184), (150, 208), (120, 216), (92, 208)],
    [(104, 62), (134, 60), (172, 56)],
]  # fmt: skip
SEVEN = [[(80, 60), (200, 60), (170, 110), (140, 170), (125, 240)]]
# Open at the top like a four, round like a nine.
DOUBTFUL = [
    [(128, 66), (112, 74), (92, 104), (104, 134), (140, 138), (168, 110), (170, 70)],
    [(170, 70), (172, 130), (162, 220)],
]
LETTER = [[(60, 200), (140, 60), (220, 200)], [(90, 150), (190, 150)]]
FORTY_TWO = [
    [(70, 80), (50, 150), (110, 150)],
    [(98, 90), (96, 150), (92, 210)],
    [(160, 100), (185, 82), (212, 96), (206, 130), (180, 170), (156, 206), (190, 206),
     (222, 202)],
]  # fmt: skip
STEPS = 12  # events from point to point
ROUNDS = 10
COLORS = 128  # of a picture's palette: it is a fifth as large as with all


class Scene(NamedTuple):
    """A picture: its file, the screen, what is drawn, and what else is done."""

    name: str
    strokes: list
    size: tuple[int, int] | None = None  # the window's; as it opens when left out
    dots: int = 96  # an inch
    theme: str = "light"
    calls: tuple[str, ...] = ()  # methods of the window


SCENES = [
    Scene("empty", []),
    Scene("sure", FIVE, calls=("next_overlay",)),
    Scene("doubt", DOUBTFUL),
    Scene("no-digit", LETTER),
    Scene("several", FORTY_TWO),
    Scene("600x400", SEVEN, (600, 400)),
    Scene("600x400-doubt", DOUBTFUL, (600, 400), calls=("toggle_drawer",)),
    Scene("twice", FIVE, dots=192),
    Scene("full-screen", SEVEN, (1366, 768)),
    Scene("dark", FIVE, theme="dark", calls=("toggle_drawer",)),
    Scene("dark-empty", [], (600, 400), theme="dark"),
    Scene("keys", SEVEN, calls=("help",)),
    Scene("menu", SEVEN, calls=("show_menu",)),
]


@contextlib.contextmanager
def screen(dots=96):
    """Show windows on an Xvfb of our own."""
    read, write = os.pipe()
    size = ["-screen", "0", "1920x1200x24", "-dpi", str(dots)]
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), *size],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        os.environ["DISPLAY"] = f":{pipe.readline().strip()}"
    try:
        yield
    finally:
        server.terminate()
        server.wait()


def draw(window, stroke):
    """Draw a stroke; return the seconds of each of its events, and those of the CPU."""
    canvas, times = window.canvas.widget, []
    unit = canvas.winfo_width() / SIDE

    def event(name, x, y):
        start, work = time.perf_counter(), time.process_time()
        canvas.event_generate(name, x=round(x * unit), y=round(y * unit))
        window.root.update()
        times.append((time.perf_counter() - start, time.process_time() - work))

    event("<ButtonPress-1>", *stroke[0])
    for (x0, y0), (x1, y1) in itertools.pairwise(stroke):
        for i in range(1, STEPS + 1):
            event("<B1-Motion>", x0 + (x1 - x0) * i / STEPS, y0 + (y1 - y0) * i / STEPS)
    event("<ButtonRelease-1>", *stroke[-1])
    return times


def opened(theme="light"):
    """Return a new window."""
    root = tk.Tk()
    choice = model_choice.Choice("pretrained", pretrained.PATH)
    state = State(choice, pretrained.load())
    window = Window(root, state, [choice], settings=Settings(theme=theme))
    root.update()
    return window


def measure():
    """Print the time that the window takes to open, and to answer the pointer."""
    start = time.perf_counter()
    window = opened()
    print(f"window up: {1e3 * (time.perf_counter() - start):.0f} ms")
    times = []
    for _ in range(ROUNDS):
        window.clear()
        for stroke in FIVE:
            times += draw(window, stroke)
    names = ("pointer event to bars", "of that, the program's own work")
    for name, column in zip(names, zip(*times, strict=True), strict=True):
        ordered = statistics.quantiles(column, n=20)
        print(
            f"{name}, {len(column)} events: median {1e3 * ordered[9]:.1f} ms, "
            f"95th percentile {1e3 * ordered[18]:.1f} ms, longest {1e3 * max(column):.1f} ms"
        )
    print(f"read as: {window.result.get()}")
    window.root.destroy()


def take(scene, folder):
    """Write the picture of a scene."""
    window = opened(scene.theme)
    root = window.root
    if scene.size is not None:
        root.geometry("{}x{}+0+0".format(*scene.size))
    for _ in range(3):
        root.update()
    for stroke in scene.strokes:
        draw(window, stroke)
    for name in scene.calls:
        getattr(window, name)()
    for _ in range(3):
        root.update()
    box = (0, 0, root.winfo_width(), root.winfo_height())
    shot = ImageGrab.grab(box, xdisplay=os.environ["DISPLAY"])
    file = io.BytesIO()
    small = shot.quantize(COLORS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(file, "PNG", optimize=True)
    atomic_write(folder / f"{scene.name}.png", file.getvalue())
    print(f"{scene.name}.png: {box[2]} x {box[3]}, {window.result.get()}")
    root.destroy()


def main():
    """Measure, and take pictures if a folder is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="for the pictures (none)")
    parser.add_argument("--dots", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.dots:
        take_all(args.folder, args.dots)
        return
    with screen():
        measure()
    if args.folder:
        args.folder.mkdir(parents=True, exist_ok=True)
        # Tk does not outlive its screen: each has a process.
        for dots in sorted({scene.dots for scene in SCENES}):
            command = [sys.executable, __file__, args.folder, f"--dots={dots}"]
            subprocess.run(command, check=True)


def take_all(folder, dots):
    """Write the pictures of the scenes on a screen of this many dots per inch."""
    with screen(dots):
        for scene in SCENES:
            if scene.dots == dots:
                take(scene, folder)


main()

"""Open the recognizer's window on a screen of its own, draw a digit, measure, take a picture.

python scripts/recognizer_window.py [PICTURE.png]

Prints how long the window took to come up, and the time from a pointer's event to the bars
that are drawn, over all events of the digit. Needs Xvfb.
"""

import contextlib
import itertools
import os
import statistics
import subprocess
import sys
import time
import tkinter as tk

import numpy as np
from PIL import ImageGrab

from rnn_native import pretrained
from rnn_native.recognizer import model_choice
from rnn_native.recognizer.state import State
from rnn_native.recognizer.window import Window

# A five, as a hand would draw it: two strokes of points.
FIVE = [
    np.array(
        [
            [104, 62],
            [100, 90],
            [96, 122],
            [118, 112],
            [146, 112],
            [168, 126],
            [178, 152],
            [172, 184],
            [150, 208],
            [120, 216],
            [92, 208],
        ]
    ),
    np.array([[104, 62], [134, 60], [172, 56]]),
]
STEPS = 12  # events from point to point
ROUNDS = 10


@contextlib.contextmanager
def screen():
    """Show windows on an Xvfb of our own."""
    read, write = os.pipe()
    size = ["-screen", "0", "900x640x24", "-dpi", "96"]
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
    """Draw a stroke; return the seconds that each of its events took."""
    canvas, times = window.canvas.widget, []

    def event(name, x, y):
        start = time.perf_counter()
        canvas.event_generate(name, x=round(x), y=round(y))
        window.root.update()
        times.append(time.perf_counter() - start)

    event("<ButtonPress-1>", *stroke[0])
    for (x0, y0), (x1, y1) in itertools.pairwise(stroke):
        for i in range(1, STEPS + 1):
            event("<B1-Motion>", x0 + (x1 - x0) * i / STEPS, y0 + (y1 - y0) * i / STEPS)
    event("<ButtonRelease-1>", *stroke[-1])
    return times


def main():
    """Open, draw, measure, and take a picture when one is asked for."""
    start = time.perf_counter()
    root = tk.Tk()
    root.geometry("+0+0")
    choice = model_choice.Choice("pretrained", pretrained.PATH)
    window = Window(root, State(choice, pretrained.load()), [choice])
    root.update()
    print(f"window up: {1e3 * (time.perf_counter() - start):.0f} ms")
    times = []
    for _ in range(ROUNDS):
        window.clear()
        for stroke in FIVE:
            times += draw(window, stroke)
    ordered = statistics.quantiles(times, n=20)
    print(
        f"pointer event to bars, {len(times)} events: median {1e3 * ordered[9]:.1f} ms, "
        f"95th percentile {1e3 * ordered[18]:.1f} ms, longest {1e3 * max(times):.1f} ms"
    )
    print(f"read as: {window.result.get()}")
    if len(sys.argv) > 1:
        window.next_overlay()
        root.update()
        box = (0, 0, root.winfo_width(), root.winfo_height())
        ImageGrab.grab(box, xdisplay=os.environ["DISPLAY"]).save(sys.argv[1])
    root.destroy()


with screen():
    main()

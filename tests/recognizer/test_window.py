"""The recognizer's window on its own screen: real pointer and key events."""

import gc
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import rnn_native as rn
from display import require, screen
from environment import program_environment, python_environment
from rnn_native import pretrained
from rnn_native.recognizer import learning, model_choice, pictures
from rnn_native.recognizer.reading import Reading

SEVEN = [(80, 60), (200, 60), (170, 110), (140, 170), (125, 240)]
ONE = [(140, 40), (140, 240)]


@pytest.fixture(scope="module")
def display():
    require("Xvfb")
    with screen() as name:
        before = os.environ.get("DISPLAY")
        os.environ["DISPLAY"] = name
        yield name
        if before is None:
            del os.environ["DISPLAY"]
        else:
            os.environ["DISPLAY"] = before


@pytest.fixture
def window(display, monkeypatch):
    import tkinter as tk

    from rnn_native.recognizer import window as module
    from rnn_native.recognizer.state import State

    # Tk's variables may only be collected by this thread, not by one that learns.
    gc.collect()
    told = []
    monkeypatch.setattr(module.messagebox, "showerror", lambda *a, **k: told.append(a[1]))
    monkeypatch.setattr(module.messagebox, "showinfo", lambda *a, **k: told.append(a[1]))
    choice = model_choice.Choice("pretrained", pretrained.PATH)
    root = tk.Tk()
    opened = module.Window(root, State(choice, pretrained.load()), [choice])
    opened.told = told
    root.update()
    shrink_canvas(opened)
    opened.canvas.widget.focus_force()
    root.update()
    yield opened
    if not_closed(root):
        root.destroy()


small_size = []  # of the window whose canvas is 280 x 280, once it was found


def shrink_canvas(window):
    """Make the window as small as lets a unit of the canvas be a pixel."""
    root, canvas = window.root, window.canvas.widget
    window.least = root.minsize()
    root.minsize(1, 1)
    if small_size:
        root.geometry(small_size[0])
    for _ in range(100):
        root.update()
        more = canvas.winfo_height() - 280
        if not more and root.winfo_height() < 500:
            small_size[:] = [f"{root.winfo_width()}x{root.winfo_height()}"]
            return
        step = (more > 0) - (more < 0) if abs(more) < 8 else more // 2
        root.geometry(f"{root.winfo_width()}x{root.winfo_height() - step}")
        root.update()
        time.sleep(0.005)
    raise AssertionError("no size of the window has a canvas of 280 x 280")


def not_closed(root):
    import tkinter as tk

    try:
        return bool(root.winfo_exists())
    except tk.TclError:
        return False


def draw(window, points, button=1, lift=True):
    canvas = window.canvas.widget
    (x, y), *rest = points
    canvas.event_generate(f"<ButtonPress-{button}>", x=x, y=y)
    for x1, y1 in rest:
        for i in range(1, 11):
            at = {"x": round(x + (x1 - x) * i / 10), "y": round(y + (y1 - y) * i / 10)}
            canvas.event_generate("<Motion>", state=0x80 << button, **at)
        x, y = x1, y1
    if lift:
        canvas.event_generate(f"<ButtonRelease-{button}>", x=x, y=y)
    window.root.update()


def press(window, sequence):
    window.canvas.widget.event_generate(sequence)
    window.root.update()


def digit_of(window):
    found = re.match(r"\d", window.result.get())
    return int(found[0]) if found else None


def white_pixels(window):
    """What the canvas shows, as a picture of the screen."""
    from PIL import ImageGrab

    canvas = window.canvas.widget
    window.root.update()  # what was just opened may have moved the canvas
    left, top = canvas.winfo_rootx(), canvas.winfo_rooty()
    box = (left, top, left + canvas.winfo_width(), top + canvas.winfo_height())
    shown = ImageGrab.grab(bbox=box, xdisplay=os.environ["DISPLAY"]).convert("L")
    return np.asarray(shown) > 200  # a hint is darker


# ---- what is shown ----


def test_the_references_widgets_are_there(window):
    root = window.root
    assert root.title() == "MNIST Digit Recognizer"
    canvas = window.canvas.widget
    assert (canvas.winfo_width(), canvas.winfo_height()) == (280, 280)
    assert canvas["background"] == "black"
    assert {"clear", "undo", "open", "menu"} <= set(window.buttons)
    assert {str(digit) for digit in range(10)} <= set(window.drawer.buttons)


def test_an_empty_canvas_has_a_hint_and_no_percentages(window):
    hint = window.canvas.widget.find_withtag("hint")
    assert len(hint) == 1
    assert window.bars.shares() == [""] * 10
    assert window.bars.lengths() == [0] * 10
    assert window.answer.digit.get() == window.answer.words.get() == ""
    draw(window, ONE)
    assert not window.canvas.widget.find_withtag("hint")
    press(window, "<Delete>")
    assert window.canvas.widget.find_withtag("hint")


def test_a_drawn_seven_is_read(window):
    draw(window, SEVEN)
    assert digit_of(window) == 7
    assert (window.answer.digit.get(), window.answer.words.get()) == ("7", "certain")
    shares = [float(share.rstrip(" %") or 0) for share in window.bars.shares()]
    assert np.argmax(shares) == 7
    assert sum(shares) == pytest.approx(100, abs=0.5)
    colors = window.bars.colors()
    assert colors[7] == pictures.ORANGE
    assert set(colors[:7] + colors[8:]) == {pictures.BLUE}


def test_bars_are_as_long_as_probabilities_are_high(window):
    probabilities = np.array([0, 0.5, 0.25, 0.125, 0.1, 0, 0.025, 0, 0, 0], np.float32)
    window.bars.show(Reading(1, probabilities, np.zeros((28, 28), np.float32)))
    assert window.bars.lengths() == pytest.approx(probabilities)
    assert window.bars.shares()[:5] == ["", "50.0 %", "25.0 %", "12.5 %", "10.0 %"]
    certain = np.eye(10, dtype=np.float32)[3]
    window.bars.show(Reading(3, certain, np.zeros((28, 28), np.float32)))
    assert window.bars.lengths()[3] == 1  # it fills its track


def test_the_line_on_the_screen_is_where_the_pointer_was(window):
    draw(window, ONE)
    rows, columns = np.nonzero(white_pixels(window))
    assert (rows.min(), rows.max()) == (pytest.approx(30, abs=2), pytest.approx(250, abs=2))
    assert (columns.min(), columns.max()) == (
        pytest.approx(130, abs=2),
        pytest.approx(150, abs=2),
    )


def test_it_predicts_while_the_button_is_down(window):
    draw(window, SEVEN, lift=False)
    assert digit_of(window) == 7


def test_a_click_makes_a_dot(window):
    draw(window, [(100, 100)])
    white = white_pixels(window)
    assert 200 < white.sum() < 450  # a disc 20 wide has 314
    assert white[100, 100]


def test_what_the_net_sees_is_shown(window):
    draw(window, ONE)
    image = window.state.seen().reading.image
    shown = window.net_view.image
    zoom = shown.width() // 28
    gray = [[shown.get(x * zoom, y * zoom)[0] for x in range(28)] for y in range(28)]
    np.testing.assert_allclose(np.array(gray), image * 255, atol=1)


# ---- undo, redo, clear, erase ----


def test_undo_redo_and_clear_by_keys(window):
    draw(window, ONE)
    one = white_pixels(window)
    draw(window, [(60, 140), (220, 140)])
    both = white_pixels(window)
    assert both.sum() > one.sum() + 1_000
    press(window, "<Control-z>")
    np.testing.assert_array_equal(white_pixels(window), one)
    assert digit_of(window) == 1
    press(window, "<Control-y>")
    np.testing.assert_array_equal(white_pixels(window), both)
    press(window, "<Delete>")
    assert not white_pixels(window).any()
    assert digit_of(window) is None
    assert window.bars.shares() == [""] * 10
    press(window, "<Control-z>")
    np.testing.assert_array_equal(white_pixels(window), both)


@pytest.mark.parametrize("key", ["<Control-z>", "<Escape>"])
def test_a_key_in_the_middle_of_a_stroke(window, key):
    """What the pen does after it leaves nothing on the screen that is not read."""
    draw(window, ONE, lift=False)
    press(window, key)
    canvas = window.canvas.widget
    for x in range(40, 240, 10):
        canvas.event_generate("<Motion>", x=x, y=100, state=0x100)
    canvas.event_generate("<ButtonRelease-1>", x=240, y=100)
    window.root.update()
    assert not white_pixels(window).any()
    assert not window.state.drawing.strokes


def test_buttons_tell_what_can_be_done(window):
    undo, redo = window.buttons["undo"], window.buttons["redo"]
    assert undo.instate(["disabled"])
    draw(window, ONE)
    assert undo.instate(["!disabled"])
    assert redo.instate(["disabled"])
    undo.invoke()
    assert redo.instate(["!disabled"])
    redo.invoke()
    window.buttons["clear"].invoke()
    assert not window.state.drawing.strokes


@pytest.mark.parametrize("how", ["right button", "shift", "key"])
def test_erasing(window, how):
    draw(window, ONE)
    across = [(100, 140), (180, 140)]
    if how == "right button":
        draw(window, across, button=3)
    elif how == "key":
        press(window, "<Key-e>")
        draw(window, across)
    else:
        canvas = window.canvas.widget
        canvas.event_generate("<ButtonPress-1>", x=100, y=140, state=1)
        for x in range(100, 180, 5):
            canvas.event_generate("<Motion>", x=x, y=140, state=0x101)
        canvas.event_generate("<ButtonRelease-1>", x=180, y=140)
        window.root.update()
    assert len(window.state.drawing.strokes) == 2
    assert not white_pixels(window)[140].any()
    press(window, "<Control-z>")
    assert len(window.state.drawing.strokes) == 1


def test_pen_width_keys_stay_in_bounds(window):
    press(window, "<bracketright>")
    draw(window, ONE)
    assert window.state.drawing.strokes[-1].width == 22
    for _ in range(60):
        press(window, "<bracketleft>")
    assert window.canvas.pen == 4


# ---- size ----


def test_resized_the_drawing_grows_along_and_reads_the_same(window):
    draw(window, SEVEN)
    before = window.state.seen().reading
    window.root.geometry("1200x850")
    window.root.update()
    window.root.update()
    side = window.canvas.widget.winfo_width()
    assert side > 350
    assert side == window.canvas.widget.winfo_height()
    rows, _ = np.nonzero(white_pixels(window))
    assert rows.max() == pytest.approx(250 * side / 280, abs=3)
    np.testing.assert_array_equal(window.state.seen().reading.image, before.image)
    draw(window, [(0, 0), (side - 1, side - 1)])
    assert window.state.drawing.strokes[-1].points.max() == pytest.approx(279, abs=1.5)


def sizes(window):
    """What scales: fonts, icons, the box of models, the slider, the boxes of the drawer."""
    theme = window.theme
    return {
        "font": -theme.text.cget("size"),
        "digit": theme.digit.metrics("linespace"),
        "icon": window.buttons["undo"].winfo_reqheight(),
        "models": window.model_box.winfo_reqheight(),
        "slider": window.toolbar._slider.winfo_reqheight(),
        "check box": window.drawer._keep_box.winfo_reqheight(),
        "what it sees": window.net_view.image.width(),
        "bars": window.bars.canvas.winfo_height(),
    }


def test_everything_grows_with_the_window(window):
    draw(window, SEVEN)
    window.root.geometry("620x400")
    window.root.update()
    small = sizes(window)
    window.root.geometry("1240x800")
    window.root.update()
    for name, size in sizes(window).items():
        assert size > 1.5 * small[name], name
    assert window.least == (600, 400)


def test_the_pen_stays_where_it_is_while_words_change(window):
    """The answer's words are of all lengths; the canvas keeps its place and size."""
    where = set()
    for strokes in ([SEVEN], [ONE], [[(100, 100)]], [SEVEN, ONE]):
        press(window, "<Delete>")
        for stroke in strokes:
            draw(window, stroke)
        canvas = window.canvas.widget
        where.add((canvas.winfo_rootx(), canvas.winfo_rooty(), canvas.winfo_width()))
    assert len(where) == 1


# ---- drawer, theme, menu ----


def test_corrections_are_in_a_drawer(window):
    assert not window.drawer.frame.winfo_ismapped()
    window.buttons["correct"].invoke()
    window.root.update()
    assert window.drawer.frame.winfo_ismapped()
    press(window, "<Key-c>")
    assert not window.drawer.frame.winfo_ismapped()


def test_the_theme_is_kept_and_the_canvas_stays_black(window, tmp_path):
    from rnn_native.recognizer import settings

    window.settings.place = tmp_path / "folder" / "window.json"
    light = window.bars.canvas["background"]
    window.menu._theme_name.set("dark")
    window.menu._use_theme()
    assert window.bars.canvas["background"] != light
    assert window.canvas.widget["background"] == "black"
    assert settings.load(window.settings.place).theme == "dark"


def test_models_that_were_opened_are_recent(window, tmp_path):
    net = rn.Network([rn.Dense(10)], (784,), seed=3)
    for name in ("one", "two"):
        net.save(tmp_path / f"{name}.safetensors")
        path = tmp_path / f"{name}.safetensors"
        window.files.use_model(model_choice.Choice(name, path))
    (tmp_path / "one.safetensors").unlink()
    window.menu._list_recent()
    assert window.menu.recent.index("end") == 0
    assert window.menu.recent.entrycget(0, "label") == f"{tmp_path.name}/two.safetensors"


def test_paths_that_cannot_be_looked_at_leave_the_lists_usable(window, tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    rn.Network([rn.Dense(10)], (784,), seed=3).save(tmp_path / "good.safetensors")
    names = ("loop", "x" * 300, "nul\0", "good.safetensors")
    window.settings.recent = [str(tmp_path / name) for name in names]
    window.menu._list_recent()
    good = f"{tmp_path.name}/good.safetensors"
    assert window.menu.recent.index("end") == 0
    assert window.menu.recent.entrycget(0, "label") == good
    window._choices = []
    window._list_models()
    assert window.model_box["values"] == ("pretrained", good, "Open...")
    for name in names[:3]:
        window.files.drop(str(tmp_path / name))
    assert len(window.told) == 3


def test_only_models_that_read_digits_are_offered(window, tmp_path):
    rn.Network([rn.Dense(1)], (2,), "squared_error").save(tmp_path / "xor.safetensors")
    rn.Network([rn.Dense(10)], (784,)).save(tmp_path / "digits.safetensors")
    (tmp_path / "broken.safetensors").write_text("text")
    window._choices = [
        model_choice.Choice(name, tmp_path / f"{name}.safetensors")
        for name in ("xor", "broken", "digits", "missing")
    ]
    window._list_models()
    assert window.model_box["values"] == ("pretrained", "digits", "Open...")


def test_a_copied_picture_is_read(window, monkeypatch, tmp_path):
    from PIL import Image, ImageGrab

    digits, labels = rn.datasets.synthetic_digits(30, seed=2)
    zero = Image.fromarray(digits[int(np.argmax(labels == 0))])
    monkeypatch.setattr(ImageGrab, "grabclipboard", lambda: zero)
    press(window, "<Control-v>")
    assert digit_of(window) == 0
    zero.save(tmp_path / "zero.png")
    press(window, "<Delete>")
    monkeypatch.setattr(ImageGrab, "grabclipboard", lambda: [str(tmp_path / "zero.png")])
    press(window, "<Control-v>")
    assert digit_of(window) == 0
    assert not window.told
    for nothing in (lambda: None, lambda: []):
        monkeypatch.setattr(ImageGrab, "grabclipboard", nothing)
        press(window, "<Control-v>")
    assert window.told == ["paste: no picture has been copied"] * 2


def test_what_is_dropped_is_opened(window, tmp_path):
    draw(window, SEVEN)
    window.files.save_file(str(tmp_path / "seven.png"))
    press(window, "<Escape>")
    window.files.drop(str(tmp_path / "seven.png"))
    assert digit_of(window) == 7
    rn.Network([rn.Dense(10)], (784,)).save(tmp_path / "other.safetensors")
    window.files.drop(str(tmp_path / "other.safetensors"))
    assert window.state.choice.name == "other.safetensors"


def test_files_are_dropped_where_tkinterdnd2_is_installed(display):
    pytest.importorskip("tkinterdnd2")
    import tkinter

    from rnn_native.recognizer import dropping

    root, opened = dropping.new_root("Dropping"), []
    frame = tkinter.Frame(root, width=100, height=100)
    frame.pack()
    assert dropping.accept_files(root, frame, opened.append)
    root.destroy()
    plain = tkinter.Tk()
    assert not dropping.accept_files(plain, plain, opened.append)
    plain.destroy()


def test_dialogs_have_types_and_a_name(window, monkeypatch, tmp_path):
    from rnn_native.recognizer import files

    asked = {}

    def ask(**options):
        asked.update(options)
        return str(tmp_path / "mine.png")

    monkeypatch.setattr(files.filedialog, "asksaveasfilename", ask)
    draw(window, ONE)
    press(window, "<Control-s>")
    assert (tmp_path / "mine.png").is_file()
    assert asked["initialfile"] == "digit.png"
    assert ("Picture", ".png") in asked["filetypes"]
    monkeypatch.setattr(files.filedialog, "askopenfilename", ask)
    press(window, "<Control-o>")
    assert any(".jpg" in types for _, types in asked["filetypes"])
    assert "opened mine.png" in window.status.get()


def test_the_model_is_exported_as_a_page(window, monkeypatch, tmp_path):
    from rnn_native.recognizer import files

    path = tmp_path / "page.html"
    monkeypatch.setattr(files.filedialog, "asksaveasfilename", lambda **_: str(path))
    window.files.export_page()
    assert path.read_text().startswith("<!")
    assert "exported page.html" in window.status.get()
    assert not window.told


def test_several_drawn_digits_are_read_once_the_pen_is_lifted(window):
    draw(window, [(50, 70), (50, 210)])
    draw(window, [(150, 80), (240, 80), (215, 140), (190, 220)], lift=False)
    assert window.answer.words.get() != "2 digits"
    window.canvas.widget.event_generate("<ButtonRelease-1>", x=190, y=220)
    window.root.update()
    assert (window.answer.digit.get(), window.answer.words.get()) == ("17", "2 digits")
    assert window.bars.shares() == [""] * 10
    assert "several digits" in window.result.get()
    press(window, "<Control-z>")
    assert window.answer.digit.get() == "1"


def test_a_button_says_what_it_does_while_pointed_at(window):
    window.buttons["undo"].event_generate("<Enter>")
    assert window._status_line["text"] == "Undo (Ctrl+Z)"
    window.buttons["undo"].event_generate("<Leave>")
    assert window._status_line["text"] == ""


# ---- files ----


def test_a_saved_drawing_opens_again(window, tmp_path):
    draw(window, SEVEN)
    for name in ("seven.png", "seven.json"):
        window.files.save_file(str(tmp_path / name))
    before = white_pixels(window)
    press(window, "<Escape>")
    window.files.open_file(str(tmp_path / "seven.json"))
    np.testing.assert_array_equal(white_pixels(window), before)
    press(window, "<Escape>")
    window.files.open_file(str(tmp_path / "seven.png"))
    assert digit_of(window) == 7
    assert (white_pixels(window) == before).mean() > 0.99
    window.root.geometry("1200x850")
    window.root.update()
    rows, _ = np.nonzero(white_pixels(window))
    assert rows.max() > 400  # the picture grows along
    draw(window, ONE)  # a new drawing takes the picture's place
    assert digit_of(window) == 1
    assert not window.told


@pytest.mark.parametrize("name", ["text.png", "text.json", "missing.png"])
def test_a_file_that_cannot_be_read_is_told(window, tmp_path, name, capsys):
    if name != "missing.png":
        (tmp_path / name).write_text("no picture")
    draw(window, ONE)
    window.files.open_file(str(tmp_path / name))
    assert len(window.told) == 1
    assert "\n" not in window.told[0]
    assert name in window.told[0]
    assert name in capsys.readouterr().err
    assert digit_of(window) == 1  # the drawing is still there


def test_a_drawing_that_cannot_be_saved_is_told(window, tmp_path):
    draw(window, ONE)
    window.files.save_file(str(tmp_path / "nowhere" / "one.png"))
    window.files.save_file(str(tmp_path / "one.gif"))
    assert "nowhere" in window.told[0]
    assert ".png or .json" in window.told[1]


def test_models_are_changed_and_broken_ones_told(window, tmp_path):
    rn.Network([rn.Dense(10)], (784,), seed=3).save(tmp_path / "other.safetensors")
    (tmp_path / "broken.safetensors").write_text("text")
    choose = model_choice.Choice
    window.files.use_model(choose("other", tmp_path / "other.safetensors"))
    assert window.state.choice.name == "other"
    assert window.model_box.get() == "other"
    window.files.use_model(choose("broken", tmp_path / "broken.safetensors"))
    assert window.state.choice.name == "other"
    assert len(window.told) == 1


# ---- corrections ----


def test_corrections_are_learned_and_unlearned(window):
    draw(window, ONE)
    press(window, "<Key-4>")
    assert window.state.corrections.labels == [4]
    assert "kept as 4" in window.status.get()
    window.drawer.buttons["Learn"].invoke()
    deadline = time.monotonic() + 60
    while window.status.get() == "learning..." and time.monotonic() < deadline:
        window.root.update()
        time.sleep(0.01)
    assert digit_of(window) == 4
    window.drawer.buttons["Unlearn"].invoke()
    assert digit_of(window) == 1
    assert not window.told


def test_nothing_drawn_is_no_correction(window):
    press(window, "<Key-4>")
    assert len(window.state.corrections) == 0
    assert window.drawer.buttons["Learn"].instate(["disabled"])


def test_a_failure_while_learning_is_told(window, monkeypatch):
    draw(window, ONE)
    press(window, "<Key-4>")

    def fail(*_):
        raise MemoryError("no room")

    monkeypatch.setattr(learning, "learned", fail)
    window.drawer.learn()
    deadline = time.monotonic() + 10
    while not window.told and time.monotonic() < deadline:
        window.root.update()
    assert window.told == ["no room"]


# ---- other keys ----


def test_help_lists_every_key(window):
    from rnn_native.recognizer.keys import KEYS, TABLE

    press(window, "<F1>")
    labels = [w["text"] for w in all_widgets(window.help_window.window)]
    for _, rows in TABLE:
        for key, text in rows:
            assert labels.index(text) == labels.index(key) + 1
    press(window, "<F1>")
    for _, command in KEYS:
        assert callable(window.commands[command])


def all_widgets(widget):
    """The labels below a widget, in the order they were made."""
    import tkinter.ttk

    found = [widget] if isinstance(widget, tkinter.ttk.Label) else []
    return found + [w for child in widget.winfo_children() for w in all_widgets(child)]


def test_overlay_key(window):
    draw(window, ONE)
    press(window, "<Key-o>")
    assert window.net_view.caption.get() == "saliency"


def test_an_error_in_a_callback_is_one_line(window, monkeypatch, capsys):
    def fail():
        raise ZeroDivisionError("by accident")

    monkeypatch.setattr(window.state, "seen", fail)
    press(window, "<Return>")
    assert window.told == ["by accident"]
    assert capsys.readouterr().err == "rnn-native: by accident\n"


def test_closing_is_clean(window, capfd):
    draw(window, ONE)
    press(window, "<Control-q>")
    assert not not_closed(window.root)
    assert capfd.readouterr().err == ""


# ---- the program ----


def start(display, *arguments, cwd=None, env=None):
    return subprocess.Popen(
        [sys.executable, "-m", "rnn_native.recognizer", *arguments],
        cwd=cwd,
        env=python_environment(DISPLAY=display, **(env or {})),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def xdo(*words):
    subprocess.run(
        ["xdotool", *map(str, words)], check=True, timeout=60, env=program_environment()
    )


def test_a_seven_drawn_with_the_mouse_of_the_system(display, tmp_path):
    require("xdotool")
    program = start(display, "--announce", cwd=tmp_path)
    try:
        assert program.stdout.readline().startswith("Found pretrained model: ")
        xdo("search", "--sync", "--name", "MNIST Digit Recognizer")
        time.sleep(0.3)
        found = subprocess.run(
            ["xdotool", "search", "--name", "MNIST Digit Recognizer", "getwindowgeometry"],
            capture_output=True,
            text=True,
            check=True,
            env=program_environment(),
        )
        left, top = map(int, re.search(r"Position: (\d+),(\d+)", found.stdout).groups())
        # The canvas begins below the toolbar, at the left.
        x, y = left + 130, top + 180
        xdo("mousemove", x, y, "mousedown", 1)
        for dx, dy in ((60, 0), (120, 0), (90, 60), (60, 120), (45, 180)):
            xdo("mousemove", x + dx, y + dy)
        xdo("mouseup", 1)
        assert program.stdout.readline().startswith("7 ")
        xdo("key", "ctrl+z")
        xdo("key", "Return")
        assert not program.stdout.readline()[:1].isdigit()
        xdo("key", "ctrl+q")
        assert program.wait(20) == 0
        assert program.stderr.read() == ""
    finally:
        program.kill()
        program.communicate()


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_signals_close_the_window(display, tmp_path, number, code, word):
    program = start(display, cwd=tmp_path)
    program.stdout.readline()
    time.sleep(1)
    program.send_signal(number)
    _, errors = program.communicate(timeout=20)
    assert program.returncode == code
    assert errors == f"rnn-native: {word}\n"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["serial"], "mnist_model.bin: not found"),
        (["nowhere.safetensors"], "nowhere.safetensors"),
        (["text.bin"], "text.bin"),
    ],
)
def test_without_a_model_it_says_so(display, tmp_path, arguments, message):
    (tmp_path / "text.bin").write_text("text")
    program = start(display, *arguments, cwd=tmp_path)
    _, errors = program.communicate(timeout=30)
    assert program.returncode == 2
    assert errors.count("\n") == 1
    assert message in errors


def test_without_a_display_it_says_so(tmp_path):
    pytest.importorskip("tkinter")
    program = start("", cwd=tmp_path, env={"WAYLAND_DISPLAY": ""})
    _, errors = program.communicate(timeout=30)
    assert program.returncode == 2
    assert errors.count("\n") == 1
    assert errors.startswith("rnn-native: no window can be opened: ")
    assert "rnn-native predict" in errors


def test_without_tk_it_says_so(tmp_path):
    (tmp_path / "tkinter.py").write_text("raise ImportError('no module _tkinter')")
    program = start(
        "",
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
    )
    _, errors = program.communicate(timeout=30)
    assert program.returncode == 2
    assert errors.startswith("rnn-native: this Python has no Tk")
    assert errors.count("\n") == 1

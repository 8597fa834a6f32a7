"""Keys of the window: Tk's name for each, and the window's method that it calls."""

import sys

_CONTROL = "Command" if sys.platform == "darwin" else "Control"

KEYS = [
    (f"<{_CONTROL}-z>", "undo"),
    (f"<{_CONTROL}-y>", "redo"),
    (f"<{_CONTROL}-Shift-Z>", "redo"),
    ("<Delete>", "clear"),
    ("<Escape>", "clear"),
    ("<Return>", "predict"),
    ("<space>", "predict"),
    ("<Key-e>", "toggle_erase"),
    ("<bracketleft>", "thinner_pen"),
    ("<bracketright>", "wider_pen"),
    ("<Key-o>", "next_overlay"),
    (f"<{_CONTROL}-o>", "open"),
    (f"<{_CONTROL}-s>", "save"),
    ("<Key-l>", "learn"),
    ("<Key-u>", "unlearn"),
    ("<F1>", "help"),
    (f"<{_CONTROL}-q>", "quit"),
]

HELP = f"""\
Left button: draw; a click is a dot
Right button, or Shift and left: rub out
{_CONTROL}+Z, {_CONTROL}+Y: undo, redo
Delete or Escape: clear
Return or space: predict
E: draw or rub out with the left button
[ and ]: thinner, wider pen
0 to 9: the right digit is this one
L, U: learn from the corrections, undo that
O: next overlay on what the net sees
{_CONTROL}+O, {_CONTROL}+S: open an image, save the drawing
{_CONTROL}+Q: quit"""

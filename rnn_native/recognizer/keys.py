"""Keys of the window: Tk's name for each, the command that it calls, and the table of F1."""

import sys

CONTROL = "Command" if sys.platform == "darwin" else "Control"
SHOWN = "Cmd" if sys.platform == "darwin" else "Ctrl"

KEYS = [
    (f"<{CONTROL}-z>", "undo"),
    (f"<{CONTROL}-y>", "redo"),
    (f"<{CONTROL}-Shift-Z>", "redo"),
    ("<Delete>", "clear"),
    ("<Escape>", "clear"),
    ("<Return>", "predict"),
    ("<space>", "predict"),
    ("<Key-e>", "toggle_erase"),
    ("<bracketleft>", "thinner_pen"),
    ("<bracketright>", "wider_pen"),
    ("<Key-o>", "next_overlay"),
    (f"<{CONTROL}-o>", "open"),
    (f"<{CONTROL}-s>", "save"),
    (f"<{CONTROL}-v>", "paste"),
    ("<Key-c>", "toggle_drawer"),
    ("<Key-l>", "learn"),
    ("<Key-u>", "unlearn"),
    ("<F1>", "help"),
    ("<F10>", "show_menu"),
    (f"<{CONTROL}-q>", "quit"),
]

# Columns of the table: groups of (key, what it does).
TABLE: list[tuple[str, list[tuple[str, str]]]] = [
    (
        "Draw",
        [
            ("Left button", "draw; a click is a dot"),
            ("Right button", "rub out; so does Shift with the left one"),
            ("E", "rub out with the left button, or draw"),
            ("[  and  ]", "thinner and wider pen"),
            (f"{SHOWN}+Z, {SHOWN}+Y", "undo, redo"),
            ("Delete, Esc", "clear"),
        ],
    ),
    (
        "Pictures",
        [
            (f"{SHOWN}+O", "open a picture or a saved drawing"),
            (f"{SHOWN}+V", "paste a picture"),
            (f"{SHOWN}+S", "save the drawing"),
        ],
    ),
    (
        "Read and correct",
        [
            ("Return, Space", "read again; it reads all the time"),
            ("O", "next overlay on what the net sees"),
            ("0 to 9", "the right digit is this one"),
            ("C", "show or hide the corrections"),
            ("L, U", "learn from the corrections, undo that"),
        ],
    ),
    ("Window", [("F1", "this table"), ("F10", "the menu"), (f"{SHOWN}+Q", "quit")]),
]

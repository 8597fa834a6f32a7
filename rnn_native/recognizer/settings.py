"""What the window remembers: its theme, and the models that were opened.

They are one small JSON file in the user's folder for settings, written when a theme is chosen or
a model is opened. RNN_NATIVE_CONFIG names another folder; set to nothing, nothing is remembered.
"""

import json
import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from rnn_native.base.files import atomic_write, read_within

Name = Literal["light", "dark"]
NAMES: tuple[Name, ...] = ("light", "dark")
VARIABLE = "RNN_NATIVE_CONFIG"
FILE = "window.json"
MOST_BYTES, MOST_RECENT = 100_000, 8


@dataclass
class Settings:
    """Settings that are remembered, and where; without a place until the window closes.

    Attributes
    ----------
    theme : {"light", "dark"}
    recent : list of str
        Paths of models, the last opened first.
    """

    theme: Name = "light"
    recent: list[str] = field(default_factory=list)
    place: Path | None = None

    def remember_model(self, path: Path) -> None:
        """Put a model in front of those that were opened; OSError as `save`."""
        name = os.path.realpath(path)
        self.recent = [name, *(p for p in self.recent if p != name)][:MOST_RECENT]
        self.save()

    def save(self) -> None:
        """Write the file, if there is a place for it; OSError if that fails."""
        if self.place is None:
            return
        self.place.parent.mkdir(parents=True, exist_ok=True)
        kept = {k: v for k, v in asdict(self).items() if k != "place"}
        atomic_write(self.place, json.dumps(kept, indent=1).encode() + b"\n")


def usual_place() -> Path | None:
    """Return the settings' file; None if they are not to be kept, or there is no home."""
    if (named := os.environ.get(VARIABLE)) is not None:
        return Path(named) / FILE if named else None
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "rnn_native" / FILE
    folder = os.environ.get("XDG_CONFIG_HOME")
    return Path(folder or home / ".config") / "rnn_native" / FILE


def load(place: Path | None) -> Settings:
    """Read settings; those that are missing or cannot be used have their defaults."""
    found: object = {}
    try:
        if place is not None:
            found = json.loads(read_within(place, MOST_BYTES, FILE))
    except (OSError, ValueError, RecursionError):
        pass  # a window opens whatever an older version or a hand has written
    given = found if isinstance(found, dict) else {}
    settings = Settings(place=place)
    if given.get("theme") in NAMES:
        settings.theme = given["theme"]
    recent = given.get("recent")
    if isinstance(recent, list):
        settings.recent = [p for p in recent if isinstance(p, str)][:MOST_RECENT]
    return settings

"""`predict IMAGE...`."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rnn_native.base import outcome
from rnn_native.cli import arguments

if TYPE_CHECKING:
    from rnn_native.models.network import Network
    from rnn_native.recognizer.contact_sheet import Entry
    from rnn_native.recognizer.reading import PageReading, Reading

DIGITS = 10
LAYOUTS = ("digit", "digits", "number")
MOST_NAMED = 3  # files in a message


class Read(NamedTuple):
    """A picture as one digit, for the sheet, and all digits on it."""

    entry: "Entry"
    found: "PageReading"


def add_commands(commands: Any) -> None:
    """Add `predict` to the parser's commands."""
    parser = arguments.add_command(
        commands,
        "predict",
        predict,
        "Read the digits in pictures.",
        """predict photo.png
        predict scans/ --show sheet.png
        predict page.jpg --layout number
        predict scans/ --model runs/cnn --json""",
    )
    parser.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="IMAGE",
        help="image files, or folders of them: dark on light or light on dark, any size",
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="MODEL",
        help="model file or a run's folder (default: the model that comes with the package)",
    )
    parser.add_argument(
        "--layout",
        choices=LAYOUTS,
        default=LAYOUTS[0],
        help="what a picture shows: one digit (several are reported as a doubt), digits to read "
        "one by one from left to right, line by line, or one number per line (digit)",
    )
    parser.add_argument(
        "--top",
        type=arguments.number(int, 1, DIGITS),
        default=3,
        metavar="N",
        help="print the N most likely digits, 1 to 10 (3)",
    )
    parser.add_argument(
        "--show",
        type=Path,
        metavar="FILE.png",
        help="write a sheet with each picture and the input of the net",
    )
    arguments.add_threads(parser)


def predict(args: argparse.Namespace) -> int:
    """`predict IMAGE...`."""
    from rnn_native.models import pretrained
    from rnn_native.recognizer import model_choice

    if args.show is not None and args.show.suffix.lower() != ".png":
        raise outcome.UsageError(f"predict: --show: expected a .png, got {args.show}")
    path = args.model or pretrained.PATH
    net = model_choice.open_model(model_choice.Choice(str(path), path))
    pictures, code = _read_all(args, net)
    if args.json:
        as_dict = _as_dict if args.layout == LAYOUTS[0] else _as_page
        outcome.say(json.dumps([as_dict(picture, args.top) for picture in pictures]))
    else:
        _print_table(_rows(pictures, args.layout, args.top))
    if args.show is not None and pictures:
        _write_sheet(args.show, [picture.entry for picture in pictures])
    return code


def _read_all(args: argparse.Namespace, net: "Network") -> tuple[list[Read], int]:
    """Read every picture; report one that cannot be read, and continue with the others."""
    from rnn_native.recognizer.contact_sheet import Entry, found_ink, thumbnail
    from rnn_native.recognizer.opening import pictures_in, read_picture
    from rnn_native.recognizer.reading import read_digits

    pictures, code = [], outcome.OK
    for named in args.images:
        try:
            paths, others = pictures_in(named)
        except OSError as error:
            code = outcome.report(outcome.one_line(error), outcome.FAILED)
            continue
        _tell_skipped(named, others)
        for path in paths:
            try:
                picture = read_picture(path)
            except (OSError, ValueError) as error:
                code = outcome.report(outcome.one_line(error), outcome.FAILED)
                continue
            found = read_digits(net, picture, threads=args.threads)
            small, ink = thumbnail(picture), found_ink(found)
            entry = Entry(str(path), small, found.as_one(), ink)
            pictures.append(Read(entry, found.without_steps()))
    return pictures, code


def _tell_skipped(folder: Path, files: list[Path]) -> None:
    """Name files of a folder that are not read; files of the system are not worth a word."""
    names = [path.name for path in files if not path.name.startswith(".")]
    if names:
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        listed = ", ".join(names[:MOST_NAMED])
        outcome.complain(
            f"{folder}: skipped, as their names are not those of pictures: {listed}{more}"
        )


def _likely(reading: "Reading", top: int) -> list[tuple[int, float]]:
    """Return the most likely digits with their probabilities; none without a label."""
    if reading.label is None:
        return []
    order = (-reading.probabilities).argsort(kind="stable")[:top]
    return [(int(digit), float(reading.probabilities[digit])) for digit in order]


def _as_dict(picture: Read, top: int) -> dict[str, Any]:
    """Return what a picture of one digit reads."""
    return {"file": picture.entry.name, **_told(picture.entry.reading, top)}


def _as_page(picture: Read, top: int) -> dict[str, Any]:
    """Return what a picture of several digits reads."""
    entry, found = picture
    return {
        "file": entry.name,
        "lines": found.lines,
        "digits": [
            {**_told(reading, top), "box": list(digit.box), "line": digit.line}
            for digit, reading in zip(found.page.digits, found.readings, strict=True)
        ],
        "doubt": None if found.readings else entry.reading.doubt,
    }


def _told(reading: "Reading", top: int) -> dict[str, Any]:
    return {
        "digit": reading.label,
        "top": [{"digit": d, "probability": p} for d, p in _likely(reading, top)],
        "doubt": reading.doubt,
    }


def _rows(pictures: list[Read], layout: str, top: int) -> list[tuple[str, str]]:
    """Return the table's rows: a picture's name, and its reading."""
    rows = []
    for entry, found in pictures:
        if layout == "digit" or not found.readings:
            rows.append((entry.name, _in_words(entry.reading, top)))
        elif layout == "number":
            rows += [(entry.name, line) for line in found.lines]
        else:
            rows += [(entry.name, _in_words(read, top)) for read in found.readings]
    return rows


def _in_words(reading: "Reading", top: int) -> str:
    cells = [f"{d} {100 * p:5.1f} %" for d, p in _likely(reading, top)]
    doubt = [f"({reading.doubt})"] if reading.doubt else []
    return "   ".join(cells + doubt)


def _print_table(rows: list[tuple[str, str]]) -> None:
    width = max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        outcome.say(f"{name:<{width}}  {text}")


def _write_sheet(path: Path, entries: list["Entry"]) -> None:
    from rnn_native.base.files import atomic_write
    from rnn_native.recognizer.contact_sheet import MOST_ENTRIES, contact_sheet

    if len(entries) > MOST_ENTRIES:
        outcome.complain(f"{path}: the first {MOST_ENTRIES} pictures only")
    atomic_write(path, contact_sheet(entries[:MOST_ENTRIES]))

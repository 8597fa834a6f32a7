"""`predict IMAGE...`."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnn_native.base import outcome
from rnn_native.cli import arguments

if TYPE_CHECKING:
    from rnn_native.models.network import Network
    from rnn_native.recognizer.contact_sheet import Entry
    from rnn_native.recognizer.reading import Reading

DIGITS = 10


def add_commands(commands: Any) -> None:
    """Add `predict` to the parser's commands."""
    parser = arguments.add_command(
        commands,
        "predict",
        predict,
        "Tell which digits pictures show.",
        """predict photo.png
        predict scans/ --show sheet.png
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
        "--top",
        type=arguments.number(int, 1, DIGITS),
        default=3,
        metavar="N",
        help="name the N most likely digits, 1 to 10 (3)",
    )
    parser.add_argument(
        "--show",
        type=Path,
        metavar="FILE.png",
        help="write a sheet of the pictures and what the net saw",
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
    entries, code = _read_all(args, net)
    if args.json:
        outcome.say(json.dumps([_as_dict(entry, args.top) for entry in entries]))
    else:
        _print_table(entries, args.top)
    if args.show is not None and entries:
        _write_sheet(args.show, entries)
    return code


def _read_all(args: argparse.Namespace, net: "Network") -> tuple[list["Entry"], int]:
    """Read every picture; one that cannot be is told, and the others go on."""
    from rnn_native.recognizer.contact_sheet import Entry, thumbnail
    from rnn_native.recognizer.opening import pictures_in, read_picture
    from rnn_native.recognizer.preprocessing import from_image
    from rnn_native.recognizer.reading import recognise

    entries, code = [], outcome.OK
    for named in args.images:
        try:
            paths = pictures_in(named)
        except OSError as error:
            code = outcome.report(outcome.one_line(error), outcome.FAILED)
            continue
        for path in paths:
            try:
                picture = read_picture(path)
            except (OSError, ValueError) as error:
                code = outcome.report(outcome.one_line(error), outcome.FAILED)
                continue
            reading = recognise(net, from_image(picture), threads=args.threads)
            entries.append(Entry(str(path), thumbnail(picture), reading))
    return entries, code


def _likely(reading: "Reading", top: int) -> list[tuple[int, float]]:
    """Return the most likely digits with their probabilities; none without a label."""
    if reading.label is None:
        return []
    order = (-reading.probabilities).argsort(kind="stable")[:top]
    return [(int(digit), float(reading.probabilities[digit])) for digit in order]


def _as_dict(entry: "Entry", top: int) -> dict[str, Any]:
    return {
        "file": entry.name,
        "digit": entry.reading.label,
        "top": [{"digit": d, "probability": p} for d, p in _likely(entry.reading, top)],
        "doubt": entry.reading.doubt,
    }


def _print_table(entries: list["Entry"], top: int) -> None:
    width = max((len(entry.name) for entry in entries), default=0)
    for entry in entries:
        cells = [f"{d} {100 * p:5.1f} %" for d, p in _likely(entry.reading, top)]
        doubt = [f"({entry.reading.doubt})"] if entry.reading.doubt else []
        outcome.say(f"{entry.name:<{width}}  {'   '.join(cells + doubt)}")


def _write_sheet(path: Path, entries: list["Entry"]) -> None:
    from rnn_native.base.files import atomic_write
    from rnn_native.recognizer.contact_sheet import MOST_ENTRIES, contact_sheet

    if len(entries) > MOST_ENTRIES:
        outcome.complain(f"{path}: the first {MOST_ENTRIES} pictures only")
    atomic_write(path, contact_sheet(entries[:MOST_ENTRIES]))

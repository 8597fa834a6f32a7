"""`attention MODEL`."""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rnn_native.base import outcome
from rnn_native.cli import arguments

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rnn_native.models.network import Network

TEXT, MAPS, OVER = (
    "attention_weights.txt",
    "attention_visualization.png",
    "attention_over_images.png",
)


class _Seen(NamedTuple):
    """What a model made of test images: maps, images, titles, where they are from."""

    maps: dict[int, "NDArray[np.floating[Any]]"]
    images: "NDArray[np.uint8]"
    titles: list[str]
    source: str


def add_commands(commands: Any) -> None:
    """Add `attention` to the parser's commands."""
    parser = arguments.add_command(
        commands,
        "attention",
        attention,
        "Draw the attention of a model on test images, and write it as text.",
        "attention runs/attention --samples 6 --out pictures",
    )
    parser.add_argument(
        "model",
        type=Path,
        metavar="MODEL",
        help="model file or a run's folder; or attention_weights.txt, to draw its maps",
    )
    parser.add_argument(
        "--samples", type=arguments.COUNT, default=6, metavar="N",
        help="the first N test images (6); the pictures show up to 6",
    )  # fmt: skip
    parser.add_argument(
        "--token", type=arguments.COUNT_OR_ZERO, default=0, metavar="N",
        help="token whose attention is drawn over the image (0, the upper left patch)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("logs"), metavar="DIR",
        help="folder for the files, created if it is missing (logs)",
    )  # fmt: skip
    arguments.add_data(parser, to_train=False)
    arguments.add_threads(parser)


def attention(args: argparse.Namespace) -> int:
    """`attention MODEL`."""
    import rnn_native.plots as plots
    from rnn_native.analysis import attention_text
    from rnn_native.training import run_folder

    seen = None
    if args.model.suffix == ".txt":
        maps = _read_text(args)
    else:
        seen = _look(args)
        maps = seen.maps
    tokens = min(len(weights) for weights in maps.values())
    if args.token >= tokens:
        raise outcome.UsageError(
            f"--token: expected a token in 0..{tokens - 1}, got {args.token}"
        )
    folder = run_folder.prepare(args.out)
    files = [folder / MAPS, folder / f"token_{args.token}_attention.png"]
    if seen is not None:
        files.insert(0, folder / TEXT)
        attention_text.write_attention(files[0], maps, f"{args.model} on {seen.source}")
    plots.save_figure(plots.attention_figure(maps), folder / MAPS)
    plots.save_figure(plots.token_figure(maps, args.token), files[-1])
    if seen is not None:
        files += _draw_over_images(seen, args.token, folder)
    if args.json:
        facts = {k: asdict(attention_text.attention_statistics(m)) for k, m in maps.items()}
        outcome.say(json.dumps({"files": [str(f) for f in files], "samples": facts}))
        return outcome.OK
    _print_source(args.model, maps, seen)
    outcome.say_text(attention_text.format_statistics(maps))
    for file in files:
        outcome.say(f"Saved: {file}")
    return outcome.OK


def _read_text(args: argparse.Namespace) -> dict[int, Any]:
    from rnn_native.analysis.attention_text import read_attention

    if args.data is not None:
        raise outcome.UsageError(
            "attention: --data is for models; a text file holds the maps themselves"
        )
    return dict(list(read_attention(args.model).items())[: args.samples])


def _look(args: argparse.Namespace) -> _Seen:
    """Let the model look at the first test images."""
    from rnn_native.formats.loading import load

    model = load(args.model)
    _require_attention(model, args.model)
    data = arguments.open_test_data(args.data)
    if args.samples > len(data.x_test):
        raise outcome.UsageError(
            f"--samples: expected at most {len(data.x_test)}, the test images of "
            f"{data.source}, got {args.samples}"
        )
    images, labels = data.x_test[: args.samples], data.y_test[: args.samples]
    maps = model.attention_maps(images, threads=args.threads)
    if maps.ndim == 4:
        # The text format has one map for a sample: of several heads, their mean.
        maps = maps.mean(axis=1)
    predicted = model.predict(images, threads=args.threads)
    pairs = zip(labels, predicted, strict=True)
    titles = [f"Sample {i}: a {y}, read as {p}" for i, (y, p) in enumerate(pairs)]
    return _Seen(dict(enumerate(maps)), images, titles, data.source)


def _require_attention(model: "Network", path: Path) -> None:
    if not any(layer["has_maps"] for layer in model.native.layers):
        raise ValueError(
            f"{path}: expected a model with a self_attention layer, got one without; `train "
            "attention` makes one"
        )


def _draw_over_images(seen: _Seen, token: int, folder: Path) -> list[Path]:
    """Draw the token's attention over the images; nothing unless patches form a square."""
    import math

    import rnn_native.plots as plots

    shown = range(min(len(seen.maps), plots.MAX_SAMPLES))
    keys = seen.maps[0].shape[1]
    if math.isqrt(keys) ** 2 != keys:
        return []
    figure = plots.attention_over_images(
        [seen.maps[i] for i in shown], seen.images[: len(shown)],
        seen.titles[: len(shown)], token,
    )  # fmt: skip
    plots.save_figure(figure, folder / OVER)
    return [folder / OVER]


def _print_source(model: Path, maps: Mapping[int, Any], seen: _Seen | None) -> None:
    from rnn_native.analysis.attention_text import is_synthetic

    if seen is not None:
        outcome.say(f"Data: {seen.source}")
        outcome.say(*seen.titles)
    elif is_synthetic(maps):
        outcome.say(f"{model}: the synthetic maps, not from a model")

"""`lr-find MODEL`."""

import argparse
import json
import math
from pathlib import Path
from typing import Any

from rnn_native.base import outcome
from rnn_native.cli import arguments
from rnn_native.cli.plot import check_target


def add_commands(commands: Any) -> None:
    """Add `lr-find` to the parser's commands."""
    parser = arguments.add_command(
        commands,
        "lr-find",
        lr_find,
        "Search for a learning rate.",
        "lr-find mlp --plot lr.png",
    )
    arguments.add_model(
        parser, "mlp, cnn, attention, or an architecture or recipe file (JSON)"
    )
    arguments.add_data(parser)
    arguments.add_threads(parser)
    arguments.add_configuration(parser)
    arguments.add_batch_size(parser)
    parser.add_argument(
        "--seed",
        type=arguments.SEED,
        metavar="N",
        help="seed of weights and shuffles (mlp and cnn: 1, attention: 42)",
    )
    parser.add_argument(
        "--epochs",
        type=arguments.COUNT,
        metavar="N",
        help="how many epochs you will train (those of `train`)",
    )
    parser.add_argument(
        "--start-lr",
        type=arguments.RATE,
        default=1e-7,
        metavar="RATE",
        help="first rate (1e-7)",
    )
    parser.add_argument(
        "--end-lr",
        type=arguments.RATE,
        default=10.0,
        metavar="RATE",
        help="last rate (10)",
    )
    parser.add_argument(
        "--num-it",
        type=arguments.COUNT,
        default=100,
        metavar="N",
        help="number of batches (100)",
    )
    parser.add_argument(
        "--trial-it",
        type=arguments.number(int, 0, arguments.INT_MAX),
        default=300,
        metavar="N",
        help="batches for each rate that is tried after that (300; 0: none)",
    )
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE",
        help="write a picture of the curve: .png, .svg or .pdf",
    )


def lr_find(args: argparse.Namespace) -> int:
    """`lr-find MODEL`."""
    import rnn_native.plots as plots
    from rnn_native.datasets import opening
    from rnn_native.models import reference

    if args.model == "xor":
        raise outcome.UsageError("lr-find: xor has four rows; its rate is 0.01")
    if args.start_lr >= args.end_lr:
        raise outcome.UsageError(
            f"lr-find: --end-lr: expected a rate above --start-lr, {args.start_lr:g}, got "
            f"{args.end_lr:g}"
        )
    if args.plot is not None:
        check_target(args.plot)
    names = ("config", "optimizer", "batch_size", "seed", "epochs")
    model, recipe = reference.untrained(
        args.model, args.data, **arguments.given(args, *names)
    )
    data = opening.open_dataset(args.data)
    search = model.lr_find(
        data.x_train,
        data.y_train,
        start_lr=args.start_lr,
        end_lr=args.end_lr,
        num_it=args.num_it,
        trial_it=args.trial_it,
        schedule=recipe.schedule,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        class_weight=recipe.class_weight,
        label_smoothing=recipe.label_smoothing,
        clip_norm=recipe.clip_norm,
        l2=recipe.l2,
        augment=recipe.augment,
        mixup=recipe.mixup,
        seed=recipe.seed,
        threads=args.threads,
    )
    if args.plot is not None:
        figure: Any = search.plot().figure
        plots.save_figure(figure, args.plot)
    if args.json:
        trials = [
            [rate, loss if math.isfinite(loss) else None]
            for rate, loss in search.trials.items()
        ]
        report = {
            "model": args.model,
            "data": data.source,
            "suggestion": search.suggestion,
            "rates": search.rates.tolist(),
            "losses": search.losses.tolist(),
            "trials": trials,
            "file": None if args.plot is None else str(args.plot),
        }
        outcome.say(json.dumps(report))
        return outcome.OK
    if search.suggestion is None:
        return outcome.report(
            "lr-find: the loss never fell; try other rates or a larger --num-it",
            outcome.FAILED,
        )
    outcome.say(f"Suggested learning rate: {search.suggestion:.3g}")
    if args.plot is not None:
        outcome.say(f"Graph saved to: {args.plot}")
    return outcome.OK

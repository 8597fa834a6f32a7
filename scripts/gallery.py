"""Draw the thumbnails of the examples: one PNG for each in docs/gallery, from short runs.

    python scripts/gallery.py [FOLDER] [--only NAME]

Each picture uses the functions of its example at a small size, some seconds in all. Those of
dqn.py and ppo.py are docs/examples.png, by scripts/learning_curves.py.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import rnn_native as rn

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "examples"))
BLUE, ORANGE, GRAY = "#0072b2", "#d55e00", "#999999"


def signals(ax: Axes) -> None:
    """Draw a channel of three activities, and what a net trained for two epochs predicts."""
    import signals as example

    x, y = example.make_signals(2500, seed=0)
    net = example.make_net(seed=1)
    net.adapt(x)
    net.fit(x, y, epochs=2, lr=0.002, verbose=0)
    for place, activity in enumerate((0, 2, 5)):
        row = int(np.flatnonzero(y == activity)[0])
        predicted = example.ACTIVITIES[int(net.predict(x[row : row + 1])[0])]
        ax.plot(x[row, 1] - 5 * place, color=(BLUE, ORANGE, GRAY)[place], label=predicted)
    ax.set_yticks([])
    ax.set_xlabel("samples")
    label(ax)


def forecaster(ax: Axes) -> None:
    """Draw a signal, and 30 forecasts that follow it."""
    import forecaster as example

    net = example.make_net(seed=1)
    x, y = example.make_windows(example.make_signal(8000, seed=0))
    net.fit(x, y, epochs=15, lr=0.005, clip_norm=1.0, verbose=0)
    signal = example.make_signal(260, seed=1)
    stream, forecasts = example.follow(net, signal[:200])
    later = example.go_on(stream, forecasts[-1], 30)
    ax.plot(np.arange(120, 240), signal[120:240], color=GRAY, label="signal")
    ax.plot(np.arange(200, 230), later, color=ORANGE, label="forecast")
    ax.set_xlabel("time")
    label(ax)


def resnet(ax: Axes) -> None:
    """Draw the accuracy of a short training."""
    import resnet as example

    net = rn.Network(example.LAYERS, (1, 28, 28), optimizer="adamw")
    x, y = rn.datasets.synthetic_digits(2500, seed=1)
    history = net.fit(x, y, epochs=4, lr=0.003, validation_split=0.2, verbose=0)
    ax.plot(history.history["accuracy"], color=BLUE, label="training")
    ax.plot(history.history["val_accuracy"], color=ORANGE, label="validation")
    ax.set_xlabel("epoch")
    ax.set_ylabel("accuracy")
    ax.set_xticks(range(4))
    label(ax)


def transformer(ax: Axes) -> None:
    """Draw the attention of the first block over a digit."""
    import transformer as example

    net = rn.Network(example.LAYERS, (1, 28, 28), optimizer="adamw")
    x, y = rn.datasets.synthetic_digits(2500, seed=1)
    net.fit(x, y, epochs=4, lr=0.002, verbose=0)
    digit, _ = rn.datasets.synthetic_digits(1, seed=4)
    weights = net.attention_maps(digit)[0].mean(axis=0)
    rn.plots.attention_over_image(weights, digit[0], ax=ax)


def optuna_search(ax: Axes) -> None:
    """Draw the loss of each trial over its learning rate."""
    import optuna

    import optuna_search as example

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(example.objective_of(example.data(1500), epochs=3), n_trials=15)
    rates = [trial.params["lr"] for trial in study.trials]
    ax.scatter(rates, [trial.value for trial in study.trials], color=BLUE)
    ax.scatter([study.best_params["lr"]], [study.best_value], color=ORANGE, label="best")
    ax.set_xscale("log")
    ax.set_xlabel("learning rate")
    ax.set_ylabel("validation loss")
    label(ax)


def activity(ax: Axes) -> None:
    """Draw what a net answers after each sample of a signal whose activity changes."""
    import activity as example

    x, y, change = example.make_changes(800, seed=0)
    net = example.make_net(seed=1)
    net.adapt(x)
    net.fit(x, example.yes_or_no(y), epochs=4, lr=0.005, clip_norm=1.0, verbose=0)
    x, y, change = example.make_changes(20, seed=5000)
    answers = net.predict_proba(x).reshape(len(x), example.LENGTH, -1)
    right = (answers.argmax(axis=2) == y).mean(axis=1)
    row = int(np.flatnonzero((y[:, 0] != y[:, -1]) & (right > 0.75))[0])
    for place, color in zip((0, -1), (BLUE, ORANGE), strict=True):
        known = y[row, place]
        ax.plot(answers[row, :, known], color=color, label=example.ACTIVITIES[known])
    ax.axvline(change[row, 0], color=GRAY, linestyle="--")
    ax.set_xlabel("samples; dashed: the activity changes")
    ax.set_ylabel("probability")
    label(ax)


def characters(ax: Axes) -> None:
    """Draw how probable each next character of a word is to a net trained for seconds."""
    import characters as example

    known, indices = example.read(argparse.__file__)
    net = example.make_net(len(known), seed=1)
    net.fit(*example.make_windows(indices[:30_000]), epochs=2, lr=0.004, verbose=0)
    text = "    return self.format"
    stream, places = net.stream(), np.searchsorted(known, list(text))
    outputs = np.array([stream.step(place) for place in places[:-1]])
    ax.bar(range(1, len(text)), outputs[range(len(outputs)), places[1:]], color=BLUE)
    ax.set_xticks(
        range(len(text)), list(text.replace(" ", "\N{OPEN BOX}")), family="monospace"
    )
    ax.set_ylabel("probability of the character")


def label(ax: Axes) -> None:
    """Put the legend above the plot, where it hides nothing."""
    ax.legend(fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)


PICTURES = (
    signals,
    activity,
    forecaster,
    characters,
    resnet,
    transformer,
    optuna_search,
)


def main() -> None:
    """Draw all pictures, or one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs" / "gallery")
    parser.add_argument("--only", choices=[picture.__name__ for picture in PICTURES])
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    for picture in PICTURES:
        if options.only not in (None, picture.__name__):
            continue
        figure = Figure(figsize=(4, 3), layout="constrained")
        picture(figure.add_subplot())
        rn.plots.save_figure(figure, options.folder / f"{picture.__name__}.png", dpi=100)


if __name__ == "__main__":
    main()

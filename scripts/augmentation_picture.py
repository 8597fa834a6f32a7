"""Draw docs/augmentation.png: one digit, and the result of each kind of distortion.

    python scripts/augmentation_picture.py [FILE.png]

Needs MNIST where `rnn_native.datasets.load_mnist` finds it.
"""

import argparse

import numpy as np

import rnn_native as rn

KINDS = {
    "shift=3": {"shift": 3},
    "rotation=20": {"rotation": 20},
    "scale=0.25": {"scale": 0.25},
    "shear=0.3": {"shear": 0.3},
    "elastic=2": {"elastic": 2},
    "all, by half": {
        "shift": 1.5,
        "rotation": 10,
        "scale": 0.12,
        "shear": 0.15,
        "elastic": 1,
    },
}
COPIES = 7
DIGIT = 0  # of the test images: a seven
DPI = 80


def main(path: str) -> None:
    """Draw a row for each kind: the digit as it is, then copies."""
    from rnn_native.plots.figures import new_figure

    _, (x, _) = rn.datasets.load_mnist()
    figure = new_figure(1.15 * (COPIES + 1), 1.25 * len(KINDS))
    grid = figure.subplots(len(KINDS), COPIES + 1)
    for axes, (name, kind) in zip(grid, KINDS.items(), strict=True):
        copies = rn.Augment(**kind).apply(np.repeat(x[DIGIT : DIGIT + 1], COPIES, axis=0))
        for ax, picture in zip(axes, [x[DIGIT] / 255, *copies], strict=True):
            ax.imshow(picture, cmap="gray", vmin=0, vmax=1)
            ax.axis("off")
        axes[0].set_title("as it is", fontsize=8)
        axes[1].set_title(name, fontsize=8, loc="left")
    rn.plots.save_figure(figure, path, dpi=DPI)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", default="docs/augmentation.png")
    main(parser.parse_args().file)

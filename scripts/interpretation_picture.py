"""Draw docs/interpretation.png: mistakes of the shipped model on MNIST's test images.

    python scripts/interpretation_picture.py [FILE.png]

Needs MNIST where `rnn_native.datasets.load_mnist` finds it.
"""

import argparse

import rnn_native as rn

COUNT = 9
DPI = 60


def main(path: str) -> None:
    """Draw the largest losses, what supports the wrong digit, and the reliability."""
    from rnn_native.plots.figures import new_figure

    _, (x, y) = rn.datasets.load_mnist()
    seen = rn.interpret(rn.pretrained.load(), x, y)
    rows = seen.mistakes()[:COUNT]
    said = seen.predicted[rows]
    maps = rn.saliency.saliency(seen.model, x[rows], said, "gradient_input")
    figure = new_figure(20, 7.4)
    figure.set_layout_engine("constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.2, 1, 1))
    seen.plot_top_losses(COUNT, left)
    titles = [f"for {digit}" for digit in said]
    rn.plots.saliency_over_images(x[rows], maps[:, 0], titles, middle)
    middle.set_title("Ink for it (orange), against it (blue)", fontweight="bold")
    seen.plot_calibration(ax=right)
    rn.plots.save_figure(figure, path, dpi=DPI)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", default="docs/interpretation.png")
    main(parser.parse_args().file)

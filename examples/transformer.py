"""Two transformer blocks on MNIST: patches as tokens, and where the net looks.

    python examples/transformer.py --epochs 3 --export digits.c

An image is cut into 49 patches of 4 x 4. Each becomes a token of 64 numbers, to which a table
adds where it stands; two blocks let the tokens look at each other, and their mean is classified.
data/recipes/transformer-98.8.json trains the same net longer.       Dosovitskiy et al. 2020
"""

import argparse

import numpy as np

import rnn_native as rn
from files import export

LAYERS = [
    rn.PatchEmbed(4, 64),
    rn.Position("small_random"),
    rn.TransformerBlock(
        heads=4, units=128
    ),  # norm="pre": the form that trains without warm-up
    rn.TransformerBlock(heads=4, units=128),
    rn.LayerNorm(),
    rn.MeanPool(),
    rn.Dense(10),
]


def show_attention(net):
    """Print how much each patch of a digit is looked at, on average over heads and tokens."""
    digit, label = rn.datasets.synthetic_digits(1, seed=4)
    seen = net.attention_maps(digit)[0].mean(axis=(0, 1)).reshape(7, 7)
    shades = np.digitize(seen, np.quantile(seen, [0.5, 0.7, 0.85, 0.95]))
    print(f"where the first block looks at a {label[0]}:")
    print("\n".join("".join(" .:*#"[shade] * 2 for shade in row) for row in shades))


def main():
    """Train, print what a block is made of and the test accuracy, and perhaps export."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--digits", type=int, help="generated ones instead of MNIST")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--export", help="a file: .onnx or .c")
    options = parser.parse_args()
    data = None  # finds or downloads MNIST
    if options.digits:
        data = [rn.datasets.synthetic_digits(options.digits, seed=s) for s in (1, 2)]
    result = rn.train(
        LAYERS,
        data,
        input_shape=(1, 28, 28),
        optimizer="adamw",
        schedule=rn.schedules.OneCycle(0.002, options.epochs),
        batch_size=64,
        epochs=options.epochs,
        seed=options.seed,
    )
    net = result.model
    print(net.summary())
    show_attention(net)
    print(f"test accuracy: {result.test_accuracy:.4f}")
    if options.export:
        export(net, options.export)


if __name__ == "__main__":
    main()

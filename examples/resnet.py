"""A small ResNet on MNIST: blocks whose outputs are added to their input.

    python examples/resnet.py --epochs 3 --export digits.onnx

The first convolutions and pools are a plain list; after them each block learns what to add to
what it was given. data/recipes/resnet-99.5.json trains the same net longer.    He et al. 2015
"""

import argparse

import rnn_native as rn
from files import export


def conv(filters, **more):
    """Return a convolution of 3 x 3 that keeps height and width."""
    return rn.Conv2D(filters, 3, padding=1, **more)


def residual(filters):
    """Return two convolutions as a residual block, and what follows their sum.

    Where the number of channels changes the block gets a projection by itself.
    """
    relu = rn.Activation("relu")
    inside = [conv(filters), rn.BatchNorm(), relu, conv(filters), rn.BatchNorm()]
    return [rn.Residual(inside), relu]


LAYERS = [
    conv(16, activation="relu"),
    rn.MaxPool2D(2),
    conv(32, activation="relu"),
    rn.MaxPool2D(2),
    residual(64),
    rn.MaxPool2D(2),
    residual(64),
    rn.Flatten(),
    rn.Dropout(0.3),
    rn.Dense(10),
]


def main():
    """Train, print the table of layers and the test accuracy, and perhaps export."""
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
        schedule=rn.schedules.OneCycle(0.003, options.epochs),
        augment=rn.Augment(shift=2, rotation=10, scale=0.1, shear=0.1),
        batch_size=64,
        epochs=options.epochs,
        seed=options.seed,
    )
    net = result.model
    print(net.summary())
    print(f"test accuracy: {result.test_accuracy:.4f}")
    if options.export:
        export(net, options.export)


if __name__ == "__main__":
    main()

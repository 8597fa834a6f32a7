"""Test accuracy of the reference's recipes on MNIST, for three seeds each.

python benchmarks/accuracy.py
"""

import argparse
import statistics

import rnn_native as rn

SEEDS = (1, 2, 42)


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    data = rn.datasets.load_mnist()
    for train in (rn.train_mlp, rn.train_cnn, rn.train_attention):
        found = [train(data, seed=seed, verbose=0).test_accuracy for seed in SEEDS]
        shown = ", ".join(f"{100 * accuracy:.2f}" for accuracy in found)
        mean = 100 * statistics.mean(found)
        print(f"{train.__name__}: mean {mean:.2f} % (seeds {SEEDS}: {shown})", flush=True)
    generated = rn.datasets.synthetic_digits(20_000, seed=1)
    accuracy = rn.train_mlp((generated, data[1]), verbose=0).test_accuracy
    print(f"train_mlp on 20,000 generated digits, tested on MNIST: {100 * accuracy:.2f} %")
    hits = [rn.train_xor(seed=seed, verbose=0).test_accuracy for seed in SEEDS]
    print(f"train_xor: {hits} of the four rows, as fractions")


if __name__ == "__main__":
    main()

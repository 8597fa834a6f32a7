"""A model of a text, one character at a time: an embedding and a recurrent net.

    python examples/characters.py --text FILE --epochs 4 --export characters.c

The text is the source of Python's own argparse, or any file. The net reads 32 characters and
learns how probable each next one is. Then it writes: `net.stream()` is given a character, and
the next is drawn by the probabilities after it.
"""

import argparse
import inspect
from pathlib import Path

import numpy as np

import rnn_native as rn
from files import export

WINDOW = 32
BEGINNING = "def "


def read(path):
    """Return the characters of a file in order, and for each place of the text its character.

    Rare characters, fewer than ten times in the text, are left out.
    """
    text = Path(path).read_text(encoding="utf-8")
    known, counts = np.unique(list(text + 10 * BEGINNING), return_counts=True)
    known = known[counts >= 10]
    kept = np.array([c for c in text if c in set(known)])
    return known, np.searchsorted(known, kept)


def make_windows(indices):
    """Return windows (n, WINDOW), and the index after each of them (n,)."""
    both = np.lib.stride_tricks.sliding_window_view(indices, WINDOW + 1)[::2]
    return both[:, :-1], both[:, -1]


def make_net(characters, seed):
    """Return a net whose outputs are probabilities of the next character."""
    return rn.Network(
        [rn.Embedding(characters, 24), rn.GRU(96), rn.Dense(characters)],
        input_shape=(WINDOW,),
        optimizer="adam",
        seed=seed,
    )


def write(net, known, length, seed, warmth=0.7):
    """Return a text of the net's; the lower the warmth, the more it keeps to the probable."""
    rng, stream = np.random.default_rng(seed), net.stream()
    written = list(np.searchsorted(known, list(BEGINNING)))
    for index in written[:-1]:
        stream.step(index)
    for _ in range(length):
        weights = np.float64(stream.step(written[-1])) ** (1 / warmth)
        written.append(rng.choice(len(known), p=weights / weights.sum()))
    return "".join(known[written])


def bits_of_counts(indices, others):
    """Return the bits a character of `others` needs by the counts of `indices` alone."""
    counts = np.bincount(indices, minlength=max(indices.max(), others.max()) + 1) + 1
    return -np.log2(counts / counts.sum())[others].mean()


def main():
    """Train, print how many bits a character of new text needs, and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--text", default=inspect.getsourcefile(argparse), help="a file in UTF-8"
    )
    parser.add_argument("--most", type=int, default=60_000, help="characters to read")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--write", type=int, default=300, help="characters to write")
    parser.add_argument("--export", help="a file: .onnx or .c")
    options = parser.parse_args()
    known, indices = read(options.text)
    indices = indices[: options.most]
    train, held = np.split(indices, [len(indices) * 9 // 10])
    net = make_net(len(known), options.seed)
    x, y = make_windows(train)
    net.fit(x, y, epochs=options.epochs, batch_size=64, lr=0.004, clip_norm=1.0)

    bits = net.evaluate(*make_windows(held)).loss / np.log(2)
    counted = bits_of_counts(train, held)
    print(f"bits of a character: {bits:.2f}; by how often each occurs: {counted:.2f}")
    print(write(net, known, options.write, options.seed))
    if options.export:
        export(net, options.export)


if __name__ == "__main__":
    main()

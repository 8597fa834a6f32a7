"""How well pictures of digits are read, kind by kind, and how often other pictures are refused.

python benchmarks/picture_kinds.py [--count 150] [--kinds NAME ...] [--sheet FILE.png] [--write]

The kinds are made by tests/support/pictures.py of those of MNIST's test images that the model
reads right as they are (RNN_NATIVE_DATA, or the usual places). Letters are drawn in fonts that
training has not seen. Where scikit-image is installed, or --pictures names a folder, its
pictures are read, too. --write puts the rows that were measured into the tables of
benchmarks/pictures.md.
"""

import argparse
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

import nonsense
import pictures
import rnn_native as rn
from doc_tables import write_rows
from rnn_native.recognizer.contact_sheet import Entry, contact_sheet, found_ink, thumbnail
from rnn_native.recognizer.opening import gray_of
from rnn_native.recognizer.preprocessing import from_image
from rnn_native.recognizer.reading import read_digits, recognise

SHOWN = 60  # pictures of a sheet
PAGE = Path(__file__).resolve().parent.parent / "benchmarks" / "pictures.md"


def digit_kinds(net, images, labels, chosen, count, failed):
    """Print right, in doubt and wrong of each kind; return rows of a table."""
    print(
        f"{'kind':24} {'right':>6} {'doubt':>6} {'wrong':>6} {'ms':>5}   of {count}, in %"
    )
    made = {}
    for name in chosen:
        rng = np.random.default_rng(5)
        rows = np.random.default_rng(77).permutation(len(images))[:count]
        right = wrong = 0
        times = []
        for row in rows:
            picture = gray_of(pictures.KINDS[name](images[row], rng))
            begin = time.process_time()
            found = read_digits(net, picture, threads=1)
            times.append(1e3 * (time.process_time() - begin))
            reading = found.as_one()
            is_right = reading.label == labels[row]
            right += is_right
            wrong += not is_right and reading.doubt is None
            if not is_right:
                failed.append(entry(f"{name} {labels[row]}", picture, found))
        shares = [100 * n / count for n in (right, count - right - wrong, wrong)]
        cells = " ".join(f"{share:6.1f}" for share in shares)
        print(f"{name:24} {cells} {np.median(times):5.0f}", flush=True)
        made[name.replace("_", " ")] = [count, *(f"{share:.1f} %" for share in shares)]
    return made


def other_kinds(net, images, folder, count, failed):
    """Print how many of what is not one digit were read as one without doubt; return rows."""
    kinds = not_one_digit(images, folder, count)
    print(f"\n{'not one digit':40} {'sure':>6}   %")
    made, sure, total = {}, 0, 0
    for name, shown in kinds.items():
        read = 0
        for picture in map(gray_of, shown):
            found = read_digits(net, picture, threads=1)
            if found.as_one().doubt is None:
                read += 1
                failed.append(entry(name, picture, found))
        made[name] = told(name, read, len(shown))
        sure, total = sure + read, total + len(shown)
    made["all"] = told("all", sure, total)
    return made


def not_one_digit(images, folder, count):
    """Return pictures of what is not one digit, by kind."""
    rng = np.random.default_rng(6)
    fonts = nonsense.fonts()
    kinds = {
        f"letters, {Path(font).stem}": [nonsense.letter(rng, font) for _ in range(count)]
        for font in fonts
    }
    drawn_in = [fonts[i % len(fonts)] if fonts else None for i in range(count)]
    kinds["letters, Pillow's font"] = [nonsense.letter(rng) for _ in range(count)]
    kinds["letters, drawn"] = [nonsense.drawn_letter(rng, font) for font in drawn_in]
    kinds["noise"] = [nonsense.noise(rng) for _ in range(count)]
    kinds["smudges"] = [nonsense.smudge(rng) for _ in range(count)]
    pairs = rng.integers(0, len(images), (count, 2))
    kinds["two digits"] = [nonsense.two_digits(images[i], images[j], rng) for i, j in pairs]
    if folder is not None:
        kinds["scikit-image's pictures"] = list(nonsense.other_pictures(folder))
    return kinds


def told(name, sure, count):
    """Print a share of pictures; return it as cells of a table."""
    print(f"{name:40} {100 * sure / count:6.1f}   of {count}", flush=True)
    return [count, f"{100 * sure / count:.1f} %"]


def mnist_refused(net, images, labels):
    """Print how many of MNIST's test images are refused or in doubt; return rows."""
    read = [recognise(net, from_image(image), threads=1) for image in images]
    refused = sum(reading.label is None for reading in read)
    doubted = sum(reading.doubt is not None for reading in read)
    right = sum(r.label == label for r, label in zip(read, labels, strict=True))
    print(
        f"\nMNIST's test images: {len(read)}, right {right}, refused {refused}, in doubt {doubted}"
    )
    return {"MNIST's test images": [len(read), right, refused, doubted]}


def entry(name, picture, found):
    """Return what the sheet shows of a picture."""
    return Entry(name, thumbnail(picture), found.as_one(), found_ink(found))


def pictures_folder(named):
    """Return the folder of other pictures, None without them."""
    if named is not None:
        return named
    spec = find_spec("skimage")
    return Path(spec.origin).parent / "data" if spec else None


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--count", type=int, default=150, help="pictures of each kind (150)"
    )
    parser.add_argument(
        "--kinds", nargs="*", choices=pictures.KINDS, default=list(pictures.KINDS)
    )
    parser.add_argument("--model", type=Path, help="model file (the one that is shipped)")
    parser.add_argument("--pictures", type=Path, help="folder of pictures without digits")
    parser.add_argument(
        "--only-digits", action="store_true", help="leave out pictures that are not digits"
    )
    parser.add_argument("--sheet", type=Path, help="write some of what was read wrong")
    parser.add_argument("--write", action="store_true", help="write the tables of the docs")
    args = parser.parse_args()
    net = rn.load(args.model) if args.model else rn.pretrained.load()
    _, (images, labels) = rn.datasets.load_mnist()
    failed = []
    right = net.predict(images) == labels
    digits = images[right], labels[right]
    tables = {"digits": digit_kinds(net, *digits, args.kinds, args.count, failed)}
    if not args.only_digits:
        folder = pictures_folder(args.pictures)
        tables["others"] = other_kinds(net, images, folder, args.count, failed)
        tables["mnist"] = mnist_refused(net, images, labels)
    if args.write:
        for name, rows in tables.items():
            cells = [[key, *cells] for key, cells in rows.items()]
            write_rows(PAGE, f"picture_kinds.py: {name}", cells)
    if args.sheet and failed:
        args.sheet.write_bytes(contact_sheet(failed[:: max(1, len(failed) // SHOWN)]))


if __name__ == "__main__":
    main()

"""Folders of pictures: rows and labels, the cache, and what is refused."""

import numpy as np
import pytest
from PIL import Image

import rnn_native as rn

RNG = np.random.default_rng(5)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pictures"
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        for i in range(9):
            pixels = RNG.integers(0, 256, (6, 5, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    (root / "cat" / "notes.txt").write_text("no picture")
    return root


def loaded(folder, **options):
    given = {"size": (6, 5), "batch_size": 4, "cache": folder.parent / "cache", **options}
    return rn.datasets.from_folder(folder, **given)


def rows_of(loader):
    x, y = zip(*loader.batches(None), strict=True)
    return np.concatenate(x), np.concatenate(y)


def expected(folder, mode):
    found = {}
    for path in folder.glob("*/*.png"):
        pixels = np.asarray(Image.open(path).convert(mode))
        pixels = pixels if mode == "L" else pixels.transpose(2, 0, 1)
        found[pixels.tobytes()] = ["cat", "dog"].index(path.parent.name)
    return found


@pytest.mark.parametrize("color", [False, True])
def test_pictures_and_labels_are_those_of_the_folder(folder, color):
    loader = loaded(folder, color=color, workers=0)
    assert loader.classes == ["cat", "dog"]
    x, y = rows_of(loader)
    assert x.shape == ((18, 3, 6, 5) if color else (18, 6, 5))
    of_row = expected(folder, "RGB" if color else "L")
    assert [of_row[row.tobytes()] for row in x] == y.tolist()
    _, held = loader.split(0.5)
    assert set(held.labels) == {0, 1}


def test_workers_give_the_bytes_of_one_process_and_the_cache_is_used(folder):
    alone, _ = rows_of(loaded(folder, workers=0, cache=folder.parent / "other"))
    assert np.array_equal(rows_of(loaded(folder, workers=2))[0], alone)
    cached = list((folder.parent / "cache").iterdir())
    assert len(cached) == 1
    written = cached[0].stat().st_mtime_ns
    net = rn.Network([rn.Dense(2)], input_shape=(30,))
    net.fit(loaded(folder), epochs=2, class_weight="balanced", verbose=0)
    assert cached[0].stat().st_mtime_ns == written
    (folder / "cat" / "0.png").unlink()
    assert loaded(folder, workers=0).shape == (17, 6, 5)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_picture_is_named_and_leaves_no_cache(folder, workers):
    path = folder / "dog" / "3.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(rn.FormatError, match=r"3\.png: not a picture, or broken") as caught:
        loaded(folder, workers=workers)
    assert "\n" not in str(caught.value)
    assert not list((folder.parent / "cache").iterdir())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"size": 8}, TypeError, r"size: expected \(height, width\), got 8"),
        (
            {"size": (8, 8, 3)},
            TypeError,
            r"size: expected \(height, width\), got \(8, 8, 3",
        ),
        ({"size": (0, 8)}, ValueError, "size: expected an integer of at least 1, got 0"),
        ({"color": "RGB"}, TypeError, "color: expected True or False, got 'RGB'"),
    ],
)
def test_what_is_refused(folder, options, error, message):
    with pytest.raises(error, match=f"^{message}"):
        loaded(folder, **options)


def test_empty_folders_are_refused(folder, tmp_path):
    (folder / "bird").mkdir()
    with pytest.raises(ValueError, match=r"bird: expected pictures, got none"):
        loaded(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty: expected a folder for each class"):
        loaded(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="none"):
        loaded(tmp_path / "none")

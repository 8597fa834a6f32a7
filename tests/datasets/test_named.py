"""Data sets by name: records, places, contents as users expect them, downloads."""

import gzip
import hashlib
import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest

import rnn_native as rn
from mirror import Mirror
from rnn_native import cli
from rnn_native.base.errors import FormatError
from rnn_native.datasets import DataNotFoundError, load_dataset, open_dataset, published
from rnn_native.datasets.idx import write_idx
from rnn_native.datasets.opening import classes_by_name, classes_of

pytestmark = pytest.mark.usefixtures("no_places")

RECORDS = dict(published.DATASETS)
NAMES = list(RECORDS)
FOLDERS = {
    "mnist": "MNIST/raw",
    "fashion": "FashionMNIST/raw",
    "kmnist": "KMNIST/raw",
    "qmnist": "QMNIST/raw",
}
CLASSES = {
    "emnist-letters": 26,
    "emnist-balanced": 47,
    "emnist-byclass": 62,
    "emnist-bymerge": 47,
    "emnist-digits": 10,
    "emnist-mnist": 10,
}
FOLDERS.update(dict.fromkeys(CLASSES, "EMNIST/raw"))


def images(name, n):
    """Images whose rows and columns differ, of a generator seeded by the name."""
    rng = np.random.default_rng(list(name.encode()))
    return rng.integers(0, 256, (n, 28, 28), np.uint8)


def rows_of_labels(labels):
    """A file of QMNIST's labels, written independently of the package."""
    rows = np.arange(8 * len(labels)).reshape(-1, 8)
    rows[:, 0] = labels
    return struct.pack(">BBBBII", 0, 0, 12, 2, *rows.shape) + rows.astype(">i4").tobytes()


def put(folder, name, n=100, first=0):
    """Write small files of a data set; return what loading should give."""
    folder.mkdir(parents=True, exist_ok=True)
    x, y = images(name, n), np.arange(first, n + first) % CLASSES.get(name, 10)
    stored = x.transpose(0, 2, 1) if name.startswith("emnist") else x
    for file in published.DATASETS[name].files:
        if "images" in file.name:
            write_idx(folder / file.name, stored)
        elif name == "qmnist":
            (folder / f"{file.name}.gz").write_bytes(gzip.compress(rows_of_labels(y)))
        else:
            in_file = y + 1 if name == "emnist-letters" else y
            write_idx(folder / f"{file.name}.gz", in_file.astype(np.uint8))
    return x, y


def assert_loaded(pairs, expected):
    for x, y in pairs:
        np.testing.assert_array_equal(x, expected[0])
        np.testing.assert_array_equal(y, expected[1])
        assert x.dtype == y.dtype == np.uint8
        assert x.flags.c_contiguous


def assert_one_line(caught, *words):
    message = str(caught.value)
    assert message.isprintable()
    for word in words:
        assert str(word) in message


def test_kmnist_in_four_npz_files(no_places):
    """As its publisher offers it, the labels of any integer type."""
    folder = no_places.data / "kmnist"
    folder.mkdir(parents=True)
    x, y = images("kmnist", 100), np.arange(100) % 10
    for part in ("train", "test"):
        np.savez_compressed(folder / f"kmnist-{part}-imgs.npz", x)
        np.savez_compressed(folder / f"kmnist-{part}-labels.npz", y)
    assert_loaded(load_dataset("kmnist"), (x, y))
    np.savez(folder / "kmnist-test-labels.npz", y + 5)
    with pytest.raises(FormatError) as caught:
        load_dataset("kmnist")
    assert_one_line(caught, "kmnist-test-labels.npz", "expected 0 to 9, got 10")
    np.savez(folder / "kmnist-test-labels.npz", labels=y)
    with pytest.raises(FormatError) as caught:
        load_dataset("kmnist")
    assert_one_line(caught, "kmnist-test-labels.npz", "arr_0")


@pytest.mark.parametrize("name", NAMES)
def test_found_where_torchvision_keeps_it(name, no_places):
    """Upright, and labels from 0 to the number of classes less 1."""
    expected = put(no_places.data / FOLDERS[name], name)
    assert_loaded(load_dataset(name), expected)
    data = open_dataset(name)
    assert_loaded([data[:2], data[2:4]], expected)
    assert data.classes == classes_of(name) == len(set(data.y_train.tolist()))
    assert published.DATASETS[name].title in data.source
    assert_loaded(load_dataset(name, no_places.data), expected)


def test_found_where_keras_keeps_it(no_places):
    expected = put(no_places.keras / "fashion-mnist", "fashion")
    assert_loaded(load_dataset("fashion"), expected)


def test_found_in_the_folder_of_an_archive(no_places):
    expected = put(no_places.data / "gzip", "emnist-balanced")
    assert_loaded(load_dataset("emnist-balanced"), expected)


@pytest.mark.parametrize("name", NAMES)
def test_found_in_a_folder_that_is_named(name, tmp_path):
    expected = put(tmp_path / "mine", name)
    assert_loaded(load_dataset(name, tmp_path / "mine"), expected)


def test_found_by_the_variable(tmp_path, no_places, monkeypatch):
    put(no_places.data / "fashion", "fashion", 20)
    for named in ("some", "some/fashion-mnist"):
        expected = put(tmp_path / "some" / "fashion-mnist", "fashion")
        monkeypatch.setenv("RNN_NATIVE_DATA", str(tmp_path / named))
        assert_loaded(load_dataset("fashion"), expected)


@pytest.mark.parametrize("name", ["fashion", "kmnist"])
def test_files_of_mnist_are_not_taken_for_another_set(name, no_places, monkeypatch):
    """Their names are the same: without a folder of that name they are MNIST's."""
    put(no_places.data, "mnist")
    title, folder = published.DATASETS[name].title, FOLDERS[name]
    with pytest.raises(DataNotFoundError) as caught:
        load_dataset(name, download=False)
    assert_one_line(caught, f"{title} not found in 'data'", f"into ./data/{folder}")
    monkeypatch.setenv("RNN_NATIVE_DATA", str(no_places.data))
    with pytest.raises(FileNotFoundError) as caught:
        load_dataset(name)
    assert not isinstance(caught.value, DataNotFoundError)
    assert_one_line(caught, "RNN_NATIVE_DATA: ", no_places.data, folder)


def test_mnist_itself_is_refused_as_another_set(tmp_path, monkeypatch):
    put(tmp_path, "mnist")
    labels = gzip.decompress((tmp_path / "t10k-labels-idx1-ubyte.gz").read_bytes())
    record = published.DATASETS["mnist"]
    files = list(record.files)
    files[3] = files[3]._replace(sha256=hashlib.sha256(labels).hexdigest())
    known = record._replace(files=tuple(files))
    monkeypatch.setitem(published.DATASETS, "mnist", known)
    with pytest.raises(FormatError) as caught:
        load_dataset("fashion", tmp_path)
    assert_one_line(caught, "t10k-labels", "of Fashion-MNIST, got MNIST's")
    load_dataset("mnist", tmp_path)


@pytest.mark.parametrize(
    ("name", "first", "message"),
    [
        ("fashion", 10, "label 3: expected 0 to 9, got 10"),
        ("emnist-letters", 0, "label 3: expected 1 to 26, got 0"),
        ("emnist-letters", 27, "label 3: expected 1 to 26, got 27"),
        ("emnist-balanced", 47, "label 3: expected 0 to 46, got 47"),
    ],
)
def test_labels_that_are_no_class(tmp_path, name, first, message):
    put(tmp_path, name, 5)
    labels = np.ones(5, np.uint8)
    labels[3] = first
    write_idx(tmp_path / f"{published.DATASETS[name].files[1].name}.gz", labels)
    with pytest.raises(FormatError, match=message) as caught:
        load_dataset(name, tmp_path)
    assert_one_line(caught, published.DATASETS[name].files[1].name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (rows_of_labels(np.array([1, -1, 2, 3, 4])), "label 1: expected 0 to 9, got -1"),
        (rows_of_labels(np.array([1, 2, 300, 4, 5])), "label 2: expected 0 to 9, got 300"),
        (rows_of_labels(np.arange(4)), "5 images, but .* 4 labels"),
        (rows_of_labels(np.arange(5))[:-1], "announces 5 x 8 x 4 = 160 bytes .* found 159"),
        (rows_of_labels(np.arange(5)) + b"x", "too long"),
        (bytes([0, 0, 12, 2, 0, 0, 0, 5, 0, 0, 0, 0]), "expected labels in each row"),
        (bytes([0, 0, 12, 2, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]), "more than"),
        (bytes([0, 0, 12, 1, 0, 0, 0, 0]), "IDX file of labels, rank 1 .* expected rows"),
        (bytes([0, 0, 8, 2, 0, 0, 0, 5, 0, 0, 0, 1]) + bytes(5), "uint8, expected int32"),
        (
            bytes([0, 0, 8, 1, 0, 0, 0, 5]) + bytes(5),
            "IDX file of labels, rank 1 .* expected rows",
        ),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_rows_of_labels_that_are_wrong(tmp_path, content, message, packed):
    put(tmp_path, "qmnist", 5)
    (tmp_path / "qmnist-train-labels-idx2-int.gz").unlink()
    target = tmp_path / "qmnist-train-labels-idx2-int"
    if packed:
        target = target.with_suffix(".gz")
        content = gzip.compress(content)
    target.write_bytes(content)
    if packed and message in ("more than", "announces 5 x 8 x 4 = 160 bytes .* found 159"):
        message = "announces"
    with pytest.raises(FormatError, match=message) as caught:
        load_dataset("qmnist", tmp_path)
    assert_one_line(caught, "qmnist-train-labels")


def test_a_file_that_is_missing_is_named(tmp_path):
    put(tmp_path, "emnist-letters")
    (tmp_path / "emnist-letters-test-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError) as caught:
        load_dataset("emnist-letters", tmp_path)
    assert_one_line(
        caught, tmp_path, "no EMNIST letters in", "test-labels-idx1-ubyte missing"
    )
    assert "npz" not in str(caught.value)


@pytest.mark.parametrize("name", ["fashion", "kmnist", "qmnist", "emnist-letters"])
def test_a_folder_that_lacks_files_is_named(name, no_places, monkeypatch):
    record, folder = published.DATASETS[name], no_places.data / FOLDERS[name]
    put(folder, name)
    last = record.files[3].name
    for path in folder.glob(f"{last}*"):
        path.unlink()
    for named in (None, no_places.data):
        if named is None:
            monkeypatch.setenv("RNN_NATIVE_DATA", str(no_places.data))
        else:
            monkeypatch.delenv("RNN_NATIVE_DATA")
        with pytest.raises(FileNotFoundError) as caught:
            load_dataset(name, named)
        assert_one_line(caught, f"no {record.title} in '{folder}': {last} missing (")


def test_names_that_are_none():
    with pytest.raises(
        ValueError, match=r"name: expected mnist, .*did you mean 'fashion'\?$"
    ):
        load_dataset("fashio")
    with pytest.raises(FileNotFoundError, match=r"did you mean 'emnist-letters'\?"):
        open_dataset("emnist-leters")
    with pytest.raises(
        FileNotFoundError, match="'xyzzy', and none of the data sets mnist, fashion, .*c$"
    ):
        open_dataset("xyzzy")


def test_the_name_stands_before_the_hint():
    with pytest.raises(FileNotFoundError) as caught:
        rn.train_mlp("faschion")
    assert re.search(
        r": 'faschion', and none of .*; did you mean 'fashion'\?$", str(caught.value)
    )


@pytest.mark.parametrize(
    "name", [None, 3, ["mnist"], b"mnist", np.zeros((3, 3))], ids=lambda n: type(n).__name__
)
def test_names_that_are_no_strings(name):
    with pytest.raises(
        TypeError, match=r"^name: expected a data set's name, one of mnist, .*, got \S"
    ) as caught:
        load_dataset(name)
    assert_one_line(caught, "emnist-bymerge, got ", str(name)[:2])


def test_a_name_goes_before_a_folder(tmp_path, no_places, monkeypatch):
    expected = put(no_places.data / "fashion", "fashion", 30)
    monkeypatch.setenv("RNN_NATIVE_DATA", str(no_places.data))
    mine = put(no_places.data.parent / "fashion", "mnist", 20)
    assert_loaded([open_dataset("fashion")[:2]], expected)
    assert_loaded([open_dataset("./fashion")[:2]], mine)


def test_the_documentation_has_a_row_for_each():
    page = (
        Path(__file__).parents[2] / "docs" / "reference" / "api" / "data.md"
    ).read_text()
    rows = re.findall(r"^\| `(.+?)` \| [^|]+ \| (\d+) ", page, re.MULTILINE)
    assert {name: int(classes) for name, classes in rows} == classes_by_name()


# Downloading


@pytest.mark.parametrize("name", NAMES)
def test_records_are_whole(name):
    """What can be downloaded has one hash and a size a file, the rest neither."""
    record = RECORDS[name]
    assert record.name == name
    assert len({file.name for file in record.files}) == 4
    assert re.match(r"https?://[^ ]+$", record.source)
    for file in record.files:
        if record.mirrors:
            assert re.fullmatch("[0-9a-f]{64}", file.sha256 + file.gz_sha256)
            assert file.size > 10_000
        else:
            assert not file.sha256 + file.gz_sha256
    assert all(re.match("https?://.+/$", mirror) for mirror in record.mirrors)


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror with small files of Fashion-MNIST, which the record knows by their .gz."""
    server = Mirror()
    folder = tmp_path / "published"
    put(folder, "fashion")
    files = []
    for file in published.DATASETS["fashion"].files:
        plain = folder / file.name
        if plain.exists():
            packed = gzip.compress(plain.read_bytes())
        else:
            packed = (folder / f"{file.name}.gz").read_bytes()
        server.answers[f"/mnist/{file.name}.gz"] = packed
        digest = hashlib.sha256(packed).hexdigest()
        size = len(gzip.decompress(packed))
        files.append(published.File(file.name, size, gz_sha256=digest))
    record = published.DATASETS["fashion"]._replace(
        files=tuple(files), mirrors=(server.url,)
    )
    monkeypatch.setitem(published.DATASETS, "fashion", record)
    yield server
    server.close()


def test_download_verified_by_the_published_hash(mirror, no_places, tmp_path):
    expected = images("fashion", 100), np.arange(100) % 10
    assert_loaded(load_dataset("fashion"), expected)
    kept = {
        path.name: path.read_bytes() for path in (no_places.cache / "fashion").iterdir()
    }
    assert kept == {path.split("/")[-1]: body for path, body in mirror.answers.items()}
    assert_loaded(load_dataset("fashion"), expected)
    assert len(mirror.asked) == 4


@pytest.mark.parametrize("lie", ["unpacked", "flipped", "other"])
def test_download_of_other_content(mirror, no_places, lie):
    """Even the same content is refused when it is packed otherwise: no hash vouches for it."""
    path = "/mnist/t10k-labels-idx1-ubyte.gz"
    body = mirror.answers[path]
    lies = {
        "unpacked": gzip.decompress(body),
        "flipped": bytes([*body[:-1], body[-1] ^ 1]),
        "other": mirror.answers["/mnist/train-images-idx3-ubyte.gz"],
    }
    mirror.answers[path] = lies[lie]
    with pytest.raises(DataNotFoundError, match="SHA-256|too long") as caught:
        load_dataset("fashion")
    assert_one_line(
        caught, "t10k-labels", "https://github.com/zalandoresearch/fashion-mnist"
    )
    assert len(list((no_places.cache / "fashion").iterdir())) == 3


def test_what_has_no_published_hash_is_not_downloaded(no_places, monkeypatch):
    monkeypatch.setattr("rnn_native.datasets.download._fetch", pytest.fail)
    for name in ("emnist-letters", "emnist-balanced"):
        with pytest.raises(DataNotFoundError) as caught:
            load_dataset(name)
        assert_one_line(
            caught,
            "'data'",
            no_places.cache / name,
            "no hashes",
            "https://www.nist.gov/itl/products-and-services/emnist-dataset",
            "./data/EMNIST/raw",
        )


# Learning


@pytest.mark.parametrize("name", ["fashion", "emnist-letters", "emnist-balanced"])
@pytest.mark.parametrize("model", ["mlp", "cnn", "attention"])
def test_reference_models_have_an_output_a_class(no_places, name, model):
    put(no_places.data / FOLDERS[name], name)
    train = {"mlp": rn.train_mlp, "cnn": rn.train_cnn, "attention": rn.train_attention}
    result = train[model](name, epochs=1, verbose=0)
    assert result.model.predict_proba(images(name, 1)).shape == (1, classes_of(name))
    net, _ = rn.models.reference.untrained(model, name)
    assert net.architecture() == result.model.architecture()


def test_arrays_say_nothing_of_classes():
    x, y = images("mnist", 60), np.arange(60) % 10
    result = rn.train_mlp(((x, y), (x, y)), epochs=1, verbose=0)
    assert result.model.predict_proba(x).shape == (60, 10)
    assert classes_of(((x, y), (x, y))) is None


# The command line


def command(capsys, *args):
    assert cli.main([*map(str, args)]) == 0
    return json.loads(capsys.readouterr().out)


def test_names_on_the_command_line(no_places, capsys):
    put(no_places.data / "EMNIST/raw", "emnist-letters")
    call = ("--data", "emnist-letters", "--json")
    report = command(capsys, "train", "mlp", "--epochs", 1, *call)
    assert report["data"].startswith("EMNIST letters files in")
    model = f"{report['files']}/best.safetensors"
    assert command(capsys, "evaluate", model, *call)["images"] == 100
    assert command(capsys, "lr-find", "mlp", "--num-it", 2, *call)["data"] == report["data"]
    exported = command(capsys, "export", model, "net.c", "--int8", *call)
    assert exported["data"] == report["data"]
    assert "EMNIST letters" in command(capsys, "doctor", *call)["data"]["text"]


def test_attention_and_bench_of_a_named_data_set(no_places, capsys):
    put(no_places.data / "FashionMNIST/raw", "fashion", 70)
    rn.Network(rn.models.attention_layers(8, 8), (1, 28, 28)).save("net.safetensors")
    assert cli.main(["attention", "net.safetensors", "--data", "fashion"]) == 0
    assert "Fashion-MNIST" in capsys.readouterr().out
    call = ("bench", "mlp", "--data", "fashion", "--seconds", "0", "--json")
    assert "Fashion-MNIST" in json.dumps(command(capsys, *call))
    with pytest.raises(SystemExit):
        cli.main(["bench", "--data", "emnist-letters"])
    assert "choose from mnist, fashion, kmnist, qmnist" in capsys.readouterr().err


def test_a_wrong_name_on_the_command_line(capsys):
    assert cli.main(["train", "mlp", "--data", "fashio"]) == 1
    assert "did you mean 'fashion'?" in capsys.readouterr().err

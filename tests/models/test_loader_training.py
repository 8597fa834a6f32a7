"""Training calls on loaders, and on folders of pictures and shards: resumed, and refused."""

import json

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

import rnn_native as rn
from rnn_native.cli import main
from rnn_native.datasets import places
from rnn_native.datasets.idx import write_idx

RNG = np.random.default_rng(5)
SHAPE = (8, 8)


@pytest.fixture(autouse=True)
def no_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / "caches")


def rows(n, labels=2):
    y = np.arange(n) % labels
    x = RNG.integers(0, 100, (n, *SHAPE)) + 100 * y[:, None, None]
    return x.astype(np.uint8), y.astype(np.uint8)


def write_pictures(folder, n=24, names=("cat", "dog")):
    for i, (x, y) in enumerate(zip(*rows(n), strict=True)):
        place = folder / names[y]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(x).save(place / f"{i}.png")


def write_shards(folder, kind):
    folder.mkdir()
    for part, n in (("train-0", 30), ("train-1", 25), ("test", 12)):
        x, y = rows(n, labels=3)
        if kind == "safetensors":
            save_file({"x": x, "y": y}, folder / f"{part}.safetensors")
        else:
            write = np.save if kind == "npy" else write_idx
            write(folder / f"x_{part}.{kind}", x)
            write(folder / f"y_{part}.{kind}", y)


class Own:
    """A user's loader, without `split` and without labels."""

    def __init__(self, n=40):
        self.x, self.y = rows(n)

    def __len__(self):
        return 4

    def batches(self, seed):
        order = np.arange(len(self.x))
        if seed is not None:
            order = np.random.default_rng(seed).permutation(len(self.x))
        for part in np.array_split(order, 4):
            yield self.x[part], self.y[part]


def train(data, outputs=2, **options):
    layers = [rn.Flatten(), rn.Dense(8, "relu"), rn.Dropout(0.3), rn.Dense(outputs)]
    given = {"input_shape": SHAPE, "verbose": 0, "optimizer": "adam", **options}
    return rn.train(layers, data, **given)


def assert_resumes(data, out, **options):
    """The bits, scores and history of a run in two parts are those of one in one part."""
    whole = train(data, epochs=4, **options)
    train(data, epochs=2, out=out, **options)
    parts = train(data, epochs=4, out=out, resume=True, **options)
    assert np.array_equal(whole.model.weights, parts.model.weights)
    assert whole.test_scores == parts.test_scores
    for name in whole.history.history.keys() - {"time"}:
        assert whole.history.history[name] == parts.history.history[name]
    return whole


@pytest.mark.parametrize("parts", [True, False], ids=["train and test", "alone"])
def test_pictures_by_class_resume_with_the_bits(tmp_path, parts):
    for part in ("train", "test") if parts else ("",):
        write_pictures(tmp_path / "pictures" / part)
    found = assert_resumes(
        tmp_path / "pictures",
        tmp_path / "run",
        class_weight={"0": 2.0} if parts else "balanced",
        ema_decay=0.9,
        batch_size=4,
    )
    assert found.data == f"pictures in {tmp_path / 'pictures'}"
    assert {"loss", "val_loss"} <= found.history.history.keys()
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["recipe"]["batch_size"] == 4


@pytest.mark.parametrize("kind", ["safetensors", "npy", "idx"])
def test_shards_train_and_resume(tmp_path, kind):
    folder = tmp_path / "shards"
    write_shards(folder, kind)
    found = assert_resumes(folder, tmp_path / "run", outputs=3, batch_size=16, threads=2)
    assert found.data == f"{kind} files in {folder}"


def test_loaders_of_ones_own_resume(tmp_path):
    train_rows, test_rows = Own(), Own(20)
    found = assert_resumes(
        (train_rows, test_rows), tmp_path / "run", validation_split=0, l2=1e-4
    )
    whole = found.model.evaluate(test_rows.x, test_rows.y)
    np.testing.assert_allclose(found.test_loss, whole.loss, rtol=1e-6)
    assert found.test_accuracy == whole.accuracy
    with pytest.raises(ValueError, match=r"last\.safetensors: was trained on other data"):
        train(
            (Own(), test_rows),
            validation_split=0,
            l2=1e-4,
            epochs=5,
            out=tmp_path / "run",
            resume=True,
        )


def test_fit_with_checkpoints_on_a_loader_alone(tmp_path):
    from rnn_native.callbacks import RunCheckpoint

    def fitted(given, **options):
        net = rn.Network([rn.Flatten(), rn.Dense(2)], SHAPE)
        net.fit(given, callbacks=[RunCheckpoint(tmp_path)], verbose=0, **options)

    fitted(Own())
    assert rn.load(tmp_path / "last.safetensors").input_shape == SHAPE
    with pytest.raises(ValueError, match=r"^x: only a run on an rn\.datasets\.Loader"):
        fitted(list(Own().batches(None)))
    with pytest.raises(ValueError, match=r"^steps_per_epoch: a run on batches is resumed"):
        fitted(Own(), steps_per_epoch=3)


def test_values_are_scored_batch_by_batch():
    class Values(Own):
        def batches(self, seed):
            for x, y in super().batches(seed):
                yield x, np.c_[y, y * 2.0]

    test = Values()
    plan = {
        "architecture": {
            "input_shape": list(SHAPE),
            "layers": [{"type": "flatten"}, {"type": "dense", "units": 2}],
            "loss": "squared_error",
        }
    }["architecture"]
    found = rn.train(plan, (test, test), validation_split=0, lr=1e-3, verbose=0)
    whole = found.model.evaluate(test.x, np.c_[test.y, test.y * 2.0])
    np.testing.assert_allclose([*found.test_scores.values()], whole, rtol=1e-5)


def test_the_command_trains_resumes_and_evaluates(tmp_path, capsys):
    for part in ("train", "test"):
        write_pictures(tmp_path / part, names=("a", "b"))
    command = ["train", "mlp", "--data", str(tmp_path), "--out", str(tmp_path / "run")]
    assert main([*command, "--epochs", "1", "--batch-size", "8"]) == 0
    assert main([*command, "--epochs", "2", "--resume", "--json"]) == 0
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert report["epochs"] == 2
    assert rn.load(tmp_path / "run" / "best.safetensors").output_shape == (2,)
    evaluate = ["evaluate", str(tmp_path / "run"), "--data", str(tmp_path), "--json"]
    assert main(evaluate) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["images"] == 24
    np.testing.assert_allclose(found["test_loss"], report["test_loss"], rtol=1e-6)


def test_what_is_refused(tmp_path):
    pictures, shards = tmp_path / "pictures", tmp_path / "shards"
    write_pictures(pictures / "train")
    with pytest.raises(FileNotFoundError, match=r"test: expected folders of pictures by"):
        train(pictures)
    write_pictures(pictures / "test", names=("cat", "cow"))
    with pytest.raises(
        ValueError, match="expected the classes of .*, 'cat, dog', got 'cat, cow'"
    ):
        train(pictures)
    shapes = r"^data: pictures need a net over \(height, width\), .* got \(2, 8, 8\)"
    with pytest.raises(ValueError, match=shapes):
        train(pictures, input_shape=(2, 8, 8))
    write_shards(shards, "npy")
    (shards / "x_test.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected x_test\*\.npy beside x_train\*"):
        train(shards)
    loaders = (Own(), Own())
    for options, message in [
        ({}, r"validation_split: Own has no split\(fraction\) to hold rows out"),
        (
            {"validation_split": 0, "batch_size": 8},
            "batch_size: the loader has batches of a",
        ),
        ({"validation_split": 0, "stratify": True}, "stratify: loaders hold out their la"),
    ]:
        with pytest.raises(ValueError, match=f"^{message}"):
            train(loaders, **options)
    write_pictures(tmp_path / "few", n=4)
    with pytest.raises(
        ValueError, match="few: expected at least 5 pictures, of which .* 4$"
    ):
        train(tmp_path / "few")
    write_pictures(tmp_path / "nine", n=9)
    with pytest.raises(
        ValueError, match="^validation_split: fraction: 0.1 of 8 rows is less"
    ):
        train(tmp_path / "nine")
    for path in (pictures / "test").rglob("*.png"):
        path.write_bytes(b"broken")
    with pytest.raises(rn.FormatError, match=r"\.png: not a picture, or broken: .*others$"):
        train(pictures)


def test_a_folder_is_looked_through_once(tmp_path, monkeypatch):
    """Whether it is MNIST's; without loaders it is opened as MNIST's, which looks again."""
    looked, find = [], places.find
    monkeypatch.setattr(places, "find", lambda *a: looked.append(a) or find(*a))
    with pytest.raises(
        FileNotFoundError, match="expected MNIST's files, pictures as CLASS/"
    ):
        rn.train_mlp(tmp_path)
    assert len(looked) == 1
    (tmp_path / "train-images-idx3-ubyte").touch()
    looked.clear()
    with pytest.raises(FileNotFoundError, match="no MNIST in .*labels-idx1-ubyte missing"):
        rn.train_mlp(tmp_path)
    assert len(looked) == 2

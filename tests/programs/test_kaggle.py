"""The digit recognizer's flow, on a few hundred generated digits."""

import types
import zipfile

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import kaggle, npy_folder
from rnn_native.base.errors import FormatError
from rnn_native.datasets.csv_digits import load_csv
from rnn_native.training.logs import read_log

RATE = {"lr": 0.1, "batch_size": 16}


def write_csv(path, images, labels=None):
    names = [f"pixel{i}" for i in range(784)]
    lines = [",".join(names if labels is None else ["label", *names])]
    for index, image in enumerate(images.reshape(len(images), 784).tolist()):
        head = [] if labels is None else [str(labels[index])]
        lines.append(",".join([*head, *map(str, image)]))
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def source(tmp_path_factory, digits):
    """A folder with train.csv (640 rows) and test.csv (200 rows)."""
    folder = tmp_path_factory.mktemp("input")
    (x, y), (x_test, _) = digits
    write_csv(folder / "train.csv", x, y)
    write_csv(folder / "test.csv", x_test)
    return folder


@pytest.fixture(scope="module")
def trained(source, tmp_path_factory):
    """A result of the default flow, and its output folder."""
    folder = tmp_path_factory.mktemp("out") / "new"
    result = kaggle.run(source, output=folder, iterations=8, seed=5, verbose=0, **RATE)
    return result, folder


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_the_default_flow(trained, digits):
    result, folder = trained
    assert (result.train_rows, result.test_rows) == (512, 128)
    assert result.report.accuracy > 0.7
    assert result.report.confusion.sum() == 128
    assert files(folder) == [
        "best.safetensors", "log.csv", "model/b1.npy", "model/b2.npy", "model/w1.npy",
        "model/w2.npy", "submission.csv",
    ]  # fmt: skip
    assert len(read_log(folder / "log.csv")) == len(result.history) == 8
    (_, _), (x_test, y_test) = digits
    lines = (folder / "submission.csv").read_text().splitlines()
    assert lines[0] == "ImageId,Label"
    assert [line.split(",")[0] for line in lines[1:]] == [str(i) for i in range(1, 201)]
    guesses = np.array([int(line.split(",")[1]) for line in lines[1:]])
    np.testing.assert_array_equal(guesses, result.model.predict(x_test))
    np.testing.assert_array_equal(guesses, result.predictions)
    assert np.mean(guesses == y_test) > 0.7


def test_both_saved_forms_are_the_model(trained):
    result, folder = trained
    for place in (folder, folder / "model", folder / "best.safetensors"):
        again = rn.load(place)
        assert again.params.tobytes() == result.model.params.tobytes()
    legacy = folder.parent / "legacy.bin"
    from rnn_native.formats.legacy import write_legacy

    write_legacy(result.model, legacy)
    assert rn.load(legacy).params.tobytes() == result.model.params.tobytes()


def test_the_split_parts_shuffled_rows_without_overlap():
    plan = kaggle._Plan(None, None, trains=True, test_rate=30)
    train, test = kaggle._split(100, plan, seed=1)
    assert (len(train), len(test)) == (70, 30)
    assert sorted([*train, *test]) == list(range(100))
    assert sorted(test) != list(range(70, 100))
    assert not np.array_equal(test, kaggle._split(100, plan, seed=2).test)


def test_summary_has_the_report_and_the_files(trained):
    text = trained[0].summary()
    for words in (
        "512 trained on, 128 evaluated",
        "true \\ predicted",
        "submission.csv (200",
    ):
        assert words in text


def test_equal_seeds_give_equal_files(source, trained, tmp_path):
    _, folder = trained
    kaggle.run(source, output=tmp_path, iterations=8, seed=5, threads=2, verbose=0, **RATE)
    for name in ("best.safetensors", "submission.csv", "model/w2.npy"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_skip_training_evaluates_rows_that_training_did_not_see(source, trained, tmp_path):
    result, folder = trained
    again = kaggle.run(
        source, output=tmp_path, skip_training=True, input_model=folder / "model", seed=5
    )
    np.testing.assert_array_equal(again.report.confusion, result.report.confusion)
    assert (again.train_rows, again.test_rows) == (0, 128)
    assert again.history is None
    assert again.model_files == []
    assert files(tmp_path) == ["submission.csv"]
    assert (tmp_path / "submission.csv").read_bytes() == (
        folder / "submission.csv"
    ).read_bytes()


def test_a_rate_of_100_evaluates_every_row(source, trained, tmp_path, digits):
    _, folder = trained
    result = kaggle.run(
        (source / "train.csv", None), output=tmp_path, skip_training=True, test_rate=100,
        input_model=folder,
    )  # fmt: skip
    (x, y), _ = digits
    assert result.test_rows == 640
    assert result.report.accuracy == np.mean(result.model.predict(x) == y)
    assert result.predictions is None
    assert result.submission is None
    assert "640 evaluated" in result.summary()


def test_a_rate_of_0_evaluates_nothing_and_trains_on_all(source, tmp_path):
    result = kaggle.run(source, output=tmp_path, test_rate=0, iterations=1, verbose=0)
    assert result.report is None
    assert (result.train_rows, result.test_rows) == (640, 0)
    assert result.submission.exists()


def test_predicting_alone_needs_no_training_file(source, trained, tmp_path):
    _, folder = trained
    result = kaggle.run(
        (None, source / "test.csv"), output=tmp_path, skip_training=True, test_rate=0,
        input_model=folder / "best.safetensors",
    )  # fmt: skip
    assert len(result.predictions) == 200
    assert result.report is None


def test_training_goes_on_from_an_input_model(source, trained, tmp_path):
    before, folder = trained
    result = kaggle.run(
        source, output=tmp_path, input_model=folder, iterations=1, seed=5, verbose=0, **RATE
    )
    assert result.history.rows[0].loss < before.history.rows[1].loss
    assert result.model.params.size == before.model.params.size


def test_any_number_of_hidden_layers(source, tmp_path):
    for hidden in ((), (8,), (12, 8, 6)):
        result = kaggle.run(
            source,
            output=tmp_path / str(len(hidden)),
            hidden=hidden,
            iterations=1,
            verbose=0,
        )
        assert [spec["units"] for spec in result.model.specs] == [*hidden, 10]


def test_the_packages_model_is_used_when_none_is_named(
    source, trained, tmp_path, monkeypatch
):
    result, _ = trained
    stand_in = types.SimpleNamespace(load=lambda: result.model)
    monkeypatch.setattr(kaggle, "pretrained", stand_in)
    again = kaggle.run(source, output=tmp_path, skip_training=True, seed=5)
    np.testing.assert_array_equal(again.report.confusion, result.report.confusion)


def test_a_model_without_folder_format_is_saved_as_safetensors(source, tmp_path):
    model = rn.Network([rn.Dense(16, "tanh"), rn.Dense(10)], (784,))
    model.save(tmp_path / "m.safetensors")
    result = kaggle.run(
        source, output=tmp_path / "out", input_model=tmp_path / "m.safetensors",
        iterations=1, verbose=0,
    )  # fmt: skip
    assert result.model_files == [tmp_path / "out" / "best.safetensors"]


# ---- refusals ----


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"test_rate": 100}, ValueError, "test_rate: 100 leaves no rows"),
        ({"test_rate": 101}, ValueError, "test_rate"),
        ({"test_rate": -1}, ValueError, "test_rate"),
        ({"test_rate": float("nan")}, ValueError, "test_rate"),
        ({"test_rate": "20"}, TypeError, "test_rate"),
        ({"test_rate": True}, TypeError, "test_rate"),
        ({"test_rate": 0.1}, ValueError, "0.1 % of 640 rows is less than one row"),
        ({"iterations": 0}, ValueError, "epochs"),
        ({"hidden": (0,)}, ValueError, "units"),
        ({"hidden": (8,), "skip_training": True}, ValueError, "hidden"),
        ({"hidden": (8,), "input_model": "m"}, ValueError, "hidden"),
        ({"input_model": "none"}, FileNotFoundError, "none"),
        ({"seed": -1}, ValueError, "seed"),
    ],
)
def test_wrong_calls_are_refused_before_anything_is_written(
    source, tmp_path, options, error, words
):
    with pytest.raises(error, match=words):
        kaggle.run(source, output=tmp_path / "out", verbose=0, **options)
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_do_is_refused(source, tmp_path):
    with pytest.raises(ValueError, match="nothing to do"):
        kaggle.run(
            (source / "train.csv", None), output=tmp_path, skip_training=True, test_rate=0
        )


def test_missing_files(tmp_path, source):
    with pytest.raises(FileNotFoundError, match="expected a folder with train.csv"):
        kaggle.run(tmp_path / "none", output=tmp_path)
    with zipfile.ZipFile(tmp_path / "train.zip", "w"):
        pass
    with pytest.raises(FormatError, match=r"train\.zip': expected one \.csv in it, got 0"):
        kaggle.run(tmp_path, output=tmp_path)
    with pytest.raises(ValueError, match="train.csv is needed"):
        kaggle.run((None, source / "test.csv"), output=tmp_path)
    with pytest.raises(FileNotFoundError):
        kaggle.run((source / "train.csv", tmp_path / "none.csv"), output=tmp_path)


def test_kaggles_archives_are_read_as_they_are(source, tmp_path):
    zipped = tmp_path / "zipped"
    zipped.mkdir()
    for name, archive in (("train.csv", "train.zip"), ("test.csv", "test.csv.zip")):
        with zipfile.ZipFile(zipped / archive, "w", zipfile.ZIP_DEFLATED) as file:
            file.write(source / name, name)
    options = {"hidden": (4,), "iterations": 1, "verbose": 0}
    plain = kaggle.run(source, output=tmp_path / "a", **options)
    packed = kaggle.run(zipped, output=tmp_path / "b", **options)
    assert packed.model.weights.tobytes() == plain.model.weights.tobytes()
    assert packed.submission.read_bytes() == plain.submission.read_bytes()
    assert sorted(p.name for p in zipped.iterdir()) == ["test.csv.zip", "train.zip"]
    good = (zipped / "train.zip").read_bytes()
    for content in (b"no archive", good[: len(good) // 2], b""):
        (zipped / "train.zip").write_bytes(content)
        with pytest.raises(FormatError, match=r"train\.zip"):
            kaggle.run(zipped, output=tmp_path / "c", **options)
    with zipfile.ZipFile(zipped / "train.zip", "w") as file:
        file.writestr("../train.csv", "label,pixel0\n1,2\n")
    with pytest.raises(FormatError, match=r"^[^ ]*zipped/train\.zip"):
        kaggle.run(zipped, output=tmp_path / "c", **options)
    assert not (tmp_path / "train.csv").exists()


@pytest.mark.parametrize("name", ["train.csv", "test.csv"])
def test_a_broken_file_is_refused_before_anything_is_written(source, tmp_path, name):
    for other in ("train.csv", "test.csv"):
        (tmp_path / other).write_bytes((source / other).read_bytes())
    with (tmp_path / name).open("a") as file:
        file.write("1,2,3\n")
    with pytest.raises(FormatError, match=rf"{name}:\d+: expected 78[45] columns, got 3"):
        kaggle.run(tmp_path, output=tmp_path / "out", verbose=0)
    assert not (tmp_path / "out").exists()


def test_a_training_file_without_labels_is_refused(source, tmp_path):
    with pytest.raises(FormatError, match="no label column"):
        kaggle.run((source / "test.csv", None), output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (rn.Network([rn.Dense(10)], (100,)), "expected a model of 784 inputs"),
        (rn.Network([rn.Dense(3)], (784,)), "and 10 outputs"),
        (rn.Network([rn.Dense(10)], (784,), "squared_error"), "expected a classifier"),
    ],
)
def test_models_for_other_data_are_refused(source, tmp_path, model, words):
    model.save(tmp_path / "m.safetensors")
    with pytest.raises(ValueError, match=words):
        kaggle.run(source, output=tmp_path / "out", input_model=tmp_path / "m.safetensors")
    assert not (tmp_path / "out").exists()


def test_a_deeper_models_folder_is_refused_before_training(source, tmp_path, monkeypatch):
    deep = rn.Network([rn.Dense(4, "relu"), rn.Dense(4, "relu"), rn.Dense(10)], (784,))
    npy_folder.write_npy_folder(deep, tmp_path / "model")
    before = files(tmp_path)
    monkeypatch.delattr(kaggle, "fit")
    with pytest.raises(ValueError, match=r"holds 'b3\.npy'"):
        kaggle.run(source, output=tmp_path)
    assert files(tmp_path) == before


@pytest.mark.slow
def test_real_mnist(mnist, tmp_path):
    (x, y), (x_test, y_test) = mnist
    write_csv(tmp_path / "train.csv", x[:20_000], y)
    write_csv(tmp_path / "test.csv", x_test[:2000])
    result = kaggle.run(tmp_path, output=tmp_path / "out", verbose=0)
    assert result.report.accuracy > 0.92
    assert np.mean(result.predictions == y_test[:2000]) > 0.92
    np.testing.assert_array_equal(load_csv(tmp_path / "test.csv")[0], x_test[:2000])


def test_labels_that_come_last_are_not_taken_for_pixels(digits, tmp_path):
    (x, y), _ = digits
    rows = np.column_stack([x.reshape(len(x), -1), y])
    np.savetxt(tmp_path / "train.csv", rows, "%d", ",")
    with pytest.raises(
        FormatError, match="the last column has 10 values in 0..9, the first 1"
    ):
        kaggle.run(tmp_path, output=tmp_path / "out", verbose=0)
    assert not (tmp_path / "out").exists()
    result = kaggle.run(
        tmp_path, output=tmp_path / "out", label="last", iterations=8, verbose=0, **RATE
    )
    assert result.report.accuracy > 0.7


def test_one_class_is_nothing_to_learn_from(digits, tmp_path):
    (x, _), _ = digits
    write_csv(tmp_path / "train.csv", x[:50], np.full(50, 3))
    with pytest.raises(
        FormatError, match="all 50 labels are 3; training needs two classes"
    ):
        kaggle.run(tmp_path, output=tmp_path / "out", verbose=0)
    assert not (tmp_path / "out").exists()
    seen = kaggle.run(tmp_path, output=tmp_path / "out", skip_training=True, verbose=0)
    assert seen.report is not None

"""Parts of the window that need no display: words, icons, settings, which models."""

import io
import json
import os

import numpy as np
import pytest
from PIL import Image

import rnn_native as rn
from rnn_native.recognizer import icons, model_choice, settings, wording
from rnn_native.recognizer.reading import Reading


def reading(label, p=0.0, doubt=None):
    probabilities = np.zeros(10, np.float32)
    if label is not None:
        probabilities[label] = p
    return Reading(label, probabilities, np.zeros((28, 28), np.float32), doubt)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (reading(3, 0.999), ("3", "certain", "99.9 %")),
        (reading(3, 0.97), ("3", "very likely", "97.0 %")),
        (reading(3, 0.8), ("3", "likely", "80.0 %")),
        (reading(3, 0.6, "not sure: 3 or 5"), ("3?", "not sure: 3 or 5", "60.0 %")),
        (reading(None, doubt="nothing drawn"), ("", "", "")),
        (reading(None, doubt="only a dot"), ("?", "only a dot", "")),
    ],
)
def test_how_sure_it_is_in_words(found, told):
    assert wording.answer(found) == told


def test_what_is_as_good_as_impossible_has_no_percentage():
    assert wording.shares(reading(3, 0.5))[2:4] == ["", "50.0 %"]
    assert wording.shares(reading(None)) == [""] * 10


@pytest.mark.parametrize("name", icons.DRAWINGS)
def test_icons_fill_their_size_in_one_color(name):
    for size in (16, 40):
        picture = np.asarray(Image.open(io.BytesIO(icons.png(name, size, "#102030"))))
        assert picture.shape == (size, size, 4)
        ink = picture[..., 3] > 128
        assert 0.05 < ink.mean() < 0.6
        assert np.ptp(np.nonzero(ink)[1]) > 0.5 * size
        off = picture[ink][:, :3].astype(int) - (0x10, 0x20, 0x30)
        assert abs(off).max() < 12


# ---- settings ----


def test_settings_come_back(tmp_path):
    place = tmp_path / "new" / "window.json"
    kept = settings.Settings("dark", place=place)
    for number in range(12):
        kept.remember_model(tmp_path / f"{number}.bin")
    kept.remember_model(tmp_path / "9.bin")
    found = settings.load(place)
    assert found.theme == "dark"
    assert [p.rpartition("/")[2] for p in found.recent][:3] == ["9.bin", "11.bin", "10.bin"]
    assert len(found.recent) == len(set(found.recent)) == settings.MOST_RECENT


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"theme": 3, "recent": 4}',
        '{"theme": "pink", "recent": [1]}',
        "[" * 9999,
    ],
)
def test_settings_that_cannot_be_used_are_the_usual_ones(tmp_path, content):
    place = tmp_path / "window.json"
    place.write_text(content)
    assert settings.load(place) == settings.Settings(place=place)
    assert settings.load(tmp_path / "missing").theme == "light"


def test_nothing_is_written_where_nothing_is_to_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv(settings.VARIABLE, "")
    assert settings.usual_place() is None
    settings.Settings().remember_model(tmp_path / "model.bin")
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv(settings.VARIABLE, str(tmp_path / "here"))
    assert settings.usual_place() == tmp_path / "here" / "window.json"
    monkeypatch.delenv(settings.VARIABLE)
    assert str(settings.usual_place()).startswith(str(tmp_path))
    kept = settings.Settings(place=tmp_path / "kept.json")
    kept.save()
    assert json.loads((tmp_path / "kept.json").read_text()) == {
        "theme": "light",
        "recent": [],
    }


def test_models_are_named_by_run_or_folder(tmp_path):
    assert model_choice.short_name(tmp_path / "cnn" / "best.safetensors") == "run cnn"
    assert model_choice.short_name(tmp_path / "a" / "b.bin") == "a/b.bin"


def test_each_model_that_reads_digits_is_offered_once(tmp_path):
    rn.Network([rn.Dense(10)], (784,)).save(tmp_path / "a.safetensors")
    rn.Network([rn.Dense(3)], (784,)).save(tmp_path / "b.safetensors")
    choices = [
        model_choice.Choice(n[0], tmp_path / n) for n in ("a.safetensors", "b.safetensors")
    ]
    again = model_choice.Choice("again", tmp_path / "x" / ".." / "a.safetensors")
    (tmp_path / "x").mkdir()
    assert model_choice.that_read_digits([*choices, again]) == choices[:1]


def unusable_paths(folder):
    """A path of each kind that the system refuses to look at, or that leads nowhere."""
    (folder / "loop").symlink_to("loop")
    return [
        str(folder / name)
        for name in (
            "loop",
            "loop/best.safetensors",
            "x" * 300,
            "nul\0",
            "\ud800",
            "missing",
        )
    ]


def test_what_cannot_be_looked_at_is_no_recent_model(tmp_path):
    rn.Network([rn.Dense(10)], (784,)).save(tmp_path / "a.safetensors")
    good = str(tmp_path / "a.safetensors")
    paths = [*unusable_paths(tmp_path), good]
    name = f"{tmp_path.name}/a.safetensors"
    assert model_choice.opened_before(paths) == [(name, tmp_path / "a.safetensors")]
    choices = [model_choice.Choice("", tmp_path / path) for path in paths]
    assert model_choice.that_read_digits(choices) == choices[-1:]


def test_a_run_that_cannot_be_looked_at_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("closed", "good"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "best.safetensors").touch()
    (tmp_path / "runs" / "file").touch()
    (tmp_path / "mnist_model.bin").symlink_to("mnist_model.bin")
    looked = os.stat

    def stat(path, **options):
        if "closed" in str(path):
            raise PermissionError(13, "Permission denied", path)
        return looked(path, **options)

    monkeypatch.setattr(os, "stat", stat)
    assert [choice.name for choice in model_choice.around()] == ["run good", "pretrained"]
    (tmp_path / "loop").symlink_to("loop")
    for runs in ("loop", "missing", "x" * 300, "mnist_model.bin"):
        assert len(model_choice.around(tmp_path / runs)) == 1


def test_a_model_that_went_since_is_remembered(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    kept = settings.Settings(place=tmp_path / "kept.json")
    kept.remember_model(tmp_path / "loop")
    assert len(kept.recent) == 1

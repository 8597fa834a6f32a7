"""Files of another version: loaded, resumed, or refused in one line that names both."""

import json

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import checkpoint
from rnn_native.net import model_file

NEWER = "9.1.0"
BOTH = f"; rnn_native {NEWER} wrote it, this is {rn.__version__}"


@pytest.fixture
def path(tmp_path):
    net = rn.Network([rn.Dense(3, "relu"), rn.Dense(2)], (4,), seed=5)
    net.save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def rewrite(path, drop=(), **metadata):
    """Rewrite the file with changes and a digest that fits them."""
    tensors, old = model_file.read(path)
    kept = {name: value for name, value in old.items() if name not in ("sha256", *drop)}
    model_file.write(path, tensors, {**kept, **metadata})


def refused(error, call):
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert message.isprintable(), message
    return message


def test_files_name_the_version_that_wrote_them(path, digits):
    described = checkpoint.describe(path)
    assert (described["format_version"], described["version"]) == (1, rn.__version__)
    rn.train_mlp(digits, epochs=1, out=path.parent / "run", verbose=0)
    config = json.loads((path.parent / "run" / "config.json").read_text())
    assert (config["format_version"], config["version"]) == (1, rn.__version__)
    for name in ("best.safetensors", "last.safetensors"):
        described = checkpoint.describe(path.parent / "run" / name)
        assert described["version"] == rn.__version__


@pytest.mark.parametrize("drop", [(), ("facts",), ("architecture", "facts")])
def test_a_newer_format_names_both_versions(path, drop):
    rewrite(path, drop, format_version=2, version=NEWER)
    message = refused(rn.FormatError, lambda: rn.load(path))
    assert message == f"{path}: format version 2, expected 1{BOTH}"


def test_another_format_of_no_version(path):
    rewrite(path, ("version",), format_version=None)
    message = refused(rn.FormatError, lambda: rn.load(path))
    assert message.startswith(f"{path}: format version None, expected 1; ")


def test_what_this_version_does_not_know_names_both(path):
    layers = [{"type": "spline", "units": 3}]
    architecture = {"layers": layers, "input_shape": [4], "loss": "squared_error"}
    rewrite(path, version=NEWER, architecture=architecture)
    message = refused(rn.FormatError, lambda: rn.load(path))
    assert "architecture cannot be used" in message
    assert message.endswith(BOTH)
    rewrite(path, version=rn.__version__, architecture=architecture)
    assert "wrote it" not in refused(rn.FormatError, lambda: rn.load(path))


def test_a_file_of_another_version_that_can_be_read_is_read(path):
    before = rn.load(path).weights.copy()
    rewrite(path, version=NEWER, more={"something": "new"})
    np.testing.assert_array_equal(rn.load(path).weights, before)


@pytest.fixture
def old_run(digits, tmp_path):
    """A function that makes a run as another version might have left it, and resumes it."""

    def resume(drop=(), version=None, state=None, **options):
        known = {"out": tmp_path, "lr": 0.1, "verbose": 0, **options}
        rn.train_mlp(digits, epochs=1, **known)
        last = tmp_path / "last.safetensors"
        changed = checkpoint.describe(last)["run"]
        changed["recipe"] |= state or {}
        more = {} if version is None else {"version": version}
        rewrite(last, ("parameters", *drop), run=changed, **more)
        return rn.train_mlp(digits, epochs=2, resume=True, **known)

    return resume


def test_a_run_of_another_version_is_resumed(digits, old_run):
    result = old_run(version=NEWER)
    whole = rn.train_mlp(digits, epochs=2, lr=0.1, verbose=0)
    assert result.model.weights.tobytes() == whole.model.weights.tobytes()


def test_a_run_with_a_recipe_of_another_version_is_refused(old_run):
    state = {"sharpness_aware": 0.05}
    message = refused(rn.FormatError, lambda: old_run(version=NEWER, state=state))
    assert "recipe cannot be used" in message
    assert "sharpness_aware" in message
    assert message.endswith(BOTH)


def test_a_run_that_would_not_continue_as_it_began_is_refused(old_run):
    """0.1.0 clipped the gradient before it added that of l2."""
    both = {"clip_norm": 1.0, "l2": 0.01}
    message = refused(ValueError, lambda: old_run(("version",), **both))
    assert "cannot be resumed: rnn_native 0.1.0 clipped the gradient without" in message


@pytest.mark.parametrize("options", [{"clip_norm": 1.0}, {"l2": 0.01}])
def test_a_run_of_the_first_version_with_one_of_both_is_resumed(old_run, options):
    assert old_run(("version",), **options).history.epochs == 2

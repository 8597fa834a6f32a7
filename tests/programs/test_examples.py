"""The examples run, each at a small size in its own process; no times, and no claims."""

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
import pytest

import rnn_native as rn
from environment import python_environment

FOLDER = Path(__file__).parents[2] / "examples"
FILES = sorted(FOLDER.glob("*.py"))
MOST_LINES = 120
SHARED = {"cartpole", "files"}  # imported by the others


class Small(NamedTuple):
    """How an example is called here, and what it then says."""

    arguments: list[str]
    says: str
    writes: str = ""
    needs: str = "numpy"


SMALL = {
    "dqn": Small(
        ["--steps", "1100", "--export", "policy.c"], "mean return", "policy.c", "gymnasium"
    ),
    "ppo": Small(
        ["--steps", "512", "--export", "policy.onnx"],
        "mean return",
        "policy.onnx",
        "gymnasium",
    ),
    "optuna_search": Small(
        ["--trials", "3", "--epochs", "2", "--digits", "300"], "best", needs="optuna"
    ),
    "signals": Small(
        ["--signals", "600", "--epochs", "1", "--export", "net.c"], "accuracy", "net.c"
    ),
    "forecaster": Small(
        ["--values", "1500", "--epochs", "1", "--export", "net.c"],
        "error of the next value",
        "net.c",
    ),
    "characters": Small(
        ["--most", "3000", "--epochs", "1", "--write", "50", "--export", "net.c"],
        "bits of a character",
        "net.c",
    ),
    "activity": Small(
        ["--signals", "200", "--epochs", "1", "--export", "net.c"],
        "samples right",
        "net.c",
    ),
    "resnet": Small(
        ["--epochs", "1", "--digits", "600", "--export", "net.onnx"],
        "test accuracy",
        "net.onnx",
    ),
    "transformer": Small(
        ["--epochs", "1", "--digits", "600", "--export", "net.c"],
        "test accuracy",
        "net.c",
    ),
}


def run(name, folder):
    """Run an example in a folder; skipped without what it needs."""
    small = SMALL[name]
    if importlib.util.find_spec(small.needs) is None:
        pytest.skip(f"{small.needs} is not installed")
    command = [sys.executable, str(FOLDER / f"{name}.py"), *small.arguments]
    done = subprocess.run(
        command, cwd=folder, env=python_environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_tested_and_listed():
    names = {path.stem for path in FILES} - SHARED
    assert names == SMALL.keys()
    table = (FOLDER / "README.md").read_text()
    for name in names:
        assert f"[{name}.py]({name}.py)" in table


def test_every_example_has_a_picture_in_the_gallery():
    docs = FOLDER.parent / "docs"
    found = re.findall(
        r"\[!\[.+?\]\((.+?)\)\]\(\.\./examples/(\w+)\.py\)",
        (docs / "gallery.md").read_text(),
    )
    assert sorted(name for _, name in found) == sorted(SMALL)
    assert all((docs / picture).exists() for picture, _ in found)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_examples_are_short(path):
    assert len(path.read_text().splitlines()) < MOST_LINES


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_examples_use_public_names_only(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not node.module.startswith("rnn_native"), node.lineno
        elif isinstance(node, ast.Import):
            assert not any(a.name.startswith("rnn_native.") for a in node.names), (
                node.lineno
            )
        elif isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_"), node.lineno
            assert node.attr not in ("native", "training_state"), node.lineno
            if isinstance(node.value, ast.Name) and node.value.id == "rn":
                assert node.attr in dir(rn), node.lineno


@pytest.mark.parametrize("name", SMALL)
def test_examples_run(name, tmp_path):
    small = SMALL[name]
    assert small.says in run(name, tmp_path)
    written = [path.name for path in tmp_path.iterdir()]
    assert written == ([small.writes] if small.writes else [])
    if small.writes.endswith(".onnx"):
        session = onnxruntime.InferenceSession(tmp_path / small.writes)
        shape = session.get_inputs()[0].shape[1:]
        (label,) = session.run(["label"], {"x": np.zeros((3, *shape), np.float32)})
        assert label.shape == (3,)

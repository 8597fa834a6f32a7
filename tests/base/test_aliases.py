"""Short names of modules: found, and run, as the modules that they stand for."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from environment import python_environment
from rnn_native.base.aliases import spec_of


def python(*arguments):
    """What a fresh Python prints, where no module was imported before."""
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(
        command, env=python_environment(), check=True, capture_output=True, text=True
    ).stdout


def test_a_short_name_is_found_where_its_module_is():
    spec = spec_of("rnn_native.metrics", "rnn_native.analysis.metrics")
    assert spec.name == "rnn_native.metrics"
    assert spec.origin == importlib.util.find_spec("rnn_native.analysis.metrics").origin
    assert importlib.util.find_spec("rnn_native.no_such_name") is None
    with pytest.raises(ModuleNotFoundError, match=r"'rnn_native\.analysis\.none'"):
        spec_of("rnn_native.none", "rnn_native.analysis.none")


def test_the_code_of_a_short_name_is_its_module_s():
    spec = spec_of("rnn_native.metrics", "rnn_native.analysis.metrics")
    code = spec.loader.get_code("rnn_native.metrics")
    assert Path(code.co_filename).parts[-2:] == ("analysis", "metrics.py")


def test_short_names_are_found_and_run_in_a_fresh_process():
    found = python(
        "-c",
        "import importlib.util, runpy\n"
        "print(importlib.util.find_spec('rnn_native.metrics').origin)\n"
        "print(runpy.run_module('rnn_native.metrics')['accuracy'].__name__)",
    )
    origin, name = found.split("\n")[:2]
    assert Path(origin).parts[-2:] == ("analysis", "metrics.py") and name == "accuracy"
    assert python("-m", "rnn_native.kaggle") == ""

"""What a notebook shows while a net trains: one display, redrawn, and nothing in red."""

import sys
import types
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.training import live

SVG = "{http://www.w3.org/2000/svg}"


class Notebook:
    """The part of IPython that is used: a shell with a kernel, and displays by handles."""

    def __init__(self, monkeypatch):
        self.drawn = []
        shell = types.SimpleNamespace(kernel=object())
        ipython = types.SimpleNamespace(get_ipython=lambda: shell)
        module = types.SimpleNamespace(display=self.display)
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        monkeypatch.setitem(sys.modules, "IPython.display", module)

    def display(self, bundle, raw, display_id):
        assert raw and display_id
        return self.update(bundle, raw=True)

    def update(self, bundle, raw):
        self.drawn.append(bundle)
        return self

    @property
    def last(self):
        return ET.fromstring(self.drawn[-1]["text/html"])


@pytest.fixture
def notebook(monkeypatch):
    return Notebook(monkeypatch)


def train(verbose="auto", epochs=4, **options):
    rng = np.random.default_rng(0)
    x, y = rng.random((60, 3), np.float32), rng.integers(0, 2, 60)
    net = rn.Network([rn.Dense(2)], input_shape=(3,))
    return net, net.fit(
        x, y, epochs=epochs, validation_split=0.2, verbose=verbose, **options
    )


@pytest.mark.parametrize("verbose", ["auto", 1])
def test_a_notebook_gets_one_display_and_nothing_else(
    notebook, capsys, monkeypatch, verbose
):
    monkeypatch.setattr(live, "PAUSE", 0)
    train(verbose)
    assert len(notebook.drawn) == 1 + 4 + 1
    assert tuple(capsys.readouterr()) == ("", "")
    shares = [
        bar.get("aria-valuenow")
        for bundle in notebook.drawn
        for bar in ET.fromstring(bundle["text/html"]).iter("div")
        if bar.get("role") == "progressbar"
    ]
    assert shares == ["0.0", "25.0", "50.0", "75.0", "100.0"]
    said = [bundle["text/plain"] for bundle in notebook.drawn]
    assert said[0] == "0 of 4 epochs"
    assert said[2].startswith("2 of 4 epochs, ")
    assert all("Val Acc" in text for text in said[1:])


def test_curves_grow_while_it_trains(notebook, monkeypatch):
    monkeypatch.setattr(live, "PAUSE", 0)
    train()
    # The first display has no curves, and one epoch is a dot.
    for bundle in notebook.drawn[2:]:
        curves = [
            path
            for path in ET.fromstring(bundle["text/html"]).iter(f"{SVG}path")
            if "L" in path.get("d")
        ]
        assert len(curves) == 4


def test_at_the_end_a_line_is_left_that_unfolds_to_the_curves(notebook):
    train()
    assert notebook.last.tag == "details"
    assert notebook.last.find("summary").text.startswith("4 epochs in ")
    assert len(list(notebook.last.iter(f"{SVG}svg"))) == 2


def test_fast_epochs_are_not_all_drawn(notebook, monkeypatch):
    monkeypatch.setattr(live, "PAUSE", 3600)
    train(epochs=50)
    assert len(notebook.drawn) == 3  # the empty one, the first epoch's, the last line


def test_a_second_call_counts_its_own_epochs(notebook, monkeypatch):
    monkeypatch.setattr(live, "PAUSE", 0)
    train(initial_epoch=2, epochs=4)
    said = [bundle["text/plain"] for bundle in notebook.drawn]
    assert said[0] == "2 of 4 epochs"
    assert said[-1].startswith("2 epochs in ")


def test_what_ends_early_is_said_on_standard_output(notebook, capsys):
    stop = rn.EarlyStopping(patience=1, min_delta=10)
    train(epochs=9, callbacks=[stop])
    out, err = capsys.readouterr()
    assert out.startswith("Early stopping after epoch 2")
    assert err == ""


def test_a_training_that_fails_leaves_its_line(notebook):
    net = rn.Network([rn.Dense(1)], input_shape=(1,), loss="squared_error")
    with pytest.raises(rn.TrainingDiverged):
        net.fit([[10.0], [20.0]], [1.0, 2.0], lr=100, epochs=500)
    assert "epochs in" in notebook.last.find("summary").text


@pytest.mark.parametrize(("verbose", "lines"), [(0, 0), (2, 4)])
def test_silence_and_lines_are_what_they_are_elsewhere(notebook, capsys, verbose, lines):
    train(verbose)
    assert not notebook.drawn
    assert len(capsys.readouterr().out.splitlines()) == lines


@pytest.mark.parametrize("shell", [None, types.SimpleNamespace()])
def test_an_interpreter_without_kernel_is_no_notebook(monkeypatch, capsys, shell):
    """IPython in a terminal, or imported by something else."""
    ipython = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    train()
    assert capsys.readouterr().out.startswith("Epoch 1/4, Loss: ")

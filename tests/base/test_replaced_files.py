"""A pipe takes the place of a file that has just been looked at: no reader waits for it."""

import os
import signal

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.analysis.attention_text import read_attention
from rnn_native.base.picture_file import opened_picture
from rnn_native.datasets.npz import load_npz
from rnn_native.datasets.published import DATASETS
from rnn_native.datasets.zipped import unpacked
from rnn_native.recognizer import drawing, settings
from rnn_native.sweeps.shared_data import read_data


def _enter(opened):
    with opened:
        pass


READERS = {
    "attention text": read_attention,
    "config": rn.load_config,
    "csv": rn.csv_digits.load_csv,
    "drawing": drawing.from_json,
    "ensemble": rn.Ensemble.load,
    "idx": rn.idx.read_idx,
    "legacy": rn.legacy.read_legacy,
    "legacy, recognized": rn.legacy.recognise,
    "log": rn.read_log,
    "model": rn.load,
    "npy": rn.npy_folder.read_npy,
    "npz": lambda path: load_npz(path, DATASETS["mnist"]),
    "picture": lambda path: _enter(opened_picture(path)),
    "recognizer's settings": settings.load,
    "rows": lambda path: rn.datasets.from_files(path, np.zeros(1), batch_size=1),
    "sweep's data": lambda path: read_data(str(path.parent), "", 10),
    "table": rn.TabularNet.load,
    "weights": rn.Network([rn.Dense(3)], (4,)).load_weights,
    "zip": lambda path: _enter(unpacked(path)),
}
NAMES = {"zip": "f.zip", "sweep's data": "x_train.npy"}


@pytest.mark.parametrize("kind", READERS)
def test_a_pipe_that_takes_the_place_of_a_file(tmp_path, monkeypatch, kind):
    path, look = tmp_path / NAMES.get(kind, "file"), os.stat
    path.write_bytes(bytes(64))
    os.mkfifo(tmp_path / "pipe")

    def replaced(place, *args, **options):
        found = look(place, *args, **options)
        if str(place) == str(path):
            (tmp_path / "pipe").replace(path)
        return found

    def waited(*_: object):
        pytest.fail("waited for the pipe")

    monkeypatch.setattr(os, "stat", replaced)
    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(10)
    try:
        READERS[kind](path)
    except (OSError, ValueError):
        pass
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)

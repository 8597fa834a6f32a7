"""What strangers wrote reaches terminals escaped, on one line and short."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import cli, export, plots, sweeps
from rnn_native.analysis import saliency
from rnn_native.base.errors import FormatError, reason_of
from rnn_native.base.text import brief, printable, printable_lines
from rnn_native.net import layers, model_file, optimizers
from rnn_native.settings.architecture import parse_architecture
from rnn_native.training import schedules

HOSTILE = "\x1b[31mred\x07\x9b\n\u202e"
SHOWN = r"\x1b[31mred\x07\x9b\n\u202e"
ROWS = np.zeros((8, 4), np.float32)
LABELS = np.zeros(8, int)
DATA = ((ROWS, LABELS), (ROWS, LABELS))
WRONG = [HOSTILE, np.zeros((40, 3)), {"type": HOSTILE}, {"type": np.ones(3)}, {3: HOSTILE}]


def test_printable():
    assert printable(HOSTILE) == SHOWN
    assert printable("Zürich 数") == "Zürich 数"
    assert printable_lines("a\x1b\nb\r") == "a\\x1b\nb\\r"
    assert str(FormatError(f"{HOSTILE}: x")) == f"{SHOWN}: x"
    assert reason_of(OSError(HOSTILE)).isprintable()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, "3"),
        ("x", "'x'"),
        (HOSTILE, f"'{SHOWN}'"),
        (None, "None"),
        (np.zeros((40, 3)), "ndarray of shape (40, 3)"),
        (np.float32(2), repr(np.float32(2))),
        ([[0] * 200] * 5, "[[" + 19 * "0, " + "0..."),
        ([0] * 100_000, "list of 100000 items"),
        ("x" * 100_000, "'" + 59 * "x" + "..."),
        ([np.zeros((2, 2))], "[array([[0., 0.], [0., 0.]])]"),
    ],
)
def test_brief(value, expected):
    assert brief(value) == expected


def test_a_value_whose_repr_fails():
    class Broken:
        def __repr__(self):
            raise RuntimeError("no")

    assert brief(Broken()) == "Broken"


def net():
    return rn.Network([rn.Dense(2)], (4,))


OPTIONS = [
    *(
        "epochs",
        "batch_size",
        "accumulate",
        "initial_epoch",
        "steps_per_epoch",
        "lr",
        "schedule",
    ),
    *("validation_split", "validation_data", "sample_weight", "class_weight"),
    *("label_smoothing", "clip_norm", "l2", "augment", "mixup", "ema_decay", "swa_start"),
    *("metrics", "callbacks", "seed", "threads"),
]
TAKERS = {
    "layer": lambda v: rn.Network([v], (4,)),
    "activation": lambda v: rn.Network([rn.Dense(2, v)], (4,)),
    "units": lambda v: rn.Network([rn.Dense(v)], (4,)),
    "loss": lambda v: rn.Network([rn.Dense(2)], (4,), v),
    "optimizer": lambda v: rn.Network([rn.Dense(2)], (4,), optimizer=v),
    "input_shape": lambda v: rn.Network([rn.Dense(2)], v),
    "input_dtype": lambda v: setattr(net(), "input_dtype", v),
    "from_architecture": rn.Network.from_architecture,
    "parse_architecture": parse_architecture,
    "from_spec": layers.from_spec,
    "schedules": schedules.from_dict,
    "augment": rn.Augment.from_dict,
    "as_settings": optimizers.as_settings,
    "history": lambda v: rn.History.from_list([v]),
    "metrics of a history": lambda v: rn.History.from_list([{"metrics": v}]),
    "load": rn.load,
    "monitor": lambda v: net().fit(ROWS, LABELS, callbacks=[rn.EarlyStopping(v)]),
    **{
        name: lambda v, name=name: net().fit(ROWS, LABELS, verbose=0, **{name: v})
        for name in OPTIONS
    },
}


@pytest.mark.parametrize("name", TAKERS)
def test_a_wrong_value_gives_one_printable_line_that_says_what_is_wrong(name):
    for value in (*WRONG, 3.5):
        try:
            TAKERS[name](value)
        except (TypeError, ValueError, FileNotFoundError) as error:
            assert str(error).isprintable()
            assert "object is not" not in str(error)
            assert "ambiguous" not in str(error)


def test_from_dict_of_something_else():
    with pytest.raises(TypeError, match="^schedule: expected a dict, got 3$"):
        schedules.from_dict(3)
    with pytest.raises(TypeError, match="^augment: expected a dict, got 3$"):
        rn.Augment.from_dict(3)
    with pytest.raises(TypeError, match=r"^history\[0\]: expected a dict, got 3$"):
        rn.History.from_list([3])
    with pytest.raises(TypeError, match="^architecture: expected a dict, got 3$"):
        rn.Network.from_architecture(3)
    with pytest.raises(ValueError, match=r"^layer: expected a known type, got \['x'\]$"):
        layers.from_spec({"type": ["x"]})


MODEL_TAKERS = {
    "interpret": lambda v: rn.interpret(v, ROWS, LABELS),
    "lr_find": lambda v: rn.lr_find(v, ROWS, LABELS),
    "saliency": lambda v: saliency.saliency(v, ROWS, LABELS),
    "input_gradient": lambda v: saliency.input_gradient(v, ROWS, LABELS),
    "first_layer_weights": plots.first_layer_weights,
    "conv_filters": plots.conv_filters,
    "to_c": lambda v: export.to_c(v, "net.c"),
    "to_onnx": lambda v: export.to_onnx(v, "net.onnx"),
    "to_html": lambda v: export.to_html(v, "net.html"),
    "to_sklearn": export.to_sklearn,
    "to_torch": export.to_torch,
    "rounded_to_int8": export.rounded_to_int8,
}


@pytest.mark.parametrize("name", MODEL_TAKERS)
def test_what_is_no_net_is_named(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    if name == "to_onnx":
        pytest.importorskip("onnx")
    for value in (*WRONG, 3.5, None):
        with pytest.raises(TypeError, match="^(model|net): expected a Network") as caught:
            MODEL_TAKERS[name](value)
        assert str(caught.value).isprintable()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("take", "message"),
    [
        (plots.attention_figure, "^samples: expected a dict, got ndarray of shape"),
        (plots.token_figure, "^samples: expected a dict, got ndarray of shape"),
        (lambda v: plots.open_runs(3), "^runs: expected a History, .* or a path, got int$"),
        (lambda v: plots.training_report(None), "^runs: expected .* got NoneType$"),
        (lambda v: rn.sweep(v, {"lr": [1]}, DATA), "^base: expected .* got ndarray of"),
        (lambda v: rn.sweep("mlp", {HOSTILE: 1}, DATA), f"^grid.{re.escape(SHOWN)}: "),
        (lambda v: sweeps.Uniform(v, 1), "^uniform: low: expected a number, got ndarray"),
        (lambda v: sweeps.RandInt(1, "x"), "^randint: high: expected a number, got 'x'$"),
        (lambda v: rn.datasets.from_files(3), "^x: expected a path or a sequence of paths"),
    ],
)
def test_values_of_another_type_are_named(take, message):
    with pytest.raises(TypeError, match=message):
        take(np.zeros((40, 3)))


def run(*arguments):
    program = "import sys; from rnn_native.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
    )


def assert_plain(done):
    for line in (done.stdout + done.stderr).split("\n"):
        assert line.isprintable(), line


def test_commands_escape_what_files_hold(tmp_path):
    path = tmp_path / f"{HOSTILE}.safetensors"
    tensors, metadata = model_file.content_of(
        net(), {HOSTILE: HOSTILE}, optimizer_state=False
    )
    metadata["version"] = HOSTILE
    model_file.write(path, tensors, metadata)
    done = run("info", path)
    assert done.returncode == 0
    assert f"{SHOWN}{SHOWN}" in done.stdout.replace(" ", "")
    assert_plain(done)
    for key in ("layers", "loss"):
        value = [{"type": HOSTILE}] if key == "layers" else HOSTILE
        changed = {**metadata, "architecture": {**metadata["architecture"], key: value}}
        model_file.write(path, tensors, changed)
        done = run("info", path)
        assert (done.returncode, done.stdout) == (1, "")
        assert SHOWN in done.stderr
        assert_plain(done)


def test_commands_escape_names(tmp_path):
    for arguments in (("info", tmp_path / HOSTILE), (HOSTILE,), ("info", "x", HOSTILE)):
        done = run(*arguments)
        assert done.returncode != 0
        assert_plain(done)


def test_commands_print_in_one_place():
    for path in Path(cli.__file__).parent.glob("*.py"):
        assert not re.search(r"\bprint\(", path.read_text()), path

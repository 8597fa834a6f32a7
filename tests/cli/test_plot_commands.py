"""`plot`, `attention` and the two scripts: files, text, exit codes, one line for each error."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import rnn_native as rn
from environment import python_environment
from rnn_native import attention_text
from rnn_native.cli import main

SCRIPTS = Path(__file__).parents[2] / "scripts"
ATTENTION = [rn.PatchEmbed(7, 8), rn.SelfAttention(heads=2), rn.MeanPool(), rn.Dense(10)]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def log(here):
    path = here / "log.txt"
    path.write_text("1,2.0,3.0\n2,1.0,4.0\n")
    return path


@pytest.fixture
def coarse(monkeypatch):
    """Pictures with fewer pixels: time goes into those."""
    monkeypatch.setattr("rnn_native.plots.figures.DPI", 40)


@pytest.fixture
def model(here):
    path = here / "model.safetensors"
    rn.Network(ATTENTION, (1, 28, 28)).save(path)
    return path


def call(capsys, *args):
    """Return exit code, standard output and standard error of a command."""
    code = main(list(map(str, args)))
    said = capsys.readouterr()
    return code, said.out, said.err


def assert_one_line(result, code, *parts):
    assert result[0] == code
    assert result[2].count("\n") == 1, result[2]
    assert result[2].startswith("rnn-native: ")
    for part in parts:
        assert part in result[2]


def script(name, *args, cwd):
    done = subprocess.run(
        [sys.executable, SCRIPTS / name, *map(str, args)],
        capture_output=True, text=True, timeout=120, cwd=cwd,
        env=python_environment(DISPLAY=""),
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


# ---- plot ----


def test_plot_writes_the_picture_and_prints_the_summary(here, log, capsys):
    code, out, err = call(capsys, "plot", log)
    assert (code, err) == (0, "")
    assert "Total Training Time: 7.00 seconds" in out
    assert out.endswith("Graph saved to: training_comparison.png\n")
    with Image.open(here / "training_comparison.png") as image:
        assert image.size[0] > 3000


def test_plot_compares_and_speaks_json(here, log, capsys):
    second = here / "second.csv"
    second.write_text("epoch,loss\n1,0.5\n")
    code, out, _ = call(capsys, "plot", log, second, "--out", "a.svg", "--json")
    report = json.loads(out, parse_constant=lambda name: pytest.fail(name))
    assert code == 0
    assert report["file"] == "a.svg"
    assert report["runs"][str(log)]["total_time"] == 7
    assert report["runs"][str(second)]["total_time"] is None
    assert (
        b"Training Summary" in (here / "a.svg").read_bytes()
        or (here / "a.svg").stat().st_size
    )


def test_plot_draws_without_the_backend_of_a_notebook(here, log):
    done = subprocess.run(
        [sys.executable, "-m", "rnn_native", "plot", log, "--out", "a.svg"],
        capture_output=True, text=True, timeout=60, cwd=here,
        env=python_environment(MPLBACKEND="module://of_a_kernel.that_is_elsewhere"),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert (here / "a.svg").is_file()


def test_plot_refuses_a_bad_target_before_it_reads_anything(here, capsys):
    missing = here / "missing.csv"
    assert_one_line(call(capsys, "plot", missing, "--out", "a.gif"), 2, "a.gif", ".png")
    assert_one_line(call(capsys, "plot", missing, "--out", "a"), 2, "no ending")
    assert_one_line(call(capsys, "plot", missing, "--out", "no/a.png"), 2, "no folder no")


def test_plot_says_what_is_wrong_with_a_run(here, log, model, capsys):
    assert_one_line(call(capsys, "plot", "no.csv"), 1, "no.csv")
    assert_one_line(call(capsys, "plot", log, model), 1, "model.safetensors", "history")
    assert_one_line(call(capsys, "plot", here), 1, "log.csv")
    log.write_text("1,2.0,3.0\n2,one,4.0\n")
    assert_one_line(call(capsys, "plot", log), 1, "log.txt:2", "'one' is not a number")
    assert not (here / "training_comparison.png").exists()


# ---- attention ----


def test_attention_of_a_model(here, model, data, digits, coarse, capsys):
    args = ("attention", model, "--data", data, "--samples", 7, "--out", "maps")
    code, out, err = call(capsys, *args, "--token", 5, "--threads", 1)
    assert (code, err) == (0, "")
    names = {"attention_weights.txt", "attention_visualization.png",
             "token_5_attention.png", "attention_over_images.png"}  # fmt: skip
    assert {path.name for path in (here / "maps").iterdir()} == names
    assert sum(line.startswith("Saved: ") for line in out.splitlines()) == 4
    samples = attention_text.read_attention(here / "maps/attention_weights.txt")
    assert list(samples) == list(range(7))
    x, y = digits[1]
    maps = rn.load(model).attention_maps(x[:7])
    assert maps.shape == (7, 2, 16, 16)
    assert abs(samples[6] - maps[6].mean(axis=0)).max() < 1e-6
    assert f"Sample 6: a {y[6]}, read as {rn.load(model).predict(x[6:7])[0]}" in out
    assert "  Shape:        16 x 16" in out


def test_attention_of_a_text_file(here, capsys):
    path = here / "maps.txt"
    attention_text.write_attention(path, {3: [[0.5, 0.5], [1, 0]]})
    before = path.read_bytes()
    code, out, _ = call(capsys, "attention", path, "--out", ".", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["files"] == ["attention_visualization.png", "token_0_attention.png"]
    assert report["samples"]["3"]["trace"] == 0.5
    assert path.read_bytes() == before
    with Image.open("attention_visualization.png") as image:
        assert image.size[0] > 2000


def test_attention_without_a_grid_of_patches_is_not_laid_over_the_image(
    here, data, coarse, capsys
):
    layers = [rn.SelfAttention(), rn.MeanPool(), rn.Dense(10)]
    rn.Network(layers, (28, 28)).save("rows.safetensors")
    code, out, _ = call(capsys, "attention", "rows.safetensors", "--data", data)
    assert code == 0
    assert "Shape:        28 x 28" in out
    assert not (here / "logs/attention_over_images.png").exists()
    assert (here / "logs/token_0_attention.png").exists()


def test_attention_refuses(here, model, data, capsys):
    rn.Network([rn.Dense(10)], (784,)).save("mlp.safetensors")
    result = call(capsys, "attention", "mlp.safetensors", "--data", data)
    assert_one_line(result, 1, "mlp.safetensors", "self_attention")
    assert_one_line(call(capsys, "attention", "no.safetensors"), 1, "no.safetensors")
    assert_one_line(call(capsys, "attention", "no.txt"), 1, "no.txt")
    args = ("attention", model, "--data", data)
    assert_one_line(call(capsys, *args, "--token", 16), 2, "0..15, got 16")
    assert_one_line(call(capsys, *args, "--samples", 201), 2, "at most 200", "got 201")
    (here / "maps.txt").write_text("# Sample: 1\n1 x\n")
    assert_one_line(call(capsys, "attention", "maps.txt"), 1, "maps.txt:2", "'x'")
    assert_one_line(call(capsys, "attention", "maps.txt", "--data", "x"), 2, "--data")
    assert not (here / "logs").exists(), "nothing was drawn"


# ---- scripts ----


def test_plot_comparison_reads_the_references_place(here, log):
    missing = script("plot_comparison.py", cwd=here)
    assert_one_line(missing, 1, "logs/training_loss_c.txt")
    (here / "logs").mkdir()
    log.rename(here / "logs/training_loss_c.txt")
    code, out, err = script("plot_comparison.py", cwd=here)
    assert (code, err) == (0, "")
    assert out.splitlines()[1:4] == ["=" * 50, "TRAINING SUMMARY", "=" * 50]
    assert (here / "training_comparison.png").is_file()


def test_visualize_attention_makes_maps_up_only_when_there_is_no_file(here):
    code, out, err = script("visualize_attention.py", cwd=here)
    assert (code, err) == (0, "")
    text = here / "logs/attention_weights.txt"
    assert "did not exist: wrote three synthetic maps" in out
    assert attention_text.is_synthetic(attention_text.read_attention(text))
    for name in ("attention_visualization.png", "token_0_attention.png"):
        assert (here / name).is_file()
    code, out, _ = script("visualize_attention.py", cwd=here)
    assert "the synthetic maps, not from a model" in out.splitlines()[0]
    text.write_text("nothing\n")
    assert_one_line(script("visualize_attention.py", cwd=here), 1, "Sample: NUMBER")
    assert text.read_text() == "nothing\n"
    assert_one_line(script("visualize_attention.py", "no.txt", cwd=here), 1, "no.txt")

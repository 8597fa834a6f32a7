"""What the command line says to a typo, and its help."""

import io

import pytest

from rnn_native.base import color, nearby, outcome
from rnn_native.cli import GROUPS, build_parser, main


def refused(args, capsys):
    """Return what a wrong call prints."""
    with pytest.raises(SystemExit) as end:
        main(args)
    assert end.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "guess"),
    [
        (["traim", "mlp"], "did you mean 'train'?"),
        (["xor"], "did you mean 'train'?"),
        (["convert", "a", "b.onnx"], "did you mean 'export'?"),
        (["train", "mpl"], "did you mean 'mlp'?"),
        (["train", "attenshun"], "did you mean 'attention'?"),
        (["train", "mlp", "--ephocs", "3"], "did you mean '--epochs'?"),
        (["train", "--ephocs", "3", "mlp"], "did you mean '--epochs'?"),
        (["train", "mlp", "--batchsize=3"], "did you mean '--batch-size'?"),
        (["train", "mlp", "--optimizer", "adm"], "did you mean 'adam'?"),
        (["export", "a", "b", "--format", "onx"], "did you mean 'onnx'?"),
        (["bench", "mlpp"], "did you mean 'mlp'?"),
    ],
)
def test_a_typo_is_answered_with_a_guess(args, guess, capsys):
    said = refused(args, capsys)
    assert guess in said
    own = args[0] in build_parser().commands
    assert said.startswith(f"usage: rnn-native {args[0] if own else 'COMMAND'} ")
    assert said.count("\n") == 2


def test_what_is_near_nothing_is_answered_with_what_there_is(capsys):
    assert "known are train, evaluate, " in refused(["qqqq"], capsys)
    assert "did you mean" not in refused(["train", "mlp", "--zzzzzz"], capsys)
    assert "unrecognized arguments: more" in refused(["train", "mlp", "more"], capsys)


def test_abbreviated_options_still_work():
    args = build_parser().parse_args(["train", "mlp", "--epo", "3"])
    assert args.epochs == 3


def test_a_missing_file_is_answered_with_its_neighbor(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "mlp").mkdir(parents=True)
    (tmp_path / "photo.png").touch()
    assert nearby.hint("fhoto.png") == "; did you mean 'photo.png'?"
    assert nearby.hint("rums/mlp") == "; did you mean 'runs/mlp'?"
    assert nearby.hint("rums/zzz") == "; did you mean 'runs'?"
    # photo.png is a file, so nothing can be below it.
    assert nearby.hint("photos/mlp.json") == nearby.hint("photos/new/mlp.json") == ""
    assert nearby.hint("qqqqqqqq.json") == nearby.hint("runs/mlp") == ""
    assert main(["evaluate", "runs/mpl"]) == 1
    said = capsys.readouterr().err
    assert said == "rnn-native: runs/mpl: no such model file; did you mean 'runs/mlp'?\n"


# ---- help ----


def test_help_lists_every_command_once_by_what_it_is_for(capsys):
    listed = [name for names in GROUPS.values() for name in names]
    assert sorted(listed) == sorted(build_parser().commands)
    assert main_help(["--help"], capsys) == main_help(["help"], capsys)


def main_help(args, capsys):
    with pytest.raises(SystemExit) as end:
        main(args)
    assert end.value.code == 0
    return capsys.readouterr().out


def test_help_has_groups_and_examples_that_parse(capsys):
    text = main_help(["help", "train"], capsys)
    assert text == main_help(["train", "--help"], capsys)
    for heading in ("how to train:", "data:", "files:", "examples:"):
        assert heading in text
    parser = build_parser()
    for name in parser.commands:
        examples = main_help([name, "--help"], capsys).partition("examples:\n")[2]
        for line in examples.splitlines():
            call = line.split("#")[0].split()
            assert call[0] == "rnn-native"
            parser.parse_args(call[1:])


# ---- color ----


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("variables", "stream", "wanted"),
    [
        ({}, Screen(), True),
        ({}, io.StringIO(), False),
        ({"TERM": "dumb"}, Screen(), False),
        ({"NO_COLOR": "1"}, Screen(), False),
        ({"FORCE_COLOR": "1"}, io.StringIO(), True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, io.StringIO(), False),
        ({"NO_COLOR": "", "FORCE_COLOR": ""}, Screen(), True),
    ],
)
def test_color_where_it_is_wanted(monkeypatch, variables, stream, wanted):
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert color.is_wanted(stream) == wanted
    assert (color.painted("x", "bad", stream) != "x") == wanted


def test_an_error_is_red_on_request_only(monkeypatch, capsys):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    outcome.complain("bad \x1b[2J")
    assert "\x1b" not in capsys.readouterr().err
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    outcome.complain("bad")
    assert capsys.readouterr().err == "\x1b[1;31mrnn-native:\x1b[0m bad\n"
    assert "\x1b[1mhow to train\x1b[0m:" in main_help(["train", "--help"], capsys)


def test_commands_have_the_descriptions_that_help_lists():
    assert all(parser.description for parser in build_parser().commands.values())

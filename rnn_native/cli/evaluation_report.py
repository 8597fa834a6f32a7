"""`evaluate --report`: the page, and its facts about the model's file."""

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnn_native.base import outcome

if TYPE_CHECKING:
    from rnn_native.datasets.opening import Dataset
    from rnn_native.models.network import Network
    from rnn_native.training.history import History


def check_target(path: Path) -> None:
    """Check that the page can be written, before any work."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise outcome.UsageError(
            f"--report: expected a name that ends in .html, got {path}"
        )
    if not path.parent.is_dir():
        raise outcome.UsageError(f"{path}: there is no folder {path.parent}; make it first")


def write_report(args: argparse.Namespace, model: "Network", data: "Dataset") -> None:
    """Write the page on the predictions of the model for the test rows."""
    from rnn_native.base.files import atomic_write
    from rnn_native.report import evaluation_page
    from rnn_native.report.interpretation import interpret

    seen = interpret(model, data.x_test, data.y_test, threads=args.threads)
    facts = [
        *_facts(args.model, model),
        ("evaluated on", f"{data.source}: {len(data.y_test):,} test rows"),
    ]
    title = f"Evaluation of {args.model}"
    page = evaluation_page(
        seen, title, facts, _history_beside(args.model), threads=args.threads
    )
    atomic_write(args.report, page.encode())


def _facts(path: Path, model: "Network") -> list[tuple[str, str]]:
    from rnn_native.net import model_facts, tensor_file
    from rnn_native.training import run_folder

    facts = [
        ("model", str(path)),
        ("layers", repr(model)[1:-1]),
        ("loss", model.loss),
        ("trained on", _training_data(path)),
    ]
    file = path / run_folder.BEST if path.is_dir() else path
    if file.is_file() and tensor_file.is_safetensors(file):
        described = model_facts.describe(file)
        if noted := described["facts"]:
            facts.append(("noted in the file", ", ".join(map(_noted, noted.items()))))
        facts.append(("sha256", described["sha256"]))
    named = shlex.quote(str(path))
    facts.append(("to try it", f"rnn-native export {named} page.html, opened in a browser"))
    return facts


def _noted(fact: tuple[str, Any]) -> str:
    name, value = fact
    return f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"


def _folder_of(path: Path) -> Path | None:
    """Return the folder of the run that a model is from, None if it is unknown."""
    from rnn_native.training import run_folder

    if path.is_dir():
        return path
    return path.parent if path.name in (run_folder.BEST, run_folder.LAST) else None


def _training_data(path: Path) -> str:
    """Return what the run's configuration says of its data."""
    from rnn_native.settings.json_file import read_json
    from rnn_native.training import run_folder

    folder = _folder_of(path)
    config = None if folder is None else folder / run_folder.CONFIG
    if config is None or not config.is_file():
        return "unknown: the folder of the model has no config.json"
    said = read_json(config)
    data = said.get("data") if isinstance(said, dict) else None
    return str(data) if data else "not known: config.json does not say it"


def _history_beside(path: Path) -> "History | None":
    """Return the history of the run that the model is from, if it is beside it.

    last.safetensors has accuracies of training, which the log has not.
    """
    from rnn_native.plots import open_runs
    from rnn_native.training import run_folder

    folder = _folder_of(path)
    if folder is None:
        return None
    for file in (folder / run_folder.LAST, folder / run_folder.LOG):
        if file.is_file():
            (history,) = open_runs(file).values()
            return history
    return None

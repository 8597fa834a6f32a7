"""`evaluate --report`: the page, and what is said in it of the model's file."""

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
    """See that a page can be written, before any work is done for it."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise outcome.UsageError(
            f"--report: expected a name that ends in .html, got {path}"
        )
    if not path.parent.is_dir():
        raise outcome.UsageError(f"{path}: there is no folder {path.parent}; make it first")


def write_report(args: argparse.Namespace, model: "Network", data: "Dataset") -> None:
    """Write the page on what the model makes of the test rows."""
    from rnn_native.base.files import atomic_write
    from rnn_native.report import evaluation_page
    from rnn_native.report.interpretation import interpret

    seen = interpret(model, data.x_test, data.y_test, threads=args.threads)
    facts = [
        *_facts(args.model, model),
        ("data", data.source),
        ("rows", f"{len(data.y_test):,}"),
    ]
    title = f"Evaluation of {args.model}"
    page = evaluation_page(
        seen, title, facts, _history_beside(args.model), threads=args.threads
    )
    atomic_write(args.report, page.encode())


def _facts(path: Path, model: "Network") -> list[tuple[str, str]]:
    from rnn_native.net import model_file, tensor_file
    from rnn_native.training import run_folder

    facts = [
        ("model", str(path)),
        ("layers", repr(model)[1:-1]),
        ("trained on", model.loss),
    ]
    file = path / run_folder.BEST if path.is_dir() else path
    if file.is_file() and tensor_file.is_safetensors(file):
        described = model_file.describe(file)
        if noted := described["facts"]:
            facts.append(("noted in the file", ", ".join(map(_noted, noted.items()))))
        facts.append(("sha256", described["sha256"]))
    named = shlex.quote(str(path))
    facts.append(("to try it", f"rnn-native export {named} page.html, opened in a browser"))
    return facts


def _noted(fact: tuple[str, Any]) -> str:
    name, value = fact
    return f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"


def _history_beside(path: Path) -> "History | None":
    """Return the history of the run whose folder the model lies in, if it does."""
    from rnn_native.training import run_folder
    from rnn_native.training.logs import read_log

    is_of_run = path.is_dir() or path.name in (run_folder.BEST, run_folder.LAST)
    log = (path if path.is_dir() else path.parent) / run_folder.LOG
    return read_log(log) if is_of_run and log.is_file() else None

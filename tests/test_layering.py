"""The house's rules that a compiler does not see, as a search through the sources."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CSRC = ROOT / "csrc"

# Each folder may include its own headers and those of the folders named here.
MAY_INCLUDE = {
    "base": set(),
    "kernels": {"base"},
    "net": {"base", "kernels"},
    "python": {"base", "net"},
}
SOURCES = sorted(CSRC.rglob("*.[ch]"))

# What Python modules may not import from the package: lower ones know nothing of higher.
RANK = {
    "errors": 0, "_core": 0, "files": 0, "idx": 1, "synthetic": 0, "datasets": 2,
    "_runtime": 1, "xorshift": 1, "layers": 0, "history": 0, "network": 3, "callbacks": 1,
    "checkpoint": 4, "training": 4, "run_folder": 1, "models": 5, "doctor": 6, "cli": 7,
}  # fmt: skip


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(CSRC)))
def test_includes_go_one_way(path):
    folder = path.parent.name
    for included in re.findall(r'#include "(.+)"', path.read_text()):
        target = (path.parent / included).resolve()
        assert target.exists(), included
        assert target.parent.name in {folder, *MAY_INCLUDE[folder]}, included


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(CSRC)))
def test_only_the_binding_knows_python(path):
    if path.parent.name != "python":
        assert not re.search(r"Python\.h|numpy|\bPy[A-Z_]\w+", path.read_text())


@pytest.mark.parametrize(
    "path", sorted((CSRC / "kernels").glob("*.[ch]")), ids=lambda p: p.name
)
def test_kernels_allocate_nothing_and_print_nothing(path):
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    assert not re.search(
        r"\b(malloc|calloc|realloc|free|printf|fprintf|fopen|abort|exit)\s*\(", text
    )
    # The only file-level data are constants.
    assert not re.search(
        r"^static (?!const|inline|void|int|float|vf|quad\b)", text, flags=re.MULTILINE
    )


def test_no_flag_ships_that_changes_the_importing_process():
    build = (ROOT / "setup.py").read_text()
    for flag in ("-ffast-math", "-Ofast", "-march=native", "-funsafe-math-optimizations"):
        assert flag not in build


def test_sizes_are_checked_in_one_place():
    for path in SOURCES:
        if path.name != "size.h":
            assert "_overflow(" not in path.read_text(), path


@pytest.mark.parametrize("path", sorted(ROOT.glob("rnn_native/*.py")), ids=lambda p: p.name)
def test_python_modules_import_downwards(path):
    if path.stem in ("__init__", "__main__"):
        return
    # Imports inside functions and under TYPE_CHECKING are allowed to point upwards.
    text = path.read_text()
    found = re.findall(r"^from rnn_native\.(\w+) import", text, flags=re.MULTILINE)
    for line in re.findall(r"^from rnn_native import (.+)$", text, flags=re.MULTILINE):
        found += [name.strip() for name in line.split(",")]
    for name in found:
        assert RANK[name] < RANK[path.stem], f"{path.stem} imports {name}"


def test_no_pickle_and_no_eval():
    for path in ROOT.glob("rnn_native/*.py"):
        assert not re.search(r"\b(pickle|marshal|eval|exec)\b", path.read_text()), path

"""The house's rules that a compiler does not see, as a search through the sources."""

import ast
import graphlib
import importlib
import re
import sys
from pathlib import Path

import pytest

import rnn_native as rn

ROOT = Path(__file__).parents[2]
CSRC = ROOT / "csrc"

# Each folder may include its own headers and those of the folders named here.
MAY_INCLUDE = {
    "base": set(),
    "kernels": {"base"},
    "net": {"base"},
    "net/layers": {"base", "kernels", "net"},
    "net/fused": {"base", "kernels", "net"},
    "net/level": {"base", "kernels", "net", "net/layers", "net/fused"},
    "net/run": {"base", "net"},
    "python": {"base", "net", "net/run"},
}
# Headers of csrc/net that the binding may see, directly or through others.
PUBLIC = {"layer.h", "level.h", "net.h", "optimizer.h", "peak.h", "run/exchange.h"}
LONGEST_C_FILE = 450  # lines
SOURCES = sorted(CSRC.rglob("*.[ch]"))


def code_of(path):
    """The text without comments."""
    return re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(CSRC)))
def test_includes_go_one_way(path):
    folder = path.parent.relative_to(CSRC).as_posix()
    for included in re.findall(r'#include "(.+)"', path.read_text()):
        target = (path.parent / included).resolve()
        assert target.exists(), included
        of = target.parent.relative_to(CSRC).as_posix()
        assert of in {folder, *MAY_INCLUDE[folder]}, included


def included_by(path):
    """Headers of ours that a file includes, directly or not."""
    found, left = set(), [path]
    while left:
        source = left.pop()
        for name in re.findall(r'#include "(.+)"', source.read_text()):
            target = (source.parent / name).resolve()
            if target not in found:
                found.add(target)
                left.append(target)
    return found


@pytest.mark.parametrize(
    "path", sorted((CSRC / "python").glob("*.c")), ids=lambda p: p.name
)
def test_the_binding_sees_only_the_public_part_of_nets(path):
    of_nets = {header for header in included_by(path) if CSRC / "net" in header.parents}
    assert {header.relative_to(CSRC / "net").as_posix() for header in of_nets} <= PUBLIC


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(CSRC)))
def test_only_the_binding_knows_python(path):
    if path.parent.name != "python":
        assert not re.search(r"Python\.h|numpy|\bPy[A-Z_]\w+", code_of(path))


@pytest.mark.parametrize(
    "path", sorted((CSRC / "kernels").glob("*.[ch]")), ids=lambda p: p.name
)
def test_kernels_allocate_nothing_and_print_nothing(path):
    text = code_of(path)
    assert not re.search(
        r"\b(malloc|calloc|realloc|free|printf|fprintf|fopen|abort|exit)\s*\(", text
    )
    # The only file-level data are constants: nothing static ends or begins a value.
    assert not re.search(
        r"^static (?!const|loss_gradient)[^(\n]*[=;]", text, flags=re.MULTILINE
    )


def test_no_flag_ships_that_changes_the_importing_process():
    build = (ROOT / "setup.py").read_text()
    for flag in ("-ffast-math", "-Ofast", "-march=native", "-funsafe-math-optimizations"):
        assert flag not in build


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(CSRC)))
def test_no_c_file_is_longer_than_one_can_read(path):
    assert len(path.read_text().splitlines()) <= LONGEST_C_FILE


def test_sizes_are_checked_in_one_place():
    for path in SOURCES:
        if path.name != "size.h":
            assert "_overflow(" not in path.read_text(), path


# Subpackages from the bottom up; each may import itself and those above its row.
FLOORS = (
    "base",
    "net",
    "datasets",
    "training",
    "analysis",
    "callbacks",
    "settings",
    "plots",
    "models",
    "report",
    "formats",
    "sweeps",
    "sklearn",
    "export",
    "recognizer",
    "programs",
    "cli",
)
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.glob("rnn_native/**/*.py"))
}


def imports_of(path):
    """Modules of the package that a file names: at its top, in functions, in annotations."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] == "rnn_native"}


@pytest.mark.parametrize("name", [name for name in MODULES if name.count(".")])
def test_python_modules_import_what_is_below(name):
    floor = name.split(".")[1]
    if floor == "__main__":
        floor = "cli"
    for used in imports_of(MODULES[name]):
        assert used != "rnn_native", "the package itself is above all of its modules"
        if used != "rnn_native._core":
            assert FLOORS.index(used.split(".")[1]) <= FLOORS.index(floor), used


# Modules that look others up by a string: public names by where they live, and registries.
LOOK_UP = {
    "rnn_native",
    "rnn_native.base.aliases",
    "rnn_native.base.lazy",
}


def test_modules_are_looked_up_by_name_in_registries_only():
    found = {name for name, path in MODULES.items() if "import_module" in path.read_text()}
    assert found == LOOK_UP | {"rnn_native.export.target"}


def test_exports_are_shown_and_there():
    shown = {name for name in dir(rn.export) if not name.startswith("_")}
    assert shown == {*rn.export.__all__, "TARGETS"}
    assert all(callable(getattr(rn.export, name)) for name in rn.export.__all__)


@pytest.mark.parametrize("name", sorted(rn.export.TARGETS))
def test_writers_of_exports_are_not_above_them(name):
    module = rn.export.TARGETS[name].writer.split(":")[0]
    assert module in MODULES
    assert FLOORS.index(module.split(".")[1]) <= FLOORS.index("export")


def test_no_module_imports_itself_by_way_of_others():
    graph = {name: imports_of(path) for name, path in MODULES.items()}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError


def test_modules_are_in_subpackages():
    assert {name for name in MODULES if name.count(".") == 1} - {
        f"rnn_native.{floor}" for floor in FLOORS
    } == {"rnn_native.__main__"}


def test_tests_lie_in_folders_that_mirror_the_subpackages():
    """Beside them: the C core, the whole repository, what tests share, files of versions, and
    the campaign."""
    tests = ROOT / "tests"
    found = {path.relative_to(tests).parts[0] for path in tests.glob("*/**/*.py")}
    assert found == {*FLOORS, "campaign", "core", "repository", "support"}
    assert {path.name for path in tests.glob("*.py")} == {"conftest.py"}


LONGEST_MODULE = 400  # lines


@pytest.mark.parametrize("name", MODULES)
def test_no_module_is_longer_than_one_can_read(name):
    assert len(MODULES[name].read_text().splitlines()) <= LONGEST_MODULE


# Private names that are Python's, NumPy's or scikit-learn's way to offer something.
OFFERED = {
    *("_asdict", "_core", "_exit", "_getframe", "_replace"),
    *("_init_callback_context", "_parameter_constraints"),
}


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and name not in OFFERED


def private_names_of_others(path):
    """Private names that a file imports, or asks of objects whose class is not in it."""
    tree = ast.parse(path.read_text())
    own, found = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            own.add(node.name)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in (
            "self", "cls", "super()"
        ):  # fmt: skip
            own.add(node.attr)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("rnn_native"):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) != "_core":
            found |= {node.attr} - own
    return set(filter(is_private, found))


@pytest.mark.parametrize("name", MODULES)
def test_private_names_stay_in_their_module(name):
    assert not private_names_of_others(MODULES[name])


def test_no_pickle_and_no_eval():
    for path in ROOT.glob("rnn_native/**/*.py"):
        assert not re.search(r"\b(pickle|marshal|eval|exec)\b", path.read_text()), path


def test_what_completion_shows_is_public_and_there_once():
    shown = dir(rn)
    assert len(shown) == len(set(shown))
    public = [name for name in shown if not name.startswith("__")]
    assert not any(name.startswith("_") for name in public)
    assert {"Network", "train_mlp", "datasets", "kernels"} <= set(public)
    assert not {"importlib", "Any", "TYPE_CHECKING"} & set(public)
    for name in public:
        assert getattr(rn, name) is not None


@pytest.mark.parametrize("name", sorted(vars(rn)["_MODULES"]))
def test_public_modules_are_attributes_and_can_be_imported(name):
    """`rn.metrics`, `import rnn_native.metrics` and `from rnn_native.metrics import ...`."""
    module = importlib.import_module(f"rnn_native.{name}")
    assert module is getattr(rn, name)
    assert module is sys.modules[f"rnn_native.{vars(rn)['_MODULES'][name]}"]
    assert module.__spec__.name == module.__name__

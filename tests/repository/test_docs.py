"""Documents say what the code does: examples run, links and commands exist."""

import doctest
import functools
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rnn_native
from environment import python_environment
from rnn_native.cli import build_parser

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    {
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("*/README.md"),
        *ROOT.glob("benchmarks/*.md"),
    }
)
TEXT = "\n".join(page.read_text() for page in PAGES)
MODULES = sorted(
    ".".join(path.relative_to(ROOT / "rnn_native").with_suffix("").parts)
    for path in ROOT.glob("rnn_native/**/*.py")
    if path.stem != "__main__" and "recognizer" not in path.parts
)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_examples_in_pages_run(page):
    assert doctest.testfile(str(page), module_relative=False).failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    name = f"rnn_native.{name}".removesuffix(".__init__")
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_programs_parse_their_command_line():
    """Else `--help` would name a file, or start the work."""
    texts = {
        path.name: path.read_text()
        for folder in ("scripts", "benchmarks")
        for path in ROOT.glob(f"{folder}/*.py")
    }
    runs = re.compile(r"^(main\(|sys\.exit\(|if __name__ == )", re.M)
    parses = re.compile(r"\.parse_args\(\)|__main__ import main")
    found = [name for name, text in texts.items() if runs.search(text)]
    assert "digit_page.py" in found
    assert [name for name in found if not parses.search(texts[name])] == []


def test_the_tour_is_kept_without_outputs():
    """`make docs` runs it; outputs in git would change with every run."""
    tour = json.loads((ROOT / "docs" / "tutorials" / "tour.ipynb").read_text())
    for cell in tour["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.slow
def test_the_tour_leaves_no_files(tmp_path):
    tour = json.loads((ROOT / "docs" / "tutorials" / "tour.ipynb").read_text())
    cells = ["".join(c["source"]) for c in tour["cells"] if c["cell_type"] == "code"]
    run = [sys.executable, "-c", "\n".join(cells)]
    subprocess.run(run, cwd=tmp_path, env=python_environment(), check=True)
    assert not list(tmp_path.iterdir())


def test_every_page_and_public_module_is_on_the_site():
    toctree = re.findall(r"^[\w/-]+$", (ROOT / "docs" / "index.md").read_text(), flags=re.M)
    pages = {
        p.relative_to(ROOT / "docs").with_suffix("").as_posix()
        for p in (ROOT / "docs").rglob("*")
        if p.suffix in (".md", ".ipynb")
    }
    assert {*toctree, "index"} == pages
    reference = "".join(p.read_text() for p in ROOT.glob("docs/reference/api/*.md"))
    modules, homes = vars(rnn_native)["_MODULES"], vars(rnn_native)["_HOME"]
    for name in {*modules.values(), *homes.values()} - {"base.runtime", "base.version"}:
        assert f"automodule:: rnn_native.{name}\n" in reference, name


def test_page_of_names_lists_what_is_public():
    page = (ROOT / "docs/reference/api/names.md").read_text()
    modules = vars(rnn_native)["_MODULES"]
    names = re.findall(r"^   (\w+)$", page, flags=re.M)
    assert names == sorted(set(rnn_native.__all__) - modules.keys())
    listed = re.findall(r"^- `(\w+)`: {py:mod}`rnn_native\.([\w.]+)`$", page, flags=re.M)
    assert listed == sorted(modules.items())


def test_generated_reference_is_what_the_script_writes(monkeypatch):
    """Else run `python scripts/write_reference.py`."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    script = importlib.import_module("write_reference")
    assert script.COMMANDS.read_text() == script.commands_page()
    assert script.KEYS.read_text() == script.keys_page()


def test_pages_are_short():
    for page in ROOT.glob("docs/**/*.md"):
        assert len(page.read_text().splitlines()) <= 300, page
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_pages_are_within_three_clicks_of_the_index():
    """Over links between pages, as a reader follows them."""
    docs = ROOT / "docs"
    reached, border = set(), {docs / "index.md"}
    for _ in range(4):
        reached |= border
        links = {
            (page.parent / target).resolve()
            for page in border
            for target in re.findall(
                r"\]\((?!https?:)([^)#]+\.(?:md|ipynb))", page.read_text()
            )
        }
        border = {page for page in links if docs in page.parents} - reached
    kinds = ("tutorials", "how-to", "reference", "explanation")
    pages = {
        p for kind in kinds for p in docs.glob(f"{kind}/*") if p.suffix in (".md", ".ipynb")
    }
    assert not pages - reached


def test_every_row_of_the_features_has_an_answer_and_what_shows_it():
    page = (ROOT / "docs/reference/features.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line[:2] == "| "]
    assert len(rows) > 45
    for row in rows[1:]:
        answer = re.match(r"(yes|no|partly)\b", row[4])
        assert answer, row[0]
        assert (answer[1] == "no") == ("](" not in row[-1]), row[0]


def test_commands_in_pages_parse():
    """Every `python -m rnn_native ...` and `rnn-native ...` is a call that argparse takes."""
    commands = re.findall(
        r"^(?:python -m rnn_native|rnn-native) (.*?)(?:\s+#.*)?$", TEXT, flags=re.M
    )
    assert len(commands) >= 25
    parser = build_parser()
    for command in commands:
        parser.parse_args(command.split())


def test_programs_and_recipes_that_pages_name_exist():
    named = set(re.findall(r"\b(?:benchmarks|scripts|data/\w+)/[\w.-]+\.(?:py|json)", TEXT))
    assert len(named) >= 10
    for name in named:
        assert (ROOT / name).exists(), name


def test_tests_that_pages_name_exist():
    named = set(re.findall(r"`(test_\w+\.py)(?:::(test_\w+))?", TEXT))
    assert len(named) >= 10
    for file, test in named:
        (path,) = ROOT.glob(f"tests/*/{file}")
        assert f"def {test}(" in path.read_text() or not test, test


# Pages that walk through the code: where the walk begins, and where it ends.
SUFFIXES = (".py", ".pyi", ".c", ".h", ".json", ".md", ".js")
WALKED = ("rnn_native", "csrc", "tests", "docs", "scripts")
WALKS = {
    "ARCHITECTURE.md": ("## A batch", "## Bird's eye"),
    "docs/explanation/one-layer.md": ("# One layer", None),
    "CONTRIBUTING.md": ("## Adding a layer", "## Commits"),
}


@functools.cache
def walked():
    """Files that walks may name, and the words in those of them that are code."""
    files = [p for top in WALKED for p in ROOT.glob(f"{top}/**/*.*")]
    files = [p for p in files if p.suffix in SUFFIXES and p.name != "test_docs.py"]
    sources = [p.read_text() for p in files if p.suffix != ".md"]
    places = [f"/{p.as_posix()}/" for p in files]
    return places, set(re.findall(r"\w+", "\n".join(sources)))


@pytest.mark.parametrize("page", WALKS)
def test_names_and_files_on_the_walks_exist(page):
    begin, end = WALKS[page]
    text = (ROOT / page).read_text()
    text = text[text.index(begin) : text.index(end) if end else None]
    places, words = walked()
    quoted = set(re.findall(r"`([\w./\[\]]+)`", text))
    assert len(quoted) >= 30
    for name in quoted:
        if re.search(r"/|\.(pyi?|c|h|md|json)$", name):
            assert any(f"/{name}/" in place for place in places), name
        else:
            assert set(re.findall(r"\w+", name)) <= words, name


def test_pages_that_code_and_pages_name_exist():
    folders = ("rnn_native", "csrc", "tests", "scripts", "benchmarks", "examples")
    files = [
        p for top in folders for p in ROOT.glob(f"{top}/**/*.*") if p.suffix in SUFFIXES
    ]
    named = {
        page
        for file in [*files, *PAGES, ROOT / "setup.py"]
        for page in re.findall(r"\bdocs/[\w/-]+\.(?:md|ipynb|png)", file.read_text())
    }
    assert len(named) >= 20
    assert not [page for page in named if not (ROOT / page).exists()]


def test_make_targets_that_pages_name_exist():
    targets = set(
        re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), flags=re.M)
    )
    for page in PAGES:
        named = set(re.findall(r"^make ([a-z0-9-]+)", page.read_text(), flags=re.M))
        assert named <= targets, page


def test_hooks_run_what_make_lint_runs():
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)[1]
    wanted = set(re.findall(r"\$\(BIN\)/(\S+(?: -m \S+)?)", recipe))
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    assert wanted == set(re.findall(r"\.venv/bin/(\S+(?: -m \S+)?)", hooks))


def test_make_help_lists_every_target():
    """Those of .PHONY; CONTRIBUTING.md has the list."""
    makefile, page = ((ROOT / p).read_text() for p in ("Makefile", "CONTRIBUTING.md"))
    wanted = set(re.search(r"^\.PHONY: (.*)$", makefile, re.M)[1].split())
    listed = set(re.findall(r"^make ([a-z0-9-]+) ", page, re.M))
    assert wanted == listed | {"help"}


def test_no_page_names_a_path_of_one_machine():
    for page in PAGES:
        assert not re.search(r"(?<!\w)/(home|work|root|tmp)/", page.read_text()), page

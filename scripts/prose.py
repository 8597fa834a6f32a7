"""Check the words: pages, docstrings, comments, messages, help.

    python scripts/prose.py               # all files that git has
    python scripts/prose.py FILE ...      # these
    python scripts/prose.py --scores      # and print the readability of each page

It looks for the habits in prose_habits.txt, for sentences of more than LONGEST words, for what
proselint finds, and for pages for beginners whose Flesch score is below EASY.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pyphen
from prose_text import Passage, passages
from proselint.checks import __register__ as proselint_checks
from proselint.config import DEFAULT
from proselint.registry import CheckRegistry
from proselint.tools import LintFile

ROOT = Path(__file__).resolve().parents[1]
HABITS = ROOT / "scripts" / "prose_habits.txt"
SUFFIXES = (".md", ".py", ".pyi", ".c", ".h", ".js")
# Files as others wrote them, or as earlier versions did.
OTHERS = ("tests/data/", "licenses/")

LONGEST = 34
"""Words of a sentence, or of a part that ends in a colon or semicolon."""

EASY = 50
"""The least Flesch reading ease of README.md and the tutorials."""
FOR_BEGINNERS = ("README.md", "docs/tutorials/")

# An indented block of a docstring that shows how to call a program.
COMMANDS = re.compile(r"\s+(python|rnn-native|make|mpiexec) ")

# Checks of proselint that this text cannot pass: it is plain ASCII, has net and run as words of
# the field, and speaks of saliency.
NOT_ASKED = (
    "annotations", "lexical_illusions", "typography", "weasel_words", "needless_variants",
    "restricted", "hedging", "skunked_terms", "uncomparables",
    "dates_times",
)  # fmt: skip


class Finding(NamedTuple):
    """A place in a file, and what to write instead."""

    file: str
    line: int
    what: str


def habits() -> list[tuple[re.Pattern[str], str]]:
    """Return the patterns of prose_habits.txt with their plain forms."""
    found = []
    for line in HABITS.read_text().splitlines():
        if line and not line.startswith("#"):
            pattern, plain = line.rsplit(" => ", 1)
            found.append((re.compile(pattern, re.IGNORECASE), plain))
    return found


def of_habits(file: str, said: list[Passage]) -> Iterator[Finding]:
    """Yield the former habits in passages."""
    for passage in said:
        text = " ".join(passage.text.split())
        for pattern, plain in HABIT_LIST:
            for match in pattern.finditer(text):
                words = len(text[: match.start()].split())
                yield Finding(file, passage.line_of(words), f"'{match[0]}': write {plain}")


def of_length(file: str, said: list[Passage]) -> Iterator[Finding]:
    """Yield sentences that are too long."""
    for passage in said:
        if passage.kind in ("cell", "message") or COMMANDS.match(passage.text):
            continue
        text = " ".join(passage.text.split())
        for match in re.finditer(r".+?(?:[.!?:;](?=\s)|$)", text):
            count = len(re.findall(r"[A-Za-z][\w'-]*", match[0]))
            if count > LONGEST and not re.search(r"[=<>]|\) [A-Z]\w* \(", match[0]):
                line = passage.line_of(len(text[: match.start()].split()))
                yield Finding(file, line, f"sentence of {count} words, at most {LONGEST}")


@cache
def _proselint_config() -> dict:
    """Return proselint's configuration without the checks that are not asked."""
    registry = CheckRegistry()
    registry.register_many(proselint_checks)
    return {**DEFAULT, "checks": {**DEFAULT["checks"], **dict.fromkeys(NOT_ASKED, False)}}


def of_proselint(file: str, said: list[Passage]) -> Iterator[Finding]:
    """Yield what proselint finds in pages, docstrings and comments."""
    lines: list[str] = []
    for passage in sorted(said, key=lambda p: p.line):
        if passage.kind not in ("cell", "message"):
            lines += [""] * (passage.line - len(lines) - 1)
            lines[passage.line - 1 :] = passage.text.split("\n")
    for result in (
        LintFile(file, "\n".join(lines)).lint(_proselint_config()) if lines else ()
    ):
        if "phrasal_adjectives" not in result.check_result.check_path:
            yield Finding(file, max(result.pos[0] - 1, 1), result.check_result.message)


def score(said: list[Passage]) -> float:
    """Return the Flesch reading ease of a page's paragraphs."""
    paragraphs = []
    for passage in said:
        if passage.kind == "page":
            text = re.sub(r"^\s*(#+|[-*]|\d+\.) |[_*]", "", " ".join(passage.text.split()))
            text = re.sub(r"\s+([.,;:!?])", r"\1", re.sub(r"\s+", " ", text)).strip()
            if len(text.split()) > 2:
                paragraphs.append(text if text.endswith((".", "!", "?")) else text + ".")
    return flesch_reading_ease(" ".join(paragraphs)) if paragraphs else 100.0


def flesch_reading_ease(text: str) -> float:
    """Flesch 1948, syllables counted by the places where Pyphen would hyphenate.

    textstat has the same formula; its wheels that run today install a package called tests.
    """
    words = re.findall(r"[A-Za-z]+(?:['-][A-Za-z]+)*", text)
    sentences = re.findall(r"[.!?]+(?=\s|$)", text)
    syllables = sum(1 + len(_HYPHENS.positions(word)) for word in words)
    per_word, per_sentence = syllables / len(words), len(words) / len(sentences)
    return 206.835 - 1.015 * per_sentence - 84.6 * per_word


def of_score(file: str, said: list[Passage]) -> Iterator[Finding]:
    """Yield a page for beginners that is hard to read."""
    if file.startswith(FOR_BEGINNERS) and file.endswith(".md") and score(said) < EASY:
        yield Finding(file, 1, f"Flesch score {score(said):.0f}, at least {EASY}")


_HYPHENS = pyphen.Pyphen(lang="en_US")
CHECKS = (of_habits, of_length, of_proselint, of_score)
HABIT_LIST = habits()


def findings(file: str) -> list[Finding]:
    """Return what is to be mended in a file, in its order."""
    said = passages(ROOT / file)
    if file.startswith("tests/"):
        said = [p for p in said if p.kind != "message"]
    return sorted({f for check in CHECKS for f in check(file, said)})


def all_files() -> list[str]:
    """Return the files with words that git has."""
    command = ["git", "-C", str(ROOT), "ls-files"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [
        n
        for n in names.splitlines()
        if n.endswith(SUFFIXES) and not n.startswith(OTHERS) and (ROOT / n).exists()
    ]


def main() -> int:
    """Print the findings, and return whether there are any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", help="files to check (all)")
    parser.add_argument(
        "--scores", action="store_true", help="print Flesch scores of pages"
    )
    args = parser.parse_args()
    files = args.files or all_files()
    if args.scores:
        for file in files:
            if file.endswith(".md"):
                print(f"{score(passages(ROOT / file)):5.1f} {file}")
        return 0
    found = [finding for file in files for finding in findings(file)]
    for f in found:
        print(f"{f.file}:{f.line}: {f.what}")
    print(f"prose: {len(found)} findings in {len(files)} files", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())

"""What no test reaches in the C code, and why.

    python scripts/unreached.py build/coverage/c.json

Reads the report of `make coverage`. A line may be compiled several times, for CPU levels or
inlined for constants, where a copy can only go one way: what one of them does counts for all.
csrc/unreached.txt has the reasons: files, a regular expression of lines, and why no test gets
there. Prints a table by reason, and the lines without one; then the exit code is 1.
"""

import argparse
import fnmatch
import json
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REASONS = ROOT / "csrc" / "unreached.txt"


@dataclass
class Line:
    """What gcov counted for all copies of a line."""

    path: str
    number: int
    runs: int = 0
    copies: list[list[int]] = field(default_factory=list)  # how often each branch was taken

    @property
    def text(self):
        """The code."""
        return (ROOT / self.path).read_text().splitlines()[self.number - 1].strip()

    def conditions(self):
        """Return how many the line has, each with two branches."""
        joined = len(re.findall(r"&&|\|\|", self.text))
        is_first = bool(joined) and not self.text.startswith(("&&", "||"))
        is_loop = bool(re.match(r"(\} )?(else )?(if|while|for)\b", self.text))
        return max(1, joined + (is_first or is_loop) + self.text.count("?"))

    def ways(self):
        """Return how often each of its branches was taken, in all copies."""
        size = 2 * self.conditions()
        if any(
            len(copy) % size for copy in self.copies
        ):  # the compiler made others of them
            return [count for copy in self.copies for count in copy]
        parts = [
            copy[i : i + size] for copy in self.copies for i in range(0, len(copy), size)
        ]
        return [sum(counts) for counts in zip(*parts, strict=True)]

    def left(self):
        """Return how many of its branches no copy takes."""
        return sum(count == 0 for count in self.ways())


def lines_of(report):
    """Return the lines of a report of gcovr, by file and number."""
    found = {}
    for file in report["files"]:
        for copy in file["lines"]:
            key = file["file"], copy["line_number"]
            line = found.setdefault(key, Line(*key))
            line.runs += max(copy["count"], 0)
            if copy["branches"]:
                line.copies.append([max(way["count"], 0) for way in copy["branches"]])
    return list(found.values())


def reasons():
    """Return the rules: files, a compiled expression, and why."""
    rules = []
    for row in REASONS.read_text().splitlines():
        if row and not row.startswith("#"):
            files, expression, why = row.split(" | ")
            rules.append((files.strip(), re.compile(expression.strip()), why.strip()))
    return rules


def reason_of(line, rules):
    """Return why a line is not reached, or None."""
    for files, expression, why in rules:
        if fnmatch.fnmatch(line.path, files) and expression.search(line.text):
            return why
    return None


def main():
    """Print what is reached, and what is left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path)
    lines = lines_of(json.loads(parser.parse_args().report.read_text()))
    rules, counts, unexplained = reasons(), defaultdict(Counter), []
    for line in lines:
        is_missed, left = line.runs == 0, line.left()
        if not is_missed and left == 0:
            continue
        why = reason_of(line, rules)
        if why is None:
            unexplained.append(line)
        counts[why or "no reason"].update(lines=int(is_missed), branches=left)
    total = sum(counts.values(), Counter())
    branches = sum(len(line.ways()) for line in lines)
    print(f"lines    {1 - total['lines'] / len(lines):.1%} of {len(lines)}")
    print(f"branches {1 - total['branches'] / branches:.1%} of {branches}")
    print("lines  branches  why not")
    for why, count in sorted(counts.items(), key=lambda item: -item[1]["branches"]):
        print(f"{count['lines']:5}  {count['branches']:8}  {why}")
    for line in unexplained:
        print(f"{line.path}:{line.number}: {line.text}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())

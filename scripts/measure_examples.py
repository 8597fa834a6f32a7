"""Run examples that train once and print a result; fill in their rows of examples/README.md.

python scripts/measure_examples.py [NAME...] [--write]
"""

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "examples"
NAMES = ("signals", "activity", "forecaster", "characters", "resnet", "transformer")

RESULTS = (
    (
        r"error of the next value: ([\d.]+); of the last value as forecast: ([\d.]+)",
        "an error of {}; {} for the last value as the forecast",
    ),
    (
        r"bits of a character: ([\d.]+); by how often each occurs: ([\d.]+)",
        "{} bits a character; {} by how often each occurs",
    ),
    (
        r"samples right: 0.(\d\d)(\d); in the half second after a change: 0.(\d\d)(\d)",
        "{}.{} % of samples right, {}.{} % in the half second after a change",
    ),
    (r"test accuracy: 0.(\d\d)(\d)", "{}.{} % right"),
)
"""What an example prints, and what the table says of it."""


def result_in(printed: str) -> str:
    """Return the result, as the table has it."""
    for pattern, text in RESULTS:
        if found := re.search(pattern, printed):
            return text.format(*found.groups())
    raise ValueError(f"expected a result, got {printed[-200:]!r}")


def measure(name: str) -> tuple[str, str]:
    """Return seconds and the result, as the table has them."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py")],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds = time.perf_counter() - start
    return f"{seconds:.0f}", result_in(done.stdout)


def main() -> None:
    """Measure, print and perhaps write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], help="all when left out")
    parser.add_argument("--write", action="store_true", help="into examples/README.md")
    args = parser.parse_args()
    page = FOLDER / "README.md"
    for name in args.names or NAMES:
        seconds, result = measure(name)
        print(f"{name}: {seconds} s, {result}")
        if args.write:
            row = rf"(\| \[{name}\.py\].*\|)[^|]*\|[^|]*\|\n"
            text = re.sub(row, rf"\g<1> {seconds} | {result} |\n", page.read_text())
            page.write_text(text)


if __name__ == "__main__":
    main()

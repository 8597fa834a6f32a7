"""Import every module of the installed package, and compare them with those of a checkout.

    python scripts/import_every_module.py CHECKOUT

`make wheel-check` runs it with the wheel. A module that the wheel lacks, or that cannot be
imported by itself, is an error; so is a package that comes from the checkout.
"""

import argparse
import importlib
import sys
from pathlib import Path

import rnn_native


def modules_below(folder: Path) -> set[str]:
    """Return the names of the package's modules in a folder that has `rnn_native`."""
    names = {
        ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        for path in folder.glob("rnn_native/**/*.py")
    }
    return {name for name in names if not name.endswith(".__main__")}  # these would run


def main(checkout: Path) -> str | None:
    """Return what is wrong, None if nothing is."""
    sources, installed = checkout.resolve(), Path(rnn_native.__file__).parents[1]
    if installed == sources:
        return f"rnn_native: expected an installed package, got that of {sources}"
    expected, found = modules_below(sources), modules_below(installed)
    if expected != found:
        return f"modules that only one of them has: {sorted(expected ^ found)}"
    for name in sorted(found):
        importlib.import_module(name)
    print(f"{len(found)} modules imported from {installed}")
    return None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path, help="the sources to compare with")
    sys.exit(main(parser.parse_args().checkout))

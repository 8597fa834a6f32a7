"""Check the docstrings of all public names by numpydoc's rules, except for three of them.

    python scripts/docstrings.py

Left out are ES01 and SA01 (each docstring has an extended summary, and names of related ones)
and GL01 (the summary begins in the line after the quotes). A class may document its fields as
attributes instead of parameters, when functions make it; a parameter that another name
documents may refer to it, "As for `fit`.", instead of naming a type. What estimators have in
common is documented once, by MLPClassifier, and what kernels have, by their module. Options
that training functions pass on are in the order in which they are documented elsewhere.
"""

import argparse
import inspect
import itertools
import sys
from typing import Any

from numpydoc.validate import validate
from public_names import public_names

LEFT_OUT = {"ES01", "SA01", "GL01"}
OF_ANOTHER = ("As for ", "As in ", "As of ")
TWINS = {"MLPRegressor", "NetworkClassifier", "NetworkRegressor"}
OF_PARAMETERS = {"PR01", "PR03", "PR04", "PR06", "PR07", "PR08", "PR09"}
WITHOUT_EXAMPLE = {"read_label_rows"}


def is_let_pass(code: str, message: str, value: Any) -> bool:
    """Return whether a finding is one that the rules above allow."""
    if code in LEFT_OUT or (code == "EX01" and value.__name__ in WITHOUT_EXAMPLE):
        return True
    if code in OF_PARAMETERS and value.__name__ in TWINS:
        return True
    text = inspect.getdoc(value) or ""
    if code == "PR01" and inspect.isclass(value):
        return "\nAttributes\n---" in text or getattr(value, "_is_protocol", False)
    if code == "PR03":
        return hasattr(value, "__signature__")  # options, in the order of their sources
    if code == "PR04":
        return _is_of_another(message.split('"')[1], text)
    return False


def _is_of_another(name: str, text: str) -> bool:
    """Return whether a parameter's description names another function or class that has it."""
    lines = text.splitlines()
    for line, following in itertools.pairwise(lines):
        if (
            name in line.split(":")[0].replace("*", "").split(", ")
            and following[:4] == "    "
        ):
            return following.strip().startswith(OF_ANOTHER)
    return False


def findings() -> list[str]:
    """Return a line for each finding."""
    return [
        f"{name}: {code} {message}"
        for name, value in sorted(public_names().items())
        for code, message in validate(name)["errors"]
        if not is_let_pass(code, message, value)
    ]


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    found = findings()
    print(*found, f"docstrings: {len(found)} findings", sep="\n")
    sys.exit(bool(found))

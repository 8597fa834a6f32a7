"""Environments of child processes: a sanitizer must be loaded into every child that
imports the core, and into no other program."""

import os
import sys

SANITIZED = "asan" in os.environ.get("LD_PRELOAD", "")


def python_environment(**changes):
    """Return what a Python child needs to import what this process imports."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **changes}


def program_environment():
    """Return the environment for a program that does not import the core."""
    return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}

"""Programs and modules that a test needs."""

import importlib
import os
import shutil

import pytest


def require(*programs, module, packages, promise):
    """Skip where a program or the module is missing, and name Debian's packages.

    Where the environment variable `promise` is 1 they are there, and it fails instead.
    """
    missing = [program for program in programs if shutil.which(program) is None]
    try:
        importlib.import_module(module)
    except ImportError:
        missing.append(module)
    if missing:
        reason = f"needs {', '.join(missing)} (Debian: {packages})"
        if os.environ.get(promise) == "1":
            pytest.fail(reason)
        pytest.skip(reason)

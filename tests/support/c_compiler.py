"""The C compiler that exported files are tried with, and what it must accept."""

import shutil
import subprocess

from environment import program_environment

CC, CXX = shutil.which("cc"), shutil.which("g++")

STRICT = [
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-Wshadow",
    "-Wconversion",
    "-pedantic",
    "-Werror",
]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def run(command, folder, **more):
    """Return what a command prints; a failure shows its errors."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=program_environment(),
        capture_output=True,
        timeout=250,
        **more,
    )
    assert done.returncode == 0, done.stderr.decode()[:3000]
    return done.stdout.decode()

"""Write .ci/requirements.txt: what CI installs, exact versions with the hashes of their files.

For Linux on x86-64 with any Python 3.11, which this runs with. PyTorch is left out: indexes
differ in which build of it they offer. Where the index is does not matter, and is not written.

    python scripts/pin.py
"""

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / ".ci" / "requirements.txt"
EXTRAS = (
    "docs",
    "lint",
    "mpi",
    "onnx",
    "sklearn",
    "tensorboard",
    "test",
    "test-dask",
    "wheel",
)
HEAD = """\
# Written by scripts/pin.py: what CI installs on Linux, x86-64, with Python 3.11.
"""


def requirements() -> list[str]:
    """Return what the build, the package and the extras that CI installs ask for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = project["build-system"]["requires"] + project["project"]["dependencies"]
    for extra in EXTRAS:
        found += project["project"]["optional-dependencies"][extra]
    return found


def resolved(wanted: list[str]) -> list[dict]:
    """Return the files that pip would install for some requirements in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
        command += ["--python-version", "3.11.0", "--only-binary", ":all:"]
        command += ["--target", folder, "--report", str(report)]
        subprocess.run([*command, *wanted], check=True)
        return json.loads(report.read_text())["install"]


def line(package: dict) -> str:
    """Return a package's version and hash."""
    name, version = (package["metadata"][key] for key in ("name", "version"))
    digest = package["download_info"]["archive_info"]["hashes"]["sha256"]
    return f"{name.lower().replace('_', '-')}=={version} --hash=sha256:{digest}\n"


def main() -> None:
    """Ask pip which files it would install, and write their names."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    if sys.version_info[:2] != (3, 11):
        raise SystemExit("pin: CI's versions are those for Python 3.11; run this with it")
    lines = sorted(map(line, resolved(requirements())))
    TARGET.write_text(HEAD + "".join(lines))
    print(f"{TARGET.relative_to(ROOT)}: {len(lines)} packages")


if __name__ == "__main__":
    main()

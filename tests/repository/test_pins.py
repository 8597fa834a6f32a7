"""What CI installs is pinned: every requirement has an exact version, and a file's hash."""

import re
import runpy
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LINE = re.compile(r"([a-z0-9.-]+)==(\S+) --hash=sha256:([0-9a-f]{64})")


def pinned():
    lines = (ROOT / ".ci/requirements.txt").read_text().splitlines()
    found = [LINE.fullmatch(line) for line in lines if not line.startswith("#")]
    assert all(found)
    return {canonicalize_name(match[1]): match[2] for match in found}


def test_every_requirement_is_pinned_to_a_version_that_it_allows():
    wanted = runpy.run_path(str(ROOT / "scripts/pin.py"))["requirements"]()
    versions = pinned()
    missing = [
        text
        for text in wanted
        if (one := Requirement(text)).marker is None or one.marker.evaluate()
        if not one.specifier.contains(versions.get(canonicalize_name(one.name), "0"))
    ]
    assert missing == [], "run scripts/pin.py"


def test_no_index_is_named():
    assert "://" not in (ROOT / ".ci/requirements.txt").read_text()

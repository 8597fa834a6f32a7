"""scikit-learn's own tests of its MLP, run on ours: what fails is what the docs say."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

sklearn = pytest.importorskip("sklearn")

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "sklearn.md"
VERSION = "1.9.1"  # the one that docs/reference/sklearn.md names


def documented():
    """Names of tests in the table of those that fail."""
    section = DOCS.read_text().split("## Tests of scikit-learn")[1].split("\n## ")[0]
    assert VERSION in section
    cells = re.findall(r"^\| (`test_.*?) \|", section, flags=re.MULTILINE)
    return set(re.findall(r"`(test_\w+)`", " ".join(cells)))


def failed(folder):
    """Names of upstream tests that fail, or cannot begin, and the number of those that pass."""
    source = Path(sklearn.__file__).parent / "neural_network" / "tests" / "test_mlp.py"
    if not source.exists():
        pytest.skip("scikit-learn was installed without its tests")
    before = "from sklearn.neural_network import MLPClassifier, MLPRegressor"
    text = source.read_text()
    assert text.count(before) == 1
    text = text.replace(
        before, before.replace("sklearn.neural_network", "rnn_native.sklearn")
    )
    (folder / "test_upstream_mlp.py").write_text(text)
    report = folder / "report.xml"
    plugins = [
        "-p",
        "no:cacheprovider",
        "-p",
        "sklearn.conftest",
    ]  # the latter has fixtures
    options = ["-q", *plugins, "-W", "ignore", f"--junitxml={report}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--rootdir", str(folder), "-c", "/dev/null",
         str(folder / "test_upstream_mlp.py")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert report.exists(), done.stdout + done.stderr
    names, passed = set(), 0
    for case in ElementTree.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            names.add(case.attrib["name"].split("[")[0])
        elif case.find("skipped") is None:
            passed += 1
    return names, passed


@pytest.mark.slow
@pytest.mark.skipif(
    sklearn.__version__ != VERSION, reason=f"the table is of scikit-learn {VERSION}"
)
def test_upstream_tests_fail_only_where_the_docs_say(tmp_path):
    names, passed = failed(tmp_path)
    assert names == documented()
    assert passed >= 50

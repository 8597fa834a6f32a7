"""The core as it was linked: what keeps a fault from becoming more is on, and it names no
folder of the machine that it was built on."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rnn_native._core as _core
from environment import program_environment

ROOT = Path(__file__).parents[2]
CORE = Path(_core.__file__)
LICENSE = ROOT / "licenses" / "OpenBLAS.txt"
UNSUPPORTED = {
    "import sys; sys.platform = 'win32'": "Windows is not supported",
    "import sysconfig; sysconfig.get_config_vars()['Py_GIL_DISABLED'] = 1": (
        "free-threaded Python is not supported"
    ),
}


def read(*options):
    if shutil.which("readelf") is None:
        pytest.skip("no readelf")
    command = ["readelf", "--wide", *options, str(CORE)]
    run = subprocess.run(
        command, capture_output=True, text=True, check=True, env=program_environment()
    )
    return run.stdout


def test_no_folder_of_the_building_machine_is_searched():
    assert not re.search(r"\((RPATH|RUNPATH)\)", read("--dynamic"))


def test_addresses_are_bound_and_then_read_only():
    assert "BIND_NOW" in read("--dynamic")
    assert "GNU_RELRO" in read("--segments")


def test_the_stack_is_not_executable():
    [stack] = [line for line in read("--segments").splitlines() if "GNU_STACK" in line]
    assert re.search(r" RW ", stack)


def test_frames_and_buffers_are_guarded():
    symbols = read("--dyn-syms")
    if "__asan_init" in symbols:
        pytest.skip("built with sanitizers, which look for more")
    assert "__stack_chk_fail" in symbols
    assert "__snprintf_chk" in symbols


def test_license_of_openblas_is_that_of_the_library():
    assert LICENSE.read_bytes() == (CORE.parent / "_blas/OpenBLAS-LICENSE.txt").read_bytes()


@pytest.mark.parametrize("change", UNSUPPORTED)
def test_the_build_is_refused_with_one_line(change):
    code = f"{change}; import runpy; runpy.run_path({str(ROOT / 'setup.py')!r})"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, env=program_environment())
    assert run.returncode == 1
    assert run.stderr.startswith(f"rnn_native: {UNSUPPORTED[change]}")
    assert run.stderr.count("\n") == 1

"""Builds the extension: the core once, the kernels once for each CPU level.

Environment: RNN_NATIVE_WERROR=1 turns warnings into errors, RNN_NATIVE_SANITIZE=1 builds
with ASan and UBSan, RNN_NATIVE_COVERAGE=1 counts lines for gcov. Metadata lives in pyproject.toml.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import sysconfig
from pathlib import Path

if sys.platform == "win32":
    raise SystemExit(
        "rnn_native: Windows is not supported (docs/explanation/limitations.md); use WSL"
    )
if sysconfig.get_config_var("Py_GIL_DISABLED"):
    raise SystemExit(
        "rnn_native: free-threaded Python is not supported (docs/explanation/limitations.md); "
        "use the usual build of Python"
    )

import numpy
from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

# The stable ABI of CPython 3.11; keep in sync with requires-python in pyproject.toml.
LIMITED_API = "0x030B0000"
# Runs on NumPy 1.26 and later; keep in sync with dependencies in pyproject.toml.
NUMPY_API = "NPY_1_25_API_VERSION"

WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wstrict-prototypes"]
FLAGS = ["-std=gnu11", "-O3", "-fno-math-errno", "-fno-trapping-math"]
FLAGS += ["-g0", "-fvisibility=hidden", "-pthread", *WARNINGS]
LINK_FLAGS = ["-pthread", "-lm", "-ldl"]
# What keeps a fault from becoming more: overwritten frames and buffers are noticed, addresses
# of functions are looked up when the core is opened, and read-only after that. Kernels get
# sizes that were checked; guards of their many frames cost small predictions a twentieth.
HARDENED = ["-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3"]
HARDENED_LINK = ["-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack"]
KERNEL_FLAGS = ["-fno-stack-protector"]

# Kernels may contract a*b+c (that is what FMA is for). Everything else must give the same
# bits on every machine: initial weights and shuffles.
LEVEL_FLAGS = ["-ffp-contract=fast", *KERNEL_FLAGS]
CORE_FLAGS = ["-ffp-contract=off"]
X86_LEVELS = {
    "v2": ["-march=x86-64-v2"],
    "v3": ["-march=x86-64-v3"],
    "v4": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
}
ARM_LEVELS = {"neon": []}  # part of every 64-bit ARM processor
LEVELS = {
    "x86_64": X86_LEVELS,
    "amd64": X86_LEVELS,
    "aarch64": ARM_LEVELS,
    "arm64": ARM_LEVELS,
}

# What licenses/OpenBLAS.txt holds: of its packaging, OpenBLAS, LAPACK, GCC's runtime library.
BLAS_LICENSE = (
    "BSD-2-Clause AND BSD-3-Clause AND BSD-3-Clause-Open-MPI "
    "AND GPL-3.0-or-later WITH GCC-exception-3.1"
)

# Folders of csrc whose sources are compiled once, and those that are compiled once for each
# level, as parts of level.c.
ONCE = ["base", "net", "net/run", "python"]
MORE_SOURCES: list[str] = []
FOR_EACH_LEVEL = ["kernels", "net/layers", "net/fused", "net/level"]

if os.environ.get("RNN_NATIVE_WERROR") == "1":
    FLAGS += ["-Werror"]
if os.environ.get("RNN_NATIVE_SANITIZE") == "1":
    # CPython's own flags hold -fwrapv, which would hide signed overflow from UBSan.
    SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    FLAGS += ["-O1", "-g", "-fno-wrapv", "-fno-omit-frame-pointer", *SANITIZE]
    LINK_FLAGS += SANITIZE
else:
    FLAGS += HARDENED
if sys.platform == "linux":
    LINK_FLAGS += HARDENED_LINK
if os.environ.get("RNN_NATIVE_COVERAGE") == "1":
    # -pthread alone would make each count an atomic one, which threads would wait for.
    FLAGS += ["-O1", "--coverage", "-fprofile-update=single"]
    LINK_FLAGS += ["--coverage"]
    MORE_SOURCES += ["tests/support/counting.c"]


def architecture() -> str:
    """The processors that are built for: this one's kind, unless a cross build names another."""
    return (
        os.environ.get("_PYTHON_HOST_PLATFORM", platform.machine()).split("-")[-1].lower()
    )


def cpu_levels() -> dict[str, list[str]]:
    """Compiler flags of each level that this architecture gets."""
    return LEVELS.get(architecture(), {"generic": []})


class BuildExt(build_ext):
    """Compiles net/level/level.c once a level and puts OpenBLAS beside the extension."""

    def run(self) -> None:
        super().run()
        self.copy_blas(Path(self.build_lib, "rnn_native/_blas"))
        if self.inplace:
            self.copy_blas(Path("rnn_native/_blas"))

    def build_extension(self, ext: Extension) -> None:
        ext.extra_objects = [
            obj for name, flags in cpu_levels().items() for obj in self.level(name, flags)
        ]
        # Python's own flags may name folders of the machine that it was built on.
        self.compiler.linker_so = [
            flag for flag in self.compiler.linker_so if not flag.startswith("-Wl,-rpath")
        ]
        super().build_extension(ext)

    def level(self, name: str, flags: list[str]) -> list[str]:
        return self.compiler.compile(
            ["csrc/net/level/level.c"],
            output_dir=str(Path(self.build_temp, f"level_{name}")),
            macros=[("RNN_LEVEL", name)],
            extra_postargs=[*FLAGS, *LEVEL_FLAGS, *flags],
            depends=DEPENDS,
        )

    def copy_blas(self, folder: Path) -> None:
        """Library and license, found without an import: a cross build's could not be loaded."""
        folder.mkdir(parents=True, exist_ok=True)
        for file in importlib.metadata.files("scipy-openblas32") or []:
            if file.match("lib/libscipy_openblas.*"):
                shutil.copy2(file.locate(), folder / file.name)
            elif "licen" in str(file).lower():
                shutil.copy2(file.locate(), folder / f"OpenBLAS-{file.name}")


class BdistWheel(bdist_wheel):
    """Adds a list of what the wheel holds that others made (PEP 770, CycloneDX)."""

    def egg2dist(self, egginfo_path: str, distinfo_path: str) -> None:
        super().egg2dist(egginfo_path, distinfo_path)
        blas = list(Path(self.bdist_dir, "rnn_native/_blas").glob("libscipy_openblas.*"))
        if not blas:
            return  # metadata alone, before a build
        folder = Path(distinfo_path, "sboms")
        folder.mkdir()
        text = json.dumps(self.bill_of_materials(blas[0]), indent=1)
        Path(folder, "rnn_native.cdx.json").write_text(text + "\n")

    def bill_of_materials(self, blas: Path) -> dict[str, object]:
        version = self.distribution.get_version()
        blas_version = importlib.metadata.version("scipy-openblas32")
        package = {
            "type": "library",
            "bom-ref": f"pkg:pypi/rnn-native@{version}",
            "purl": f"pkg:pypi/rnn-native@{version}",
            "name": "rnn_native",
            "version": version,
            "licenses": [{"license": {"id": "MIT"}}],
        }
        library = {
            "type": "library",
            "bom-ref": f"pkg:pypi/scipy-openblas32@{blas_version}",
            "purl": f"pkg:pypi/scipy-openblas32@{blas_version}",
            "name": "scipy-openblas32",
            "version": blas_version,
            "description": f"rnn_native/_blas/{blas.name}",
            "licenses": [{"expression": BLAS_LICENSE}],
            "hashes": [
                {"alg": "SHA-256", "content": hashlib.sha256(blas.read_bytes()).hexdigest()}
            ],
        }
        return {
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {"component": package},
            "components": [library],
            "dependencies": [{"ref": package["purl"], "dependsOn": [library["purl"]]}],
        }


def sources(folders: list[str]) -> list[str]:
    """All sources of some folders of csrc, in order."""
    found = (path for folder in folders for path in Path("csrc", folder).glob("*.c"))
    return sorted(map(str, found))


# All that level.c includes, and the flags: a change of any of it recompiles every level.
DEPENDS = sorted(
    ["setup.py", *map(str, Path("csrc").rglob("*.h")), *sources(FOR_EACH_LEVEL)]
)


setup(
    ext_modules=[
        Extension(
            "rnn_native._core",
            sources(ONCE) + MORE_SOURCES,
            depends=DEPENDS,
            include_dirs=[numpy.get_include()],
            define_macros=[
                ("Py_LIMITED_API", LIMITED_API),
                ("NPY_TARGET_VERSION", NUMPY_API),
                ("NPY_NO_DEPRECATED_API", NUMPY_API),
            ],
            extra_compile_args=[*FLAGS, *CORE_FLAGS],
            extra_link_args=LINK_FLAGS,
            py_limited_api=True,
        )
    ],
    cmdclass={"bdist_wheel": BdistWheel, "build_ext": BuildExt},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)

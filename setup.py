"""Builds the extension: the core once, the kernels once for each CPU level.

Environment: RNN_NATIVE_WERROR=1 turns warnings into errors, RNN_NATIVE_SANITIZE=1 builds
with ASan and UBSan, RNN_NATIVE_COVERAGE=1 counts lines for gcov. Metadata lives in pyproject.toml.
"""

import importlib.metadata
import os
import platform
import shutil
from pathlib import Path

import numpy
import scipy_openblas32
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# The stable ABI of CPython 3.11; keep in sync with requires-python in pyproject.toml.
LIMITED_API = "0x030B0000"
# Runs on NumPy 1.26 and later; keep in sync with dependencies in pyproject.toml.
NUMPY_API = "NPY_1_25_API_VERSION"

WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wstrict-prototypes"]
FLAGS = ["-std=gnu11", "-O3", "-fno-math-errno", "-fno-trapping-math"]
FLAGS += ["-g0", "-fvisibility=hidden", "-pthread", *WARNINGS]
LINK_FLAGS = ["-pthread", "-lm", "-ldl"]

# Kernels may contract a*b+c (that is what FMA is for). Everything else must give the same
# bits on every machine: initial weights and shuffles.
LEVEL_FLAGS = ["-ffp-contract=fast"]
CORE_FLAGS = ["-ffp-contract=off"]
X86_LEVELS = {
    "v2": ["-march=x86-64-v2"],
    "v3": ["-march=x86-64-v3"],
    "v4": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
}

# Folders of csrc whose sources are compiled once, and those that are compiled once for each
# level, as parts of level.c.
ONCE = ["base", "net", "net/run", "python"]
FOR_EACH_LEVEL = ["kernels", "net/layers", "net/fused", "net/level"]

if os.environ.get("RNN_NATIVE_WERROR") == "1":
    FLAGS += ["-Werror"]
if os.environ.get("RNN_NATIVE_SANITIZE") == "1":
    # CPython's own flags hold -fwrapv, which would hide signed overflow from UBSan.
    SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    FLAGS += ["-O1", "-g", "-fno-wrapv", "-fno-omit-frame-pointer", *SANITIZE]
    LINK_FLAGS += SANITIZE
if os.environ.get("RNN_NATIVE_COVERAGE") == "1":
    # -pthread alone would make each count an atomic one, which threads would wait for.
    FLAGS += ["-O1", "--coverage", "-fprofile-update=single"]
    LINK_FLAGS += ["--coverage"]


def cpu_levels() -> dict[str, list[str]]:
    """Compiler flags of each level that this architecture gets."""
    if platform.machine().lower() in ("x86_64", "amd64"):
        return X86_LEVELS
    return {"generic": []}


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
        super().build_extension(ext)

    def level(self, name: str, flags: list[str]) -> list[str]:
        return self.compiler.compile(
            ["csrc/net/level/level.c"],
            output_dir=str(Path(self.build_temp, f"level_{name}")),
            macros=[("RNN_LEVEL", name)],
            extra_postargs=[*FLAGS, *LEVEL_FLAGS, *flags],
            depends=headers_and_kernels(),
        )

    def copy_blas(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = scipy_openblas32.get_library(fullname=True)
        shutil.copy2(Path(scipy_openblas32.get_lib_dir(), name), folder / name)
        for file in importlib.metadata.files("scipy-openblas32") or []:
            if "licen" in str(file).lower():
                shutil.copy2(file.locate(), folder / f"OpenBLAS-{file.name}")


def headers_and_kernels() -> list[str]:
    """All that level.c includes: a change of any of it compiles every level anew."""
    return sorted([*map(str, Path("csrc").rglob("*.h")), *sources(FOR_EACH_LEVEL)])


def sources(folders: list[str]) -> list[str]:
    """All sources of some folders of csrc, in order."""
    found = (path for folder in folders for path in Path("csrc", folder).glob("*.c"))
    return sorted(map(str, found))


setup(
    ext_modules=[
        Extension(
            "rnn_native._core",
            sources(ONCE),
            depends=headers_and_kernels(),
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
    cmdclass={"build_ext": BuildExt},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)

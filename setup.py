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
ARM_LEVELS = {"neon": []}  # part of every 64-bit ARM processor
LEVELS = {
    "x86_64": X86_LEVELS,
    "amd64": X86_LEVELS,
    "aarch64": ARM_LEVELS,
    "arm64": ARM_LEVELS,
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
        """Library and license, found without an import: a cross build's could not be loaded."""
        folder.mkdir(parents=True, exist_ok=True)
        for file in importlib.metadata.files("scipy-openblas32") or []:
            if file.match("lib/libscipy_openblas.*"):
                shutil.copy2(file.locate(), folder / file.name)
            elif "licen" in str(file).lower():
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

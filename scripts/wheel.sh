#!/usr/bin/env bash
# The wheel into dist/. On Linux for every glibc from 2.28 on (manylinux_2_28): gcc compiles, as
# for `make run`, and zig's linker gives each function of the C library its version of then.
#
#   scripts/wheel.sh            for this machine
#   scripts/wheel.sh aarch64    for 64-bit ARM, with gcc-aarch64-linux-gnu
set -euo pipefail
cd "$(dirname "$0")/.."
readonly machine=${1:-$(uname -m)}
readonly platform=manylinux_2_28_$machine
mkdir -p dist build
if [ "$(uname -s)" != Linux ]; then
    python3 -m build --wheel
    exit
fi
if [ "$machine" != "$(uname -m)" ]; then
    scripts/arm64.sh build # brings OpenBLAS for it
    [ -d build/arm64/blas ] || exit 0 # it has said why
    export CC=aarch64-linux-gnu-gcc _PYTHON_HOST_PLATFORM=linux-$machine
    export PYTHONPATH=$PWD/build/arm64/blas
fi
# What gcc has in a library of its own: zig has no table of the processor's features.
libgcc=$(${CC:-gcc} -print-libgcc-file-name)
linker=$(python3 -c "import os, ziglang; print(os.path.dirname(ziglang.__file__))")/zig
export LDSHARED="$linker cc -shared -target $machine-linux-gnu.2.28 $libgcc"
raw=$(mktemp -d build/wheel.XXXXXX)
trap 'rm -r "$raw"' EXIT
rm -rf build/bdist.* build/lib.* build/temp.*
python3 -m build --wheel --no-isolation --outdir "$raw"
# auditwheel offers the platforms of the machine that it runs on.
auditwheel="import platform, sys; platform.machine = lambda: '$machine'
from auditwheel.main import main; sys.exit(main())"
python3 -c "$auditwheel" repair --plat "$platform" --only-plat --wheel-dir dist "$raw"/*.whl
abi3audit --strict --summary dist/*-"$platform".whl

#!/usr/bin/env bash
# Builds the core for 64-bit ARM and runs its tests in an emulator, with Debian's Python and
# PyPI's numpy for arm64. Everything is kept under build/arm64; nothing is installed. Where
# something cannot be had it says what, and that it was skipped.
#
#   scripts/arm64.sh          fetch what is missing, build, test
#   scripts/arm64.sh build    all but the tests
#
# Arguments after "test" are pytest's, instead of the tests below.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly top=$PWD work=$PWD/build/arm64
readonly packages=(python3-minimal python3 libstdc++6)
readonly wheels=(numpy pillow safetensors pooch tqdm pytest pytest-xdist hypothesis)
# Kernels, nets and layers, and the model that comes with the package.
readonly tests=(tests/core/test_net.py tests/core/test_layers.py tests/net/test_kernels.py
    tests/core/test_losses.py tests/core/test_optimizers.py tests/models/test_pretrained.py)
# These take the emulator minutes, and the second counts a process' memory.
readonly too_long=(
    tests/core/test_net.py::test_ten_epoch_losses_match_replay_on_digits
    tests/core/test_layers.py::test_attention_over_many_tokens_keeps_no_matrix_of_them
)

skip() {
    echo "arm64: skipped: $*"
    exit 0
}

need() {
    command -v "$1" >/dev/null || skip "no $1 (Debian package $2)"
}

# Debian's arm64 Python in $work/root, by an apt of its own that knows no other architecture.
fetch_python() {
    local apt=$work/apt
    mkdir -p "$apt"/{lists/partial,archives/partial} "$work/root"
    : >"$apt/status"
    local options=(-qq -o APT::Architecture=arm64 -o APT::Architectures=arm64
        -o Dir::State="$apt" -o Dir::State::status="$apt/status"
        -o Dir::Cache="$apt" -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update >"$work/apt.log" 2>&1 || true
    apt-get "${options[@]}" install --yes --download-only --no-install-recommends \
        "${packages[@]}" >>"$work/apt.log" 2>&1 ||
        skip "no arm64 packages ($(grep -m 1 '^E:' "$work/apt.log" || echo "build/arm64/apt.log"))"
    local package
    for package in "$apt"/archives/*.deb; do
        dpkg -x "$package" "$work/root"
    done
    rm -r "$apt"
}

# PyPI's arm64 wheels: what is imported in $work/site, OpenBLAS for the build apart from it.
fetch_wheels() {
    local python blas
    python=$(basename "$(readlink "$work/root/usr/bin/python3")")
    blas=$(grep -o 'scipy-openblas32==[0-9.]*' pyproject.toml)
    python3 -m pip download --quiet --dest "$work/wheels" --only-binary :all: \
        --python-version "${python#python}" --platform manylinux_2_28_aarch64 \
        --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 \
        "$blas" "${wheels[@]}" >"$work/pip.log" 2>&1 ||
        skip "no arm64 wheels ($(grep -m 1 ERROR "$work/pip.log" || echo "build/arm64/pip.log"))"
    local wheel
    for wheel in "$work"/wheels/*.whl; do
        case $wheel in
        */scipy_openblas32*) python3 -m zipfile -e "$wheel" "$work/blas" ;;
        *) python3 -m zipfile -e "$wheel" "$work/site" ;;
        esac
    done
    rm -r "$work/wheels"
}

# A program that is Python: tests start it by its name again.
write_python() {
    cat >"$work/python" <<END
#!/bin/sh
export PYTHONHOME=$work/root/usr
# OpenBLAS' kernels for SME give NaN in the emulator.
export OPENBLAS_CORETYPE=NEOVERSEN1
unset OPENBLAS_L2_SIZE
exec qemu-aarch64-static -L $work/root -0 "\$0" $work/root/usr/bin/python3 "\$@"
END
    chmod +x "$work/python"
}

build() {
    PYTHONPATH=$work/blas _PYTHON_HOST_PLATFORM=linux-aarch64 CC=aarch64-linux-gnu-gcc \
        LDSHARED="aarch64-linux-gnu-gcc -shared" \
        python3 setup.py --quiet build --build-base "$work" --build-lib "$work/lib" \
        >"$work/build.log" 2>&1 || {
        grep -E "error|warning" "$work/build.log" >&2
        return 1
    }
}

need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
need qemu-aarch64-static qemu-user-static
need apt-get apt
need dpkg dpkg
mkdir -p "$work"
if [ ! -e "$work/root.done" ]; then
    fetch_python
    touch "$work/root.done"
fi
if [ ! -e "$work/site.done" ]; then
    fetch_wheels
    touch "$work/site.done"
fi
write_python
build
if [ "${1:-test}" = test ]; then
    shift || true
    [ $# -gt 0 ] || set -- --numprocesses=2 --dist=worksteal "${tests[@]/#/$top/}" \
        "${too_long[@]/#/--deselect=}"
    cd "$work/lib"
    PYTHONPATH=$work/lib:$work/site "$work/python" -m pytest --quiet -p no:cacheprovider \
        -c "$top/pyproject.toml" --rootdir "$top" "$@"
fi

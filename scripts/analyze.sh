#!/usr/bin/env bash
# gcc's analyzer, clang-tidy and cppcheck over the C code, each where it is installed (Debian
# packages gcc, clang-tidy, cppcheck). A finding ends it with an error; what is no fault is in
# csrc/analyzers.txt and csrc/cppcheck.txt, with the reason. gcc's analyzer does not come to an
# end on the one unit that all kernels are compiled in, so that these are left to the others.
set -uo pipefail
cd "$(dirname "$0")/.."
readonly log=build/analyze.log
# But for functions of C11's Annex K, which no C library has.
readonly checks="-*,clang-analyzer-*,\
-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling"
mapfile -t once < <(ls csrc/base/*.c csrc/net/*.c csrc/net/run/*.c csrc/python/*.c)
mapfile -t flags < <(python3 -c "
import numpy, sysconfig
print('-I' + numpy.get_include(), '-I' + sysconfig.get_path('include'), sep='\n')")
flags+=(-std=gnu11 -DPy_LIMITED_API=0x030B0000 -DNPY_TARGET_VERSION=NPY_1_25_API_VERSION
    -DNPY_NO_DEPRECATED_API=NPY_1_25_API_VERSION)
failed=0

with_gcc() {
    printf '%s\0' "${once[@]}" |
        xargs -0 -I{} -P "$(nproc)" gcc -O2 -fanalyzer "${flags[@]}" -c {} -o /dev/null
}

# One by one: of several files clang's analyzer takes a list of arguments for unset.
with_clang() {
    printf '%s\0' "${once[@]}" csrc/net/level/level.c |
        xargs -0 -I{} -P "$(nproc)" clang-tidy --quiet --checks="$checks" --header-filter=csrc/ {} -- \
            "${flags[@]}" -DRNN_LEVEL=v2 -Wno-everything
}

with_cppcheck() {
    cppcheck --quiet --error-exitcode=1 --enable=warning,portability --std=c11 --language=c \
        --platform=unix64 -D__x86_64__ -DRNN_LEVEL=v2 --suppressions-list=csrc/cppcheck.txt \
        csrc/base csrc/net csrc/kernels
}

# Runs one of these, whose program may be missing, and prints what it finds.
look() {
    if ! command -v "$2" >/dev/null; then
        echo "analyze: $2: skipped: it is not installed"
        return
    fi
    "$1" >"$log" 2>&1
    if grep -E "(warning|error|portability): " "$log" | sort -u |
        grep -vEf <(grep -v "^#" csrc/analyzers.txt); then
        failed=1
    else
        echo "analyze: $2: nothing found"
    fi
}

mkdir -p build
look with_gcc gcc
look with_clang clang-tidy
look with_cppcheck cppcheck
exit $failed

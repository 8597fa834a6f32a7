#!/usr/bin/env bash
# The README's two commands in a Debian 12 that has the packages which the README names, and
# nothing else: a folder that mmdebstrap fills, with the last commit in it. Root only.
#
#   scripts/fresh_machine.sh          make run, make test
#   scripts/fresh_machine.sh run      make run only
set -euo pipefail
cd "$(dirname "$0")/.."
readonly root=$PWD/build/fresh/root
# Keep in sync with README.md.
readonly packages=python3-venv,python3-dev,gcc,libc6-dev,make

skip() {
    echo "fresh machine: skipped: $*"
    exit 0
}

inside() {
    chroot "$root" env -i HOME=/root PATH=/usr/bin:/bin LANG=C.UTF-8 "$@"
}

[ "$(id -u)" = 0 ] || skip "a chroot needs root"
command -v mmdebstrap >/dev/null || skip "no mmdebstrap (Debian package mmdebstrap)"
if [ ! -e "$root.done" ]; then
    mkdir -p build/fresh
    mmdebstrap --quiet --variant=minbase --include="$packages" bookworm "$root" \
        2>build/fresh/log || skip "no packages ($(tail -1 build/fresh/log))"
    touch "$root.done"
fi
rm -rf "$root/checkout"
mkdir "$root/checkout"
git archive HEAD | tar -x -C "$root/checkout"

# How this machine reaches others: names, certificates.
cp --dereference /etc/resolv.conf "$root/etc/resolv.conf"
mkdir -p "$root/etc/ssl/certs"
if [ -e "${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}" ]; then
    cp --dereference "${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}" \
        "$root/etc/ssl/certs/ca-certificates.crt"
fi
leave() {
    umount "$root/dev/shm" "$root/proc" 2>/dev/null || true
}
trap leave EXIT
mount -t proc proc "$root/proc"
mkdir -p "$root/dev/shm"
mount -t tmpfs tmpfs "$root/dev/shm"
for command in ${1:-run test}; do
    inside PIP_CERT=/etc/ssl/certs/ca-certificates.crt make -C /checkout "$command"
done

#!/bin/bash
# `make test-arm64`: the wheels resolve for 64- and 32-bit boards, and the CPU engine is right on an emulated aarch64.
# PYTHON names an interpreter that has pip and packaging. The chroot is made once (debootstrap under emulation, minutes).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
python=${PYTHON:-python3}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/maskcam/arm64

"$python" "$here/wheels.py"

skip() { echo "skipped: the known answer on aarch64: $1"; exit 0; }
[ "$(id -u)" = 0 ] || skip "a chroot needs root"
for command in debootstrap unshare qemu-aarch64-static; do
    command -v $command >/dev/null || skip "no $command (apt-get install debootstrap util-linux qemu-user-static)"
done
binfmt=/proc/sys/fs/binfmt_misc
[ -e $binfmt/register ] || mount -t binfmt_misc binfmt_misc $binfmt 2>/dev/null || skip "the kernel has no binfmt_misc"
if [ ! -e $binfmt/qemu-aarch64 ]; then
    rule=/usr/lib/binfmt.d/qemu-aarch64.conf
    [ -r $rule ] || skip "no $rule (apt-get install qemu-user-static)"
    grep -v '^#' $rule >$binfmt/register
fi

if [ ! -d "$cache/bookworm" ]; then
    mkdir -p "$cache"
    rm -rf "$cache/bookworm.part"
    echo "making $cache/bookworm, once: takes minutes"
    debootstrap --arch=arm64 --variant=minbase --include=python3 bookworm "$cache/bookworm.part" >"$cache/debootstrap.log" ||
        { tail -3 "$cache/debootstrap.log"; exit 1; }
    mv "$cache/bookworm.part" "$cache/bookworm"
fi

# Wheels are unpacked outside the chroot, where it takes seconds; only what is to be proven runs under emulation.
key=$(sha256sum "$root/pyproject.toml" "$here/wheels.py" | sha256sum | cut -c1-12)
if [ ! -d "$cache/wheels-$key" ]; then
    rm -rf "$cache"/wheels-*
    "$python" "$here/unpack.py" "$cache/wheels-$key.part"
    mv "$cache/wheels-$key.part" "$cache/wheels-$key"
fi

# The mounts are this process's own and go with it.
unshare --mount bash -c '
    set -eu
    mkdir -p "$1/mnt/maskcam" "$1/mnt/wheels"
    mount --bind "$2" "$1/mnt/maskcam"
    mount -o remount,bind,ro "$1/mnt/maskcam"
    mount --bind "$3" "$1/mnt/wheels"
    mount -t proc proc "$1/proc"
    exec chroot "$1" env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 \
        PYTHONPATH=/mnt/maskcam:/mnt/wheels python3 /mnt/maskcam/tests/arm64/known_answer.py
' - "$cache/bookworm" "$root" "$cache/wheels-$key"

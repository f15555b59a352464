#!/bin/bash
# What the tests need beside the virtual board's own root file system, run inside that (chroot): the tool that sets a
# camera's controls, pytest, and for the Raspberry Pi's camera port libcamera with its virtual camera (vimc), which
# Debian's kernel lacks, picamera2, and lgpio, which Debian lacks too. 3-6 min.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
kernel=$(ls /lib/modules | sort -V | tail -1)
version=$(echo "$kernel" | cut -d. -f1-2)
source=/usr/src/linux-source-$version build=/usr/src/vimc
apt-get update -q
apt-get install -y -q --no-install-recommends v4l-utils python3-libcamera libcamera-ipa python3-pytest python3-pip \
    python3-dev gcc make libc6-dev libcap-dev swig bzip2 "linux-headers-amd64" "linux-source-$version"
tar -C /usr/src -xf "$source.tar.xz" "linux-source-$version/drivers/media/test-drivers/vimc"
cp -r "$source/drivers/media/test-drivers/vimc" "$build"
sed -i 's/obj-$(CONFIG_VIDEO_VIMC)/obj-m/' "$build/Makefile"
make -C "/lib/modules/$kernel/build" M="$build" modules
install -D -t "/lib/modules/$kernel/extra" "$build/vimc.ko"
depmod "$kernel"
rm -rf "$source" "$build"
apt-get purge -y -q "linux-source-$version"
apt-get clean
# Into the system, as Raspberry Pi OS has them. PYPI=1: lgpio with its C library inside; its wheel for 3.13 is empty.
export PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_WARN_SCRIPT_LOCATION=1
pip install --quiet picamera2==0.3.38
PYPI=1 pip install --quiet --no-binary lgpio lgpio==0.2.2.0
# The board's card is not there, nor is what it brings.
echo 'LABEL=rootfs / ext4 defaults,noatime 0 1' >/etc/fstab
touch /etc/cloud/cloud-init.disabled
systemctl disable feed

#!/bin/bash
# rootfs.sh DIR [ARCH]: the root file system of the virtual board: Debian trixie (amd64, or arm64 through qemu-user) with
# cloud-init set up as Raspberry Pi OS has it, and what stands for a camera and for GPIO, which Debian's kernels lack:
# gpio-sim, built from Debian's own kernel source, and v4l2loopback. Nothing of maskcam: that comes with the card. As
# root; needs debootstrap, and for arm64 qemu-user-static; 3-10 min, arm64 half an hour.
set -euo pipefail
dir=$(realpath -m "$1")
arch=${2:-amd64}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mirror=${MIRROR:-http://deb.debian.org/debian}
export DEBIAN_FRONTEND=noninteractive

inside() { chroot "$dir" env DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

rm -rf "$dir.part"
if [ "$arch" = arm64 ] && [ ! -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]; then
    [ -e /proc/sys/fs/binfmt_misc/register ] || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    grep -v '^#' /usr/lib/binfmt.d/qemu-aarch64.conf >/proc/sys/fs/binfmt_misc/register
fi
debootstrap --arch="$arch" --variant=minbase --include=systemd,systemd-sysv,dbus,libnss-systemd,udev,kmod,procps,iproute2,sudo,\
ca-certificates trixie "$dir.part" "$mirror"
dir=$dir.part
mount -t proc proc "$dir/proc"
trap 'umount "$dir/proc" 2>/dev/null || true' EXIT
inside apt-get install -y -q --no-install-recommends cloud-init python3-venv python3-libgpiod e2fsprogs \
    "linux-image-$arch" "linux-headers-$arch" initramfs-tools v4l2loopback-dkms gcc make xz-utils bzip2
kernel=$(ls "$dir/lib/modules" | sort -V | tail -1)
version=$(echo "$kernel" | cut -d. -f1-2)
inside apt-get install -y -q --no-install-recommends "linux-source-$version"
install -D "$here/guest/build-gpio-sim.sh" "$dir/root/build-gpio-sim.sh"
inside bash /root/build-gpio-sim.sh "$kernel" "$version"
inside apt-get purge -y -q "linux-source-$version"
inside apt-get clean

# As Raspberry Pi OS Trixie has it: the seed of cloud-init lies on the boot partition.
cat >"$dir/etc/cloud/cloud.cfg.d/99_raspberry-pi.cfg" <<'TEXT'
datasource_list: [NoCloud, None]
datasource:
  NoCloud:
    seedfrom: file:///boot/firmware/
TEXT
install -D /dev/stdin "$dir/etc/systemd/system/cloud-init-main.service.d/boot.conf" <<'TEXT'
[Unit]
RequiresMountsFor=/boot/firmware
TEXT
cat >"$dir/etc/fstab" <<'TEXT'
LABEL=rootfs / ext4 defaults,noatime 0 1
LABEL=BOOTFS /boot/firmware vfat defaults 0 2
TEXT
mkdir -p "$dir/boot/firmware"
echo virtual >"$dir/etc/hostname"

# The equipment of the test: a camera and pins, there before anything of maskcam.
install -D "$here/guest/board.sh" "$dir/opt/equipment/board.sh"
install -D "$here/guest/feed.py" "$dir/opt/equipment/feed.py"
for name in board feed; do
    install -m 644 "$here/guest/$name.service" "$dir/etc/systemd/system/"
    inside systemctl enable "$name"
done
# A console for the test: root, without a password, on the serial line only.
install -D /dev/stdin "$dir/etc/systemd/system/serial-getty@.service.d/login.conf" <<'TEXT'
[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --keep-baud 115200,57600,38400,9600 - vt220
TEXT
# It starts in half the time with a small initramfs, and without what a first boot would put in order.
modules=(virtio_pci virtio_blk ext4)
[ "$arch" = amd64 ] || modules+=(bcm2835) # reads the SD card of a Raspberry Pi 3
printf '%s\n' "${modules[@]}" >>"$dir/etc/initramfs-tools/modules"
sed -i 's/^MODULES=.*/MODULES=list/' "$dir/etc/initramfs-tools/initramfs.conf"
inside update-initramfs -u -k "$kernel"
inside systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service
inside ldconfig
inside systemd-hwdb update
inside journalctl --update-catalog
touch "$dir/etc/.updated" "$dir/var/.updated"
umount "$dir/proc"
trap - EXIT
mv "$dir" "${dir%.part}"

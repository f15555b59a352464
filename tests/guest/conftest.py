"""An emulated x86-64 machine with real V4L2 devices and GPIO lines, on which maskcam is installed.

The virtual board's root file system and runner (tests/virtual) are used as they are; what is more is put over it. What
takes long stays in VIRTUAL (a folder): that root file system and the layer over it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BOARD = ROOT / "tests" / "virtual"
CACHE = Path(os.environ.get("VIRTUAL") or ROOT / ".virtual").absolute()
TOOLS = {"qemu-system-x86_64": "qemu-system-x86", "debootstrap": "debootstrap", "mke2fs": "e2fsprogs"}
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
MACHINE = {"python": "3.13", "machine": "x86_64", "glibc": "2.40"}
"""Debian trixie, for which the wheels are; uv knows no newer glibc than 2.40."""

collect_ignore = ["inside"]  # these run in the guest


def obstacle() -> str:
    """Why no machine can be emulated here; empty when one can."""
    if not os.environ.get("TEST_GUEST"):
        return "boots an emulated machine, which takes minutes: make test-guest"
    if os.geteuid() != 0:
        return "needs root"
    missing = [
        package for tool, package in TOOLS.items() if not shutil.which(tool, path=f"{os.environ['PATH']}:{PATH}")
    ]
    return f"apt-get install {' '.join(missing)}" if missing else ""


@contextmanager
def overlay(where: Path, upper: Path, *lowers: Path):
    """The folders `lowers`, the first on top, with what is changed in `upper`; for the time of the block."""
    work, root = where / "work", where / "root"
    for folder in (upper, work, root):
        folder.mkdir(parents=True, exist_ok=True)
    layers = f"lowerdir={':'.join(map(str, lowers))},upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "-o", layers, "overlay", root], check=True)
    try:
        yield root
    finally:
        subprocess.run(["umount", root], check=True)


def inside(root: Path, *command: str) -> None:
    """Runs a command in that root file system, natively: far faster than in the machine."""
    environ = {"PATH": PATH, "HOME": "/root", "PIP_CERT": f"/{CERTIFICATES}", "SYSTEMD_IN_CHROOT": "1"}
    script = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
    enter = ["unshare", "--mount", "sh", "-c", script, root, *command]
    subprocess.run(enter, check=True, env=environ, stdin=subprocess.DEVNULL)


def equipped() -> tuple[Path, Path]:
    """The layer with the equipment of the tests, and the board's root file system below it; each made once."""
    rootfs = CACHE / "rootfs"
    if not rootfs.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run([BOARD / "rootfs.sh", rootfs], check=True)
    script = HERE / "equipment.sh"
    told = script.read_bytes() + str(rootfs.stat().st_ctime_ns).encode()
    layer = CACHE / f"equipment-{hashlib.sha256(told).hexdigest()[:8]}"
    if not layer.exists():
        part, scratch = layer.with_suffix(".part"), layer.with_suffix(".scratch")
        for folder in (part, scratch):
            shutil.rmtree(folder, ignore_errors=True)
        with overlay(scratch, part, rootfs) as root:
            if Path("/", CERTIFICATES).exists():  # a proxy's may be among them
                shutil.copy(Path("/", CERTIFICATES), root / CERTIFICATES)
            shutil.copy(script, root / "root/equipment.sh")
            inside(root, "bash", "/root/equipment.sh")
        shutil.rmtree(scratch)
        part.rename(layer)
    return layer, rootfs


def install(root: Path) -> None:
    """maskcam by its own installer, from wheels; the tests, and the pictures for the camera."""
    sys.path.insert(0, str(BOARD))
    import scene

    from edge.operations.flash.wheels import gather

    gather(ROOT, root / "mnt/wheels", "pi", **MACHINE)
    for name in ("systemd", "configs"):
        shutil.copytree(ROOT / name, root / "mnt/maskcam" / name)
    inside(root, "/mnt/maskcam/systemd/install.sh", "--board", "pi", "--wheels", "/mnt/wheels")
    shutil.rmtree(root / "mnt/wheels")
    inside(root, "systemctl", "disable", "maskcam")  # the tests start it
    shutil.copytree(HERE / "inside", root / "opt/tests")
    scene.write(root / "opt/tests/scene.yuyv")


@pytest.fixture(scope="session")
def console(tmp_path_factory):
    """The serial line of the booted machine, root logged in."""
    if why := obstacle():
        pytest.skip(why)
    layer, rootfs = equipped()
    folder = CACHE / f"guest-{os.getpid()}"
    try:
        with overlay(folder, folder / "upper", layer, rootfs) as root:
            install(root)
            with (folder / "disk.img").open("wb") as file:
                file.truncate(6 << 30)
            mke2fs = shutil.which("mke2fs", path=f"{os.environ['PATH']}:{PATH}")
            ext4 = [mke2fs, "-q", "-F", "-t", "ext4", "-L", "rootfs", "-d", root, folder / "disk.img"]
            subprocess.run(ext4, check=True)
        import machine

        serial = tmp_path_factory.mktemp("guest")  # a short path: a socket's may have 107 letters
        with machine.boot(rootfs, folder / "disk.img", serial, "cloud-init=disabled", memory=1500) as console:
            console.wait_for(r"root@virtual", 600)
            console.run("dmesg --console-level 1")  # the kernel's lines would stand in the answers
            yield console
    finally:
        shutil.rmtree(folder, ignore_errors=True)

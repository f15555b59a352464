"""A Debian that boots in a container (systemd-nspawn), with maskcam's wheels and a camera to look at.

What takes long stays in ~/.cache/maskcam: the root file system by debootstrap, the wheels of other packages.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "maskcam"
SUITES = {(3, 11): "bookworm", (3, 13): "trixie"}
"""The Debian with the Python that runs the tests: wheels for the one fit the other."""
PACKAGES = "systemd,systemd-sysv,dbus,libnss-systemd,udev,python3-venv,procps"
MIRROR = "http://deb.debian.org/debian"
TOOLS = {"debootstrap": "debootstrap", "systemd-nspawn": "systemd-container", "nsenter": "util-linux"}


def obstacle() -> str:
    """Why no container can be booted here; empty when one can."""
    if not os.environ.get("MASKCAM_TEST_SYSTEMD"):
        return "boots a container, which takes minutes: make test-systemd"
    if sys.version_info[:2] not in SUITES:
        return f"no Debian has Python {sys.version_info[0]}.{sys.version_info[1]}"
    if os.geteuid() != 0:
        return "needs root"
    missing = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    if missing:
        return f"apt-get install {' '.join(missing)}"
    if subprocess.run(["unshare", "--pid", "--mount", "--net", "--fork", "true"], capture_output=True).returncode:
        return "no namespaces here"
    return ""


class Container:
    """A booted system in the folder `root`; `systemctl` and all else run inside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = root.with_suffix(".log")
        options = ["--register=no", "--keep-unit", "--private-network", "--console=passive", "--boot"]
        with self.log.open("wb") as log:
            self._nspawn = subprocess.Popen(
                ["systemd-nspawn", "--quiet", f"--machine=maskcam{os.getpid()}", "-D", str(root), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            )
        try:
            self._leader = self.until(self._find_leader, 20)
            self.until(lambda: self.ask("systemctl", "is-system-running") in ("running", "degraded"), 60)
        except BaseException:
            self.power_off()
            raise

    def _find_leader(self) -> int | None:
        """The container's first process, by its number out here."""
        assert self._nspawn.poll() is None, self.log.read_text()
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
        return int(children[0]) if children else None

    def ask(self, *command: str) -> str:
        """What the command prints, whatever its exit code."""
        enter = ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-C", "--"]
        done = subprocess.run([*enter, *command], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.code, self.errors = done.returncode, done.stderr
        return done.stdout.strip()

    def run(self, *command: str) -> str:
        """The same; it must succeed."""
        printed = self.ask(*command)
        assert self.code == 0, f"{' '.join(command)}: {printed}\n{self.errors}"
        return printed

    def path(self, path: str) -> Path:
        """A path of the container as it is seen from out here, its mounts included."""
        return Path(f"/proc/{self._leader}/root{path}")

    def show(self, unit: str, name: str) -> str:
        return self.run("systemctl", "show", "--value", "--property", name, unit)

    def journal(self, unit: str, since: float = 0) -> list[str]:
        """The unit's lines, systemd's about it included; `since` is on this machine's clock."""
        return self.run("journalctl", "--output=cat", f"--since=@{since:.3f}", "--unit", unit).splitlines()

    def until(self, holds, seconds: float):
        """Waits for what `holds` returns to be true, and returns it."""
        deadline = time.monotonic() + seconds
        while not (result := holds()):
            assert time.monotonic() < deadline, f"not within {seconds} s"
            time.sleep(0.1)
        return result

    def power_off(self) -> None:
        leader = getattr(self, "_leader", None)
        if leader:
            os.kill(leader, signal.SIGRTMIN + 4)
        try:
            self._nspawn.wait(30)
        except subprocess.TimeoutExpired:
            if leader:
                os.kill(leader, signal.SIGKILL)
            self._nspawn.kill()
            self._nspawn.wait()
        for hierarchy in ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
            for name in ("payload", "supervisor"):  # --keep-unit leaves them behind
                for folder in sorted(Path(hierarchy, name).rglob("*/"), reverse=True):
                    folder.rmdir()
                if Path(hierarchy, name).is_dir():
                    Path(hierarchy, name).rmdir()


def rootfs() -> Path:
    """A minimal Debian, made once."""
    suite = SUITES[sys.version_info[:2]]
    made = CACHE / f"{suite}-{hashlib.sha256(PACKAGES.encode()).hexdigest()[:8]}"
    if not made.exists():
        part = made.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, part, MIRROR], check=True)
        (part / "etc/fstab").write_text("")
        part.rename(made)
    return made


def wheels(folder: Path) -> Path:
    """maskcam's wheel of this tree in `folder`, and beside it those of the packages it needs, fetched once."""
    facts = (ROOT / "pyproject.toml").read_bytes() + sys.version.encode()
    kept = CACHE / f"wheels-{hashlib.sha256(facts).hexdigest()[:8]}"
    source = folder / "source"  # building in the tree would leave things there
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "runs", "tests", "*.egg-info"))
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir"]
    if not kept.exists():
        part = kept.with_suffix(".part")
        subprocess.run([*pip, part, f"{source}[pi]"], check=True)
        for wheel in part.glob("maskcam-*"):
            wheel.unlink()
        part.rename(kept)
    shutil.copytree(kept, folder / "wheels")
    subprocess.run([*pip, folder / "wheels", "--no-deps", source], check=True)
    return folder / "wheels"


@pytest.fixture(scope="session")
def container(tmp_path_factory):
    """A fresh system, booted, with the checkout and the wheels under /mnt; nothing of maskcam is installed yet."""
    if why := obstacle():
        pytest.skip(why)
    made = rootfs()
    root = CACHE / f"run-{os.getpid()}"
    try:
        subprocess.run(["cp", "--archive", "--reflink=auto", made, root], check=True)
        shutil.copytree(wheels(tmp_path_factory.mktemp("maskcam")), root / "mnt/wheels")
        for name in ("systemd", "configs"):
            shutil.copytree(ROOT / name, root / "mnt/maskcam" / name)
        booted = Container(root)
        try:
            yield booted
        finally:
            booted.power_off()
    finally:
        shutil.rmtree(root, ignore_errors=True)
        root.with_suffix(".log").unlink(missing_ok=True)

"""A Debian that boots in a container (systemd-nspawn), with maskcam's wheels and a camera to look at.

What takes long stays in ~/.cache/maskcam: the root file system by debootstrap, the wheels of other packages.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "maskcam"
SUITES = {(3, 11): "bookworm", (3, 13): "trixie"}
"""The Debian with the Python that runs the tests: wheels for the one fit the other."""
PACKAGES = "systemd,systemd-sysv,dbus,libnss-systemd,udev,python3-venv,procps"
MIRROR = "http://deb.debian.org/debian"
HIERARCHIES = [Path("/sys/fs/cgroup", name) for name in ("", "systemd", "unified")]
"""Where control groups may be: of version 2, or of both."""
TOOLS = {"debootstrap": "debootstrap", "systemd-nspawn": "systemd-container", "nsenter": "util-linux"}


def obstacle() -> str:
    """Why no container can be booted here; empty when one can."""
    if not os.environ.get("TEST_SYSTEMD"):
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
    """A booted system in the folder `root`; `systemctl` and all else run inside it.

    `binds`: folders of this machine by their path inside.
    """

    def __init__(self, root: Path, binds: dict[str, Path]) -> None:
        self.log = root.with_suffix(".log")
        self._groups = [
            folder / f"maskcam{os.getpid()}" for folder in HIERARCHIES if (folder / "cgroup.procs").exists()
        ]
        for group in self._groups:
            group.mkdir()
        options = ["--register=no", "--keep-unit", "--private-network", "--console=passive", "--boot"]
        # Filters of addresses and ports are programs in the kernel, which a container may not load by default.
        options += ["--capability=CAP_BPF,CAP_NET_ADMIN,CAP_PERFMON", "--system-call-filter=bpf"]
        options += [f"--bind={outside}:{inside}" for inside, outside in binds.items()]
        with self.log.open("wb") as log:
            self._nspawn = subprocess.Popen(
                ["systemd-nspawn", "--quiet", f"--machine=maskcam{os.getpid()}", "-D", str(root), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                preexec_fn=self._enter_groups,
            )
        try:
            self._leader = self.until(self._find_leader, 20)
            self.until(lambda: self.ask("systemctl", "is-system-running") in ("running", "degraded"), 60)
        except BaseException:
            self.power_off()
            raise

    def _enter_groups(self) -> None:
        """Apart from other containers: --keep-unit makes its control groups where it is started, and leaves them."""
        for group in self._groups:
            (group / "cgroup.procs").write_text("0")

    def _find_leader(self) -> int | None:
        """The container's first process, by its number out here."""
        assert self._nspawn.poll() is None, self.log.read_text()
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
        return int(children[0]) if children else None

    def ask(self, *command: str) -> str:
        """What the command prints, whatever its exit code."""
        enter = ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-C", "--"]
        clean = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        done = subprocess.run([*enter, *command], capture_output=True, text=True, stdin=subprocess.DEVNULL, env=clean)
        self.code, self.errors = done.returncode, done.stderr
        return done.stdout.strip()

    def run(self, *command: str) -> str:
        """The same; it must succeed."""
        printed = self.ask(*command)
        assert self.code == 0, f"{' '.join(command)}: {printed}\n{self.errors}"
        return printed

    @property
    def leader(self) -> int:
        """Its first process, by its number out here."""
        return self._leader

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
        for group in self._groups:
            for folder in (*sorted(group.rglob("*/"), reverse=True), group):
                if folder.is_dir():
                    folder.rmdir()


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


def add_wheels(folder: Path) -> None:
    """Fills `folder` with maskcam's wheel of this tree, and those of the packages it needs, which are fetched once."""
    import tomllib  # `obstacle` has made sure of Python 3.11

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    brought = ("cpu", "gpiozero", "mqtt", "pi", "update", "web")
    needed = [sys.version, project["dependencies"], *(extras[name] for name in brought)]
    kept = CACHE / f"wheels-{hashlib.sha256(repr(needed).encode()).hexdigest()[:8]}"
    with tempfile.TemporaryDirectory() as source:  # building in the tree would leave things there
        for name in ("edge", "train", "convert", "configs", "systemd"):
            shutil.copytree(ROOT / name, Path(source, name))
        for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE"):
            shutil.copy(ROOT / name, source)
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir"]
        if not kept.exists():
            part = kept.with_suffix(".part")
            subprocess.run([*pip, part, f"{source}[pi]"], check=True)
            for wheel in part.glob("maskcam-*"):
                wheel.unlink()
            part.rename(kept)
        shutil.copytree(kept, folder)
        subprocess.run([*pip, folder, "--no-deps", source], check=True)


@contextmanager
def mounted(folder: Path, *options: str):
    """`mount` with these options, until the end of the block."""
    folder.mkdir(parents=True)
    done = subprocess.run(["mount", *options, folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mount {' '.join(options)}: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="session")
def container():
    """A fresh system, booted, with the checkout and the wheels under /mnt; nothing of maskcam is installed yet.

    It lies in memory, but for those folders on the disk in which the service may write.
    """
    if why := obstacle():
        pytest.skip(why)
    made, run = rootfs(), CACHE / f"run-{os.getpid()}"
    disk = {path: run / "disk" / path[1:] for path in ("/tmp", "/var/tmp", "/var/lib/maskcam")}
    try:
        for folder in disk.values():
            folder.mkdir(parents=True)
            folder.chmod(0o1777)
        with mounted(run / "memory", "-t", "tmpfs", "-o", "size=2g", "tmpfs") as memory, ExitStack() as stack:
            upper, work = memory / "upper", memory / "work"
            upper.mkdir()
            work.mkdir()
            layers = f"lowerdir={made},upperdir={upper},workdir={work}"
            root = stack.enter_context(mounted(memory / "root", "-t", "overlay", "-o", layers, "overlay"))
            add_wheels(root / "mnt/wheels")
            for name in ("systemd", "configs"):
                shutil.copytree(ROOT / name, root / "mnt/maskcam" / name)
            booted = Container(root, disk)
            stack.callback(booted.power_off)
            yield booted
    finally:
        shutil.rmtree(run, ignore_errors=True)

"""Installs a package beside what runs, completely or not at all; what runs is not touched."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from edge.core import plugins
from edge.core.errors import UpdateError
from edge.operations import repack
from edge.operations.update.activate import COMPLETE
from edge.operations.update.package import PREFIX, Manifest, unpack

Run = Callable[[Sequence[str]], None]
LONGEST = 3600.0
"""Longest run of a command, in seconds: pip takes minutes on a slow card."""


@dataclass(frozen=True)
class Installation:
    """An installation. `environment` is the running one: `root` itself, or a release in it."""

    root: Path
    environment: Path

    @property
    def entry(self) -> Path:
        """The program that the unit starts."""
        return self.root / "bin" / "maskcam"

    @property
    def journal(self) -> Path:
        return self.root / "update.json"


def here() -> Installation:
    """The installation that this process runs from. Raises UpdateError if it cannot be updated."""
    environment = Path(sys.prefix)
    root = environment.parent.parent if environment.parent.name == "releases" else environment
    if sys.prefix == sys.base_prefix or not os.path.lexists(root / "bin" / "maskcam"):  # a link may be broken
        raise UpdateError(f"{environment}: not an installation of install.sh: expected {root / 'bin' / 'maskcam'}")
    return Installation(root, environment)


def run(command: Sequence[str]) -> None:
    """Runs a command isolated from the caller's folder, variables and pip.conf; Python gets -I by its arguments.

    Raises UpdateError with the end of the command's output.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    environ["PIP_CONFIG_FILE"] = os.devnull
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environ, cwd="/", stdin=subprocess.DEVNULL, timeout=LONGEST
        )
    except subprocess.TimeoutExpired:  # a driver that hangs would hold the lock and block every update
        raise UpdateError(f"{' '.join(command)} took longer than {LONGEST / 60:.0f} min and was killed") from None
    if done.returncode:
        raise UpdateError(f"{' '.join(command)} failed: {' '.join((done.stderr or done.stdout).split())[-400:]}")


def check(manifest: Manifest, current: str, home: Installation, allow_downgrade: bool) -> None:
    """Raises UpdateError if the package does not fit this device, or is older than what runs (`current`)."""
    from packaging.version import Version

    python = "{}.{}".format(*sys.version_info)
    for name, wanted, found in (
        ("Python", manifest.python, python),
        ("processor", manifest.machine, platform.machine()),
    ):
        if wanted and wanted != found:
            raise UpdateError(f"the package is for {name} {wanted}, this device has {found}")
    if Version(manifest.version) < Version(current) and not allow_downgrade:
        raise UpdateError(
            f"the package is {manifest.kind} {manifest.version}, older than {current}, which runs: "
            "an old one may be brought in to use its faults; --allow-downgrade if you mean it"
        )
    free, need = (
        shutil.disk_usage(home.root).free,
        4 * manifest.bytes,
    )  # packed, unpacked, bytecode, a margin
    if free < need:
        raise UpdateError(f"{home.root}: {free >> 20} MB free, {-(-need >> 20)} MB needed: make room first")


def sweep(home: Installation) -> None:
    """Removes leftovers of an interrupted update: a partial release or bundle, a download."""
    for folder in home.root.glob("releases/*"):
        if folder != home.environment and not (folder / COMPLETE).exists():
            shutil.rmtree(folder, ignore_errors=True)
    for folder in home.root.glob("bundles/*.part"):
        shutil.rmtree(folder, ignore_errors=True)
    for file in home.root.glob(f"{PREFIX}*"):
        file.unlink(missing_ok=True)


@contextmanager
def _whole(folder: Path) -> Iterator[None]:
    """Removes the folder if the block fails."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def release(path: Path, manifest: Manifest, home: Installation, execute: Run = run) -> Path:
    """Creates an environment with the release, and with the packages of the running parts; returns its folder."""
    folder = home.root / "releases" / manifest.version
    if folder == home.environment:
        raise UpdateError(f"release {manifest.version} runs already")
    if (folder / COMPLETE).exists():
        return folder
    own = _own(manifest)
    shutil.rmtree(folder, ignore_errors=True)  # a package that pip left half installed looks installed
    python = str(folder / "bin" / "python")
    base = getattr(sys, "_base_executable", sys.executable)
    with _whole(folder):
        execute([base, "-I", "-m", "venv", "--system-site-packages", str(folder)])
        wheels = folder / "wheels"
        unpack(path, manifest, wheels)
        extra = f"[{manifest.board}]" if manifest.board else ""
        pip = [python, "-I", "-m", "pip", "--isolated", "install", "--quiet", "--disable-pip-version-check"]
        execute([*pip, "--no-index", "--find-links", str(wheels), f"{wheels / own}{extra}"])
        # The system's packages are visible: pip might find a maskcam there and be satisfied.
        execute([*pip, "--no-index", "--force-reinstall", "--no-deps", str(wheels / own)])
        # What any setting may need, since the cameras and their future settings are not known here. If the package
        # lacks some of it, maskcam is installed without it; pip changes nothing when it fails.
        with suppress(UpdateError):
            execute([*pip, "--no-index", "--find-links", str(wheels), f"{wheels / own}[parts]"])
        _carry_over(wheels, [*pip, "--no-index"], execute)
        shutil.rmtree(wheels)
        os.sync()
        (folder / COMPLETE).touch()
        os.sync()
    return folder


def _carry_over(wheels: Path, pip: Sequence[str], execute: Run) -> None:
    """Wheels of the packages with parts in the running environment, as installed there. Raises MaskcamError."""
    if names := plugins.providers():
        folder = wheels / "parts"
        repack.parts(names, folder, {repack.normal(path.name.partition("-")[0]) for path in wheels.glob("*.whl")})
        found = [str(path) for path in sorted(folder.glob("*.whl"))]
        links = ["--find-links", str(wheels), "--find-links", str(folder / repack.NEEDED)]
        execute([*pip, *links, *found])


def _own(manifest: Manifest) -> str:
    """The wheel of maskcam itself, which is installed by path. Raises UpdateError."""
    found = [name for name in manifest.files if name.startswith("maskcam-")] or list(manifest.files)
    if len(found) != 1:
        raise UpdateError(f"release {manifest.version}: expected maskcam's wheel in it once, found {len(found)}")
    return found[0]


def bundle(path: Path, manifest: Manifest, home: Installation) -> Path:
    """The bundle's folder, checked in the same way as by the service."""
    from edge.vision.bundle import load

    folder = home.root / "bundles" / manifest.version
    if folder.exists():
        return folder
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    with _whole(part):
        unpack(path, manifest, part)
        load(part)
        os.sync()
        part.rename(folder)
        os.sync()
    return folder

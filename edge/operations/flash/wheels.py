"""Collects a device's packages on the laptop, for its Python and processor, each checked by a digest.

A lock file, which is part of the release, names them, so no index decides on versions. pip downloads exactly those and
refuses any other; maskcam's own wheel is never taken from an index.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from edge.core import supplied
from edge.core.digest import sha256
from edge.core.errors import FlashError
from edge.operations import repack
from edge.operations.flash import locks
from edge.operations.flash.locks import Pinned

SUMS = "SHA256SUMS"
"""Digests in the format of `sha256sum`, which every system has."""
SOURCES = (
    *("edge", "train", "convert", "configs", "systemd"),
    *("pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE"),
)
"""Sources of the wheel; they are copied, because setuptools would also pack leftovers of earlier builds."""


def source() -> Path:
    """The folder with systemd/ and configs/, in the wheel or in the checkout. Raises FlashError."""
    if folder := supplied.folder():
        return folder
    raise FlashError("maskcam's installer is not here: this installation is damaged: install maskcam again")


def own(checkout: Path, folder: Path) -> Path:
    """maskcam's own wheel: built or, without the source, repacked from its installed files. Raises FlashError."""
    if not (checkout / "pyproject.toml").is_file():
        return repack.repacked(metadata.distribution("maskcam"), folder)
    with tempfile.TemporaryDirectory() as scratch:
        for name in SOURCES:
            if (checkout / name).is_dir():
                shutil.copytree(checkout / name, Path(scratch, name), ignore=shutil.ignore_patterns("__pycache__"))
            elif (checkout / name).is_file():
                shutil.copy(checkout / name, scratch)
        # Uses the installed setuptools (extra "flash"), so none is downloaded.
        options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder.resolve())]
        _pip(["wheel", *options, scratch], scratch)
    return next(folder.glob("maskcam-*.whl"))


def parts(names: Sequence[str], folder: Path, lock: Path, card: bool = False) -> list[Path]:
    """Makes wheels of other packages with parts, and of their dependencies outside the lock, in `folder`.

    card: they must fit another machine. Raises MaskcamError.
    """
    made = repack.parts(names, folder, {repack.normal(name) for name in locks.names(lock)})
    if odd := [path.name for path in made if card and not path.name.endswith("-none-any.whl")]:
        raise FlashError(f"{', '.join(odd)}: for this machine only: leave its part out, and install it on the board")
    return made


def gather(
    checkout: Path,
    folder: Path,
    board: str,
    python: str,
    machine: str,
    glibc: str,
    say: Callable[[str], None] = print,
    cache: Path | None = None,
) -> list[Path]:
    """Puts wheels of maskcam[board] and all dependencies into `folder`; returns them. Raises FlashError.

    Downloads are kept in `cache` (by default the user's), and checked against the lock when reused.
    """
    if machine == "armv7l":
        raise FlashError(
            "--offline: NumPy and OpenCV have no wheels for 32-bit systems: write a 64-bit one, or leave --offline out"
        )
    lock = locks.path(checkout, board, machine)
    pinned = locks.read(lock, python, machine)
    text = "".join(f"{package}\n" for package in pinned)
    name = f"{board}-{python}-{machine}-{glibc}"
    kept = (cache or user_cache()) / "wheels" / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if not _complete(kept, pinned):
        say(f"downloading {len(pinned)} packages: {', '.join(package.name for package in pinned)}")
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
            wanted, part = Path(scratch, "lock.txt"), Path(scratch, "wheels")
            wanted.write_text(text)
            options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--dest", str(part)]
            options += ["--python-version", python, *_platforms(machine, glibc)]
            _pip(["download", *options, "-r", str(wanted)], scratch)
            for old in kept.parent.glob(f"{name}-*"):
                shutil.rmtree(old, ignore_errors=True)
            part.rename(kept)
    folder.mkdir(parents=True, exist_ok=True)
    for path in kept.glob("*.whl"):
        shutil.copy(path, folder)
    own(checkout, folder)
    return sorted(folder.glob("*.whl"))


def user_cache(environ: Mapping[str, str] = os.environ) -> Path:
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "maskcam"


def _complete(folder: Path, pinned: Sequence[Pinned]) -> bool:
    """Whether the folder holds all packages, unchanged, and nothing else."""
    try:
        found = [sha256(path) for path in folder.iterdir()]
    except OSError:
        return False
    return len(found) == len(pinned) and all(any(d in package.sha256 for d in found) for package in pinned)


def _platforms(machine: str, glibc: str) -> list[str]:
    """The platform tags for pip, which needs each one listed, not "this glibc or older"."""
    newest = int(glibc.partition(".")[2])
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(newest, 16, -1)] + [f"manylinux2014_{machine}"]
    return [word for tag in [*tags, f"linux_{machine}"] for word in ("--platform", tag)]


def sums(files: Sequence[tuple[str, Path | bytes]]) -> str:
    """The lines for `sha256sum --check`."""
    return "".join(f"{digest(content)}  {name}\n" for name, content in files)


def digest(content: Path | bytes) -> str:
    """SHA-256, hexadecimal."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    return sha256(content)


def _pip(arguments: Sequence[str], folder: str) -> None:
    """Runs pip so that it imports nothing from the caller's folder or PYTHONPATH. Raises FlashError."""
    environ = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    command = [sys.executable, "-I", "-m", "pip", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=folder, stdin=subprocess.DEVNULL)
    if done.returncode:
        reason = " ".join((done.stderr or done.stdout).split())[-400:]
        raise FlashError(f"pip {arguments[0]} failed: {reason}")

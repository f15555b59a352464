"""The packages of a device, gathered on the laptop: for its Python and its processor, with hashes.

uv resolves for another platform (pip's markers are always those of the machine it runs on) and names the digest of
every file; pip downloads exactly those and refuses any other.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.core.digest import sha256
from edge.core.errors import FlashError, MissingPackage

SUMS = "SHA256SUMS"
"""Digests in the form of `sha256sum`, which is on every card."""
CONSTRAINTS = "backports.strenum<1.3; python_version >= '3.11'\n"
"""uv does not heed the upper bound of a package's Requires-Python; LiteRT's strenum has one from 1.3 on."""


def source() -> Path:
    """The checkout that this maskcam runs from. Raises FlashError for one installed without it."""
    for folder in (Path(__file__).parents[3], Path.cwd()):
        if (folder / "systemd" / "install.sh").is_file() and (folder / "pyproject.toml").is_file():
            return folder
    raise FlashError(
        "maskcam's source is not here: run this in the folder of its repository (pyproject.toml, systemd/)"
    )


def own(checkout: Path, folder: Path) -> Path:
    """Builds maskcam's own wheel. Raises FlashError."""
    _run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(checkout)])
    return next(folder.glob("maskcam-*.whl"))


def gather(
    checkout: Path, folder: Path, board: str, python: str, machine: str, glibc: str, say: Callable[[str], None] = print
) -> list[Path]:
    """Wheels of maskcam[board] and of all it needs, into `folder`; returns them. Raises FlashError."""
    if machine == "armv7l":
        raise FlashError(
            "--offline: NumPy and OpenCV have no wheels for 32-bit systems: write a 64-bit one, or leave --offline out"
        )
    try:
        import uv  # noqa: F401
    except ModuleNotFoundError:
        raise MissingPackage("uv", extra="flash") from None
    folder.mkdir(parents=True, exist_ok=True)
    mine = own(checkout, folder)
    with tempfile.TemporaryDirectory() as scratch:
        lock = Path(scratch) / "lock.txt"
        wanted = Path(scratch) / "wanted.in"
        wanted.write_text(f"maskcam[{board}] @ {mine.resolve().as_uri()}\n")
        constraints = Path(scratch) / "constraints.txt"
        constraints.write_text(CONSTRAINTS)
        say(f"resolving maskcam[{board}] for Python {python}, {machine}")
        uv_options = ["--python-version", python, "--python-platform", f"{machine}-manylinux_{glibc.replace('.', '_')}"]
        uv_options += ["--generate-hashes", "--only-binary", ":all:", "--no-emit-package", "maskcam", "--quiet"]
        uv_options += ["--constraint", str(constraints)]
        _run([sys.executable, "-m", "uv", "pip", "compile", str(wanted), "--output-file", str(lock), *uv_options])
        names = [line.split()[0] for line in lock.read_text().splitlines() if "==" in line.partition("#")[0]]
        say(f"downloading {len(names)} packages: {', '.join(names)}")
        pip = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--dest",
            str(folder),
        ]
        _run([*pip, "--only-binary", ":all:", "--python-version", python, *_platforms(machine, glibc), "-r", str(lock)])
    return sorted(folder.glob("*.whl"))


def _platforms(machine: str, glibc: str) -> list[str]:
    """pip takes every platform tag by itself, not "this glibc or older"."""
    newest = int(glibc.partition(".")[2])
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(newest, 16, -1)] + [f"manylinux2014_{machine}"]
    return [word for tag in [*tags, f"linux_{machine}"] for word in ("--platform", tag)]


def sums(files: Sequence[tuple[str, Path | bytes]]) -> str:
    """Lines for `sha256sum --check`."""
    return "".join(f"{digest(content)}  {name}\n" for name, content in files)


def digest(content: Path | bytes) -> str:
    """SHA-256, hexadecimal."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    return sha256(content)


def _run(command: list[str]) -> None:
    environ = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "SSL_CERT_FILE": os.environ.get("PIP_CERT", "")}
    if not environ["SSL_CERT_FILE"]:
        environ["SSL_CERT_FILE"] = os.environ.get("SSL_CERT_FILE", "")
    environ = {name: value for name, value in environ.items() if value}
    done = subprocess.run(command, capture_output=True, text=True, env=environ)
    if done.returncode:
        reason = " ".join((done.stderr or done.stdout).split())[-400:]
        raise FlashError(f"{' '.join(command[2:5])} failed: {reason}")

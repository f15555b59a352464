"""Resolves what maskcam needs for boards other than this machine, from wheels alone; nothing there may need a compiler.

pip judges environment markers by the machine it runs on, so those of pyproject.toml are judged here, for the board.
What follows from the packages' own markers is still judged by pip: none of them asks for the machine.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent.parent
APT = {"numpy", "opencv-python-headless"}
"""On 32-bit boards these come from python3-numpy and python3-opencv, under `venv --system-site-packages`."""
TARGETS = [("aarch64", "3.11"), ("aarch64", "3.13"), ("armv7l", "3.11")]
GLIBC = {"3.11": range(17, 37), "3.13": range(17, 42)}
"""Minor versions of the glibc that a board accepts wheels for: Raspberry Pi OS Bookworm has 2.36, Trixie 2.41."""


def requirements(extra: str, machine: str, python: str) -> list[Requirement]:
    """Of maskcam with an extra on a board with that machine and Python, maskcam's own extras unfolded."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    board = {"platform_machine": machine, "python_version": python, "sys_platform": "linux", "extra": ""}
    found = []
    for line in [*project["dependencies"], *project["optional-dependencies"][extra]]:
        one = Requirement(line)
        if one.name == "maskcam":
            found += [r for inner in one.extras for r in requirements(inner, machine, python)]
        elif one.marker is None or one.marker.evaluate(board):
            one.marker = None
            found.append(one)
    return list({str(one): one for one in found}.values())


def install(wanted: list[str], machine: str, python: str, target: Path | None = None, deps: bool = True) -> str:
    """Unpacks wheels for the board into `target`, or only resolves them; returns pip's error, "" for none."""
    with tempfile.TemporaryDirectory() as nowhere:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command += ["--only-binary=:all:", f"--python-version={python}", "--implementation=cp"]
        command += [f"--platform=manylinux_2_{minor}_{machine}" for minor in reversed(GLIBC[python])]
        command += [f"--platform=manylinux2014_{machine}", f"--target={target or nowhere}"]
        command += ([] if target else ["--dry-run"]) + ([] if deps else ["--no-deps"])
        done = subprocess.run([*command, *wanted], capture_output=True, text=True)
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
    return (" ".join(errors) or "pip failed") if done.returncode else ""


def main() -> int:
    failed = False
    for machine, python in TARGETS:
        wanted = requirements("pi", machine, python)
        here = [str(r) for r in wanted if machine != "armv7l" or r.name not in APT]
        # tflite-runtime asks for NumPy, which a 32-bit board has from apt: its dependencies are not followed.
        with_numpy = [r for r in here if r.startswith("tflite-runtime") and machine == "armv7l"]
        problem = install([r for r in here if r not in with_numpy], machine, python)
        problem = problem or (install(with_numpy, machine, python, deps=False) if with_numpy else "")
        failed |= bool(problem)
        apt = "; from apt: python3-numpy, python3-opencv" if machine == "armv7l" else ""
        print(f"{machine} Python {python}: {problem or 'resolves: ' + ', '.join(here) + apt}")
        for name in sorted(APT) if machine == "armv7l" else []:
            if not install([name], machine, python, deps=False):
                failed = True
                print(f"{machine} Python {python}: {name} has a wheel now: apt's package is no longer needed")
    return failed


if __name__ == "__main__":
    raise SystemExit(main())

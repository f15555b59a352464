"""Checks a Coral: on the bus, at full speed, with permission, and with its library."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from edge.core.findings import Finding, absent, bad, ok, warn
from edge.core.probes import Run, text

USB3 = 5000
"""Mbit/s."""
_LOAD = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"
RUNTIME = (
    "install libedgetpu1-std of https://github.com/feranick/libedgetpu (16.0 for TensorFlow 2.19.1; not tried by us), "
    "not Google's, which crashes with newer runtimes"
)
_BUILD = (
    "import ctypes, sys; f = ctypes.CDLL(sys.argv[1]).edgetpu_version; f.restype = ctypes.c_char_p; "
    "print(f().decode(errors='replace'))"
)


def coral(
    root: Path,
    wanted: bool,
    run: Run,
    runtime: str = "",
    may: Callable[[Path], bool] = lambda path: os.access(path, os.R_OK | os.W_OK),
) -> Iterator[Finding]:
    """`wanted`: the settings ask for it; `may` tells whether this user can open a device.

    runtime: name and version of a TFLite runtime that is too new for Google's own library; "" if none is.
    """
    from edge.backends.coral import USB, library

    sticks = [
        device
        for device in sorted((root / "sys/bus/usb/devices").glob("*"))
        if (text(device / "idVendor"), text(device / "idProduct")) in USB
    ]
    boards = sorted((root / "dev").glob("apex_*"))
    if not sticks and not boards:
        yield bad("Coral", "none found", "plug it into a USB 3 port") if wanted else absent("Coral", "none found")
        return
    for stick in sticks:
        yield _stick(root, stick, may)
    for board in boards:
        if may(board):
            yield ok("Coral", f"{board}, PCIe")
        else:
            yield bad("Coral", f"{board}: no permission", "sudo usermod -aG apex $USER, then log in again")
    if run(sys.executable, "-c", _LOAD, library()) is None:
        yield bad("Coral library", f"{library()} is not installed or does not load", RUNTIME)
    else:
        yield _library(library(), run, runtime)


def _library(name: str, run: Run, runtime: str) -> Finding:
    """Checks the build of the library, and whether it is known to crash with the installed TFLite runtime."""
    packages = run("dpkg-query", "-W", "-f", "${Package} ${Version}\n", "libedgetpu1-std", "libedgetpu1-max") or ""
    package = next((line.strip() for line in packages.splitlines() if len(line.split()) == 2), "")
    build = run(sys.executable, "-c", _BUILD, name) or ""
    found = ", ".join(part for part in (name, package, build.strip()) if part)
    # Google's packages end at 16.0; the maintained ones name the TensorFlow they were built with ("16.0tf2.19.1-1").
    googles = bool(package) and "tf" not in package.partition(" ")[2]
    if googles and runtime:
        pair = f"{found}: Google's build, known to crash with {runtime} (google-coral/edgetpu#812)"
        return warn("Coral library", pair, RUNTIME)
    return ok("Coral library", found)


def _stick(root: Path, stick: Path, may: Callable[[Path], bool]) -> Finding:
    bus, number, speed = (text(stick / name) for name in ("busnum", "devnum", "speed"))
    before = text(stick / "idVendor") == "1a6e"
    found = f"USB stick at {speed or '?'} Mbit/s, {'before' if before else 'after'} its first inference"
    if not may(root / f"dev/bus/usb/{bus.zfill(3)}/{number.zfill(3)}"):
        return bad("Coral", f"{found}: no permission", "sudo usermod -aG plugdev $USER, log in, plug it in again")
    if speed.isdigit() and int(speed) < USB3:
        return warn("Coral", f"{found}: three times slower than on USB 3", "plug it into a USB 3 (blue) port")
    return ok("Coral", found)

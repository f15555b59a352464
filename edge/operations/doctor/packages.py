"""Checks of Python packages: installed, loadable, and compatible with one another."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata

from edge.core.errors import install
from edge.core.findings import Finding, bad, ok, warn

PIP = f"{'' if os.access(sys.prefix, os.W_OK) else 'sudo '}{sys.executable} -m pip"
DISTRIBUTIONS = {
    "numpy": "numpy",
    "cv2": "opencv-python-headless",
    "ai_edge_litert": "ai-edge-litert",
    "tflite_runtime": "tflite-runtime",
    "simplejpeg": "simplejpeg",
    "picamera2": "picamera2",
    "gpiozero": "gpiozero",
    "lgpio": "lgpio",
    "gpiod": "gpiod",
    "pycoral.utils.edgetpu": "pycoral",
}
"""Module -> the PyPI package that provides it; a distribution's own package may have no such entry."""
NO_MODULE = "ModuleNotFoundError: it holds none"
_IMPORT = "import importlib, sys; print(getattr(importlib.import_module(sys.argv[1]), '__version__', ''))"


@dataclass(frozen=True)
class Package:
    version: str | None = None
    """None: not installed; "" if unknown."""
    error: str = ""
    """Why it does not load."""
    wheel: bool = False
    """Installed from PyPI, not from the system's packages."""

    @property
    def major(self) -> int:
        head = (self.version or "").partition(".")[0]
        return int(head) if head.isdigit() else 0

    def __bool__(self) -> bool:
        return self.version is not None


@dataclass(frozen=True)
class Platform:
    """What determines which packages exist."""

    python: tuple[int, int]
    bits: int
    """Bits of a pointer: 32 or 64."""
    glibc: tuple[int, ...]
    """Version of glibc; () with another C library."""
    jetson: bool = False


def look(module: str) -> Package:
    """Loads a module in a process of its own, because one built for another processor or NumPy can crash."""
    try:
        listed: str | None = metadata.version(DISTRIBUTIONS[module])
    except metadata.PackageNotFoundError:
        listed = None
    spec = importlib.util.find_spec(module.partition(".")[0])
    if spec is None:
        return Package(listed, NO_MODULE if listed is not None else "", listed is not None)
    wheel = listed is not None and not (spec.origin or "").startswith("/usr/lib/python3/")  # where apt installs
    try:
        command = [sys.executable, "-c", _IMPORT, module]
        # Not the caller's folder: python -c searches it first, and `sudo maskcam doctor` is root's.
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, errors="replace", cwd="/")
    except subprocess.TimeoutExpired:
        return Package(listed or "", "loading it took more than a minute", wheel)
    error = ""
    if done.returncode:
        error = f"signal {-done.returncode}" if done.returncode < 0 else (done.stderr.strip().splitlines() or ["?"])[-1]
    return Package(listed or done.stdout.strip() or "", error, wheel)


def look_at_all() -> dict[str, Package]:
    return {module: look(module) for module in DISTRIBUTIONS}


def packages(found: Mapping[str, Package], platform: Platform) -> Iterator[Finding]:
    """Checks the packages that every camera needs, and looks for harmful ones."""
    yield _python(found, platform)
    yield _numpy(found)
    yield _opencv(found["cv2"], platform)
    yield _tflite(found, platform)
    coral = found["pycoral.utils.edgetpu"]
    if coral.error.startswith("ModuleNotFoundError"):
        yield bad(
            "pycoral",
            f"{coral.version} from PyPI is an unrelated project that bears the name of Google's",
            f"{PIP} uninstall -y pycoral (maskcam needs neither)",
        )


def _python(found: Mapping[str, Package], platform: Platform) -> Finding:
    said = f"{platform.python[0]}.{platform.python[1]}, {platform.bits} bit, {sys.executable}"
    if platform.bits == 32 and platform.python >= (3, 13) and not (found["ai_edge_litert"] or found["tflite_runtime"]):
        return bad(
            "Python",
            f"{said}: no TFLite runtime exists for it",
            "install the 64-bit Raspberry Pi OS, or the 32-bit one of Bookworm (Python 3.11)",
        )
    return ok("Python", said)


def _numpy(found: Mapping[str, Package]) -> Finding:
    numpy, old = found["numpy"], f"{PIP} install 'numpy<2'"
    if not numpy:
        return bad("NumPy", "not installed", f"{PIP} install --force-reinstall maskcam")
    if numpy.error:
        return bad("NumPy", f"{numpy.version} does not load: {numpy.error}", f"{PIP} install --force-reinstall numpy")
    if numpy.major >= 2 and found["tflite_runtime"] and not found["ai_edge_litert"]:
        return bad("NumPy", f"{numpy.version}: tflite-runtime fails with 2", old)
    if numpy.major >= 2 and found["simplejpeg"].error:
        return bad("NumPy", f"{numpy.version}: simplejpeg, which picamera2 needs, was built for 1", old)
    return ok("NumPy", numpy.version or "installed")


def _opencv(opencv: Package, platform: Platform) -> Finding:
    wheel = "opencv-python-headless>=4.8,<5"
    mend = "sudo apt install python3-opencv" if platform.jetson or platform.bits == 32 else f"{PIP} install '{wheel}'"
    if not opencv:
        return bad("OpenCV", "not installed", mend)
    if opencv.error:
        return bad("OpenCV", f"{opencv.version} does not load: {opencv.error}".replace("  ", " "), mend)
    if opencv.major >= 5:
        return bad("OpenCV", f"{opencv.version}: 5 dropped parts that maskcam uses", f"{PIP} install '{wheel}'")
    if platform.jetson and opencv.wheel:
        return warn(
            "OpenCV",
            f"{opencv.version} from PyPI, without CUDA and GStreamer, hides the board's own",
            f"{PIP} uninstall -y opencv-python-headless opencv-python",
        )
    return ok("OpenCV", opencv.version or "installed")


def _tflite(found: Mapping[str, Package], platform: Platform) -> Finding:
    for name, module in (("LiteRT", "ai_edge_litert"), ("tflite-runtime", "tflite_runtime")):
        package = found[module]
        if not package:
            continue
        if module == "tflite_runtime" and platform.glibc and platform.glibc < (2, 34):
            version = ".".join(map(str, platform.glibc))
            return bad(
                "TFLite", f"{name} needs glibc 2.34, this system has {version}", "update to Raspberry Pi OS Bookworm"
            )
        if package.error:
            return bad(
                "TFLite",
                f"{name} does not load: {package.error}",
                f"{PIP} install --force-reinstall {DISTRIBUTIONS[module]}",
            )
        return ok("TFLite", f"{name} {package.version}")
    if platform.jetson:  # measured on a processor: int8 files in a TFLite runtime take less than a quarter of the time
        said = "no runtime; OpenCV without CUDA runs the networks 4 to 5 times slower"
        return warn("TFLite", said, install("ai-edge-litert", "jetson"))
    return bad("TFLite", "no runtime", install("ai-edge-litert", "cpu"))

"""The errors that maskcam raises; each is also the built-in error that a caller would expect.

MaskcamError
├── ConfigError (ValueError)     a setting: names file, key, value, expectation
├── BundleError (ValueError)     a model bundle: missing, damaged, of another schema
├── DataError (ValueError)       pictures or annotations that cannot be used
├── CameraError (OSError)        a camera or a recording that cannot be opened or read
├── EngineError (RuntimeError)   an inference backend that cannot load or run a network
├── SinkError (OSError)          an alert that could not be delivered
├── FlashError (ValueError)      a card or an image that cannot be prepared as asked
├── UpdateError (RuntimeError)   an update that was refused or that failed
└── MissingPackage (ImportError) an optional package that is not installed
"""

from __future__ import annotations

import platform
import sys


class MaskcamError(Exception):
    """The base class; `maskcam` prints it as one line and exits with code 2."""


def bare(error: Exception) -> Exception:
    """The same error without tracebacks, to be stored.

    A traceback refers to stack frames with all their variables: a picture, or the object that stores the error, which
    makes a reference cycle that lives until the next full garbage collection.
    """
    waiting: list[BaseException | None] = [error]
    seen: list[BaseException] = []
    while waiting:
        link = waiting.pop()
        if link is not None and link not in seen:
            link.__traceback__ = None
            seen.append(link)
            waiting += [link.__cause__, link.__context__]
    return error


class ConfigError(MaskcamError, ValueError):
    pass


class BundleError(MaskcamError, ValueError):
    pass


class DataError(MaskcamError, ValueError):
    pass


class CameraError(MaskcamError, OSError):
    pass


class EngineError(MaskcamError, RuntimeError):
    pass


class SinkError(MaskcamError, OSError):
    pass


class FlashError(MaskcamError, ValueError):
    pass


class UpdateError(MaskcamError, RuntimeError):
    pass


REQUIREMENTS = {
    "cv2": "'opencv-python-headless>=4.8,<5'",
    "ai-edge-litert": "'ai-edge-litert>=2.1'"
    if sys.version_info >= (3, 11) and platform.machine() != "armv7l"
    else "'tflite-runtime>=2.14' 'numpy<2'",
    "scikit-image": "'scikit-image>=0.22' 'pooch>=1.6'",
    "gpiozero": "'gpiozero>=2.0.1.post3'",
    "gpiod": "'gpiod>=2'",
    "Pillow": "'Pillow>=10'",
    "paho": "'paho-mqtt>=2'",
}
"""What to install with pip, by package or module, as in the extras of pyproject.toml; a test compares them."""
_SAME = {"ai_edge_litert": "ai-edge-litert", "tflite_runtime": "ai-edge-litert", "skimage": "scikit-image"}


def install(package: str, extra: str) -> str:
    """The command that installs a package of one of maskcam's extras."""
    pip = f"{sys.executable} -m pip install"
    if wanted := REQUIREMENTS.get(_SAME.get(package, package)):
        return f"{pip} {wanted}"
    return f"{pip} '.[{extra}]' in maskcam's folder"


class MissingPackage(MaskcamError, ImportError):
    """`MissingPackage("cv2", extra="cpu")` says what to install; `remedy` is for packages outside of the extras.

    maskcam is on no package index, so the message names the package itself, or the extra and maskcam's folder.
    """

    def __init__(self, package: str, extra: str = "cpu", remedy: str = "") -> None:
        super().__init__(f"package '{package}' is not installed: " + (remedy or install(package, extra)))

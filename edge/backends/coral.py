"""Google's Coral: the TFLite interpreter with the Edge TPU delegate, on the bundle's compiled file.

The delegate is a system library that can crash or hang with runtimes newer than itself, so this engine runs in a
process of its own (`supervised`). Options and library names: https://coral.ai/docs/edgetpu/tflite-python.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from edge.backends.tflite import TFLiteEngine, interpreter_class
from edge.core.errors import EngineError
from edge.vision.bundle import Bundle

LIBRARIES = {"linux": "libedgetpu.so.1", "darwin": "libedgetpu.1.dylib", "win32": "edgetpu.dll"}
USB = {("1a6e", "089a"), ("18d1", "9302")}
"""USB vendor and product ids of the stick: before its first inference, and after its firmware was loaded."""


def library() -> str:
    """File name of the delegate on this system."""
    return LIBRARIES.get(sys.platform, LIBRARIES["linux"])


def devices(root: Path | str = "/") -> list[str]:
    """Edge TPUs by the names that `device` takes, such as "usb:0" or "pci:0".

    Asks Google's pycoral if it is installed, otherwise reads the bus under `root`. (The package of that name on PyPI
    is another project, hence the import of the exact module.) Uses no driver, so it is safe in any process.
    """
    if Path(root) == Path("/"):
        try:
            listed = importlib.import_module("pycoral.utils.edgetpu").list_edge_tpus()
            return _numbered([tpu["type"] for tpu in listed])
        except ImportError:
            pass
    plugged = [(_text(p, "idVendor"), _text(p, "idProduct")) for p in Path(root).glob("sys/bus/usb/devices/*")]
    cards = list(Path(root).glob("dev/apex_*"))
    return _numbered(["usb"] * sum(ids in USB for ids in plugged) + ["pci"] * len(cards))


def _numbered(kinds: list[str]) -> list[str]:
    return [f"{kind}:{kinds[:i].count(kind)}" for i, kind in enumerate(kinds)]


def _text(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text().strip()
    except OSError:
        return ""


def open(bundle: Bundle, network: str, threads: int, device: str = "") -> TFLiteEngine:
    """The engine of one of the bundle's networks on `device`: "usb", "usb:0", "pci:1", or "" for any.

    Raises BundleError if the bundle has no compiled file, and EngineError without library or device.
    """
    path = bundle.path(network, "edgetpu")
    return TFLiteEngine(path, bundle.networks[network], threads, [_delegate(device)])


def _delegate(device: str) -> Any:
    """The loaded delegate. Its library gives no reason when it finds no device, so the bus is listed."""
    maker, package = interpreter_class()
    within = "tensorflow.lite.experimental" if package == "tensorflow" else maker.__module__
    module: Any = importlib.import_module(within)
    try:
        return module.load_delegate(library(), {"device": device} if device else {})
    except OSError:
        raise EngineError(
            f"{library()} not found: install the Edge TPU runtime, libedgetpu1-std of "
            "https://github.com/feranick/libedgetpu (Google's own crashes with newer TFLite runtimes)"
        ) from None
    except ValueError as error:
        said = " ".join(str(error).partition(library())[2].split())
        found = ", ".join(devices()) or "none"
        if said:
            raise EngineError(
                f"{library()} refuses backend.device = '{device}': {said}; Edge TPUs on the bus: {found}"
            ) from None
        raise EngineError(
            f"{library()} found no free Edge TPU for backend.device = '{device}'; on the bus: {found}; plug it in, end "
            "what else uses it, and let the service read it (group plugdev for USB, apex for PCIe)"
        ) from None

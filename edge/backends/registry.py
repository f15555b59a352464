"""The backends: each row states all that the other parts need to know about one.

To add one, write a module with `open`, a row here and a test; another package adds one through the entry point
"maskcam.backends", which names a `Backend`. This module imports no backend, so listing them is cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.core.findings import Finding
from edge.core.plugins import installed
from edge.core.probes import Run

INT8 = 0.15
"""Largest RMS difference allowed for a file of the same int8 network, as a share of the right answer's standard
deviation. Most cells give the lowest score for any input, so a plain mean would hide the few that matter.

Measured: 0.09 between the kernels of LiteRT and tflite-runtime; 0.27 and more if the picture is shifted by four
pixels, 0.5 and more if red and blue are swapped, 0.9 and more if the network gets no picture at all.
"""
FLOAT = 0.4
"""The same for the float network, measured at up to 0.31: the answer in the bundle is the int8 network's."""

Check = Callable[[Path, bool, Run, str], Iterable[Finding]]
"""A check of `maskcam doctor`. Arguments: the root of the file system, whether the settings ask for the backend, a
runner of programs, and the TFLite runtime that is too new for Google's library ("" if none is)."""


@dataclass(frozen=True)
class Backend:
    """One way to run a network."""

    name: str
    """Name in the settings."""
    target: str
    """ "module:attribute" of `open(bundle, network, threads, device) -> Engine`: text, because a process of its own may
    have to import it."""
    form: str = ""
    """Which of the bundle's files it runs, such as "tflite"; "" for none."""
    isolated: bool = False
    """Whether it runs in a process of its own, because its driver can crash or hang."""
    tolerance: float = INT8
    """Tolerance of the known answer: INT8 or FLOAT."""
    auto: bool = True
    """Whether "auto" and a fallback may take it."""
    board: str = ""
    """The kind of board that it needs, for `maskcam flash`, such as "coral"; "" if any board will do."""
    needs: frozenset[str] = frozenset()
    """What the installer must provide: "extra:NAME", an extra of maskcam; "apt:NAME", a package of the system."""
    unavailable: Callable[[], str] = str
    """Why it cannot work here, if that is known without its driver; "" otherwise."""
    check: Check | None = None


def _no_cuda() -> str:
    from edge.backends.opencv import built_without_cuda

    return built_without_cuda()


def _coral(root: Path, wanted: bool, run: Run, runtime: str) -> Iterable[Finding]:
    from edge.backends.coral_check import coral

    return coral(root, wanted, run, runtime)


BUILT_IN = (
    Backend("tflite", "edge.backends.tflite:open", "tflite"),
    Backend("coral", "edge.backends.coral:open", "edgetpu", isolated=True, board="coral", check=_coral),
    Backend("opencv", "edge.backends.opencv:open", "onnx", tolerance=FLOAT),
    Backend(
        "opencv-cuda", "edge.backends.opencv:open_cuda", "onnx", isolated=True, tolerance=FLOAT, unavailable=_no_cuda
    ),
    Backend(
        "opencv-cuda-fp16",
        "edge.backends.opencv:open_cuda_fp16",
        "onnx",
        isolated=True,
        tolerance=FLOAT,
        unavailable=_no_cuda,
    ),
    Backend("scripted", "edge.testing.engine:open", auto=False),  # a fake
)
"""The built-in backends, in the order in which "auto" tries them."""


def backends() -> dict[str, Backend]:
    """Every backend by its name: the built-in ones, then those of other packages, which cannot take a built-in name."""
    known = {backend.name: backend for backend in BUILT_IN}
    return known | {b.name: b for b in installed("maskcam.backends", Backend) if b.name not in known}

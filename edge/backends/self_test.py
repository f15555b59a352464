"""The known answer: checks that an engine is right before it is used."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.core.errors import EngineError
from edge.core.records import Image
from edge.vision.bundle import Bundle

LARGEST = 64 << 20
"""Bytes of a known answer, unpacked; that of the shipped detector has 400 kB."""

Infer = Callable[[Image], Sequence[NDArray[Any]]]


def check_known_answer(bundle: Bundle, network: str, infer: Infer, tolerance: float) -> None:
    """Raises EngineError unless `infer` gives the bundle's answer within `tolerance` (INT8 or FLOAT).

    The answer is that of the bundle as it was loaded: a later change of the folder is not the engine's fault.
    """
    spec = bundle.networks[network]
    known = known_answer(bundle, network)
    answer = infer(known["input"])
    for (name, shape), values in zip(spec.outputs.items(), answer, strict=True):
        if list(values.shape) != shape or values.dtype != np.float32:
            raise EngineError(f"wrong answer: {network}.{name} is {values.dtype} {values.shape}, expected {shape}")
        right = known[name]
        off = float(np.sqrt(np.square(values - right).mean()))
        step = spec.quantisation[name].scale if name in spec.quantisation else 0.0
        allowed = max(tolerance * float(right.std()), 2 * step)
        if not off <= allowed:  # NaN is wrong too
            raise EngineError(
                f"wrong answer: {network}.{name} differs from the bundle's known answer by {off:.3g} RMS, "
                f"allowed {allowed:.3g}"
            )


def known_answer(bundle: Bundle, network: str) -> Mapping[str, NDArray[Any]]:
    """`input` (height, width, 3) uint8, and the right output under each output's name. Raises EngineError."""
    spec, path = bundle.networks[network], bundle.known_answer(network)
    known = _read(path, bundle.files[spec.known_answer].sha256)
    expected = {"input": [spec.input.height, spec.input.width, 3], **spec.outputs}
    found = {name: list(values.shape) for name, values in known.items()}
    numbers = all(values.dtype.kind in "uif" for values in known.values())
    if found != expected or not numbers or known["input"].dtype != np.uint8:
        raise EngineError(
            f"{path}: no known answer of the {network}: expected {expected}, as maskcam-convert writes it"
        )
    return known


@lru_cache(maxsize=8)
def _read(path: Path, digest: str) -> Mapping[str, NDArray[Any]]:
    """The content of the answer file with that SHA-256; cached, because the file may change or vanish later."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EngineError(f"{path}: cannot be read ({error.strerror})") from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise EngineError(f"{path}: has changed since the bundle was loaded: sudo systemctl restart maskcam")
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:  # a few kilobytes may unpack to gigabytes
            if sum(member.file_size for member in archive.infolist()) > LARGEST:
                raise EngineError(f"{path}: unpacks to more than {LARGEST >> 20} MB: no known answer")
        with np.load(BytesIO(data)) as known:
            return {name: known[name] for name in known.files}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, MemoryError) as error:
        raise EngineError(f"{path}: no .npz of plain numbers ({error}): make the bundle again") from None

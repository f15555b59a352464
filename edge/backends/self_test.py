"""The known answer: checks that an engine is right before it is used."""

from __future__ import annotations

import hashlib
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

Infer = Callable[[Image], Sequence[NDArray[Any]]]


def check_known_answer(bundle: Bundle, network: str, infer: Infer, tolerance: float) -> None:
    """Raises EngineError unless `infer` gives the bundle's answer within `tolerance` (INT8 or FLOAT).

    The answer is that of the bundle as it was loaded: a later change of the folder is not the engine's fault.
    """
    spec = getattr(bundle, network)
    known = _read(bundle.known_answer(network), bundle.files[spec.known_answer].sha256)
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


@lru_cache(maxsize=4)
def _read(path: Path, digest: str) -> Mapping[str, NDArray[Any]]:
    """The content of the answer file with that SHA-256; cached, because the file may change or vanish later."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EngineError(f"{path}: cannot be read ({error.strerror})") from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise EngineError(f"{path}: has changed since the bundle was loaded: sudo systemctl restart maskcam")
    with np.load(BytesIO(data)) as known:
        return {name: known[name] for name in known.files}

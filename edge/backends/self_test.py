"""The known answer: whether an engine is right, before a door is watched by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.core.errors import EngineError
from edge.core.records import Image
from edge.vision.bundle import Bundle

Infer = Callable[[Image], Sequence[NDArray[Any]]]

INT8 = 0.15
"""Largest difference (root of the mean square) of a file of the same int8 network, as a share of the right answer's
standard deviation. Most cells say the lowest score whatever they see, so a plain mean would hide the few that matter.

Measured: 0.09 between the kernels of LiteRT and tflite-runtime; 0.27 and more when the picture is moved by four
pixels, 0.5 and more when red and blue are swapped, 0.9 and more when the network sees no picture at all.
"""
FLOAT = 0.4
"""The same for the float network, measured at up to 0.31: the answer in the bundle is the int8 network's."""


def check_known_answer(bundle: Bundle, network: str, infer: Infer, tolerance: float) -> None:
    """Raises EngineError unless `infer` gives the bundle's answer, but for `tolerance` (INT8 or FLOAT)."""
    spec = getattr(bundle, network)
    path = bundle.known_answer(network)
    known = _read(path, path.stat().st_mtime_ns)
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
def _read(path: Path, changed: int) -> Mapping[str, NDArray[Any]]:
    """What an answer file holds; kept, for it is asked again where no descriptor may be left. `changed`: its time."""
    with np.load(path) as known:
        return {name: known[name] for name in known.files}

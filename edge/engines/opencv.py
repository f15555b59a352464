"""Inference of a bundle's ONNX file with OpenCV DNN on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle, Network
from edge.engines.order import by_shape
from edge.errors import EngineError
from edge.records import Image


class OpenCVEngine:
    """One float network in OpenCV DNN; its input keeps Keras's NHWC layout."""

    def __init__(self, path: Path, spec: Network) -> None:
        """Raises EngineError when OpenCV cannot read the file or it is not the network that `spec` describes."""
        try:
            self._net = cv2.dnn.readNetFromONNX(str(path))
        except cv2.error as error:
            raise EngineError(f"{path}: OpenCV {cv2.__version__} cannot read it: {error.err or error}") from error
        self._input = spec.input.spec()
        self._names = self._net.getUnconnectedOutLayersNames()
        first = self._forward(np.zeros((spec.input.height, spec.input.width, 3), np.uint8))
        self._order = by_shape(spec.outputs, [x.shape[1:] for x in first], str(path))

    def _forward(self, image: Image) -> Sequence[NDArray[Any]]:
        try:
            self._net.setInput(self._input.normalise(image)[None])
            return list(self._net.forward(self._names))
        except cv2.error as error:
            raise EngineError(f"OpenCV DNN failed: {error.err or error}") from error

    def infer(self, image: Image) -> Sequence[NDArray[Any]]:
        """See `edge.ports.Engine`."""
        if image.shape != (self._input.height, self._input.width, 3):
            raise EngineError(
                f"picture of shape {image.shape}, the network takes {self._input.width}x{self._input.height}"
            )
        out = self._forward(image)
        return [out[i][0].copy() for i in self._order]

    def close(self) -> None:
        del self._net


def open(bundle: Bundle, network: str, threads: int = 2) -> OpenCVEngine:
    """The engine of "detector" or "classifier"."""
    cv2.setNumThreads(threads)
    return OpenCVEngine(bundle.path(network, "onnx"), getattr(bundle, network))

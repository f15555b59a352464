"""Inference of a bundle's ONNX file with OpenCV DNN, on the processor or with CUDA.

An OpenCV built without CUDA only prints a warning and uses the processor, so the available targets are queried first.
The wheels on PyPI have no CUDA: it takes the board's own OpenCV.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.backends.output_mapping import by_shape
from edge.core.errors import EngineError
from edge.core.records import Image
from edge.vision.bundle import Bundle, Network

CPU = (cv2.dnn.DNN_BACKEND_OPENCV, cv2.dnn.DNN_TARGET_CPU)
CUDA = (cv2.dnn.DNN_BACKEND_CUDA, cv2.dnn.DNN_TARGET_CUDA)
CUDA_FP16 = (cv2.dnn.DNN_BACKEND_CUDA, cv2.dnn.DNN_TARGET_CUDA_FP16)


class OpenCVEngine:
    """One float network in OpenCV DNN; its input keeps Keras's NHWC layout."""

    def __init__(self, path: Path, spec: Network, target: tuple[int, int] = CPU) -> None:
        """`target` is OpenCV's pair of backend and target.

        Raises EngineError if OpenCV does not have the target, cannot read the file, or the file is not the network
        that `spec` describes.
        """
        _demand(target)
        try:
            self._net = cv2.dnn.readNetFromONNX(str(path))
        except cv2.error as error:
            raise EngineError(f"{path}: OpenCV {cv2.__version__} cannot read it: {error.err or error}") from error
        self._net.setPreferableBackend(target[0])
        self._net.setPreferableTarget(target[1])
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
        """See `edge.core.ports.Engine`."""
        if image.shape != (self._input.height, self._input.width, 3):
            raise EngineError(
                f"picture of shape {image.shape}, the network takes {self._input.width}x{self._input.height}"
            )
        out = self._forward(image)
        return [out[i][0].copy() for i in self._order]

    def close(self) -> None:
        del self._net


def _demand(target: tuple[int, int]) -> None:
    """Raises EngineError if this OpenCV does not have the target on this machine."""
    backend, device = target
    if device not in cv2.dnn.getAvailableTargets(backend):
        raise EngineError(
            built_without_cuda() or f"OpenCV {cv2.__version__} has CUDA, but finds no GPU that can do this"
        )


def built_without_cuda() -> str:
    """What to do about an OpenCV built without CUDA; "" if it has CUDA. Asks no driver."""
    if re.search(r"NVIDIA CUDA:\s+YES", cv2.getBuildInformation()):
        return ""
    return (
        f"OpenCV {cv2.__version__} was built without CUDA, as all wheels of PyPI are: use the board's own build and "
        "'pip uninstall opencv-python-headless'"
    )


def open(bundle: Bundle, network: str, threads: int, device: str = "") -> OpenCVEngine:
    """The engine of one of the bundle's networks on the processor."""
    cv2.setNumThreads(threads)
    return OpenCVEngine(bundle.path(network, "onnx"), bundle.networks[network])


def open_cuda(bundle: Bundle, network: str, threads: int, device: str = "") -> OpenCVEngine:
    """The same on the first CUDA device."""
    return OpenCVEngine(bundle.path(network, "onnx"), bundle.networks[network], CUDA)


def open_cuda_fp16(bundle: Bundle, network: str, threads: int, device: str = "") -> OpenCVEngine:
    """The same in half precision."""
    return OpenCVEngine(bundle.path(network, "onnx"), bundle.networks[network], CUDA_FP16)

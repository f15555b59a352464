"""CPU inference of a bundle's int8 file with LiteRT, tflite-runtime or TensorFlow's interpreter."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.backends.output_mapping import by_shape
from edge.core.errors import EngineError, MissingPackage
from edge.core.records import Image
from edge.vision.bundle import LFS_POINTER, Bundle, Network
from edge.vision.preprocess import dequantise, quantise

RUNTIMES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter", "tensorflow.lite")
"""Tried in this order: LiteRT is maintained; 32-bit Arm and Python 3.10 have only tflite-runtime."""


EDGETPU_OP = b"edgetpu-custom-op"
"""Name of the operation that the Edge TPU compiler substitutes for all it has mapped."""


def interpreter_class() -> tuple[Any, str]:
    """The first installed runtime, and its name. Raises MissingPackage."""
    for name in RUNTIMES:
        package = name.partition(".")[0]
        try:
            return importlib.import_module(name).Interpreter, package
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != package:
                raise
    raise MissingPackage("ai-edge-litert", extra="cpu")


class TFLiteEngine:
    """One network in a TFLite interpreter."""

    def __init__(self, path: Path, spec: Network, threads: int, delegates: Sequence[Any] = ()) -> None:
        """`delegates`: results of the runtime's `load_delegate`; without them the processor runs everything.

        Raises EngineError if the file is not a TFLite model, or not the network that `spec` describes.
        """
        maker, self.runtime = interpreter_class()
        data = path.read_bytes()
        if data.startswith(LFS_POINTER):
            raise EngineError(f"{path}: a Git-LFS pointer, not the model; fetch it with 'git lfs pull'")
        if not delegates and EDGETPU_OP in data:
            raise EngineError(f"{path}: compiled for the Edge TPU; only the 'coral' backend can run it")
        try:
            self._interpreter = maker(
                model_content=data, num_threads=threads, experimental_delegates=list(delegates) or None
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise EngineError(f"{path}: not a TFLite model that {self.runtime} can run: {_one_line(error)}") from error
        except SystemError as error:  # tflite-runtime 2.14 under NumPy 2
            raise EngineError(
                f"{self.runtime} does not work with NumPy {np.__version__}: pip install 'numpy<2'"
            ) from error
        self._input = self._interpreter.get_input_details()[0]
        self._shape = (spec.input.height, spec.input.width, 3)
        if tuple(self._input["shape"][1:]) != self._shape:
            raise EngineError(f"{path}: input {tuple(self._input['shape'])}, the bundle says {self._shape}")
        self._table = self._input_table(spec)
        details = self._interpreter.get_output_details()
        order = by_shape(spec.outputs, [d["shape"][1:] for d in details], str(path))
        self._outputs = [(details[i]["index"], *details[i]["quantization"], details[i]["dtype"]) for i in order]

    def _input_table(self, spec: Network) -> NDArray[Any] | None:
        """Lookup table from picture byte to input value; None if `_bytes` are the values, as in our own bundles."""
        pixels = np.arange(256, dtype=np.uint8)
        real = spec.input.spec().normalise(pixels)
        if self._input["dtype"] == np.float32:
            return real
        scale, zero_point = self._input["quantization"]
        table = quantise(real, scale, zero_point, self._input["dtype"])
        same = np.abs(table.astype(int) - _bytes(pixels, table.dtype)).max() <= 1
        return None if same else table

    def _values(self, image: Image) -> NDArray[Any]:
        """The input's values for a picture."""
        return _bytes(image, self._input["dtype"]) if self._table is None else self._table[image]

    def infer(self, image: Image) -> Sequence[NDArray[Any]]:
        """See `edge.core.ports.Engine`."""
        if image.shape != self._shape:
            raise EngineError(f"picture of shape {image.shape}, the network takes {self._shape}")
        self._interpreter.set_tensor(self._input["index"], self._values(image)[None])
        try:
            self._interpreter.invoke()
        except RuntimeError as error:  # a delegate whose device was lost
            raise EngineError(f"{self.runtime} failed: {_one_line(error)}") from error
        results = []
        for index, scale, zero_point, dtype in self._outputs:
            value = self._interpreter.get_tensor(index)[0]
            results.append(value if dtype == np.float32 else dequantise(value, scale, zero_point))
        return results

    def close(self) -> None:
        del self._interpreter


def _bytes(image: NDArray[np.uint8], dtype: Any) -> NDArray[Any]:
    """The bytes themselves, or, for an int8 input, less 128: TFLite's own step from one to the other took a quarter of
    the shipped detector's time on x86.
    """
    return (image ^ 128).view(np.int8) if dtype == np.int8 else image


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def open(bundle: Bundle, network: str, threads: int, device: str = "") -> TFLiteEngine:
    """The engine of one of the bundle's networks; the processor is the only device."""
    return TFLiteEngine(bundle.path(network, "tflite"), bundle.networks[network], threads)

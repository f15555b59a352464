"""Reads a TFLite file as a list of operations, with the schema that LiteRT ships."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.core.errors import DataError
from edge.vision.bundle import LFS_POINTER

try:
    from ai_edge_litert import schema_py_generated as schema
except ModuleNotFoundError:  # Python 3.10 has no LiteRT; TensorFlow carries the same module
    from tensorflow.lite.python import schema_py_generated as schema


def _names(enum: type) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


OPERATIONS = _names(schema.BuiltinOperator)
TYPES = _names(schema.TensorType)


@dataclass(frozen=True, eq=False)
class Tensor:
    index: int
    dtype: str
    """As TFLite says it: INT8, FLOAT32, ..."""
    shape: tuple[int, ...]
    dynamic: bool
    """Whether a dimension after the batch is known at run time only. An unknown batch is one picture to a compiler."""
    constant: bytes | None
    """The bytes that the file holds for it; None for what is computed."""

    def values(self) -> NDArray[Any]:
        """A constant as an array of its shape."""
        return np.frombuffer(self.constant or b"", self.dtype.lower()).reshape(self.shape)


@dataclass(frozen=True, eq=False)
class Operation:
    name: str
    """As the compiler's log says it: CONV_2D, RESHAPE, ...; a custom operation's own name."""
    version: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    options: dict[str, Any] = field(default_factory=dict)
    """Of TFLite's schema, such as `fusedActivationFunction`; those the file leaves out are absent."""


@dataclass(frozen=True, eq=False)
class Graph:
    operations: tuple[Operation, ...]
    """In the order in which they run."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    subgraphs: int
    parameters: int
    """Bytes of all constants."""


def read(path: Path) -> Graph:
    """The main graph of a `.tflite` file. Raises DataError, one line."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; expected a .tflite file or a bundle") from error
    if data.startswith(LFS_POINTER):
        raise DataError(f"{path}: a Git-LFS pointer, not the model; fetch it with 'git lfs pull'")
    if data[4:8] != b"TFL3":
        raise DataError(f"{path}: not a TFLite model; expected a .tflite file or a bundle")
    try:
        return _graph(schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0)))
    except Exception as error:  # a damaged flatbuffer fails anywhere, as struct.error, IndexError, TypeError, ...
        raise DataError(f"{path}: a damaged TFLite model: {error or type(error).__name__}") from error


def _graph(model: Any) -> Graph:
    main = model.subgraphs[0]
    tensors = [_tensor(i, t, model.buffers) for i, t in enumerate(main.tensors)]

    def pick(indices: Any) -> tuple[Tensor, ...]:
        return tuple(tensors[i] for i in indices if i >= 0)  # -1: an optional input that is left out

    operations = []
    for op in main.operators:
        code = model.operatorCodes[op.opcodeIndex]
        name = OPERATIONS[max(code.builtinCode, code.deprecatedBuiltinCode)]
        if name == "CUSTOM":
            name = code.customCode.decode()
        options = vars(op.builtinOptions) if op.builtinOptions else {}
        operations.append(Operation(name, code.version, pick(op.inputs), pick(op.outputs), options))
    size = sum(len(t.constant) for t in tensors if t.constant)
    return Graph(tuple(operations), pick(main.inputs), pick(main.outputs), len(model.subgraphs), size)


def _tensor(index: int, t: Any, buffers: Any) -> Tensor:
    shape = () if t.shape is None else tuple(int(n) for n in t.shape)
    signature = () if t.shapeSignature is None else tuple(t.shapeSignature)
    data = buffers[t.buffer].data
    constant = None if data is None or not len(data) else bytes(data)
    dynamic = min((*shape, *signature[1:]), default=1) < 1
    return Tensor(index, TYPES[t.type], shape, dynamic, constant)

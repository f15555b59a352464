"""Which operations an Edge TPU can run, and under which conditions.

Source: Coral, "TensorFlow models on the Edge TPU", model requirements and table of supported operations,
https://coral.ai/docs/edgetpu/models-intro/. Where the table is silent and the compiler is not, the rule says so.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from convert.edgetpu.flatbuffer import Operation, Tensor

EIGHT_BITS = ("INT8", "UINT8")
INNER = 3
"""Dimensions that may be larger than one: the innermost three."""
LARGEST_SOFTMAX = 16_000
PARAMETERS = {"CONV_2D": (1, 2), "DEPTHWISE_CONV_2D": (1, 2), "FULLY_CONNECTED": (1, 2), "TRANSPOSE_CONV": (0, 1, 3)}
"""Inputs that have to stand in the file; of other operations, all that are no 8-bit picture."""


def objection(op: Operation) -> str:
    """Why an Edge TPU cannot run an operation; "" when it can."""
    if op.name not in RULES:
        return "no such operation on the Edge TPU"
    for tensor in (*op.inputs, *op.outputs):
        if reason := _tensor(tensor):
            return reason
    wanted = PARAMETERS.get(op.name) or [i for i, t in enumerate(op.inputs) if t.dtype not in EIGHT_BITS]
    if any(op.inputs[i].constant is None for i in wanted if i < len(op.inputs)):
        return "a parameter is computed, not constant"
    rule = RULES[op.name]
    return rule(op) if rule else ""


def _tensor(t: Tensor) -> str:
    if t.dynamic:
        return "dynamic shape"
    if t.constant is None and t.dtype not in EIGHT_BITS:
        return f"{t.dtype} values, not 8-bit"
    if t.constant is not None and t.dtype not in (*EIGHT_BITS, "INT32"):
        return f"{t.dtype} parameters, not 8-bit"
    if t.constant is None and prod(t.shape[:-INNER]) > 1:
        return f"shape {'x'.join(map(str, t.shape))}: only the innermost {INNER} dimensions may exceed 1"
    return ""


def _activation(op: Operation) -> str:
    return "fused activation function" if op.options.get("fusedActivationFunction") else ""


def _concatenation(op: Operation) -> str:
    constants = [t for t in op.inputs if t.constant is not None]
    if constants and (len(op.inputs) != 2 or any(t.values().any() for t in constants)):
        return "a constant among the inputs that is no padding of zeros"
    return _activation(op)


def _dilation(op: Operation) -> str:
    x, y = op.options.get("dilationWFactor", 1), op.options.get("dilationHFactor", 1)
    return "" if x == y else f"dilation {y}x{x}: it must be the same in both directions"


def _fully_connected(op: Operation) -> str:
    if op.options.get("weightsFormat"):
        return "weights in another than the default format"
    return "" if prod(op.outputs[0].shape[:-1]) == 1 else "output of more than one dimension"


def _axes(op: Operation) -> set[int]:
    """Axes of a reduction, counted from the front."""
    rank = len(op.inputs[0].shape)
    return {int(axis) % rank for axis in op.inputs[1].values().reshape(-1)}


def _reduction(op: Operation) -> str:
    rank = len(op.inputs[0].shape)
    return "reduces over the batch" if 0 in _axes(op) and rank > 1 else ""


def _mean(op: Operation) -> str:
    shape = op.inputs[0].shape
    if len(shape) - 1 in _axes(op) and shape[-1] % 4:
        return f"mean over {shape[-1]} channels: a multiple of 4 is needed"
    return _reduction(op)


def _pad(op: Operation) -> str:
    return "pads the batch" if op.inputs[1].values()[0].any() and len(op.inputs[0].shape) > 1 else ""


def _not_over_batch(op: Operation) -> str:
    return "works along the batch" if op.options.get("axis") == 0 else ""


def _split(op: Operation) -> str:
    return "splits the batch" if int(op.inputs[0].values().reshape(-1)[0]) == 0 else ""


def _prelu(op: Operation) -> str:
    return "" if prod(op.inputs[1].shape[:-1]) == 1 else "alpha of more than one dimension (Keras: shared_axes=[1, 2])"


def _resize(op: Operation) -> str:
    """Not in the table: compilers up to 15 say "Operation version not supported" (google-coral/edgetpu#187, #420)."""
    odd = [k for k, name in RESIZE_OPTIONS.items() if op.options.get(name)]
    return f"{' and '.join(odd)}: old compilers do not map this version" if odd else ""


RESIZE_OPTIONS = {"align_corners": "alignCorners", "half_pixel_centers": "halfPixelCenters"}


def _softmax(op: Operation) -> str:
    shape = op.inputs[0].shape
    if prod(shape[:-1]) != 1:
        return "input of more than one dimension"
    return "" if shape[-1] <= LARGEST_SOFTMAX else f"{shape[-1]} elements, at most {LARGEST_SOFTMAX}"


def _squeeze(op: Operation) -> str:
    before, after = (list(t.shape) for t in (op.inputs[0], op.outputs[0]))
    while before and before[0] == 1:
        before.pop(0)
    while after and after[0] == 1:
        after.pop(0)
    return "" if before == after else "removes a dimension that is not leading"


def _strided_slice(op: Operation) -> str:
    if (op.inputs[3].values() != 1).any():
        return "stride other than 1"
    masks = op.options.get("ellipsisMask") or op.options.get("newAxisMask")
    return "ellipsis or new-axis mask" if masks else ""


Rule = Callable[[Operation], str]
RULES: dict[str, Rule | None] = {
    "ADD": None,
    "AVERAGE_POOL_2D": _activation,
    "CONCATENATION": _concatenation,
    "CONV_2D": _dilation,
    "DEPTHWISE_CONV_2D": _dilation,
    "EXPAND_DIMS": None,
    "FULLY_CONNECTED": _fully_connected,
    "L2_NORMALIZATION": None,
    "LOGISTIC": None,
    "LSTM": None,
    "MAXIMUM": None,
    "MAX_POOL_2D": _activation,
    "MEAN": _mean,
    "MINIMUM": None,
    "MUL": None,
    "PACK": _not_over_batch,
    "PAD": _pad,
    "PRELU": _prelu,
    "QUANTIZE": None,
    "REDUCE_MAX": _reduction,
    "REDUCE_MIN": _reduction,
    "RELU": None,
    "RELU6": None,
    "RELU_N1_TO_1": None,
    "RESHAPE": None,
    "RESIZE_BILINEAR": _resize,
    "RESIZE_NEAREST_NEIGHBOR": _resize,
    "RSQRT": None,
    "SLICE": None,
    "SOFTMAX": _softmax,
    "SPACE_TO_DEPTH": None,
    "SPLIT": _split,
    "SQUARED_DIFFERENCE": None,
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
    "SUB": None,
    "SUM": _reduction,
    "TANH": None,
    "TRANSPOSE": None,
    "TRANSPOSE_CONV": None,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": None,
}
"""Operation -> its condition; None where there is no other than those that hold for all."""

SIZE_MATTERS = ("RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
"""Of these the table adds that large ones may be left to the processor; only the compiler knows which."""

"""The same function as a Keras network, computed by PyTorch in less than half the time on a processor.

Pictures keep the memory layout that oneDNN computes fastest (channels last): what Keras spends on copies is saved.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


class Folded(keras.Model):
    """`network` for training, with its own variables, where Keras runs on PyTorch (`KERAS_BACKEND=torch`).

    Takes and gives what `network` does; several outputs are joined along the last axis. Knows the layers of the
    detector. Raises ValueError for another layer.
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__(name="folded")
        self.network = network
        self.steps = [_step(layer) for layer in network.layers]
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        """(B, height, width, 3) -> (B, N, values)."""
        import torch

        values: dict[str, Any] = {"": x.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)}
        for name, sources, compute in self.steps:
            values[name] = compute([values[source] for source in sources])
        return torch.cat([values[output._keras_history.operation.name] for output in self.network.outputs], -1)


Compute = Callable[[list[Any]], Any]


def _step(layer: keras.layers.Layer) -> tuple[str, list[str], Compute]:
    """Name of a layer, those that it reads ("" is the picture), and what it computes of (B, C, H, W)."""
    makers: dict[type, Callable[[Any], Compute]] = {
        keras.layers.InputLayer: _same,
        keras.layers.ZeroPadding2D: _padded,
        keras.layers.DepthwiseConv2D: _convolution,
        keras.layers.Conv2D: _convolution,
        keras.layers.MaxPooling2D: lambda layer: lambda x: _torch().max_pool2d(x[0], layer.pool_size),
        keras.layers.ReLU: lambda layer: lambda x: _torch().relu(x[0]),
        keras.layers.Add: lambda layer: lambda x: x[0] + x[1],
        keras.layers.UpSampling2D: lambda layer: lambda x: _torch().interpolate(x[0], scale_factor=2),
        keras.layers.Reshape: _rows,
        keras.layers.Concatenate: _joined,
    }
    if type(layer) not in makers:
        raise ValueError(f"{layer.name}: a {type(layer).__name__} cannot be computed by PyTorch here")
    sources = [tensor._keras_history.operation.name for tensor in layer._inbound_nodes[0].input_tensors] or [""]
    return layer.name, sources, makers[type(layer)](layer)


def _torch() -> Any:
    import torch.nn.functional

    return torch.nn.functional


def _same(layer: Any) -> Compute:
    return lambda x: x[0]


def _padded(layer: Any) -> Compute:
    (top, bottom), (left, right) = layer.padding
    return lambda x: _torch().pad(x[0], (left, right, top, bottom))


def _convolution(layer: Any) -> Compute:
    deep = isinstance(layer, keras.layers.DepthwiseConv2D)
    stride, size = layer.strides[0], layer.kernel_size[0]
    around = size // 2 if stride == 1 and layer.padding == "same" else 0
    below = size == 3 and stride == 2 and layer.padding == "same"  # even sizes: Keras pads below and on the right

    def compute(x: list[Any]) -> Any:
        kernel = layer.kernel.value.permute(2, 3, 0, 1) if deep else layer.kernel.value.permute(3, 2, 0, 1)
        bias = layer.bias.value if layer.use_bias else None
        picture = _torch().pad(x[0], (0, 1, 0, 1)) if below else x[0]
        return _torch().conv2d(picture, kernel, bias, stride, around, groups=len(kernel) if deep else 1)

    return compute


def _rows(layer: Any) -> Compute:
    last = layer.target_shape[-1]
    return lambda x: x[0].permute(0, 2, 3, 1).reshape(len(x[0]), -1, last)


def _joined(layer: Any) -> Compute:
    import torch

    return lambda x: torch.cat(x, layer.axis)

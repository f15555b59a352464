"""Rounds the weights of a network to int8 so that its outputs change least.

A converter rounds each weight to the nearest step. Here the error of each rounded weight is made up for by those that
are not yet rounded, as far as the pictures show that they are seen together: GPTQ, Frantar et al. (2022), arXiv
2210.17323. What comes out lies on the steps that the converter will choose, so that it rounds nothing more.

The libraries that do this for Keras (Model Compression Toolkit, AIMET) need an older TensorFlow than this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from convert.networks.equalisation import equalise, plain, said
from convert.networks.keras_models import fixed
from edge.core.progress import track

Array = NDArray[Any]
STEPS = 127
"""The largest int8 weight; TFLite's scale of an output channel is its largest weight / 127."""
PLACES = 400
"""Places per picture at which the inputs of a convolution are looked at."""
MOST = 640
"""Weights of an output channel from which they are left to the converter: VGG16 has up to 4,608, MobileNetV2 as the
classifier has it 336, the detector 96, and the time grows with their cube."""
DAMPING = 0.01
"""Share of the mean of the diagonal that is added to it (the paper's value)."""


def rounded(model: keras.Model, pictures: Sequence[NDArray[np.float32]]) -> keras.Model:
    """A copy of `model` for int8, judged by `pictures` (1, height, width, 3): channels equalised, then weights rounded.

    The weights of convolutions alone: those of dense layers are few here.
    """
    copy = fixed(model)
    equalise(copy, pictures)
    convolutions = [layer for layer in copy.layers if plain(layer) and _count(layer) <= MOST]
    if not convolutions:
        return copy
    moments = _moments(copy, convolutions, pictures)
    for layer in track(convolutions, "rounding weights", unit="convolutions"):
        kernel, *bias = layer.get_weights()
        layer.set_weights([_rounded(layer, kernel, moments[layer]), *bias])
    return copy


def _count(layer: Any) -> int:
    """Weights that one output channel has."""
    rows, columns, channels, _ = layer.kernel.shape
    return rows * columns * (1 if isinstance(layer, layers.DepthwiseConv2D) else channels)


def _moments(model: keras.Model, convolutions: list[Any], pictures: Sequence[Array]) -> dict[Any, Array]:
    """Sums of products of what the n weights of a convolution see: (1, n, n), of a depthwise one (channels, n, n)."""
    look, rng = keras.Model(model.input, [layer.input for layer in convolutions]), np.random.default_rng(0)
    sums: dict[Any, Array] = {}
    for picture in pictures:
        for layer, values in zip(convolutions, said(look, picture), strict=True):
            seen = _seen(layer, values[0], rng)
            sums[layer] = sums.get(layer, 0) + seen.transpose(0, 2, 1) @ seen
    return sums


def _seen(layer: Any, values: Array, rng: np.random.Generator) -> Array:
    """What a convolution sees of its input (H, W, C) at random places: (1, N, rows x columns x C), of a depthwise one
    (C, N, rows x columns)."""
    rows, columns = layer.kernel_size
    step = layer.strides[0]
    if layer.padding == "same":
        missing = [
            max((-(-n // step) - 1) * step + k - n, 0) for n, k in zip(values.shape, layer.kernel_size, strict=False)
        ]
        values = np.pad(values, [(n // 2, n - n // 2) for n in missing] + [(0, 0)])
    places = np.lib.stride_tricks.sliding_window_view(values, (rows, columns), (0, 1))[::step, ::step]
    down, across = places.shape[:2]
    chosen = rng.integers(0, down * across, min(PLACES, down * across))
    seen = places[chosen // across, chosen % across].reshape(len(chosen), -1, rows * columns).astype(np.float64)
    if isinstance(layer, layers.DepthwiseConv2D):
        return seen.transpose(1, 0, 2)
    return seen.transpose(0, 2, 1).reshape(1, len(seen), -1)


def _rounded(layer: Any, kernel: Array, moments: Array) -> Array:
    """The kernel of a convolution, rounded; the weights of each output channel for themselves."""
    outputs = kernel.shape[2] if isinstance(layer, layers.DepthwiseConv2D) else kernel.shape[3]
    flat, of = kernel.reshape(-1, outputs), np.broadcast_to(moments, (outputs, *moments.shape[1:]))
    return np.stack([compensated(*pair) for pair in zip(flat.T, of, strict=True)], -1).reshape(kernel.shape)


def compensated(weights: Array, moments: Array) -> NDArray[np.float32]:
    """`weights` (n,) rounded to steps of the largest / 127, so that their sum over inputs with these `moments` (n, n)
    changes least: those that matter most come first, and those that follow make up for their errors.
    """
    step, n = float(np.abs(weights).max()) / STEPS, len(weights)
    if step == 0:
        return weights.astype(np.float32)
    first = int(np.abs(weights).argmax())  # stays as it is, for the converter takes the step from it
    order = np.argsort(-np.diag(moments), kind="stable")
    order = np.r_[first, order[order != first]]
    damped = moments[np.ix_(order, order)] + (DAMPING * np.diag(moments).mean() + 1e-9) * np.eye(n)
    upper = np.linalg.cholesky(np.linalg.inv(damped)).T
    left = weights[order].astype(np.float64)
    for i in range(n):
        exact = left[i]
        left[i] = np.clip(np.round(exact / step), -STEPS, STEPS) * step
        left[i + 1 :] -= (exact - left[i]) / upper[i, i] * upper[i, i + 1 :]
    result = np.empty(n, np.float32)
    result[order] = left
    return result

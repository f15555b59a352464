"""A narrower MobileNetV2 that computes nearly the same: fewer channels inside its inverted residuals.

What a block no longer computes is made up for by the channels that stay: those that can best be told from others go
first, and the projection is fitted anew (optimal brain surgeon, Hassibi and Stork 1993, on a linear layer, where it is
exact; layer by layer as in He et al. 2017, arXiv 1707.06168). A training then closes the rest of the gap.
"""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from train.networks.from_bundle import scale_and_offset

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
FULL = 6
"""Channels inside a block per channel of its input, as published (Sandler et al. 2018, arXiv 1801.04381)."""
EXPAND = re.compile(r"(block_\d+)_expand$")
INSIDE = ("expand", "expand_BN", "depthwise", "depthwise_BN")
"""Layers of a block that have one filter, or one number, per channel inside."""


def expansion(model: keras.Model) -> int:
    """Channels inside the blocks of a MobileNetV2 per channel of their input. Raises ValueError where there is none."""
    kernel = model.get_layer("block_1_expand").kernel
    return int(kernel.shape[3] // kernel.shape[2])


def narrow(model: keras.Model, expansion: int) -> keras.Model:
    """The same layers with `expansion` channels inside each block per channel of its input, and fresh weights."""

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if EXPAND.match(layer.name):
            config["filters"] = layer.kernel.shape[2] * expansion
        return layer.__class__.from_config(config)

    return keras.models.clone_model(model, clone_function=clone)


def prune(wide: keras.Model, pictures: Array, expansion: int) -> keras.Model:
    """`wide` with its blocks narrowed, fitted to what they compute of `pictures` (B, height, width, 3) in -1..1."""
    result = narrow(wide, expansion)
    blocks = [m[1] for layer in wide.layers if (m := EXPAND.match(layer.name))]
    inside = {f"{block}_{name}" for block in blocks for name in (*INSIDE, "project", "project_BN")}
    for layer in result.layers:
        if layer.name not in inside and layer.weights:
            layer.set_weights(wide.get_layer(layer.name).get_weights())
    for block, (mean, covariance) in zip(blocks, _moments(wide, blocks, pictures), strict=True):
        kernel = wide.get_layer(f"{block}_project").get_weights()[0]
        norm = wide.get_layer(f"{block}_project_BN")
        gamma, beta, centre, variance = norm.get_weights()
        kept = keep(covariance, kernel[0, 0] * scale_and_offset(norm)[0], result.get_layer(f"{block}_expand").filters)
        fitted = refit(covariance, kernel[0, 0], kept)
        result.get_layer(f"{block}_project").set_weights([fitted[None, None].astype(np.float32)])
        missing = mean @ kernel[0, 0] - mean[kept] @ fitted
        result.get_layer(f"{block}_project_BN").set_weights([gamma, beta, centre - missing, variance])
        for name in INSIDE:
            axis = 2 if name == "depthwise" else -1
            weights = wide.get_layer(f"{block}_{name}").get_weights()
            result.get_layer(f"{block}_{name}").set_weights([w.take(kept, axis) for w in weights])
    return result


def keep(covariance: Floats, weights: Array, number: int) -> NDArray[np.intp]:
    """Which `number` of C inputs to keep so that a linear layer with `weights` (C, N), fitted anew, changes least.

    One input after the other goes, the one whose loss the others make up for best: its squared weights over its entry
    in the inverse covariance (C, C) are the error that remains.
    """
    left = np.arange(len(covariance))
    inverse = np.linalg.inv(_firm(covariance))
    w: Floats = np.asarray(weights, np.float64).copy()
    while len(left) > number:
        j = int(np.argmin((w**2).sum(1) / np.diag(inverse)))
        column = inverse[:, j] / inverse[j, j]
        w -= np.outer(column, w[j])
        inverse -= np.outer(column, inverse[j])
        left, w = np.delete(left, j), np.delete(w, j, 0)
        inverse = np.delete(np.delete(inverse, j, 0), j, 1)
    return left


def refit(covariance: Floats, weights: Array, kept: NDArray[np.intp]) -> Floats:
    """Weights (K, N) of the `kept` inputs that come nearest to what `weights` (C, N) make of all of them."""
    firm = _firm(covariance)
    return np.asarray(np.linalg.solve(firm[np.ix_(kept, kept)], firm[kept] @ weights), np.float64)


def _firm(covariance: Floats) -> Floats:
    """With a little on the diagonal: channels that are always zero would make it singular."""
    own = np.diag(covariance)
    firm: Floats = covariance + np.diag(1e-4 * own + 1e-6 * own.mean() + 1e-12)
    return firm


def _moments(wide: keras.Model, blocks: list[str], pictures: Array) -> list[tuple[Floats, Floats]]:
    """Mean (C,) and covariance (C, C) of what enters each block's projection."""
    looks = keras.Model(wide.input, [wide.get_layer(f"{block}_project").input for block in blocks])
    sums: list[tuple[Any, Any, int]] = [(0.0, 0.0, 0)] * len(blocks)
    for k in range(0, len(pictures), 8):
        for i, values in enumerate(looks.predict_on_batch(pictures[k : k + 8])):
            x = np.asarray(values, np.float64).reshape(-1, values.shape[-1])
            total, squares, n = sums[i]
            sums[i] = total + x.sum(0), squares + x.T @ x, n + len(x)
    return [(t / n, s / n - np.outer(t, t) / n**2) for t, s, n in sums]

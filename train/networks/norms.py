"""Batch normalisations of averaged weights."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import keras


def measure_anew(model: keras.Model, answers: Callable[..., Any], batches: Iterable[Any]) -> None:
    """Gives each trained batch normalisation of `model` the mean and variance of its input under today's weights.

    Averaged weights (`ema`, `averaged`) never trained: what the normalisations keep is of the weights that were
    averaged, and fits these a little less. Izmailov et al. (2018), arXiv 1803.05407, section 3.2.

    `answers(pictures, training=True)`: `model`, or what trains it. `batches`: pictures (B, height, width, 3) in -1..1.
    """
    norms = [one for one in model.layers if isinstance(one, keras.layers.BatchNormalization) and one.trainable]
    if not norms:
        return
    before = [norm.momentum for norm in norms]
    with _without_gradients():
        for done, pictures in enumerate(batches):
            for norm in norms:
                norm.momentum = done / (done + 1)  # the plain mean of all batches
            answers(pictures, training=True)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum


def _without_gradients() -> contextlib.AbstractContextManager[Any]:
    """PyTorch would keep what a step of training needs."""
    if keras.backend.backend() != "torch":
        return contextlib.nullcontext()
    import torch

    return torch.no_grad()

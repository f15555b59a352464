"""Keeps the detector's outputs to what the decoding reads, so that int8 spends its 256 steps there.

An empty wall says logits of -100 and less, and what no face says of distances is no smaller: with steps wide enough
for those, faces get the same score in dozens. `edge.vision.decode` reads neither.
"""

from __future__ import annotations

import math
from typing import Any

import keras

from convert.networks.keras_models import heads
from edge.evaluation import runner
from edge.vision.decode import logit

LOWEST = float(math.floor(logit(runner.LOWEST)))
"""A logit below which no box is listed."""


class Moved(keras.layers.Layer):
    """The logits back where they were."""

    def call(self, x: Any) -> Any:
        return x + LOWEST


def bound(model: keras.Model) -> keras.Model:
    """The detector with logits from `LOWEST` on and distances from 0 to 6 (384 pixels at stride 32).

    Both are the activation of a convolution, which costs no time; moving the logits back is one addition. Changes the
    layers of `model`, which is not to be used any more.
    """
    for layer in heads(model, 1):
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel, bias - LOWEST])
        layer.activation = keras.activations.relu
    for layer in heads(model, 4):
        layer.activation = keras.activations.relu6
    scores, distances = model.outputs
    return keras.Model(model.input, [Moved(name="logits")(scores), distances], name=model.name)

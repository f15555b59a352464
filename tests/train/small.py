"""A detector that trains in seconds, for tests of what is around it: few convolutions in place of MobileNetV2's 52,
and no graph, which takes longer to compile than a few steps take to run."""

import keras
import pytest

from train.detector import network


def backbone(
    name: str, width: int, height: int, alpha: float, weights: str | None, frozen_until: str = ""
) -> keras.Model:
    """Five convolutions; `block_1_expand` tells the expansion, and the detector reads those at stride 8 and 16."""
    x = inputs = keras.Input((height, width, 3))
    x = keras.layers.Conv2D(8, 3, 2, "same", use_bias=False)(x)
    x = keras.layers.Conv2D(48, 1, use_bias=False, name="block_1_expand")(x)
    for layer in ("block_3_add", "block_5_add", "block_12_add"):
        x = keras.layers.Conv2D(8, 3, 2, "same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(trainable=False)(x)
        x = keras.layers.ReLU(6.0, name=layer)(x)
    return keras.Model(inputs, x)


def use(patch: pytest.MonkeyPatch) -> None:
    """From now on detectors are small."""
    compiled = keras.Model.compile
    patch.setattr(keras.Model, "compile", lambda self, *a, **k: compiled(self, *a, **k, run_eagerly=True))
    patch.setattr(network, "backbone", backbone)

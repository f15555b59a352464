"""A backbone in place of MobileNetV2's 52 convolutions, which take half a minute to compile and to run: for tests of
what is built around it."""

import keras


def backbone(
    name: str, width: int, height: int, alpha: float, weights: str | None, frozen_until: str = ""
) -> keras.Model:
    """Four convolutions, with the two layers that the detector reads: at stride 8 and 16."""
    x = inputs = keras.Input((height, width, 3))
    for layer in ("block_1", "block_3", "block_5_add", "block_12_add"):
        x = keras.layers.Conv2D(8, 3, 2, "same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(trainable=False)(x)
        x = keras.layers.ReLU(6.0, name=layer)(x)
    return keras.Model(inputs, x)

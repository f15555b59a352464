"""A detector that trains in seconds, for tests of what is around it: few convolutions in place of the network's own,
and no graph, which takes longer to compile than a few steps take to run."""

import keras
import pytest

from train.detector import network


def build(width: int, height: int, frozen_until: str = "", channels: int = 8) -> keras.Model:
    """A convolution per stride and one per head; inputs and outputs are those of `network.build`."""
    x = image = keras.Input((height, width, 3))
    scores, distances = [], []
    for stride in (2, 4, 8, 16, 32):
        x = keras.layers.Conv2D(channels, 3, 2, "same", name=f"unit_{stride}_mix")(x)
        x = keras.layers.ReLU(name=f"unit_{stride}_relu")(x)
        if stride >= 8:
            scores.append(head(x, 1, f"score_{stride}"))
            distances.append(head(x, 4, f"distance_{stride}"))
    outputs = [keras.layers.Concatenate(1, name="scores")(scores)]
    outputs += [keras.layers.Concatenate(1, name="distances")(distances)]
    model = keras.Model(image, outputs, name="detector")
    network._freeze(model, frozen_until)
    return model


def head(x, values, name):
    bias = keras.initializers.Constant(-4.6 if values == 1 else 1.0)
    x = keras.layers.Conv2D(values, 1, bias_initializer=bias, name=f"{name}_last")(x)
    return keras.layers.Reshape((-1, values), name=f"{name}_rows")(x)


def use(patch: pytest.MonkeyPatch) -> None:
    """From now on detectors are small."""
    compiled = keras.Model.compile
    patch.setattr(keras.Model, "compile", lambda self, *a, **k: compiled(self, *a, **k, run_eagerly=True))
    patch.setattr(network, "build", build)

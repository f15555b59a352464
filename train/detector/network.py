"""The face detector's network: YuNet's layers, blocks that may add to them, and heads of our own.

YuNet: Wu et al. (2023), "YuNet: A Tiny Millisecond-level Face Detector", doi 10.1007/s11633-023-1423-y. The decoding is
`edge.vision.decode`'s: one logit and four distances per cell at strides 8, 16, 32. `train.detector.yunet` fills in what
YuNet has learnt; without it the weights are random.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from edge.core.errors import ConfigError
from train.config import DetectorConfig
from train.detector.loss import DetectionLoss
from train.networks.folded import Folded

WIDTH = 64
"""Channels from stride 8 on: YuNet's."""
INSIDE = 96
"""Channels inside a block."""
SCORE, DISTANCE = 16, 32
"""Channels of the heads before their last convolution."""


def build(width: int, height: int, frozen_until: str = "") -> keras.Model:
    """Input (height, width, 3), RGB / 127.5 - 1. Outputs `scores` (N, 1) as logits and `distances` (N, 4).

    Layers up to and with `frozen_until` are not trained. There is no normalisation: a trained one lost more than it
    learnt. Scores and distances stay apart, so that each gets its own int8 scale; convolutions, ReLU, the largest of
    four, addition and nearest upsampling are all an Edge TPU needs to map. Raises ConfigError.
    """
    image = keras.Input((height, width, 3))
    x = layers.ZeroPadding2D(((1, 0), (1, 0)), name="stem_pad")(image)  # as PyTorch pads at a stride of 2
    x = layers.ReLU(name="stem_relu")(layers.Conv2D(16, 3, 2, name="stem")(x))
    x = layers.MaxPooling2D(name="pool_4")(_unit(x, 16, "unit_2"))
    for name, channels in (("unit_4a", 16), ("unit_4b", 32), ("unit_4c", 32), ("unit_4d", WIDTH)):
        x = _unit(x, channels, name)
    levels = []
    for stride in (8, 16, 32):
        x = layers.MaxPooling2D(name=f"pool_{stride}")(x)
        x = _unit(_unit(x, WIDTH, f"unit_{stride}a"), WIDTH, f"unit_{stride}b")
        levels.append(x := _block(x, f"block_{stride}"))
    above = None
    scores: list[Any] = []
    distances: list[Any] = []
    for stride, level in zip((32, 16, 8), reversed(levels), strict=True):
        if above is not None:
            larger = layers.UpSampling2D(2, name=f"up_{stride}")(above)
            level = layers.Add(name=f"sum_{stride}")([level, larger])
        above = _block(_unit(level, WIDTH, f"neck_{stride}"), f"neck_block_{stride}")
        scores.insert(0, _head(above, SCORE, 1, f"score_{stride}", keras.initializers.Constant(-4.6)))
        distances.insert(0, _head(above, DISTANCE, 4, f"distance_{stride}", keras.initializers.Constant(1.0)))
    outputs = [layers.Concatenate(1, name="scores")(scores), layers.Concatenate(1, name="distances")(distances)]
    model = keras.Model(image, outputs, name="detector")
    _freeze(model, frozen_until)
    return model


def _unit(x: Any, channels: int, name: str) -> Any:
    """YuNet's unit: mixes channels, looks around, keeps what is positive."""
    x = layers.Conv2D(channels, 1, name=f"{name}_mix")(x)
    return layers.ReLU(name=f"{name}_relu")(layers.DepthwiseConv2D(3, padding="same", name=f"{name}_look")(x))


def _block(x: Any, name: str) -> Any:
    """An inverted residual (Sandler et al. 2018, arXiv 1801.04381) that adds nothing before it is trained."""
    y = layers.ReLU(name=f"{name}_relu")(layers.Conv2D(INSIDE, 1, name=f"{name}_mix")(x))
    y = layers.DepthwiseConv2D(3, padding="same", name=f"{name}_look")(y)
    y = layers.ReLU(name=f"{name}_relu_2")(y)
    y = layers.Conv2D(x.shape[-1], 1, kernel_initializer="zeros", name=f"{name}_back")(y)
    return layers.Add(name=f"{name}_sum")([x, y])


def _head(x: Any, inside: int, values: int, name: str, bias: Any) -> Any:
    x = layers.Conv2D(values, 1, bias_initializer=bias, name=f"{name}_last")(_unit(x, inside, name))
    return layers.Reshape((-1, values), name=f"{name}_rows")(x)


def _freeze(model: keras.Model, until: str) -> None:
    names = [layer.name for layer in model.layers]
    if until and until not in names:
        raise ConfigError(f"frozen_until = {until!r}: no such layer; try 'unit_4d_relu'")
    for layer in model.layers[: names.index(until) + 1 if until else 0]:
        layer.trainable = False


def answering(model: keras.Model) -> Callable[[Any], list[NDArray[np.float32]]]:
    """A detector as a function (B, height, width, 3) -> scores (B, N, 1) as logits, distances (B, N, 4).

    With PyTorch in a fraction of the time of Keras's own `predict_on_batch`.
    """
    if keras.backend.backend() != "torch":
        return model.predict_on_batch  # type: ignore[no-any-return]
    import torch

    folded, device = Folded(model), model.variables[0].value.device

    def answers(pictures: Any) -> list[NDArray[np.float32]]:
        with torch.inference_mode():
            said = folded(torch.as_tensor(pictures, dtype=torch.float32, device=device)).cpu().numpy()
        return [said[..., :1], said[..., 1:]]

    return answers


def for_training(model: keras.Model, config: DetectorConfig) -> keras.Model:
    """Joins the two outputs into one (B, N, 5), so that one loss sees both."""
    if keras.backend.backend() == "torch":
        trainer = Folded(model)
    else:
        trainer = keras.Model(model.input, layers.Concatenate(-1)(model.outputs))
    steps = config.epochs * config.steps_per_epoch
    warm = max(steps // 20, 1)
    rate = keras.optimizers.schedules.CosineDecay(
        config.learning_rate / 100, max(steps - warm, 1), warmup_target=config.learning_rate, warmup_steps=warm
    )
    optimizer = keras.optimizers.AdamW(
        rate, weight_decay=config.weight_decay, clipnorm=5.0, use_ema=config.ema > 0, ema_momentum=config.ema or 0.99
    )
    trainer.compile(optimizer, DetectionLoss(config.width, config.height), jit_compile=False)
    return trainer

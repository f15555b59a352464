"""The face detector's network: MobileNetV2, a light top-down neck, anchor-free heads.

The decoding is `edge.vision.decode`'s: one logit and four distances per cell at strides 8, 16, 32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from train.config import DetectorConfig
from train.detector.loss import DetectionLoss
from train.networks.backbones import backbone
from train.networks.folded import Folded
from train.networks.pruning import FULL, narrow


def build(
    width: int,
    height: int,
    alpha: float,
    channels: int,
    weights: str | None,
    frozen_until: str = "",
    expansion: int = FULL,
) -> keras.Model:
    """Input (height, width, 3), RGB / 127.5 - 1. Outputs `scores` (N, 1) as logits and `distances` (N, 4).

    With another `expansion` than MobileNetV2's own the weights are random: `train.networks.pruning` fills them.

    Backbone cut at stride 16 (block 12). Scores and distances stay apart, so each gets its own int8 scale;
    ReLU6, depthwise convolution, add and nearest upsampling are all an Edge TPU needs to map.
    """
    body = backbone("mobilenetv2", width, height, alpha, weights, frozen_until)
    low, high = body.get_layer("block_5_add").output, body.get_layer("block_12_add").output
    c = channels
    p5 = _unit(_unit(high, c, stride=2), c)
    p4 = _unit(layers.Add()([_unit(high, c, depthwise=False), layers.UpSampling2D(2)(p5)]), c)
    p3 = _unit(layers.Add()([_unit(low, c, depthwise=False), layers.UpSampling2D(2)(p4)]), c)
    scores, distances = [], []
    for p in (p3, p4, p5):
        x = _unit(_unit(p, c), c)
        score = layers.Conv2D(1, 1, bias_initializer=keras.initializers.Constant(-4.6))(x)
        distance = layers.Conv2D(4, 1, bias_initializer=keras.initializers.Constant(1.0))(x)
        scores.append(layers.Reshape((-1, 1))(score))
        distances.append(layers.Reshape((-1, 4))(distance))
    outputs = [layers.Concatenate(1, name="scores")(scores), layers.Concatenate(1, name="distances")(distances)]
    model = keras.Model(body.input, outputs, name="detector")
    return model if expansion == FULL else narrow(model, expansion)


def _unit(x: Any, width: int, stride: int = 1, depthwise: bool = True) -> Any:
    if depthwise:
        x = layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.97)(x))
    x = layers.Conv2D(width, 1, use_bias=False)(x)
    return layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.97)(x))


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

"""The mask classifier: a frozen or partly frozen backbone, average pooling, a softmax over the labels.

Only what an Edge TPU maps: ReLU6 convolutions, a mean over the picture, dense layers, a softmax.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from edge.core.errors import ConfigError
from train.classifier.beside_detector import JointCrossentropy, accuracy
from train.config import ClassifierConfig, Phase
from train.networks.backbones import backbone

LAST = "labels"
"""Name of the last layer, whose units are in the order of `edge.core.labels.CLASSIFIER_LABELS`."""
CAFFE_MEANS = (103.939, 116.779, 123.68)
"""Blue, green, red means that the VGG weights of Keras were trained with (`keras.applications.vgg16`)."""


def build(config: ClassifierConfig) -> keras.Model:
    """Input (size, size, 3), RGB / 127.5 - 1. Output (L,): probabilities of `config.labels`.

    Raises ConfigError for an unknown layer, DataError for weights that do not fit.
    """
    body = backbone(config.backbone, config.size, config.size, config.alpha, config.weights)
    inputs, x = body.input, body.output
    if config.backbone == "vgg16":
        inputs = keras.Input((config.size, config.size, 3))
        x = body(_caffe_colours()(inputs))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    if config.hidden:
        x = layers.Dense(config.hidden, "relu", name="hidden")(x)
    if config.dropout:
        x = layers.Dropout(config.dropout, seed=config.seed)(x)
    outputs = layers.Dense(len(config.labels), "softmax", name=LAST)(x)
    return keras.Model(inputs, outputs, name="classifier")


def _caffe_colours() -> keras.layers.Layer:
    """RGB / 127.5 - 1 -> BGR bytes less their means, as a fixed 1 x 1 convolution: one input spec for all backbones."""
    layer = layers.Conv2D(3, 1, name="to_caffe_colours", trainable=False)
    layer.build((None, None, None, 3))
    kernel = np.eye(3, dtype=np.float32)[::-1][None, None] * 127.5
    layer.set_weights([kernel, np.float32(127.5) - np.array(CAFFE_MEANS, np.float32)])
    return layer


def flat(model: keras.Model) -> list[keras.layers.Layer]:
    """All layers in order, those of a backbone that is nested in `model` included."""
    return [inner for layer in model.layers for inner in (getattr(layer, "layers", None) or [layer])]


def unfreeze(model: keras.Model, config: ClassifierConfig, upper_blocks: bool) -> None:
    """Trains the head and, with `upper_blocks`, the backbone's layers after `config.unfreeze_after`.

    BatchNorm stays frozen (inference mode): batches are small and balanced otherwise than the world.
    Raises ConfigError if there is no such layer.
    """
    every = flat(model)
    names = [layer.name for layer in every]
    if config.unfreeze_after not in names and upper_blocks:
        some = ", ".join(n for n in names if n.endswith(("_add", "_pool")))
        raise ConfigError(f"unfreeze_after = {config.unfreeze_after!r}: no such layer; expected one like {some}")
    first = names.index(config.unfreeze_after) + 1 if upper_blocks else len(every)
    fixed = (layers.BatchNormalization,)
    for k, layer in enumerate(every):
        of_head = layer.name in ("hidden", LAST)
        layer.trainable = of_head or (k >= first and not isinstance(layer, fixed))


def metrics(scored: bool) -> list[Any]:
    """What a training is followed by; `scored` as of `Augmented`."""
    return [accuracy if scored else "accuracy"]


def prepare(
    model: keras.Model, config: ClassifierConfig, phase: Phase, steps: int, upper_blocks: bool, scored: bool = False
) -> None:
    """Compiles `model` for one phase of `steps` batches in all, which are `scored` as `Augmented` says."""
    unfreeze(model, config, upper_blocks)
    rate: Any = phase.learning_rate
    if not phase.constant:
        peak, warm_up = phase.learning_rate, max(steps // 20, 1)
        rate = keras.optimizers.schedules.CosineDecay(
            peak / 10, max(steps - warm_up, 1), warmup_target=peak, warmup_steps=warm_up
        )
    averaging: dict[str, Any] = {"use_ema": True, "ema_momentum": phase.ema} if phase.ema else {}
    if phase.weight_decay:
        optimizer = keras.optimizers.AdamW(rate, weight_decay=phase.weight_decay, **averaging)
    else:
        optimizer = keras.optimizers.Adam(rate, **averaging)
    kind = JointCrossentropy if scored else keras.losses.CategoricalCrossentropy
    model.compile(optimizer, kind(label_smoothing=config.label_smoothing), metrics=metrics(scored))
    optimizer.build(model.trainable_variables)  # or a finished phase's weights, optimizer included, would not load


def best_temperature(probabilities: NDArray[Any], labels: NDArray[Any]) -> float:
    """The T whose softmax(logits / T) has the least negative log-likelihood (Guo et al. 2017, arXiv 1706.04599).

    `probabilities` (N, L) of a softmax, `labels` (N,). Searched on a grid of 1 % steps from 0.1 to 10.
    """
    logits = np.log(np.clip(probabilities, 1e-12, 1))
    margins = logits - logits[np.arange(len(labels)), labels][:, None]  # of each label over the true one
    grid = np.geomspace(0.1, 10, 464)
    losses = [np.log(np.exp(np.minimum(margins / t, 700)).sum(1)).mean() for t in grid]
    return float(grid[int(np.argmin(losses))])


def apply_temperature(model: keras.Model, temperature: float) -> None:
    """Folds softmax(logits / temperature) into the last layer: no answer changes, only how sure it is."""
    last = model.get_layer(LAST)
    last.set_weights([weights / temperature for weights in last.get_weights()])


def apply_offsets(model: keras.Model, offsets: NDArray[Any]) -> None:
    """Adds `offsets` (L,) to the logits of the last layer.

    A rare label is shown more often in training than at a door, so that it is said too often; what is added corrects
    its prior (Saerens et al. 2002, doi 10.1162/089976602753284446).
    """
    last = model.get_layer(LAST)
    kernel, bias = last.get_weights()
    last.set_weights([kernel, bias + offsets])

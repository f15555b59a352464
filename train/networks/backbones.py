"""The classifier's backbones."""

from __future__ import annotations

from pathlib import Path

import keras

from edge.core.errors import ConfigError, DataError
from edge.vision.bundle import LFS_POINTER


def backbone(name: str, width: int, height: int, alpha: float, weights: str | None) -> keras.Model:
    """A Keras backbone without top for (height, width, 3), BatchNorm frozen (running in inference mode).

    `weights`: "imagenet" (Keras downloads them), None or "none" (random), or a `.weights.h5` file without top
    made for 224 x 224: convolution weights do not depend on the input size.
    """
    makers = {"mobilenetv2": keras.applications.MobileNetV2, "vgg16": keras.applications.VGG16}
    if name not in makers:
        raise ConfigError(f"backbone = {name!r}: expected one of {', '.join(makers)}")
    extra = {"alpha": alpha} if name == "mobilenetv2" else {}
    named = weights if weights == "imagenet" else None
    try:
        body = makers[name](input_shape=(height, width, 3), include_top=False, weights=named, **extra)
    except Exception as error:  # Keras raises a plain Exception where it cannot download
        if named is None:
            raise
        raise DataError(
            f"the ImageNet weights of {name} could not be downloaded ({str(error).splitlines()[0]}); "
            "give --weights FILE, or go on from a trained network with --start; a half download lies in ~/.keras/models"
        ) from error
    if weights not in (None, "none", "imagenet"):
        load(body, Path(weights), makers[name], extra)
    for layer in body.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    return body


def load(body: keras.Model, path: Path, maker: type, extra: dict[str, float]) -> None:
    """Loads a weights file through a 224 x 224 twin. Raises DataError naming the file and the remedy."""
    if not path.is_file():
        raise DataError(f'{path}: no such weights file; give --weights FILE or weights = "imagenet"')
    if path.read_bytes().startswith(LFS_POINTER):
        raise DataError(f"{path}: a Git-LFS pointer, not the weights; fetch it with 'git lfs pull'")
    twin = maker(input_shape=(224, 224, 3), include_top=False, weights=None, **extra)
    try:
        twin.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: does not fit this backbone (width {extra.get('alpha', '-')}): {reason}") from error
    body.set_weights(twin.get_weights())

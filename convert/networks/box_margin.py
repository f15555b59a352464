"""Draws the detector's boxes a little larger than the faces it was taught.

Sets annotate anything from a tight face to a whole head. A tight box fits a whole head too badly to count as found
(IoU 0.4); one between the two styles fits both. The change is linear, so it goes into the last convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from convert.networks.keras_models import heads


def matrix(margin: Sequence[float]) -> NDArray[np.float32]:
    """(4, 4): distances left, top, right, bottom (row vectors) -> those of the box enlarged by shares of its sides."""
    result = np.eye(4, dtype=np.float32)
    for edge, share in enumerate(margin):
        result[[edge, (edge + 2) % 4], edge] += np.float32(share)
    return result


def fold(model: keras.Model, margin: Sequence[float]) -> None:
    """Changes the layers that say the distances.

    `margin`: shares of width, height, width, height that the left, top, right and bottom edge move outwards.
    """
    for layer in heads(model, 4):
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel @ matrix(margin), bias @ matrix(margin)])

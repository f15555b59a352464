"""How the classifier is taught to add to what the detector says already.

On a device both speak of one box together (`edge.vision.joint`): the log-odds of the detector's score, less what the
classifier doubts. So where a training crop has a score, the loss is of that sum. Where the detector is sure and right
the classifier need not be; where the detector is wrong it is told more.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from edge.vision.joint import log_odds

_LEAST = 1e-7


def with_scores(truths: NDArray[Any], scores: Any) -> NDArray[np.float32]:
    """One-hot `truths` (B, L) and the log-odds of the detector's `scores` (B,) as one more column: (B, L + 1)."""
    return np.c_[truths, log_odds(scores)].astype(np.float32)


class JointCrossentropy(keras.losses.Loss):
    """Cross-entropy of what both networks say together, of labels the last of which is "not a face".

    y_true (B, L + 1) as `with_scores` gives it, or (B, L) where no detector has spoken: then it is the plain
    cross-entropy. y_pred (B, L): probabilities. A product of experts (Hinton 2002, doi 10.1162/089976602760128018).
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__(name="joint_crossentropy")
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        count = y_pred.shape[-1]
        detector = ops.sum(y_true[:, count:], axis=1, keepdims=True)
        logits = ops.log(ops.clip(y_pred, _LEAST, 1.0)) + detector * np.array([1] * (count - 1) + [0], np.float32)
        return keras.losses.categorical_crossentropy(y_true[:, :count], logits, True, self.label_smoothing)


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """Share of right labels of the classifier alone; shapes as of `JointCrossentropy`."""
    return keras.metrics.categorical_accuracy(y_true[:, : y_pred.shape[-1]], y_pred)

"""Makes the detector's score a probability: of boxes scored 0.5, half are faces.

Platt scaling (Platt 1999, "Probabilistic outputs for support vector machines"): one factor and one offset for the
logit, fitted on the validation pictures and folded into the last convolutions. The order of the boxes, and so the
average precision, stays what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from convert.export.representative import every
from convert.networks.keras_models import heads
from edge.core.records import Image
from edge.evaluation.coco import Annotated
from edge.evaluation.scoring import Scorer, match
from edge.vision.decode import logit
from edge.vision.detector import float_rows

Rows = NDArray[np.float64]
FEWEST = 20
"""Right and wrong boxes that a fit needs, each; with fewer the scores stay as they are."""


def rows_of(model: keras.Model, nms_iou: float, lowest: float = 0.02) -> Callable[[Image], Rows]:
    """The float detector as a function picture (RGB) -> rows x0, y0, x1, y1, score in picture pixels."""
    height, width = model.input_shape[1:3]
    return float_rows(model.predict_on_batch, width, height, lowest, nms_iou)


def fit(rows: Callable[[Image], Rows], pictures: Sequence[Annotated]) -> tuple[float, float]:
    """Factor and offset of the logit; (1, 0) where the pictures show too little."""
    said, right = [np.zeros(0)], [np.zeros(0, bool)]
    for truth, image in every(pictures, "calibrating scores"):
        small = (truth.boxes[:, 2:] - truth.boxes[:, :2]).min(1, initial=np.inf) < Scorer.min_side
        scores, hits = match(rows(image), truth.boxes, truth.ignored | small, Scorer.threshold)
        said.append(scores)
        right.append(hits)
    scores, hits = np.concatenate(said), np.concatenate(right)
    if min(hits.sum(), (~hits).sum()) < FEWEST:
        return 1.0, 0.0
    logits = np.array([[logit(float(np.clip(s, 1e-6, 1 - 1e-6)))] for s in scores])
    line = LogisticRegression(C=1e6).fit(logits, hits)
    factor = float(line.coef_[0, 0])
    return (factor, float(line.intercept_[0])) if factor > 0 else (1.0, 0.0)


def fold(model: keras.Model, factor: float, offset: float) -> None:
    """Scales the layers that say the scores."""
    for layer in heads(model, 1):
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel * factor, bias * factor + offset])

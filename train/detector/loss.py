"""The loss of the face detector: which cell answers for which face, and how well it must."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from edge.vision.decode import STRIDES, UNIT, cells


class DetectionLoss(keras.losses.Loss):
    """Task-aligned assignment (TOOD, Feng et al. 2021, arXiv 2108.07755) with varifocal scores
    (Zhang et al. 2021, arXiv 2008.13367) and generalised IoU (Rezatofighi et al. 2019, arXiv 1902.09630).

    `y_true` (B, K, 5): boxes in pixels and 1 face / -1 ignore / 0 padding. `y_pred` (B, N, 5): logit and
    distances. Each face takes the `TOP` cells inside it that already score and fit best; the better the
    fit, the higher the score they are taught, so the score ranks boxes by how good they are.
    """

    TOP = 9

    def __init__(self, width: int, height: int) -> None:
        super().__init__(name="detection", reduction="sum_over_batch_size")
        centres, strides = cells(width, height, STRIDES)
        self.centres, self.strides = ops.convert_to_tensor(centres), ops.convert_to_tensor(strides)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if keras.backend.backend() == "torch":  # no graph there that a changing shape would have to be built for
            y_true = y_true[:, : max(int(ops.max(ops.sum(y_true[..., 4] != 0, 1))), 1)]
        reach = ops.relu(y_pred[..., 1:]) * (self.strides[:, None] * UNIT)
        boxes = ops.concatenate([self.centres - reach[..., :2], self.centres + reach[..., 2:]], -1)
        logits = y_pred[..., 0]
        target, chosen, ignored = self.assign(y_true, ops.stop_gradient(logits), ops.stop_gradient(boxes))
        positive = ops.cast(target > 0, "float32")
        p = ops.sigmoid(ops.stop_gradient(logits))
        weight = ops.where(target > 0, target, 0.75 * p * p * (1 - ignored))
        binary = ops.maximum(logits, 0) - logits * target + ops.log1p(ops.exp(-ops.abs(logits)))
        score = ops.sum(binary * weight, -1)
        fit = ops.sum(target * positive * (1 - self.giou(boxes, chosen)), -1)
        total = ops.maximum(ops.sum(target) / ops.cast(ops.shape(target)[0], "float32"), 1.0)
        return (score + 2.0 * fit) / total

    def assign(self, y_true: Any, logits: Any, boxes: Any) -> tuple[Any, Any, Any]:
        """Target score (B, N), the box of each cell (B, N, 4), and 1 where a cell lies in an ignored region (B, N)."""
        truth, kind = y_true[..., :4], y_true[..., 4]
        overlap = self.pairwise_iou(truth, boxes)  # (B, K, N)
        half = ops.maximum((truth[..., 2:] - truth[..., :2]) / 2, 5.0)  # a tiny face still owns the nearest cell
        away = ops.abs(self.centres - ((truth[..., :2] + truth[..., 2:]) / 2)[:, :, None])
        near = ops.all(away < half[:, :, None], -1)
        inside = ops.cast(near, "float32")
        ignored = ops.max(inside * ops.cast(kind < 0, "float32")[..., None], 1)
        inside = inside * ops.cast(kind > 0, "float32")[..., None]
        merit = ops.sqrt(ops.sigmoid(logits))[:, None] * overlap**4 * inside + 1e-9 * inside
        best = ops.top_k(merit, self.TOP)[0][..., -1:]
        mine = merit * ops.cast((merit >= best) & (merit > 0), "float32")
        owner = ops.argmax(mine, 1)  # (B, N): the face that wants this cell most
        mine = mine * ops.one_hot(owner, truth.shape[1], axis=1)
        most = ops.max(mine, 2, keepdims=True)
        reachable = ops.max(overlap * ops.cast(mine > 0, "float32"), 2, keepdims=True)
        target = ops.max(mine / ops.maximum(most, 1e-12) * ops.clip(reachable, 0.1, 1.0), 1)
        chosen = ops.take_along_axis(truth, ops.repeat(owner[..., None], 4, -1), 1)
        return target, chosen, ignored

    @staticmethod
    def pairwise_iou(a: Any, b: Any) -> Any:
        """(B, K, 4) and (B, N, 4) -> (B, K, N)."""
        low = ops.maximum(a[:, :, None, :2], b[:, None, :, :2])
        high = ops.minimum(a[:, :, None, 2:], b[:, None, :, 2:])
        common = ops.prod(ops.relu(high - low), -1)
        area_a, area_b = ops.prod(a[..., 2:] - a[..., :2], -1), ops.prod(b[..., 2:] - b[..., :2], -1)
        return common / (area_a[:, :, None] + area_b[:, None] - common + 1e-6)

    @staticmethod
    def giou(a: Any, b: Any) -> Any:
        """Elementwise generalised IoU of boxes (..., 4)."""
        common = ops.prod(ops.relu(ops.minimum(a[..., 2:], b[..., 2:]) - ops.maximum(a[..., :2], b[..., :2])), -1)
        hull = ops.prod(ops.maximum(a[..., 2:], b[..., 2:]) - ops.minimum(a[..., :2], b[..., :2]), -1)
        union = ops.prod(a[..., 2:] - a[..., :2], -1) + ops.prod(b[..., 2:] - b[..., :2], -1) - common
        return common / (union + 1e-6) - (hull - union) / (hull + 1e-6)

"""Scores a face and mask detector against annotations: numpy alone, so it runs on the device too.

A detector gives rows x0, y0, x1, y1, score, label (1 with mask, 0 without, 2 incorrectly worn, -1 not classified). Rows
are matched to faces greedily, best score first; a row on an ignored region is neither right nor wrong. When labels are
compared, "incorrectly worn" counts as "without": both raise the alert.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import iou_matrix
from edge.evaluation.coco import INCORRECTLY_WORN, WITH_MASK, WITHOUT_MASK, Annotated

Array = NDArray[Any]
BARE, MASKED, INCORRECT, UNSAID = 0, 1, 2, -1
"""A detector's labels."""
LABELS = {MASKED: WITH_MASK, BARE: WITHOUT_MASK}
"""A detector's label -> COCO category."""


def average_precision(scores: Array, hits: Array, positives: int) -> float:
    """Area under the precision envelope over recall, all points (PASCAL VOC 2010); NaN without positives."""
    if positives == 0:
        return float("nan")
    hits = hits[np.argsort(-scores, kind="stable")].astype(float)
    recall, precision = np.cumsum(hits) / positives, np.cumsum(hits) / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(np.r_[0.0, recall]) * envelope))


def match(rows: Array, boxes: Array, ignored: Array, threshold: float) -> tuple[Array, Array]:
    """Scores (M,) and hits (M,) of the counted rows; `rows` (N, 5+), `boxes` (K, 4), `ignored` (K,)."""
    rows = rows[np.argsort(-rows[:, 4], kind="stable")]
    overlap = iou_matrix(rows, boxes)
    scores, hits = [], []
    for row, row_overlap in zip(rows, overlap, strict=True):
        best = int(row_overlap.argmax()) if len(boxes) else -1
        hit = best >= 0 and row_overlap[best] >= threshold
        if hit and ignored[best]:
            continue
        scores.append(row[4])
        hits.append(hit)
        if hit:
            overlap[:, best] = -1.0  # taken: another row on this face is a false positive
    return np.array(scores, float), np.array(hits, bool)


@dataclass
class Scorer:
    """Collects picture after picture; `result()` gives the table."""

    operating: float = 0.5
    """Score threshold for recall, false positives and labels."""
    threshold: float = 0.4
    """IoU from which a row matches a face."""
    min_side: float = 12.0
    """Faces whose shorter side is below this, in pixels, are ignored."""
    pictures: int = 0
    false_alarms: int = 0
    faces: int = 0
    _face: list[tuple[Array, Array]] = field(default_factory=list)
    _label: dict[int, list[tuple[Array, Array]]] = field(default_factory=lambda: {0: [], 1: []})
    _wanted: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0})
    _found: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0})
    _confusion: Array = field(default_factory=lambda: np.zeros((2, 3), int))
    _incorrect: Array = field(default_factory=lambda: np.zeros(3, int))
    _incorrect_faces: int = 0

    def add(self, truth: Annotated, rows: Array) -> None:
        """Takes the rows (N, 6) of one picture."""
        rows = np.asarray(rows, float).reshape(-1, 6)
        sides = truth.boxes[:, 2:] - truth.boxes[:, :2]
        ignored = truth.ignored | (sides.min(1, initial=np.inf) < self.min_side)
        scores, hits = match(rows, truth.boxes, ignored, self.threshold)
        two = np.where(rows[:, 5] == INCORRECT, BARE, rows[:, 5])
        self.pictures += 1
        self.faces += int((~ignored).sum())
        self.false_alarms += int((~hits & (scores >= self.operating)).sum())
        self._face.append((scores, hits))
        for label, category in LABELS.items():
            wanted = truth.categories == category
            unknown = ignored | (truth.categories >= INCORRECTLY_WORN)
            k = wanted | unknown
            self._label[label].append(match(rows[two == label], truth.boxes[k], unknown[k], self.threshold))
            self._wanted[label] += int((wanted & ~ignored).sum())
        self._incorrect_faces += int(((truth.categories == INCORRECTLY_WORN) & ~ignored).sum())
        self._count_labels(truth, rows[rows[:, 4] >= self.operating], ignored)

    def _count_labels(self, truth: Annotated, rows: Array, ignored: Array) -> None:
        """Records the answer to each labelled face at the operating point."""
        overlap = iou_matrix(rows, truth.boxes)
        for k in np.flatnonzero(~ignored):
            if not len(rows) or overlap[:, k].max() < self.threshold:
                continue
            said, category = int(rows[overlap[:, k].argmax(), 5]), truth.categories[k]
            for label, wanted in LABELS.items():
                if category == wanted:
                    self._found[label] += 1
                    if said >= 0:
                        self._confusion[label, said] += 1
            if category == INCORRECTLY_WORN and said >= 0:
                self._incorrect[said] += 1

    @property
    def said(self) -> tuple[Array, Array]:
        """Scores and hits of every counted row."""
        return _joined(self._face)

    @property
    def found_and_wanted(self) -> tuple[int, int, int, int]:
        """Counts: masked faces found, masked faces, bare faces found, bare faces."""
        return self._found[1], self._wanted[1], self._found[0], self._wanted[0]

    @property
    def right_and_named(self) -> tuple[int, int]:
        """Counts: found faces with the right label, with any label; an incorrectly worn mask counts as bare."""
        c = self._confusion
        return int(c[BARE, BARE] + c[BARE, INCORRECT] + c[MASKED, MASKED]), int(c.sum())

    def result(self) -> dict[str, float]:
        """The table's row; NaN for a figure without data."""
        c, nan, incorrect = self._confusion[:, :2].copy(), float("nan"), self._incorrect
        c[:, BARE] += self._confusion[:, INCORRECT]
        named = c.sum() > 0
        tells = self._confusion[:, INCORRECT].sum() + incorrect[INCORRECT] > 0
        called = self._confusion[MASKED, INCORRECT]
        return {
            "face_ap": average_precision(*_joined(self._face), self.faces),
            "recall_masked": self._found[1] / self._wanted[1] if self._wanted[1] else nan,
            "recall_bare": self._found[0] / self._wanted[0] if self._wanted[0] else nan,
            "false_per_image": self.false_alarms / max(self.pictures, 1),
            "ap_with_mask": average_precision(*_joined(self._label[1]), self._wanted[1]) if named else nan,
            "ap_without_mask": average_precision(*_joined(self._label[0]), self._wanted[0]) if named else nan,
            "label_accuracy": float(np.trace(c) / c.sum()) if named else nan,
            "masked_called_bare": float(c[1, 0] / c[1].sum()) if c[1].sum() else nan,
            "bare_called_masked": float(c[0, 1] / c[0].sum()) if c[0].sum() else nan,
            "recall_incorrectly_worn": incorrect.sum() / self._incorrect_faces if self._incorrect_faces else nan,
            "incorrectly_worn_alarmed": _share(incorrect[BARE] + incorrect[INCORRECT], incorrect.sum()),
            "incorrectly_worn_named": _share(incorrect[INCORRECT], incorrect.sum()) if tells else nan,
            "masked_called_incorrectly_worn": _share(called, c[MASKED].sum()) if tells else nan,
        }


def _share(part: int, whole: int) -> float:
    return float(part / whole) if whole else float("nan")


def _joined(parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    if not parts:
        return np.zeros(0), np.zeros(0, bool)
    return np.concatenate([s for s, _ in parts]), np.concatenate([h for _, h in parts])

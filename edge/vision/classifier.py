"""Says of one face whether a mask is worn, with the bundle's classifier on any engine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import Box
from edge.core.labels import INCORRECTLY_WORN, MEANING, Mask
from edge.core.ports import Engine
from edge.core.records import Image, Verdict
from edge.vision.bundle import ClassifierSpec
from edge.vision.preprocess import crop


class MaskClassifier:
    """Crop, network, sum the labels that mean the same, and say UNSURE where neither side is clear."""

    def __init__(self, engine: Engine, spec: ClassifierSpec, unsure_below: float = 0.7):
        """A verdict whose probability is below `unsure_below` (0.5..1) is UNSURE."""
        self._engine, self._spec, self._unsure_below = engine, spec, unsure_below
        self._on = np.array([MEANING[label] is Mask.ON for label in spec.labels])
        self._incorrectly = spec.labels.index(INCORRECTLY_WORN) if INCORRECTLY_WORN in spec.labels else None

    def probabilities(self, image: Image, box: Box) -> NDArray[np.float32]:
        """Probability of each of the bundle's labels (L,) for the face at `box` of `image` (RGB)."""
        spec = self._spec.input
        face = crop(image, box, spec.width, spec.height, self._spec.margin)
        result: NDArray[np.float32] = self._engine.infer(face)[0]
        return result

    def classify(self, image: Image, box: Box) -> Verdict:
        """See `edge.core.ports.Classifier`."""
        p = self.probabilities(image, box)
        on = float(p[self._on].sum() / max(float(p.sum()), 1e-6))
        best = max(on, 1 - on)
        if best < self._unsure_below:
            return Verdict(Mask.UNSURE, best)
        if on > 0.5:
            return Verdict(Mask.ON, best)
        incorrectly = self._incorrectly is not None and bool(2 * p[self._incorrectly] > p[~self._on].sum())
        return Verdict(Mask.OFF, best, incorrectly)

"""Classifies one face: the classifier of the bundle on any engine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.core.geometry import Box
from edge.core.labels import INCORRECTLY_WORN, NOT_A_FACE, WITH_MASK, WITHOUT_MASK, Mask
from edge.core.ports import Engine
from edge.core.records import Image, Verdict
from edge.vision.bundle import ClassifierSpec
from edge.vision.joint import joint_score
from edge.vision.preprocess import crop


class MaskClassifier:
    """Crops the face, runs the network, and turns its probabilities into a verdict."""

    def __init__(
        self,
        engine: Engine,
        spec: ClassifierSpec,
        unsure_below: float,
        not_a_face: float,
        joint_threshold: float | None = None,
    ):
        """A verdict whose probability is below `unsure_below` (0.5..1) is UNSURE.

        `joint_threshold`: joint score of detector and classifier (`edge.vision.joint`) below which the verdict is "not
        a face". Without it, or without a score, the probability of that label decides, from `not_a_face` on.
        """
        self._engine, self._spec, self._unsure_below, self._not_a_face = engine, spec, unsure_below, not_a_face
        self._joint_threshold = joint_threshold
        self._places = {label: k for k, label in enumerate(spec.labels)}

    def probabilities(self, image: Image, box: Box, margin: float | None = None) -> NDArray[np.float32]:
        """Probability of each of the bundle's labels (L,) for the face at `box` of `image` (RGB).

        `margin`: instead of the bundle's; 0 if the box includes the surroundings of the face already.
        """
        spec = self._spec.input
        face = crop(image, box, spec.width, spec.height, self._spec.margin if margin is None else margin)
        result: NDArray[np.float32] = self._engine.infer(face)[0]
        return result

    def classify(self, image: Image, box: Box, score: float | None = None) -> Verdict:
        """See `edge.core.ports.Classifier`.

        Two labels count as OFF: their probabilities are added, and the larger one says which it is. The probability of
        "not a face" lowers both sides, so that a doubtful face gives no vote.
        """
        p = self.probabilities(image, box)
        p = p / max(float(p.sum()), 1e-6)
        on, off, incorrectly, thing = (self._of(p, x) for x in (WITH_MASK, WITHOUT_MASK, INCORRECTLY_WORN, NOT_A_FACE))
        face, rejected = self._judged(score, thing)
        face = float(face)
        if rejected:
            return Verdict(Mask.UNSURE, thing, not_a_face=True, face=face)
        best = max(on, off + incorrectly)
        if best < self._unsure_below:
            return Verdict(Mask.UNSURE, best, face=face)
        if on == best:
            return Verdict(Mask.ON, best, face=face)
        return Verdict(Mask.OFF, best, incorrectly_worn=incorrectly > off, face=face)

    def rejects(self, score: Any, thing: Any) -> Any:
        """Whether a box is no face: `score` is the detector's, `thing` the probability of "not a face", 0..1.

        Of arrays (N,) of both, an array.
        """
        return self._judged(score, thing)[1]

    def _judged(self, score: Any, thing: Any) -> tuple[Any, Any]:
        """The score that a box is a face, and whether it is too low."""
        if self._joint_threshold is None or score is None:
            return 1 - thing, thing >= self._not_a_face
        face = joint_score(score, thing, self._not_a_face)
        return face, face < self._joint_threshold

    def _of(self, p: NDArray[np.float32], label: str) -> float:
        """The probability of a label; 0 if the bundle does not have it."""
        return float(p[self._places[label]]) if label in self._places else 0.0

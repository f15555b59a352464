"""Runs both networks over annotated pictures and computes the table of figures, in total and per source."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.config.settings import Judgement
from edge.core.geometry import Box
from edge.core.labels import INCORRECTLY_WORN, NOT_A_FACE, WITH_MASK, WITHOUT_MASK
from edge.core.plain_text import plain
from edge.core.ports import Engine
from edge.core.records import Image
from edge.evaluation import slices
from edge.evaluation.annotated import Annotated, Skipped, each
from edge.evaluation.scoring import BARE, INCORRECT, MASKED, UNSAID, Scorer
from edge.vision.bundle import Bundle
from edge.vision.classifier import MaskClassifier
from edge.vision.detector import FaceDetector
from edge.vision.joint import joint_score

Rows = NDArray[np.float64]
LOWEST = 0.001
"""Lowest score of a listed face, for the average precision."""
NOT_A_FACE_FROM = Judgement().not_a_face
"""Probability of "not a face" from which a box is rejected: the device's default."""
NAMED_FROM = 0.03
"""Faces below this score are not classified: their label stays -1."""
UNASKED = 0.5
"""Probability of "not a face" of a box that is not classified: it must not rank above those that were."""


OF_FINDING = ("face_ap", "recall_masked", "recall_bare", "false_per_image", "ap_with_mask", "ap_without_mask")
"""Figures that require every face of a picture to be annotated."""


def mask_classifier(engine: Engine, bundle: Bundle) -> MaskClassifier:
    """A bundle's classifier with the thresholds of the default settings."""
    decision, joint = Judgement(), bundle.detector.joint_threshold
    return MaskClassifier(engine, bundle.classifier, decision.unsure_below, decision.not_a_face, joint)


class BundleDetector:
    """Both networks of a bundle as one function: picture -> rows x0, y0, x1, y1, score, label.

    On the device, a box that the classifier rejects as "not a face" is dropped. Here it is ranked below the operating
    point: its score is the joint one (`edge.vision.joint`), or, with a bundle that has no joint threshold, becomes at
    most that point, times the probability that it is a face. Above that point a box whose label is doubtful ranks lower
    (`sure_first`).
    """

    def __init__(self, bundle: Bundle, detector: Engine, classifier: Engine) -> None:
        self.operating = bundle.detector.operating
        self._joint = bundle.detector.joint_threshold is not None
        self._detector = FaceDetector(detector, bundle.detector, threshold=LOWEST)
        self._classifier = mask_classifier(classifier, bundle)
        self._labels = bundle.classifier.labels

    def rows(self, image: Image) -> Rows:
        """(N, 6) rows of an RGB picture, best first; labels as in `edge.evaluation.scoring`."""
        found, things, sure = self._answers(image)
        if self._joint:
            found[:, 4] = joint_score(found[:, 4], things, NOT_A_FACE_FROM)
        else:
            vetoed = self.rejected(found, things)
            found[vetoed, 4] = np.minimum(found[vetoed, 4], self.operating) * (1 - things[vetoed])
        found[:, 4] = sure_first(found[:, 4], sure, self.operating)
        return found[np.argsort(-found[:, 4], kind="stable")]

    def answers(self, image: Image) -> tuple[Rows, Rows]:
        """The same rows with the detector's own score, and the probabilities (N,) that they are not faces."""
        return self._answers(image)[:2]

    def _answers(self, image: Image) -> tuple[Rows, Rows, Rows]:
        """And how sure each label is (N,), 0.5 to 1."""
        found = self._detector.rows(image)
        labels, things = np.full(len(found), float(UNSAID)), np.full(len(found), UNASKED if self._joint else 0.0)
        sure = np.ones(len(found))
        for i in np.flatnonzero(found[:, 4] >= NAMED_FROM):
            labels[i], things[i], sure[i] = self._say(image, Box(*found[i, :4].tolist()))
        return np.c_[found, labels], things, sure

    def rejected(self, rows: Rows, things: Rows) -> NDArray[np.bool_]:
        """Which of the `answers` the device drops as "not a face"."""
        rejected: NDArray[np.bool_] = self._classifier.rejects(rows[:, 4], things)
        return rejected

    def named(self, image: Image, truth: Annotated) -> Rows:
        """The classifier's rows for the annotated boxes of `truth`, each with a score of 1."""
        rows = [[*box, 1.0, self._say(image, Box(*box), truth.whole)[0]] for box in truth.boxes.tolist()]
        return np.array(rows, float).reshape(-1, 6)

    def _say(self, image: Image, box: Box, whole: bool = False) -> tuple[float, float, float]:
        """The label of a box, the probability that it is no face, and how sure the label is among faces."""
        p = self._classifier.probabilities(image, box, 0.0 if whole else None)
        said = dict(zip(self._labels, p.tolist(), strict=True))
        on, off, incorrect = (said.get(x, 0.0) for x in (WITH_MASK, WITHOUT_MASK, INCORRECTLY_WORN))
        label = MASKED if on >= off + incorrect else INCORRECT if incorrect > off else BARE
        return float(label), said.get(NOT_A_FACE, 0.0), max(on, off + incorrect) / max(on + off + incorrect, 1e-6)

    def __call__(self, bgr: NDArray[np.uint8]) -> Rows:
        """Like `__call__` for a BGR picture, as OpenCV reads it, with two labels: an incorrectly worn mask is 0."""
        rows = self.rows(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))  # type: ignore[arg-type]
        rows[rows[:, 5] == INCORRECT, 5] = BARE
        return rows


def sure_first(scores: Rows, sure: Rows, operating: float) -> Rows:
    """Scores (N,) whose part above the operating point is multiplied by how sure the label is (N,), 0..1.

    So the average precision of a label ranks by box and label together, as is usual in detectors of several classes,
    and what counts as found stays the same.
    """
    return np.minimum(scores, operating) + np.maximum(scores - operating, 0) * sure


def score(
    pictures: list[Annotated],
    detect: Callable[[Image], Rows],
    operating: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
    name: Callable[[Image, Annotated], Rows] | None = None,
    on_answer: Callable[[Annotated, Rows], None] = lambda truth, rows: None,
) -> dict[str, dict[str, Any]]:
    """Scores `detect(RGB) -> rows` on all pictures, per source and per slice (`edge.evaluation.slices`).

    Returns name -> figures (see `Scorer`). "all" is first and also has `median_ms`, `skipped` (pictures that could not
    be used) and `first_skipped` (why the first was not). Raises DataError if none can be used.

    `name(RGB, truth) -> rows` labels given boxes (`BundleDetector.named`): if only one face of a picture is annotated,
    nothing else can be scored, and the detection figures are NaN. `on_answer` receives every answer.
    """
    skipped = Skipped()
    scorers: dict[str, Scorer] = {"all": Scorer(operating)}
    cuts: dict[str, Scorer] = {}
    times, alone = [], False
    for truth, image in each(pictures, skipped):
        start = time.perf_counter()
        rows = name(image, truth) if name and truth.lone else detect(image)
        times.append(time.perf_counter() - start)
        on_answer(truth, rows)
        alone |= truth.lone
        for source in dict.fromkeys(("all", truth.source or "all")):
            scorers.setdefault(source, Scorer(operating)).add(truth, rows)
        for cut, part, some in slices.of(truth, image, rows, scorers["all"].threshold):
            cuts.setdefault(cut, Scorer(operating)).add(part, some)
        progress(skipped.total, len(pictures))
    if skipped.total and skipped.reasons and skipped.reasons[-1][0] == pictures[-1].path:
        progress(skipped.total, len(pictures))
    ordered = scorers | dict(sorted(cuts.items(), key=lambda cut: (not cut[0][0].isdigit(), len(cut[0]), cut[0])))
    result: dict[str, dict[str, Any]] = {
        name: {"pictures": s.pictures, "faces": s.faces, **s.result()} for name, s in ordered.items()
    }
    if alone and name:
        for figures in result.values():
            figures |= dict.fromkeys(OF_FINDING, float("nan"))
    result["all"] |= {"median_ms": float(np.median(times) * 1e3), "skipped": len(skipped.reasons)}
    if skipped.reasons:
        result["all"]["first_skipped"] = str(skipped)
    return result


COLUMNS = {
    "pictures": "pictures",
    "faces": "faces",
    "face_ap": "face AP",
    "recall_masked": "rec. masked",
    "recall_bare": "rec. bare",
    "false_per_image": "false/pic",
    "ap_with_mask": "AP mask",
    "ap_without_mask": "AP no mask",
    "label_accuracy": "label acc",
    "masked_called_bare": "mask>bare",
    "bare_called_masked": "bare>mask",
    "incorrectly_worn_alarmed": "inc. alarm",
    "incorrectly_worn_named": "inc. named",
    "masked_called_incorrectly_worn": "mask>inc.",
}

WIDEST = 60
"""Width of a row's title, in characters."""


def table(result: dict[str, dict[str, Any]]) -> str:
    """The figures as text, one row per source and slice; skipped pictures come first."""
    titles = {name: plain(" ".join(name.split()))[:WIDEST] for name in result}  # the annotations' own words
    wide = max(map(len, titles.values())) + 2
    lines = [f"{result['all']['first_skipped']}\n"] if "first_skipped" in result["all"] else []
    lines += [f"{'slice':<{wide}}" + "".join(f"{title:>12}" for title in COLUMNS.values())]
    for name, figures in result.items():
        cells = [figures.get(key, float("nan")) for key in COLUMNS]
        texts = ["-" if v is None or v != v else f"{v:d}" if isinstance(v, int) else f"{v:.3f}" for v in cells]
        lines.append(f"{titles[name]:<{wide}}" + "".join(f"{text:>12}" for text in texts))
    if "median_ms" in result["all"]:
        lines.append(f"median {result['all']['median_ms']:.1f} ms per picture, detector and classifier together")
    return "\n".join(lines)


def without_nan(value: Any) -> Any:
    """The figures with None in place of NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {k: without_nan(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(v) for v in value]
    return None if isinstance(value, float) and value != value else value

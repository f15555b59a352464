"""What is in a data set: pictures, classes, sizes of boxes, near-duplicates, leaks, doubtful labels.

Every picture is decoded once and let go again; what stays of it is a few numbers, so that memory does not grow with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge.core.geometry import Box
from edge.core.labels import CLASSIFIER_LABELS
from edge.core.records import Image
from edge.evaluation import formats
from edge.evaluation.annotated import NAMES, Annotated, Skipped, each
from edge.vision.classifier import MaskClassifier
from edge.vision.preprocess import resize
from train.data import near_duplicates

SIZES = ((0, 20), (20, 40), (40, 80), (80, float("inf")))
"""Longer side of a face in pixels, from (with) ... to (without)."""
DOUBTFUL = 0.2
"""Probability of its own label below which a face is doubtful."""
SMALL = 128
"""Pixels to which a picture is shrunk for its fingerprint."""


@dataclass(frozen=True)
class Doubt:
    """A face whose label the bundle does not believe."""

    path: Path
    box: tuple[float, float, float, float]
    """x0, y0, x1, y1 in pixels."""
    label: str
    says: str
    sure: float
    """Probability of what it says."""


@dataclass
class Survey:
    """Of one data set or of several together."""

    pictures: int = 0
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    faces: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(class, part) -> faces; the part is "train", "val" or ""."""
    ignored: int = 0
    empty: int = 0
    """Pictures without an annotated face."""
    whole: int = 0
    """Pictures that are one face."""
    sources: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    copies: list[list[Path]] = field(default_factory=list)
    """Groups of near-duplicates, the largest first."""
    leaks: list[tuple[Path, Path]] = field(default_factory=list)
    """A picture to validate on, and a near-duplicate of it to train on."""
    doubts: list[Doubt] = field(default_factory=list)
    """The worst first."""
    checked: int = 0
    """Faces that the bundle was asked about."""


def survey(
    paths: Sequence[Path],
    renamed: Mapping[str, str],
    classifier: MaskClassifier | None,
    labels: Sequence[str],
    distance: int = 6,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Survey:
    """Looks at all pictures. `classifier`, `labels`: those of a bundle; None asks nobody.

    Raises DataError for a set that cannot be read, or of which no picture can.
    """
    truths = [truth for path in paths for truth in formats.read(path, renamed, things=True)]
    result, skipped = Survey(len(truths)), Skipped()
    seen: list[Annotated] = []
    hashes: list[list[int]] = []
    for truth, image in each(truths, skipped):
        _count(result, truth, image)
        seen.append(truth)
        hashes.append(_fingerprints(image))
        if classifier:
            _doubt(result, truth, image, classifier, labels)
        progress(skipped.total, len(truths))
    result.skipped = skipped.reasons
    result.doubts.sort(key=lambda doubt: -doubt.sure)
    _compare(result, seen, np.array(hashes, np.uint64).reshape(len(seen), -1), distance)
    return result


def _count(result: Survey, truth: Annotated, image: Image) -> None:
    names = {number: name for name, number in NAMES.items()}
    result.sources[truth.source or "(no source)"] += 1
    result.whole += truth.whole
    result.empty += not len(truth.boxes)
    for box, category, ignored in zip(truth.boxes, truth.categories.tolist(), truth.ignored.tolist(), strict=True):
        name = names[category]
        if ignored and name not in CLASSIFIER_LABELS[3:]:
            result.ignored += 1
            continue
        result.faces[name, truth.split] += 1
        side = max(image.shape[:2]) if truth.whole else float((box[2:] - box[:2]).max())
        result.sizes[next(_size(low, high) for low, high in SIZES if low <= side < high)] += 1


def _size(low: float, high: float) -> str:
    return f"{low} px and more" if high == float("inf") else f"{low}-{high} px"


def _fingerprints(image: Image) -> list[int]:
    """Of the picture and of its mirror image: uint64 each."""
    small = resize(image, SMALL, SMALL)
    return [near_duplicates.fingerprint(view) for view in (small, np.ascontiguousarray(small[:, ::-1]))]


def _doubt(result: Survey, truth: Annotated, image: Image, classifier: MaskClassifier, labels: Sequence[str]) -> None:
    names = {number: name for name, number in NAMES.items()}
    for box, category, ignored in zip(truth.boxes.tolist(), truth.categories.tolist(), truth.ignored, strict=True):
        label = names[category]
        if label not in labels or (ignored and label != CLASSIFIER_LABELS[3]):
            continue
        result.checked += 1
        p = classifier.probabilities(image, Box(*box), 0.0 if truth.whole else None)
        p = p / max(float(p.sum()), 1e-6)
        if p[labels.index(label)] < DOUBTFUL:
            best = int(np.argmax(p))
            result.doubts.append(Doubt(truth.path, tuple(box), label, labels[best], float(p[best])))


def _compare(result: Survey, seen: Sequence[Annotated], hashes: Any, distance: int) -> None:
    """Near-duplicates of whole pictures, and which of them stand on both sides of a split."""
    groups: dict[int, list[int]] = {}
    for k, number in enumerate(near_duplicates.components(hashes, distance).tolist() if len(seen) else ()):
        groups.setdefault(number, []).append(k)
    alike = sorted((g for g in groups.values() if len(g) > 1), key=lambda g: (-len(g), g))
    result.copies = [[seen[k].path for k in group] for group in alike]
    for group in alike:
        trained = [seen[k].path for k in group if seen[k].split == "train"]
        held = [seen[k].path for k in group if seen[k].split == "val"]
        result.leaks += [(path, trained[0]) for path in held] if trained else []


def text(result: Survey, most: int = 8) -> str:
    """For people."""
    lines = [f"{result.pictures} pictures, {len(result.skipped)} cannot be used"]
    lines += [f"  {reason}" for _, reason in result.skipped[:most]] + _more(result.skipped, most)
    parts = sorted({part for _, part in result.faces})
    lines += ["", f"{'class':<24}" + "".join(f"{part or 'no part':>10}" for part in parts)]
    for name in NAMES:
        if any(result.faces[name, part] for part in parts):
            lines.append(f"{name:<24}" + "".join(f"{result.faces[name, part]:>10}" for part in parts))
    lines.append(f"{'to ignore':<24}{result.ignored:>10}")
    lines.append(f"{'pictures without a face':<24}{result.empty:>10}")
    if result.whole:
        lines.append(f"{result.whole} pictures are one whole face each: whoever sorted them drew no boxes")
    lines += ["", "longer side of the faces: " + ", ".join(f"{result.sizes[_size(*s)]} of {_size(*s)}" for s in SIZES)]
    lines.append("sources: " + ", ".join(f"{name} {n}" for name, n in result.sources.most_common(most)))
    inside = sum(map(len, result.copies))
    lines += ["", f"near-duplicates: {inside} pictures in {len(result.copies)} groups"]
    lines += [
        f"  {len(g)}: {', '.join(p.name for p in g[:4])}{' ...' if len(g) > 4 else ''}" for g in result.copies[:most]
    ]
    lines.append(f"leaks: {len(result.leaks)} pictures to validate on are near-duplicates of one to train on")
    lines += [f"  {held} ~ {trained}" for held, trained in result.leaks[:most]] + _more(result.leaks, most)
    if result.checked:
        lines += [
            "",
            f"doubtful labels: {len(result.doubts)} of {result.checked} faces; look at them, either can be wrong",
        ]
        for d in result.doubts[:most]:
            at = ",".join(f"{v:.0f}" for v in d.box)
            lines.append(f"  {d.path} [{at}]: {d.label}; the bundle says {d.says} ({d.sure:.0%})")
        lines += _more(result.doubts, most)
    return "\n".join(lines)


def _more(some: Sequence[Any], most: int) -> list[str]:
    return [f"  ... and {len(some) - most} more"] if len(some) > most else []

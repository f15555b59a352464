"""What a trained classifier is worth: tables, slices, calibration, pictures, the model card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from edge.core.labels import INCORRECTLY_WORN, NOT_A_FACE, WITH_MASK, WITHOUT_MASK
from edge.vision import masks
from train.augmentation import drawn_objects, occlusion
from train.data.dataset import Patch, shrunk, truth
from train.data.shelf import keep

matplotlib.use("Agg")
import matplotlib.pyplot as plt

Array = NDArray[Any]
Predict = Callable[[Sequence[Patch]], Array]
"""Faces -> probabilities (N, L) of the labels, in their order."""
SIZES = ((0, 20), (20, 40), (40, 80), (80, float("inf")))
"""Longer side of the face in pixels, from (with) ... to (without)."""


def scores(truths: Array, probabilities: Array, labels: Sequence[str]) -> dict[str, Any]:
    """Accuracy, confusion (row: truth, column: answer), calibration error; precision, recall, f1, support per label."""
    said = probabilities.argmax(1)
    confusion = np.zeros((len(labels), len(labels)), int)
    np.add.at(confusion, (truths, said), 1)
    per_label = {}
    for k, name in enumerate(labels):
        precision, recall = (_share(confusion[k, k], confusion.sum(axis)[k]) for axis in (0, 1))
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        per_label[name] = {"precision": precision, "recall": recall, "f1": f1, "support": int(confusion[k].sum())}
    return {
        "faces": len(truths),
        "accuracy": _share(confusion.trace(), len(truths)),
        "ece": calibration(truths, probabilities)[0],
        "labels": per_label,
        "confusion": confusion.tolist(),
    }


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def calibration(truths: Array, probabilities: Array, bins: int = 15) -> tuple[float, list[tuple[float, float, int]]]:
    """Expected calibration error, and per filled bin of confidence its mean confidence, accuracy and count."""
    sure, right = probabilities.max(1), probabilities.argmax(1) == truths
    where = np.minimum((sure * bins).astype(int), bins - 1)
    rows = [
        (float(sure[where == b].mean()), float(right[where == b].mean()), int((where == b).sum()))
        for b in np.unique(where)
    ]
    return sum(abs(s - r) * n for s, r, n in rows) / max(len(truths), 1), rows


def sliced(patches: Sequence[Patch], probabilities: Array, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Accuracy by source and by size of the face."""
    right = probabilities.argmax(1) == truth(patches, labels)
    sources = np.array([p.sample.source for p in patches])
    sides = np.array([p.side for p in patches])
    by_size = {
        f"{low} px and more" if high == np.inf else f"{low}-{high} px": (sides >= low) & (sides < high)
        for low, high in SIZES
    }
    by_source = {str(s): sources == s for s in np.unique(sources)}

    def rows(parts: dict[str, Array]) -> dict[str, dict[str, float]]:
        return {k: {"accuracy": float(right[m].mean()), "faces": int(m.sum())} for k, m in parts.items() if m.any()}

    return {"by_source": rows(by_source), "by_size": rows(by_size)}


def hard_cases(
    patches: Sequence[Patch], predict: Predict, labels: Sequence[str], seed: int
) -> dict[str, dict[str, float]]:
    """Accuracy where cameras err: incorrectly worn masks, things, and faces changed by drawing.

    "Alarmed" is either answer that raises the alert. The drawn ones say how well the augmentation was learnt, not how
    well a real hand is told from a mask.
    """
    rng = np.random.default_rng(seed)
    known = [p for p in patches if p.sample.label in (WITH_MASK, WITHOUT_MASK)]
    bare = [p for p in known if p.sample.label == WITHOUT_MASK and p.sample.box is not None]
    covered = [replace(p, image=keep(occlusion.lower(p.image, p.box, rng))) for p in bare]
    drawn = [replace(p, image=keep(masks.draw(p.image, p.box, rng))) for p in bare]
    incorrect = [p for p in patches if p.sample.label == INCORRECTLY_WORN]
    alarms = (WITHOUT_MASK, INCORRECTLY_WORN)
    cases: dict[str, tuple[list[Patch], tuple[str, ...]]] = {
        "incorrectly worn mask: alarmed": (incorrect, alarms),
        "bare behind a drawn hand, beard or cup": (covered, (WITHOUT_MASK,)),
        "mask drawn on a bare face": (drawn, (WITH_MASK,)),
        "shrunk to 16 px, with mask": ([shrunk(p, 16) for p in known if p.sample.label == WITH_MASK], (WITH_MASK,)),
        "shrunk to 16 px, without mask": ([shrunk(p, 16) for p in known if p.sample.label == WITHOUT_MASK], alarms),
    }
    if INCORRECTLY_WORN in labels:
        masked = [p for p in known if p.sample.label == WITH_MASK]
        cases["with mask: not called incorrectly worn"] = (masked, tuple(x for x in labels if x != INCORRECTLY_WORN))
        low = [replace(p, image=keep(masks.draw(p.image, p.box, rng, masks.NOSE_FREE + 0.1))) for p in bare]
        cases["mask drawn below the nose: alarmed"] = (low, alarms)
    if NOT_A_FACE in labels:
        cases["drawn wheels, lamps, signs, windows"] = ([drawn_objects.draw(rng) for _ in range(200)], (NOT_A_FACE,))
        cases["with or without mask: not called a thing"] = (known, tuple(x for x in labels if x != NOT_A_FACE))
    return {
        name: {"accuracy": _answered(predict(faces), right, labels), "faces": len(faces)}
        for name, (faces, right) in cases.items()
        if faces
    }


def _answered(probabilities: Array, right: Sequence[str], labels: Sequence[str]) -> float:
    """Share of answers among `right`."""
    return float(np.isin(probabilities.argmax(1), [k for k, label in enumerate(labels) if label in right]).mean())


def measure(patches: Sequence[Patch], predict: Predict, labels: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """Everything about one set of faces; one whose label is not among `labels` is only a slice of it."""
    known = [p for p in patches if p.sample.label in labels]
    probabilities = predict(known)
    return (
        scores(truth(known, labels), probabilities, labels)
        | sliced(known, probabilities, labels)
        | {"hard_cases": hard_cases(patches, predict, labels, seed)}
    )


def text(result: dict[str, Any], title: str) -> str:
    """The table of one set, then its slices."""
    lines = [title, f"{'':>24}{'precision':>11}{'recall':>9}{'f1-score':>10}{'support':>9}", ""]
    rows = result["labels"]
    for name, r in rows.items():
        lines.append(f"{name:>24}{r['precision']:>11.3f}{r['recall']:>9.3f}{r['f1']:>10.3f}{r['support']:>9}")
    lines += ["", f"{'accuracy':>24}{result['accuracy']:>30.3f}{result['faces']:>9}"]
    total = max(result["faces"], 1)
    for name, weights in (
        ("macro avg", [1 / len(rows)] * len(rows)),
        ("weighted avg", [r["support"] / total for r in rows.values()]),
    ):
        mean = [
            sum(w * r[k] for w, r in zip(weights, rows.values(), strict=True)) for k in ("precision", "recall", "f1")
        ]
        lines.append(f"{name:>24}{mean[0]:>11.3f}{mean[1]:>9.3f}{mean[2]:>10.3f}{result['faces']:>9}")
    lines += ["", f"expected calibration error {result['ece']:.3f}"]
    for heading, key in (("by source", "by_source"), ("by size of the face", "by_size"), ("hard cases", "hard_cases")):
        lines += ["", f"{heading:<42}{'accuracy':>9}{'faces':>8}"]
        lines += [f"  {name:<40}{r['accuracy']:>9.3f}{r['faces']:>8}" for name, r in result[key].items()]
    return "\n".join(lines) + "\n"


def comparison(results: Sequence[dict[str, Any]]) -> str:
    """One row per split that was trained: its own validation, and the further sets, side by side."""
    lines = [
        f"{'trained on a split by':<24}{'validated on':<28}{'leaked':>8}"
        f"{'accuracy':>10}{'with_mask':>11}{'without':>9}{'faces':>7}"
    ]
    for result in results:
        sets = [("its own validation part", result["val"], result["leaked"])]
        sets += [(name, r, r["near_training"]) for name, r in result["also"].items()]
        for name, r, leaked in sets:
            recalls = [r["labels"][label]["recall"] for label in (WITH_MASK, WITHOUT_MASK)]
            lines.append(
                f"{result['split']:<24}{name[-27:]:<28}{leaked:>8}{r['accuracy']:>10.3f}{recalls[0]:>11.3f}{recalls[1]:>9.3f}{r['faces']:>7}"
            )
    return "\n".join(lines) + "\n"


def leakage(result: dict[str, Any]) -> str:
    """What the split lets through, and what a random one would."""
    validated, random = sum(sum(n.values()) for n in result["validation"].values()), result["random_split"]
    return (
        f"Near-duplicates ({result['clusters']} clusters): {result['leaked']} pictures of {validated} validation faces "
        f"also stand in training, {result['left_out_as_copies']} training faces were left out for that; "
        f"a random split would leak {random['leaked']} of {random['files']}.\n"
    )


def confusion_picture(result: dict[str, Any], path: Path) -> None:
    matrix = np.array(result["confusion"])
    figure, axis = plt.subplots(figsize=(4, 3.6), layout="constrained")
    axis.imshow(matrix / np.maximum(matrix.sum(1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(matrix):
        axis.text(column, row, str(count), ha="center", va="center", color="white" if row == column else "black")
    ticks, names = range(len(matrix)), [label.replace("_", "\n") for label in result["labels"]]
    axis.set(xticks=ticks, yticks=ticks, xticklabels=names, yticklabels=names)
    axis.set(xlabel="answer", ylabel="truth", title=f"accuracy {result['accuracy']:.3f}")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def reliability_picture(truths: Array, probabilities: Array, path: Path) -> None:
    error, rows = calibration(truths, probabilities)
    figure, axis = plt.subplots(figsize=(4, 3.6), layout="constrained")
    axis.plot([0.5, 1], [0.5, 1], color="grey", linestyle="dashed")
    sure, right, counts = (np.array(column) for column in zip(*rows, strict=True))
    axis.scatter(sure, right, s=20 + 200 * counts / counts.sum(), zorder=2)
    axis.plot(sure, right)
    axis.set(
        xlim=(0.5, 1.01),
        ylim=(0, 1.02),
        xlabel="confidence",
        ylabel="share that is right",
        title=f"calibration error {error:.3f}",
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)

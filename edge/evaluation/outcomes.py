"""Compares two systems on the same pictures, with a confidence interval of the difference.

The interval is the percentile bootstrap over pictures (Efron 1979, doi 10.1214/aos/1176344552): pictures are resampled
together with both systems' answers, so pictures that are hard for both do not widen it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.evaluation.annotated import Annotated
from edge.evaluation.scoring import Scorer

Array = NDArray[Any]
BETTER = {"face_ap": 1, "recall_masked": 1, "recall_bare": 1, "label_accuracy": 1, "false_per_image": -1}
"""Figure -> 1 if more is better, -1 if less is."""
DRAWS, LEVEL = 400, 95
FEW = 100
"""With fewer pictures an interval means little, and the report says so."""


@dataclass(frozen=True)
class Interval:
    """A figure of the new and of the old system; bounds of the difference new - old, at `LEVEL` percent."""

    name: str
    new: float
    old: float
    low: float
    high: float

    @property
    def surely_worse(self) -> bool:
        return self.high < 0 if BETTER[self.name] > 0 else self.low > 0

    @property
    def surely_better(self) -> bool:
        return self.low > 0 if BETTER[self.name] > 0 else self.high < 0

    @property
    def verdict(self) -> str:
        """In words: surely worse, surely better, or not told apart."""
        return "surely worse" if self.surely_worse else "surely better" if self.surely_better else "not told apart"


class Outcomes:
    """A system's answers per picture, in a form that can be summed over any choice of pictures."""

    def __init__(self, operating: float) -> None:
        """`operating`: lowest score at which a face counts as found."""
        self.operating, self.lone = operating, False
        self._counts: list[list[float]] = []
        self._said: list[tuple[Array, Array]] = []

    def add(self, truth: Annotated, rows: Array) -> None:
        """Takes the rows (N, 6) of one picture; see `Scorer.add`."""
        one = Scorer(self.operating)
        one.add(truth, rows)
        self.lone |= truth.lone
        self._said.append(one.said)
        self._counts.append([one.faces, one.false_alarms, *one.found_and_wanted, *one.right_and_named])

    def __len__(self) -> int:
        return len(self._counts)

    def figures(self, weights: Array | None = None) -> dict[str, float]:
        """The figures of `BETTER`, each picture counted `weights` (N,) times; NaN without data."""
        weights = np.ones(len(self)) if weights is None else weights
        faces, alarms, found_on, on, found_off, off, right, named = weights @ np.array(self._counts, float)
        with np.errstate(all="ignore"):
            result = {
                "recall_masked": np.divide(found_on, on),
                "recall_bare": np.divide(found_off, off),
                "label_accuracy": np.divide(right, named),
                "false_per_image": alarms / weights.sum(),
                "face_ap": self._average_precision(weights, faces),
            }
        if self.lone:
            result |= dict.fromkeys(set(BETTER) - {"label_accuracy"}, np.nan)
        return {key: float(result[key]) for key in BETTER}

    def _average_precision(self, weights: Array, faces: float) -> float:
        """Same as `average_precision`, with each row counted as often as its picture."""
        scores = np.concatenate([s for s, _ in self._said]) if self._said else np.zeros(0)
        if not faces or not len(scores):
            return float("nan") if not faces else 0.0
        hits = np.concatenate([h for _, h in self._said])
        often = np.repeat(weights, [len(s) for s, _ in self._said])
        order = np.argsort(-scores, kind="stable")
        right, all_said = np.cumsum((hits * often)[order]), np.cumsum(often[order])
        precision = right / np.maximum(all_said, 1e-9)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        return float(np.sum(np.diff(np.r_[0.0, right / faces]) * envelope))


def compare(new: Outcomes, old: Outcomes, seed: int = 0, groups: Sequence[str] = ()) -> list[Interval]:
    """One interval per figure that both have. The outcomes must be of the same pictures. Raises ValueError.

    `groups`: one name per picture; those of one name (near-duplicates, one visit) are drawn together.
    """
    if len(new) != len(old) or not len(new):
        raise ValueError(f"{len(new)} and {len(old)} pictures: expected the same ones")
    _, group = np.unique(groups or np.arange(len(new)), return_inverse=True)
    rng, count = np.random.default_rng(seed), int(group.max()) + 1
    draws = [rng.multinomial(count, np.full(count, 1 / count)).astype(float)[group] for _ in range(DRAWS)]
    there, before = new.figures(), old.figures()
    drawn = [(new.figures(w), old.figures(w)) for w in draws]
    result = []
    for name in BETTER:
        if np.isnan(there[name]) or np.isnan(before[name]):
            continue
        differences = [a[name] - b[name] for a, b in drawn]
        low, high = np.nanpercentile(differences, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
        result.append(Interval(name, there[name], before[name], float(low), float(high)))
    return result


def table(intervals: Sequence[Interval], new: str, old: str, pictures: int) -> str:
    """The comparison as text."""
    lines = [f"{'':<18}{new[-12:]:>13}{old[-12:]:>13}{'difference':>12}   {LEVEL} % of the difference"]
    for i in intervals:
        lines.append(
            f"{i.name:<18}{i.new:>13.4f}{i.old:>13.4f}{i.new - i.old:>+12.4f}   "
            f"{i.low:+.4f} to {i.high:+.4f}: {i.verdict}"
        )
    if pictures < FEW:
        lines.append(f"Only {pictures} pictures: a difference of {100 / pictures:.1f} points can be one picture.")
    return "\n".join(lines)

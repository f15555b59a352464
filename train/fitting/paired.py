"""Two networks on the same pictures: how much better one is, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.evaluation.outcomes import DRAWS, LEVEL, Interval

Flags = NDArray[np.bool_]


def compare(new: Flags, old: Flags, groups: Sequence[str], seed: int = 0) -> Interval:
    """Share of right answers `new` (N,) against `old` (N,), with the bootstrap's interval of the difference.

    `groups`: near-duplicates share one, and are drawn together (Efron 1979, doi 10.1214/aos/1176344552): ten pictures
    of one person say little more than one does. Raises ValueError without a face.
    """
    if not len(new) or len(new) != len(old) or len(new) != len(groups):
        raise ValueError(f"{len(new)}, {len(old)} answers and {len(groups)} groups: expected as many, and some")
    _, of = np.unique(np.array(groups, str), return_inverse=True)
    count = int(of.max()) + 1
    faces, change = np.bincount(of, minlength=count), np.bincount(of, new.astype(float) - old, count)
    often = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), DRAWS)
    low, high = np.percentile(often @ change / (often @ faces), [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return Interval("label_accuracy", float(new.mean()), float(old.mean()), float(low), float(high))


def text(where: str, interval: Interval, count: int, groups: int, unit: str = "faces") -> str:
    """One line for people: of `count` faces or pictures in so many `groups` of near-duplicates."""
    return (
        f"{where:<24} {interval.old:.3f} -> {interval.new:.3f} ({interval.new - interval.old:+.3f}, {LEVEL} %: "
        f"{interval.low:+.3f} to {interval.high:+.3f}, {interval.verdict}), {count} {unit} in {groups} groups"
    )


def record(interval: Interval, count: int, groups: int, unit: str = "faces") -> dict[str, Any]:
    """The same for report.json."""
    return {
        "before": interval.old,
        "after": interval.new,
        "low": interval.low,
        "high": interval.high,
        unit: count,
        "groups": groups,
    }
